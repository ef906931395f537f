//! Rules for metadata, the same for every kind (K:apimachinery/pkg/api/validation/objectmeta.go). What may not change
//! in metadata the server keeps as it was.

use crate::at::At;
use crate::kind::Scope;
use meta::field::FieldError;
use meta::names;
use serde_json::Value;

const ANNOTATIONS_BYTES: usize = 256 * 1024;

/// Finalizers that need no domain: Kubernetes' own.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What is wrong with a name; a rule of `meta::names`.
pub(crate) type NameRule = fn(&str) -> Vec<String>;

/// Every mistake in `metadata`.
pub(crate) fn validate(object: &Value, scope: Scope, name_rule: NameRule) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let metadata = At::root(object).field("metadata");
    check_generate_name(&metadata.field("generateName"), name_rule, &mut errors);
    match metadata.field("name").text() {
        "" => errors.push(metadata.field("name").required("name or generateName is required")),
        _ => metadata.field("name").check_rule(name_rule, &mut errors),
    }
    let namespace = metadata.field("namespace");
    match scope {
        Scope::Namespaced => namespace.check_required_rule(names::dns_label_errors, &mut errors),
        Scope::Cluster if !namespace.text().is_empty() => {
            errors.push(namespace.forbidden("not allowed on this type"));
        }
        Scope::Cluster => {}
    }
    metadata.field("generation").check_not_negative(&mut errors);
    check_labels(&metadata.field("labels"), &mut errors);
    check_annotations(&metadata.field("annotations"), &mut errors);
    check_owners(&metadata.field("ownerReferences"), &mut errors);
    check_finalizers(&metadata.field("finalizers"), &mut errors);
    for finalizer in metadata.field("finalizers").items() {
        let is_known = STANDARD_FINALIZERS.contains(&finalizer.text()) || finalizer.text().contains('/');
        if !is_known {
            errors.push(finalizer.invalid("name is neither a standard finalizer name nor is it fully qualified"));
        }
    }
    errors
}

/// Every mistake in the `metadata` of an object that is there already: its name is not judged again.
pub(crate) fn validate_changed(object: &Value, scope: Scope) -> Vec<FieldError> {
    validate(object, scope, |_| Vec::new())
}

/// Labels of an object, a template or a node selector.
pub(crate) fn check_labels(labels: &At<'_>, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.entries() {
        for wrong in names::qualified_name_errors(key) {
            errors.push(FieldError::invalid(&labels.path, key, &wrong));
        }
        for wrong in names::label_value_errors(value.text()) {
            errors.push(FieldError::invalid(&labels.path, value.text(), &wrong));
        }
    }
}

/// Annotations of an object or a template.
pub(crate) fn check_annotations(annotations: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut total_bytes = 0;
    for (key, value) in annotations.entries() {
        // Keys are compared without regard to case.
        for wrong in names::qualified_name_errors(&key.to_lowercase()) {
            errors.push(FieldError::invalid(&annotations.path, key, &wrong));
        }
        total_bytes += key.len() + value.text().len();
    }
    if total_bytes > ANNOTATIONS_BYTES {
        errors.push(FieldError::too_long(&annotations.path, ANNOTATIONS_BYTES));
    }
}

/// Finalizers of an object or a template.
pub(crate) fn check_finalizers(finalizers: &At<'_>, errors: &mut Vec<FieldError>) {
    for finalizer in finalizers.items() {
        for wrong in names::qualified_name_errors(finalizer.text()) {
            errors.push(FieldError::invalid(&finalizers.path, finalizer.text(), &wrong));
        }
    }
    let has = |name: &str| finalizers.items().any(|finalizer| finalizer.text() == name);
    if has("orphan") && has("foregroundDeletion") {
        errors.push(finalizers.invalid("finalizer orphan and foregroundDeletion cannot be both set"));
    }
}

/// A prefix may end in a hyphen: something will follow it.
fn check_generate_name(prefix: &At<'_>, name_rule: NameRule, errors: &mut Vec<FieldError>) {
    let text = prefix.text();
    if text.is_empty() {
        return;
    }
    let name = match text.strip_suffix('-') {
        Some(start) if !start.is_empty() => format!("{start}a"),
        _ => text.to_owned(),
    };
    let wrong = name_rule(&name);
    errors.extend(wrong.iter().map(|detail| prefix.invalid(detail)));
}

fn check_owners(owners: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut controllers = Vec::new();
    for owner in owners.items() {
        let (api_version, kind) = (owner.field("apiVersion"), owner.field("kind"));
        let version = api_version.text().rsplit('/').next().unwrap_or("");
        if version.is_empty() {
            errors.push(api_version.invalid("version must not be empty"));
        }
        for field in ["kind", "name", "uid"] {
            if owner.field(field).text().is_empty() {
                errors.push(FieldError::invalid(owner.field(field).path, "", "must not be empty"));
            }
        }
        if api_version.text() == "v1" && kind.text() == "Event" {
            errors.push(owner.invalid("/v1, Kind=Event is disallowed from being an owner"));
        }
        if owner.field("controller").is_true() {
            controllers.push(format!("{}/{}", kind.text(), owner.field("name").text()));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        errors.push(owners.invalid(&format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(errors: &[FieldError]) -> Vec<String> {
        errors.iter().map(FieldError::to_string).collect()
    }

    #[track_caller]
    fn check(metadata: Value, expect: &[&str]) {
        let object = json!({ "metadata": metadata });
        let errors = validate(&object, Scope::Namespaced, names::dns_subdomain_errors);
        assert_eq!(texts(&errors), expect);
    }

    #[test]
    fn good_metadata_has_no_mistakes() {
        check(
            json!({"name": "a.b", "namespace": "n", "generateName": "a-", "labels": {"x.y/z": "v"},
                "annotations": {"X.y/Z": "anything at all"}, "finalizers": ["a.b/c"],
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]}),
            &[],
        );
    }

    #[test]
    fn a_name_and_a_namespace_are_required() {
        check(
            json!({}),
            &["metadata.name: Required value: name or generateName is required", "metadata.namespace: Required value"],
        );
        let object = json!({"metadata": {"name": "a", "namespace": "n"}});
        let errors = validate(&object, Scope::Cluster, names::dns_subdomain_errors);
        assert_eq!(texts(&errors), ["metadata.namespace: Forbidden: not allowed on this type"]);
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let subdomain = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        check(
            json!({"name": "A", "namespace": "n", "generateName": "B-", "labels": {"k": "x".repeat(64)},
                "finalizers": ["orphan", "foregroundDeletion", "mine"],
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1", "controller": true},
                    {"apiVersion": "v1", "kind": "Pod", "name": "b", "uid": "", "controller": true}]}),
            &[
                &format!("metadata.generateName: Invalid value: \"B-\": {subdomain}"),
                &format!("metadata.name: Invalid value: \"A\": {subdomain}"),
                &format!("metadata.labels: Invalid value: \"{}\": must be no more than 63 bytes", "x".repeat(64)),
                "metadata.ownerReferences[1].uid: Invalid value: \"\": must not be empty",
                "metadata.ownerReferences: Invalid value: [{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"a\",\"uid\":\"1\",\"controller\":true},{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"b\",\"uid\":\"\",\"controller\":true}]: Only one reference can have Controller set to true. Found \"true\" in references for Pod/a and Pod/b",
                "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\",\"mine\"]: finalizer orphan and foregroundDeletion cannot be both set",
                "metadata.finalizers[2]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified",
            ],
        );
    }

    #[test]
    fn annotations_are_bounded_in_total() {
        check(
            json!({"name": "a", "namespace": "n", "annotations": {"k": "x".repeat(256 * 1024)}}),
            &["metadata.annotations: Too long: may not be more than 262144 bytes"],
        );
    }
}
