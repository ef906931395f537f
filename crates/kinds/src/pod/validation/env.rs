//! Rules for environment variables and where their values come from.

use super::{Pod, files};
use crate::at::At;
use meta::field::FieldError;
use meta::names;
use meta::quantity::Quantity;

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
/// What a file may.
pub(super) const FILE_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/// Whatever a pod has a name for (K:pkg/apis/core/pods/helpers.go).
const KNOWN_FIELDS: [&str; 15] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.host",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const CONTAINER_RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const HUGE_PAGES: [&str; 2] = ["limits.hugepages-", "requests.hugepages-"];
const BYTE_DIVISORS: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

/// `env` and `envFrom` of a container.
pub(super) fn check(container: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    for variable in container.field("env").items() {
        variable.field("name").check_required_rule(names::env_name_errors, errors);
        check_source(&variable, pod, errors);
    }
    let list = container.field("envFrom");
    for from in list.items() {
        check_from(&from, &list, errors);
    }
}

fn check_source(variable: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let from = variable.field("valueFrom");
    if !from.is_set() {
        return;
    }
    let sources: Vec<&str> = SOURCES.into_iter().filter(|source| from.field(source).is_set()).collect();
    for source in &sources {
        let reference = from.field(source);
        match *source {
            "fieldRef" => check_field(&reference, POD_FIELDS, errors),
            "resourceFieldRef" => check_resource(&reference, errors),
            "fileKeyRef" => check_file(&reference, pod, errors),
            _ => check_key(&reference, errors),
        }
    }
    let has_value = !variable.field("value").text().is_empty();
    let mut complain = |detail: &str| errors.push(FieldError::invalid(&from.path, "", detail));
    match sources.len() {
        0 => complain(
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        _ if has_value => complain("may not be specified when `value` is not empty"),
        1 => {}
        _ => complain("may not have more than one field specified at a time"),
    }
}

/// A key of a ConfigMap or Secret.
fn check_key(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    reference.field("name").check_rule(names::dns_subdomain_errors, errors);
    reference.field("key").check_required_rule(names::config_key_errors, errors);
}

/// A variable in a file of a volume (KEP-3721).
fn check_file(reference: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let volume = reference.field("volumeName");
    volume.check_required_rule(names::dns_label_errors, errors);
    if !volume.text().is_empty() && !pod.volumes.contains_key(volume.text()) {
        errors.push(FieldError::not_found(&volume.path, volume.text()));
    }
    reference.field("path").check_required(errors);
    files::check_unreserved(&reference.field("path"), errors);
    reference.field("key").check_required_rule(names::env_name_errors, errors);
}

/// A field of the pod: one of `expressions`, or a label or annotation by its key.
pub(super) fn check_field(reference: &At<'_>, expressions: &[&str], errors: &mut Vec<FieldError>) {
    let path = reference.field("fieldPath");
    for field in [reference.field("apiVersion"), path.clone()] {
        if field.text().is_empty() {
            errors.push(field.required(""));
            return;
        }
    }
    let mut cannot_convert =
        |detail: String| errors.push(path.invalid(&format!("error converting fieldPath: {detail}")));
    if reference.field("apiVersion").text() != "v1" {
        return cannot_convert(format!("unsupported pod version: {}", reference.field("apiVersion").text()));
    }
    if let Some((field, key)) = subscript(path.text()) {
        let key = match field {
            // Annotations' keys are compared without regard to case.
            "metadata.annotations" => key.to_lowercase(),
            "metadata.labels" => key.to_owned(),
            _ => return cannot_convert(format!("field label does not support subscript: {}", path.text())),
        };
        let wrong = names::qualified_name_errors(&key);
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&reference.path, key.as_str(), detail)));
        return;
    }
    if !KNOWN_FIELDS.contains(&path.text()) {
        return cannot_convert(format!("field label not supported: {}", path.text()));
    }
    // Old clients say spec.host.
    let field = if path.text() == "spec.host" { "spec.nodeName" } else { path.text() };
    if !expressions.contains(&field) {
        errors.push(FieldError::not_supported(&path.path, field, expressions));
    }
}

/// `metadata.labels['key']` as its two parts.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let parts = path.strip_suffix("']")?.split_once("['")?;
    (!parts.0.is_empty()).then_some(parts)
}

/// What a container asks for or is limited to.
fn check_resource(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    let resource = reference.field("resource");
    let is_huge_page = HUGE_PAGES.iter().any(|prefix| resource.text().starts_with(prefix));
    if resource.text().is_empty() {
        errors.push(resource.required(""));
    } else if !CONTAINER_RESOURCES.contains(&resource.text()) && !is_huge_page {
        errors.push(resource.not_supported(CONTAINER_RESOURCES));
    }
    check_divisor(reference, errors);
}

/// The same for a file in a volume, which has to say whose.
pub(super) fn check_resource_of_container(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    if reference.field("containerName").text().is_empty() {
        errors.push(reference.field("containerName").required(""));
        return check_divisor(reference, errors);
    }
    check_resource(reference, errors);
}

fn check_divisor(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    let resource = reference.field("resource").text();
    let Ok(divisor) = reference.field("divisor").text().parse::<Quantity>() else { return };
    if divisor.is_zero() {
        return;
    }
    let (divisors, whose) = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") => (&["1m", "1"][..], "cpu"),
        Some("memory") => (&BYTE_DIVISORS[..], "memory"),
        Some("ephemeral-storage") => (&BYTE_DIVISORS[..], "local ephemeral storage"),
        Some(name) if name.starts_with("hugepages-") => (&BYTE_DIVISORS[..], "hugepages"),
        _ => return,
    };
    if !divisors.contains(&divisor.canonical().as_str()) {
        let listed = if whose == "cpu" { "1m and 1".to_owned() } else { divisors.join(", ") };
        let detail = format!("only divisor's values {listed} are supported with the {whose} resource");
        errors.push(FieldError::invalid(reference.field("divisor").path, resource, &detail));
    }
}

fn check_from(from: &At<'_>, list: &At<'_>, errors: &mut Vec<FieldError>) {
    from.field("prefix").check_optional_rule(names::env_name_errors, errors);
    let sources: Vec<At<'_>> =
        ["configMapRef", "secretRef"].iter().map(|source| from.field(source)).filter(At::is_set).collect();
    for source in &sources {
        source.field("name").check_required_rule(names::dns_subdomain_errors, errors);
    }
    let mut complain = |detail: &str| errors.push(FieldError::invalid(&list.path, "", detail));
    match sources.len() {
        0 => complain("must specify one of: `configMapRef` or `secretRef`"),
        1 => {}
        _ => complain("may not have more than one field specified at a time"),
    }
}
