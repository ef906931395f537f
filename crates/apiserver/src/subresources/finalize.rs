//! PUT namespaces/NAME/finalize: writes `spec.finalizers` and nothing else. When the last is gone and the object is
//! being deleted, it goes.

use crate::error::Failure;
use crate::handlers::update::{Change, Lost, Written};
use crate::handlers::{Call, managed};
use crate::respond::Answer;
use crate::{body, storage};
use axum::body::Body;
use http::StatusCode;
use kinds::Part;
use meta::status::Status;
use serde_json::Value;

/// How often it is tried again when others write meanwhile and the body names no resourceVersion.
const ATTEMPTS: usize = 5;

pub(crate) async fn finalize(call: &mut Call<'_>, body: Body) -> Result<Answer, Failure> {
    let dry_run = call.query.dry_run("UpdateOptions")?;
    call.query.field_manager("UpdateOptions")?;
    let text = body::read_text(&call.headers, body).await?;
    let given: Value = serde_json::from_slice(&text).map_err(|error| Status::bad_request(error.to_string()))?;
    let finalizers: Vec<Value> = given["spec"]["finalizers"].as_array().cloned().unwrap_or_default();
    if !finalizers.iter().all(Value::is_string) {
        return Err(Status::bad_request("spec.finalizers must be a list of strings").into());
    }
    let revision = meta::object::text(&given, "resourceVersion").to_owned();
    for _ in 0..ATTEMPTS {
        match attempt(call, &finalizers, &revision, dry_run).await {
            Ok(written) => return written.answer(call, StatusCode::OK),
            Err(Lost::Race) => {}
            Err(lost) => return Err(lost.into_failure(call)),
        }
    }
    Err(Lost::Race.into_failure(call))
}

async fn attempt(call: &mut Call<'_>, finalizers: &[Value], revision: &str, dry_run: bool) -> Result<Written, Lost> {
    let record = call.record()?;
    let old = storage::object(call.kind, &record)?;
    if !revision.is_empty() && revision != meta::object::text(&old, "resourceVersion") {
        return Err(Lost::Failed(Lost::Race.into_failure(call)));
    }
    let mut new = old.clone();
    let spec = meta::object::map(&mut new, "spec");
    spec.insert("finalizers".into(), finalizers.to_vec().into());
    managed::on_update(call, Part::Spec, &old, &mut new);
    let errors = call.kind.validate_changed(&new, &old, Part::Spec);
    if !errors.is_empty() {
        let names = call.kind.names();
        return Err(Status::invalid(names.group, names.kind, &call.path.name, &errors).into());
    }
    let change = Change { call, part: Part::Spec, dry_run };
    change.write(&record, new).await
}
