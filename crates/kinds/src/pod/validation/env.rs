//! Rules for environment variables and where their values come from.

use crate::at::At;
use meta::field::FieldError;
use meta::names;

/// What a variable may take from its pod, as Kubernetes lists it.
const POD_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

/// `env` and `envFrom` of a container.
pub(super) fn check(container: &At<'_>, errors: &mut Vec<FieldError>) {
    for variable in container.field("env").items() {
        variable.field("name").check_required_rule(names::env_name_errors, errors);
        check_source(&variable, errors);
    }
    for from in container.field("envFrom").items() {
        check_from(&from, errors);
    }
}

fn check_source(variable: &At<'_>, errors: &mut Vec<FieldError>) {
    let from = variable.field("valueFrom");
    if !from.is_set() {
        return;
    }
    let n_sources = SOURCES.iter().filter(|source| from.field(source).is_set()).count();
    if from.field("fieldRef").is_set() {
        check_field_reference(&from.field("fieldRef"), errors);
    }
    for source in ["configMapKeyRef", "secretKeyRef"] {
        let source = from.field(source);
        if source.is_set() {
            check_key_reference(&source, errors);
        }
    }
    let has_value = !variable.field("value").text().is_empty();
    let mut complain = |detail: &str| errors.push(FieldError::invalid(&from.path, "", detail));
    match n_sources {
        0 => complain(
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        _ if has_value => complain("may not be specified when `value` is not empty"),
        1 => {}
        _ => complain("may not have more than one field specified at a time"),
    }
}

fn check_key_reference(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    if reference.field("name").text().is_empty() {
        errors.push(reference.field("name").required(""));
    }
    reference.field("key").check_required_rule(names::config_key_errors, errors);
}

fn check_field_reference(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    let path = reference.field("fieldPath");
    if reference.field("apiVersion").text().is_empty() {
        errors.push(reference.field("apiVersion").required(""));
        return;
    }
    if path.text().is_empty() {
        errors.push(path.required(""));
        return;
    }
    if let Some((field, key)) = subscript(path.text()) {
        return match field {
            "metadata.annotations" => {
                let wrong = names::qualified_name_errors(&key.to_lowercase());
                errors.extend(wrong.iter().map(|detail| path.invalid(detail)));
            }
            "metadata.labels" => path_key(&path, key, errors),
            _ => errors.push(path.invalid("does not support subscript")),
        };
    }
    if matches!(path.text(), "metadata.labels" | "metadata.annotations") {
        errors.push(path.not_supported(POD_FIELDS));
    } else if !POD_FIELDS.contains(&path.text()) {
        let detail = format!("error converting fieldPath: field label not supported: {}", path.text());
        errors.push(path.invalid(&detail));
    }
}

fn path_key(path: &At<'_>, key: &str, errors: &mut Vec<FieldError>) {
    let wrong = names::qualified_name_errors(key);
    errors.extend(wrong.iter().map(|detail| path.invalid(detail)));
}

/// `metadata.labels['key']` as its two parts.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['")
}

fn check_from(from: &At<'_>, errors: &mut Vec<FieldError>) {
    let prefix = from.field("prefix");
    if !prefix.text().is_empty() {
        prefix.check_rule(names::env_name_errors, errors);
    }
    let sources: Vec<At<'_>> =
        ["configMapRef", "secretRef"].iter().map(|source| from.field(source)).filter(At::is_set).collect();
    for source in &sources {
        if source.field("name").text().is_empty() {
            errors.push(source.field("name").required(""));
        }
    }
    let mut complain = |detail: &str| errors.push(FieldError::invalid(&from.path, "", detail));
    match sources.len() {
        0 => complain("must specify one of: `configMapRef` or `secretRef`"),
        1 => {}
        _ => complain("may not have more than one field specified at a time"),
    }
}
