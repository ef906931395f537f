//! May I, may somebody, do that? SelfSubjectAccessReview, SubjectAccessReview and, for those who only rule over a
//! namespace, LocalSubjectAccessReview (K:pkg/registry/authorization, K:pkg/apis/authorization/validation).

use super::{Review, Reviewer};
use crate::access::{Attributes, Decision};
use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::names;
use meta::status::Status;
use meta::user::User;
use serde_json::{Map, Value, json};

/// SelfSubjectAccessReviews of authorization.k8s.io: may I? `kubectl auth can-i` asks it.
#[derive(Debug)]
pub struct SelfSubjectAccessReview;

/// SubjectAccessReviews of authorization.k8s.io: may somebody?
#[derive(Debug)]
pub struct SubjectAccessReview;

/// LocalSubjectAccessReviews of authorization.k8s.io: may somebody, in this namespace?
#[derive(Debug)]
pub struct LocalSubjectAccessReview;

const SELF: Names = Names {
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
    singular: "selfsubjectaccessreview",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::CREATE,
    subresources: &[],
};

const SUBJECT: Names =
    Names { kind: "SubjectAccessReview", plural: "subjectaccessreviews", singular: "subjectaccessreview", ..SELF };

const LOCAL: Names = Names {
    kind: "LocalSubjectAccessReview",
    plural: "localsubjectaccessreviews",
    singular: "localsubjectaccessreview",
    scope: Scope::Namespaced,
    ..SELF
};

/// What is asked, and that metadata is empty but for `allowed`.
fn validate(review: &Value, allowed: &[&str], but: &str) -> Vec<FieldError> {
    let root = At::root(review);
    let spec = root.field("spec");
    let mut errors = check_attributes(&spec);
    check_selectors(&spec.field("resourceAttributes"), &mut errors);
    let metadata = root.field("metadata");
    let is_empty = metadata.value.as_object().into_iter().flatten().all(|(key, value)| {
        let is_nothing = value.is_null() || value == "";
        is_nothing || key == "managedFields" || allowed.contains(&key.as_str())
    });
    if !is_empty {
        errors.push(metadata.invalid(but));
    }
    errors
}

fn check_attributes(spec: &At<'_>) -> Vec<FieldError> {
    let (resource, path) = (spec.field("resourceAttributes"), spec.field("nonResourceAttributes"));
    match (resource.is_set(), path.is_set()) {
        (true, true) => {
            let detail = "cannot be specified in combination with resourceAttributes";
            vec![FieldError::invalid(path.path.as_str(), shown_path(&path), detail)]
        }
        (false, false) => {
            let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            // Go prints a missing pointer as this text.
            vec![FieldError::invalid(resource.path, "null", detail)]
        }
        _ => Vec::new(),
    }
}

/// Kubernetes prints its internal type here.
fn shown_path(path: &At<'_>) -> Value {
    json!({"Path": path.field("path").text(), "Verb": path.field("verb").text()})
}

/// Selectors narrow what is asked. RBAC does not look at them, but they are asked for properly.
fn check_selectors(attributes: &At<'_>, errors: &mut Vec<FieldError>) {
    for kind in ["fieldSelector", "labelSelector"] {
        let selector = attributes.field(kind);
        if !selector.is_set() {
            continue;
        }
        let (raw, requirements) = (selector.field("rawSelector"), selector.field("requirements"));
        match (raw.text().is_empty(), requirements.len() == 0) {
            (false, false) => errors.push(raw.invalid("may not specified at the same time as requirements")),
            (true, true) => errors.push(
                requirements
                    .required(&format!("when {} is specified, requirements or rawSelector is required", selector.path)),
            ),
            _ => {}
        }
        for requirement in requirements.items() {
            check_requirement(&requirement, kind == "labelSelector", errors);
        }
    }
}

/// Operators that newer clients know are let through.
fn check_requirement(requirement: &At<'_>, is_label: bool, errors: &mut Vec<FieldError>) {
    let (key, values) = (requirement.field("key"), requirement.field("values"));
    if !is_label && key.text().is_empty() {
        errors.push(key.required("must be specified"));
    }
    match requirement.field("operator").text() {
        "In" | "NotIn" if values.len() == 0 => {
            errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if values.len() != 0 => {
            errors.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        _ => {}
    }
    if is_label {
        let wrong = names::qualified_name_errors(key.text());
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(key.path.as_str(), key.text(), detail)));
        values.items().for_each(|value| value.check_rule(names::label_value_errors, errors));
    }
}

fn check_subject(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    if spec.field("user").text().is_empty() && spec.field("groups").len() == 0 {
        let detail = "at least one of user or group must be specified";
        errors.push(FieldError::invalid(spec.field("user").path, "", detail));
    }
}

/// The review with the authorizer's answer.
fn answer(review: &Value, user: &User, reviewer: &dyn Reviewer) -> Value {
    let spec = At::root(review).field("spec");
    let (resource, path) = (spec.field("resourceAttributes"), spec.field("nonResourceAttributes"));
    let attributes = match resource.is_set() {
        true => Attributes {
            verb: resource.field("verb").text(),
            group: resource.field("group").text(),
            resource: resource.field("resource").text(),
            subresource: resource.field("subresource").text(),
            namespace: resource.field("namespace").text(),
            name: resource.field("name").text(),
            path: None,
        },
        false => Attributes {
            verb: path.field("verb").text(),
            path: Some(path.field("path").text()),
            ..Attributes::default()
        },
    };
    let decision = reviewer.authorize(user, &attributes);
    let mut status = Map::new();
    status.insert("allowed".into(), decision.is_allowed().into());
    let (Decision::Allow(reason) | Decision::NoOpinion(reason)) = decision;
    if !reason.is_empty() {
        status.insert("reason".into(), reason.into());
    }
    let mut answered = review.clone();
    answered["status"] = status.into();
    answered
}

/// The user that a spec names.
fn subject(review: &Value) -> User {
    let spec = &review["spec"];
    let text = |field: &str| spec[field].as_str().unwrap_or("").to_owned();
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let extra = spec["extra"].as_object().into_iter().flatten();
    User {
        name: text("user"),
        uid: text("uid"),
        groups: texts(&spec["groups"]),
        extra: extra.map(|(key, values)| (key.clone(), texts(values))).collect(),
    }
}

const EMPTY: &str = "must be empty";

impl Review for SelfSubjectAccessReview {
    fn answer(&self, object: &Value, reviewer: &dyn Reviewer) -> Result<Value, Box<Status>> {
        Ok(answer(object, reviewer.user(), reviewer))
    }
}

impl Review for SubjectAccessReview {
    fn answer(&self, object: &Value, reviewer: &dyn Reviewer) -> Result<Value, Box<Status>> {
        Ok(answer(object, &subject(object), reviewer))
    }
}

impl Review for LocalSubjectAccessReview {
    fn answer(&self, object: &Value, reviewer: &dyn Reviewer) -> Result<Value, Box<Status>> {
        Ok(answer(object, &subject(object), reviewer))
    }
}

impl Kind for SelfSubjectAccessReview {
    fn names(&self) -> &'static Names {
        &SELF
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.authorization.v1.SelfSubjectAccessReview"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validate(object, &[], EMPTY)
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

impl Kind for SubjectAccessReview {
    fn names(&self) -> &'static Names {
        &SUBJECT
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.authorization.v1.SubjectAccessReview"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = validate(object, &[], EMPTY);
        check_subject(&At::root(object).field("spec"), &mut errors);
        errors
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

impl Kind for LocalSubjectAccessReview {
    fn names(&self) -> &'static Names {
        &LOCAL
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.authorization.v1.LocalSubjectAccessReview"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = validate(object, &["namespace"], "must be empty except for namespace");
        let spec = At::root(object).field("spec");
        check_subject(&spec, &mut errors);
        let (resource, path) = (spec.field("resourceAttributes"), spec.field("nonResourceAttributes"));
        let namespace = resource.field("namespace");
        if resource.is_set() && namespace.text() != meta::object::namespace(object) {
            let detail = "must match metadata.namespace";
            errors.push(FieldError::invalid(namespace.path.as_str(), namespace.text(), detail));
        }
        if path.is_set() {
            let detail = "disallowed on this kind of request";
            errors.push(FieldError::invalid(path.path.as_str(), shown_path(&path), detail));
        }
        errors
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
    use crate::testing::check_errors;

    fn jobs(namespace: &str) -> Value {
        json!({"verb": "list", "group": "batch", "resource": "jobs", "namespace": namespace})
    }

    #[track_caller]
    fn check(kind: &dyn Review, user: &str, spec: Value, expect: Value) {
        let asker = asker(User::new(user, &[]));
        let answered = kind.answer(&json!({"metadata": {}, "spec": spec.clone()}), &asker).unwrap();
        assert_eq!(answered, json!({"metadata": {}, "spec": spec, "status": expect}));
    }

    #[test]
    fn who_asks_for_himself_is_told_why() {
        let reason = r#"RBAC: allowed by RoleBinding "ann/blue" of ClusterRole "jobs" to User "ann""#;
        let ask = |namespace| json!({"resourceAttributes": jobs(namespace)});
        check(&SelfSubjectAccessReview, "ann", ask("blue"), json!({"allowed": true, "reason": reason}));
        check(&SelfSubjectAccessReview, "ann", ask("green"), json!({"allowed": false}));
        check(&SelfSubjectAccessReview, "bob", ask("blue"), json!({"allowed": false}));
        // A resource without a name is no path.
        check(&SelfSubjectAccessReview, "ann", json!({"resourceAttributes": {}}), json!({"allowed": false}));
    }

    #[test]
    fn others_are_asked_about_by_name_and_groups() {
        let path = json!({"groups": ["team"], "nonResourceAttributes": {"verb": "get", "path": "/logs"}});
        let reason = r#"RBAC: allowed by ClusterRoleBinding "team" of ClusterRole "logs" to Group "team""#;
        check(&SubjectAccessReview, "bob", path, json!({"allowed": true, "reason": reason}));
        let named = json!({"user": "ann", "resourceAttributes": jobs("blue")});
        let reason = r#"RBAC: allowed by RoleBinding "ann/blue" of ClusterRole "jobs" to User "ann""#;
        check(&LocalSubjectAccessReview, "bob", named, json!({"allowed": true, "reason": reason}));
    }

    #[test]
    fn a_question_asks_one_thing_of_somebody() {
        check_errors(
            &SubjectAccessReview,
            &json!({"metadata": {"name": "x"}, "spec": {}}),
            &[
                r#"spec.resourceAttributes: Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes must be specified"#,
                r#"metadata: Invalid value: {"name":"x"}: must be empty"#,
                r#"spec.user: Invalid value: "": at least one of user or group must be specified"#,
            ],
        );
        check_errors(
            &SelfSubjectAccessReview,
            &json!({"metadata": {}, "spec": {"resourceAttributes": {}, "nonResourceAttributes": {"path": "/", "verb": "get"}}}),
            &[
                r#"spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":"get"}: cannot be specified in combination with resourceAttributes"#,
            ],
        );
        check_errors(
            &LocalSubjectAccessReview,
            &json!({"metadata": {"namespace": "blue"}, "spec": {"user": "u", "resourceAttributes": {"namespace": "green"}}}),
            &[r#"spec.resourceAttributes.namespace: Invalid value: "green": must match metadata.namespace"#],
        );
        check_errors(
            &LocalSubjectAccessReview,
            &json!({"metadata": {"namespace": "blue"}, "spec": {"user": "u", "nonResourceAttributes": {"path": "/x"}}}),
            &[
                r#"spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":""}: disallowed on this kind of request"#,
            ],
        );
    }

    #[test]
    fn selectors_are_given_raw_or_taken_apart() {
        let ask = |selectors: Value| json!({"metadata": {}, "spec": {"resourceAttributes": selectors}});
        check_errors(
            &SelfSubjectAccessReview,
            &ask(
                json!({"fieldSelector": {}, "labelSelector": {"rawSelector": "a", "requirements": [{"key": "-", "operator": "In"}]}}),
            ),
            &[
                "spec.resourceAttributes.fieldSelector.requirements: Required value: when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required",
                r#"spec.resourceAttributes.labelSelector.rawSelector: Invalid value: "a": may not specified at the same time as requirements"#,
                "spec.resourceAttributes.labelSelector.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                r#"spec.resourceAttributes.labelSelector.requirements[0].key: Invalid value: "-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#,
            ],
        );
        check_errors(
            &SelfSubjectAccessReview,
            &ask(
                json!({"fieldSelector": {"requirements": [{"operator": "Exists", "values": ["x"]}, {"key": "k", "operator": "Newer"}]}}),
            ),
            &[
                "spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified",
                "spec.resourceAttributes.fieldSelector.requirements[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ],
        );
    }
}
