//! TokenReview: whom does this token name (K:pkg/registry/authentication/tokenreview). Servers in pods ask it of tokens they are
//! shown.

use super::{Review, Reviewer, user_info};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::service_account::claims::Identity;
use crate::{table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::status::Status;
use serde_json::{Value, json};

/// TokenReviews of authentication.k8s.io.
#[derive(Debug)]
pub struct TokenReview;

const NAMES: Names = Names {
    group: "authentication.k8s.io",
    version: "v1",
    kind: "TokenReview",
    plural: "tokenreviews",
    singular: "tokenreview",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::CREATE,
    subresources: &[],
};

impl Kind for TokenReview {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.authentication.v1.TokenReview"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, _: &Value) -> Vec<FieldError> {
        Vec::new()
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        Vec::new()
    }
    fn columns(&self) -> &'static [Column] {
        &[table::NAME, table::AGE]
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        Row { cells: vec![table::name(object), table::age(object, now)], ..Row::default() }
    }
    fn as_review(&self) -> Option<&dyn Review> {
        Some(self)
    }
}

impl Review for TokenReview {
    fn answer(&self, object: &Value, reviewer: &dyn Reviewer) -> Result<Value, Box<Status>> {
        let token = object["spec"]["token"].as_str().unwrap_or("");
        if token.is_empty() {
            return Err(Box::new(Status::bad_request("token is required for TokenReview in authentication")));
        }
        let audiences = object["spec"]["audiences"].as_array().into_iter().flatten();
        let audiences: Vec<String> = audiences.filter_map(Value::as_str).map(String::from).collect();
        let mut answer = object.clone();
        answer["status"] = match reviewer.identify(token, &audiences) {
            Ok(Identity { user, audiences }) => {
                json!({"authenticated": true, "user": user_info(&user), "audiences": audiences})
            }
            Err(error) => json!({"user": {}, "error": error}),
        };
        Ok(answer)
    }
}
