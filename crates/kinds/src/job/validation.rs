//! Rules for Jobs (K:pkg/apis/batch/validation/validation.go). Finds every mistake at once.

use super::kind::NAMES;
use super::strategy::{CONTROLLER_UID_LABEL, JOB_NAME_LABEL, OLD_CONTROLLER_UID_LABEL, OLD_JOB_NAME_LABEL};
use super::unsupported;
use crate::at::At;
use crate::metadata;
use crate::pod::validation::{check_label_selector, check_template};
use meta::field::FieldError;
use meta::selector::LabelSelector;
use meta::{names, object};
use serde_json::Value;

const MANAGED_BY_BYTES: usize = 63;
const MOST_INDEXED_PODS: i64 = 100_000;

/// Every mistake in a Job.
pub(super) fn validate(job: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(job, NAMES.scope, names::dns_subdomain_errors);
    check_generated_selector(job, &mut errors);
    let spec = At::root(job).field("spec");
    check_spec(&spec, &mut errors);
    check_selector(&spec, &mut errors);
    check_indexed_name(job, &mut errors);
    errors
}

/// What may surprise, though it is no mistake.
pub(super) fn warnings(job: &Value) -> Vec<String> {
    let wrong = names::dns_label_errors(object::name(job));
    if wrong.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; \
         a DNS label is recommended: [{}]",
        wrong.join(" ")
    )]
}

/// The spec of a Job, or of a CronJob's jobTemplate. The selector is not looked at.
pub(crate) fn check_spec(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        spec.field(field).check_not_negative(errors);
    }
    check_managed_by(&spec.field("managedBy"), errors);
    check_completion_mode(spec, errors);
    check_pod_replacement(spec, errors);
    check_template(&spec.field("template"), errors);
    check_restart_policy(spec, errors);
    crate::unsupported::check(spec, unsupported::TABLE, errors);
}

fn check_managed_by(managed_by: &At<'_>, errors: &mut Vec<FieldError>) {
    if !managed_by.is_set() {
        return;
    }
    if managed_by.text().is_empty() {
        errors.push(managed_by.required(""));
        return;
    }
    for (part, detail) in names::domain_prefixed_path_errors(managed_by.text()) {
        errors.push(FieldError::invalid(&managed_by.path, part, &detail));
    }
    if MANAGED_BY_BYTES < managed_by.text().len() {
        errors.push(FieldError::too_long(&managed_by.path, MANAGED_BY_BYTES));
    }
}

fn check_completion_mode(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let mode = spec.field("completionMode");
    mode.check_among(&["NonIndexed", "Indexed"], errors);
    if mode.text() == "Indexed" {
        return check_indexed(spec, errors);
    }
    if mode.is_set() && mode.text() != "NonIndexed" {
        return;
    }
    for field in ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"] {
        let field = spec.field(field);
        if field.is_set() {
            errors.push(field.invalid("requires indexed completion mode"));
        }
    }
}

fn check_indexed(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let (completions, parallelism) = (spec.field("completions"), spec.field("parallelism"));
    let (per_index, max_failed) = (spec.field("backoffLimitPerIndex"), spec.field("maxFailedIndexes"));
    if max_failed.is_set() && !per_index.is_set() {
        errors.push(per_index.required("when maxFailedIndexes is specified"));
    }
    if !completions.is_set() {
        errors.push(completions.required("when completion mode is Indexed"));
    }
    if parallelism.int().is_some_and(|pods| MOST_INDEXED_PODS < pods) {
        errors
            .push(parallelism.invalid(&format!(
                "must be less than or equal to {MOST_INDEXED_PODS} when completion mode is Indexed"
            )));
    }
    if let (Some(completions), Some(failed)) = (completions.int(), max_failed.int())
        && completions < failed
    {
        errors.push(max_failed.invalid("must be less than or equal to completions"));
    }
}

fn check_pod_replacement(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let policy = spec.field("podReplacementPolicy");
    let has_failure_policy = spec.field("podFailurePolicy").is_set();
    let supported: &[&str] = if has_failure_policy { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    policy.check_among(supported, errors);
}

/// A Job's pods have to end. Always is also what no answer means, so it is asked for again.
fn check_restart_policy(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let policy = spec.fields(&["template", "spec", "restartPolicy"]);
    match policy.text() {
        "" | "Always" => errors.push(policy.required("valid values: \"OnFailure\", \"Never\"")),
        "OnFailure" if spec.field("podFailurePolicy").is_set() => {
            errors.push(policy.invalid("only \"Never\" is supported when podFailurePolicy is specified"));
        }
        "OnFailure" | "Never" => {}
        _ => errors.push(policy.not_supported(&["OnFailure", "Never"])),
    }
}

/// The labels and the selector that the server generates must be what they are.
fn check_generated_selector(job: &Value, errors: &mut Vec<FieldError>) {
    let root = At::root(job);
    let spec = root.field("spec");
    if spec.field("manualSelector").is_true() || !spec.field("selector").is_set() {
        return;
    }
    let (name, uid) = (object::name(job), object::uid(job));
    if uid.is_empty() {
        errors.push(root.fields(&["metadata", "uid"]).required(""));
    }
    let labels = spec.fields(&["template", "metadata", "labels"]);
    let expected = [
        (OLD_CONTROLLER_UID_LABEL, uid),
        (OLD_JOB_NAME_LABEL, name),
        (CONTROLLER_UID_LABEL, uid),
        (JOB_NAME_LABEL, name),
    ];
    for (label, value) in expected {
        let path = format!("{}[{label}]", labels.path);
        let detail = format!("must be '{value}'");
        match labels.value[label].as_str() {
            None => errors.push(FieldError::required(path, &detail)),
            Some(actual) if actual != value => errors.push(FieldError::invalid(path, sorted(labels.value), &detail)),
            Some(_) => {}
        }
    }
    let selects_expected = |selector: LabelSelector| {
        selector.matches(|key| expected.iter().find(|(label, _)| *label == key).map(|(_, value)| *value))
    };
    let selector = spec.field("selector");
    if LabelSelector::from_json(selector.value).is_ok_and(|parsed| !selects_expected(parsed)) {
        errors.push(selector.invalid("`selector` not auto-generated"));
    }
}

fn check_selector(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let selector = spec.field("selector");
    if !selector.is_set() {
        errors.push(selector.required(""));
    } else {
        check_label_selector(&selector, errors);
    }
    let labels = spec.fields(&["template", "metadata", "labels"]);
    let selects_pods = |parsed: LabelSelector| parsed.matches(|key| labels.value.get(key).and_then(Value::as_str));
    if LabelSelector::from_json(selector.value).is_ok_and(|parsed| !selects_pods(parsed)) {
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(&labels.path, sorted(labels.value), detail));
    }
}

/// Labels as Go prints a map.
fn sorted(labels: &Value) -> Value {
    let mut labels = labels.clone();
    if let Value::Object(labels) = &mut labels {
        labels.sort_keys();
    }
    labels
}

/// The last index becomes part of a host name.
fn check_indexed_name(job: &Value, errors: &mut Vec<FieldError>) {
    let root = At::root(job);
    let spec = root.field("spec");
    let completions = spec.field("completions").int().unwrap_or(0);
    if spec.field("completionMode").text() != "Indexed" || completions <= 0 {
        return;
    }
    let host_name = format!("{}-{}", object::name(job), completions - 1);
    if !names::dns_label_errors(&host_name).is_empty() {
        let detail = format!("will not able to create pod with invalid DNS label: {host_name}");
        errors.push(root.fields(&["metadata", "name"]).invalid(&detail));
    }
}

/// Rules for the spec of Jobs that a CronJob makes: its selector is always generated.
pub(crate) fn check_job_template(template: &At<'_>, errors: &mut Vec<FieldError>) {
    let spec = template.field("spec");
    check_spec(&spec, errors);
    let selector = spec.field("selector");
    if selector.is_set() {
        errors.push(selector.invalid("`selector` will be auto-generated"));
    }
    let manual = spec.field("manualSelector");
    if manual.is_true() {
        errors.push(manual.not_supported(&["nil", "false"]));
    }
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
