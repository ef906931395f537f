//! SelfSubjectRulesReview: what may I do in this namespace (K:pkg/registry/authorization/selfsubjectrulesreview).
//! `kubectl auth can-i --list` asks it.

use super::{Review, Reviewer};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::rbac::Rule;
use crate::rbac::policy::together;
use crate::{table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::status::Status;
use serde_json::{Value, json};

/// SelfSubjectRulesReviews of authorization.k8s.io.
#[derive(Debug)]
pub struct SelfSubjectRulesReview;

const NAMES: Names = Names {
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SelfSubjectRulesReview",
    plural: "selfsubjectrulesreviews",
    singular: "selfsubjectrulesreview",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::CREATE,
    subresources: &[],
};

impl Review for SelfSubjectRulesReview {
    /// The answer has an empty spec, as Kubernetes' has.
    fn answer(&self, object: &Value, reviewer: &dyn Reviewer) -> Result<Value, Box<Status>> {
        let namespace = object["spec"]["namespace"].as_str().unwrap_or("");
        if namespace.is_empty() {
            return Err(Box::new(Status::bad_request("no namespace on request")));
        }
        let held = reviewer.policy().held_by(reviewer.user(), namespace);
        let of_resources = held
            .rules
            .iter()
            .filter(|rule| !rule.resources.is_empty())
            .map(|rule| Rule { non_resource_urls: Vec::new(), ..rule.clone() }.to_json());
        let of_paths = held.rules.iter().filter(|rule| !rule.non_resource_urls.is_empty());
        let of_paths = of_paths.map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}));
        let mut status = json!({
            "resourceRules": of_resources.collect::<Vec<_>>(),
            "nonResourceRules": of_paths.collect::<Vec<_>>(),
            "incomplete": false,
        });
        if !held.missing.is_empty() {
            status["evaluationError"] = together(&held.missing).into();
        }
        Ok(json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": NAMES.kind,
            "metadata": {},
            "spec": {},
            "status": status,
        }))
    }
}

impl Kind for SelfSubjectRulesReview {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.authorization.v1.SelfSubjectRulesReview"
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

#[cfg(test)]
mod tests {
    use super::super::testing::asker;
    use super::*;
    use meta::user::User;

    fn ask(namespace: &str) -> Result<Value, Box<Status>> {
        let asker = asker(User::new("ann", &["team"]));
        SelfSubjectRulesReview.answer(&json!({"spec": {"namespace": namespace}}), &asker)
    }

    #[test]
    fn everything_that_holds_in_the_namespace_is_listed() {
        let status = &ask("blue").unwrap()["status"];
        let paths = json!([{"verbs": ["get"], "nonResourceURLs": ["/logs"]}]);
        let jobs = json!([{"verbs": ["get", "list"], "apiGroups": ["batch"], "resources": ["jobs"]}]);
        assert_eq!(status, &json!({"resourceRules": jobs, "nonResourceRules": paths, "incomplete": false}));
        let status = &ask("green").unwrap()["status"];
        assert_eq!(status, &json!({"resourceRules": [], "nonResourceRules": paths, "incomplete": false}));
    }

    #[test]
    fn a_namespace_is_needed() {
        let status = ask("").unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (400, "no namespace on request"));
    }
}
