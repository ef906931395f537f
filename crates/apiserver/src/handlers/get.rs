//! GET of one object, or of one object through a subresource that shows it (`status`).

use super::Call;
use crate::error::Failure;
use crate::respond::Answer;
use http::StatusCode;

/// The object the path names. A read from memory is never older than any write that was answered.
pub(crate) async fn get(call: &Call<'_>) -> Result<Answer, Failure> {
    match call.query.text("resourceVersion") {
        "" | "0" => {}
        wanted => {
            let wanted = super::options::revision(wanted)?;
            super::list::wait_for(call, wanted).await?;
        }
    }
    call.answer_record(StatusCode::OK, &*call.record()?)
}
