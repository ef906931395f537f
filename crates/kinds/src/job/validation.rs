//! Rules for Jobs (K:pkg/apis/batch/validation/validation.go). Finds every mistake at once.

mod failure_policy;
mod success_policy;

use super::kind::NAMES;
use super::strategy::{CONTROLLER_UID_LABEL, JOB_NAME_LABEL, OLD_CONTROLLER_UID_LABEL, OLD_JOB_NAME_LABEL};
use crate::at::At;
use crate::metadata;
use crate::pod;
use crate::pod::validation::{check_label_selector, check_template};
use meta::field::FieldError;
use meta::selector::LabelSelector;
use meta::{names, object};
use serde_json::Value;

const MANAGED_BY_BYTES: usize = 63;
const MOST_INDEXED_PODS: i64 = 100_000;
const MOST_FAILED_INDEXES: i64 = 100_000;
/// From here on a Job with a limit per index is kept smaller in other ways: its status lists indexes.
const MANY_COMPLETIONS: i64 = 100_000;
const MOST_OF_MANY: i64 = 10_000;

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

/// What may surprise in a new Job, though it is no mistake.
pub(super) fn warnings(job: &Value) -> Vec<String> {
    let mut warnings = name_warnings(job);
    warnings.extend(spec_warnings(&At::root(job).field("spec")));
    warnings
}

/// The same for a changed one: only if its spec changed.
pub(super) fn update_warnings(job: &Value, old: &Value) -> Vec<String> {
    match object::generation(job) == object::generation(old) {
        true => Vec::new(),
        false => spec_warnings(&At::root(job).field("spec")),
    }
}

/// Names become part of pods' names.
pub(crate) fn name_warnings(object: &Value) -> Vec<String> {
    let wrong = names::dns_label_errors(object::name(object));
    if wrong.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; \
         a DNS label is recommended: [{}]",
        wrong.join(" ")
    )]
}

/// What may surprise in the spec of a Job, or of those that a CronJob makes.
pub(crate) fn spec_warnings(spec: &At<'_>) -> Vec<String> {
    let number = |field: &str| spec.field(field).int().unwrap_or(0);
    let is_indexed = spec.field("completionMode").text() == "Indexed";
    let is_huge = MANY_COMPLETIONS < number("completions") && MOST_OF_MANY < number("parallelism");
    let mut warnings = Vec::new();
    if is_indexed && is_huge {
        warnings.push(format!(
            "{}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, \
             Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
            spec.path
        ));
    }
    warnings.extend(pod::template_warnings(&spec.field("template")));
    warnings
}

/// The spec of a Job, or of a CronJob's jobTemplate. The selector is not looked at.
fn check_spec(spec: &At<'_>, errors: &mut Vec<FieldError>) {
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
    if spec.field("maxFailedIndexes").is_set() && !spec.field("backoffLimitPerIndex").is_set() {
        errors.push(spec.field("backoffLimitPerIndex").required("when maxFailedIndexes is specified"));
    }
    check_managed_by(&spec.field("managedBy"), errors);
    check_completion_mode(spec, errors);
    failure_policy::check(spec, errors);
    success_policy::check(spec, errors);
    check_pod_replacement(spec, errors);
    check_template(&spec.field("template"), errors);
    check_restart_policy(spec, errors);
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
    for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
        let field = spec.field(field);
        if field.is_set() {
            errors.push(field.invalid("requires indexed completion mode"));
        }
    }
}

fn check_indexed(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let (completions, parallelism) = (spec.field("completions"), spec.field("parallelism"));
    let max_failed = spec.field("maxFailedIndexes");
    let exceeds = |at: &At<'_>, most: i64| at.int().is_some_and(|number| most < number);
    let mut refuse = |is_wrong: bool, at: &At<'_>, detail: &str| {
        if is_wrong {
            errors.push(at.invalid(&format!("must be less than or equal to {detail}")));
        }
    };
    refuse(
        exceeds(&parallelism, MOST_INDEXED_PODS),
        &parallelism,
        &format!("{MOST_INDEXED_PODS} when completion mode is Indexed"),
    );
    refuse(completions.int().is_some_and(|most| exceeds(&max_failed, most)), &max_failed, "completions");
    refuse(exceeds(&max_failed, MOST_FAILED_INDEXES), &max_failed, &MOST_FAILED_INDEXES.to_string());
    if exceeds(&completions, MANY_COMPLETIONS) && spec.field("backoffLimitPerIndex").is_set() {
        let detail = format!(
            "{MOST_OF_MANY} when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
        );
        refuse(exceeds(&parallelism, MOST_OF_MANY), &parallelism, &detail);
        refuse(exceeds(&max_failed, MOST_OF_MANY), &max_failed, &detail);
        if !max_failed.is_set() {
            let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
            errors.push(max_failed.required(&detail));
        }
    }
    if !completions.is_set() {
        errors.push(completions.required("when completion mode is Indexed"));
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
mod tests;
