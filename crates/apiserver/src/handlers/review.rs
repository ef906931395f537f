//! POST of a question: answered, not stored.

use super::Call;
use crate::auth;
use crate::error::Failure;
use crate::respond::Answer;
use http::StatusCode;
use jiff::Timestamp;
use kinds::access::{Attributes, Decision};
use kinds::rbac::Policy;
use kinds::review::{Review, Reviewer};
use kinds::service_account::claims::Identity;
use meta::status::Status;
use meta::user::User;
use serde_json::Value;
use std::sync::Arc;

/// Checks a decoded question and answers it: 201, as for what is stored.
pub(super) fn answer(call: &Call<'_>, review: &dyn Review, object: &Value) -> Result<Answer, Failure> {
    let names = call.kind.names();
    let errors = call.kind.validate(object);
    if !errors.is_empty() {
        return Err(Status::invalid(names.group, names.kind, "", &errors).into());
    }
    let reviewed = review.answer(object, &Asked(call))?;
    call.answer_object(StatusCode::CREATED, reviewed)
}

/// The server, as reviews ask it.
struct Asked<'a>(&'a Call<'a>);

impl Reviewer for Asked<'_> {
    fn user(&self) -> &User {
        &self.0.user
    }
    fn now(&self) -> Timestamp {
        self.0.server.clock.now()
    }
    fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision {
        self.0.server.authorizer.authorize(user, attributes)
    }
    fn identify(&self, token: &str, audiences: &[String]) -> Result<Identity, String> {
        let own = auth::own_audiences();
        auth::identify(self.0.server, token, if audiences.is_empty() { &own } else { audiences })
    }
    fn policy(&self) -> Arc<Policy> {
        self.0.server.authorizer.policy()
    }
}
