//! SelfSubjectReview: who am I (K:pkg/registry/authentication/selfsubjectreview). `kubectl auth whoami` asks it.

use super::{Review, Reviewer, user_info};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::status::Status;
use serde_json::{Value, json};

/// SelfSubjectReviews of authentication.k8s.io.
#[derive(Debug)]
pub struct SelfSubjectReview;

const NAMES: Names = Names {
    group: "authentication.k8s.io",
    version: "v1",
    kind: "SelfSubjectReview",
    plural: "selfsubjectreviews",
    singular: "selfsubjectreview",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::CREATE,
    subresources: &[],
};

impl Kind for SelfSubjectReview {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.authentication.v1.SelfSubjectReview"
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
        table::DEFAULT
    }
    fn row(&self, object: &Value, _: Timestamp) -> Row {
        table::default_row(object)
    }
    fn as_review(&self) -> Option<&dyn Review> {
        Some(self)
    }
}

impl Review for SelfSubjectReview {
    /// Whatever was sent, the answer is a fresh object.
    fn answer(&self, _: &Value, reviewer: &dyn Reviewer) -> Result<Value, Box<Status>> {
        let second = Timestamp::from_second(reviewer.now().as_second()).unwrap_or_default();
        Ok(json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": NAMES.kind,
            "metadata": {"creationTimestamp": second.to_string()},
            "status": {"userInfo": user_info(reviewer.user())},
        }))
    }
}
