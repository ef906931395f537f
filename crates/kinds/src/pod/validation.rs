//! Rules for pods and templates of pods (K:pkg/apis/core/validation/pods.go). Finds every mistake at once.

mod containers;
mod env;
mod resources;
mod security;
mod volumes;

use super::kind::NAMES;
use super::unsupported;
use crate::at::At;
use crate::metadata::{self, check_annotations, check_finalizers, check_labels};
use meta::field::FieldError;
use meta::names;
pub(crate) use resources::check_quantities;
use serde_json::Value;
use std::collections::BTreeSet;

const MOST_SECONDS: i64 = i32::MAX as i64;

/// Every mistake in a pod.
pub(super) fn validate_pod(pod: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(pod, NAMES.scope, names::dns_subdomain_errors);
    check_spec(&At::root(pod).field("spec"), &mut errors);
    errors
}

/// Every mistake in a template for pods.
pub(crate) fn check_template(template: &At<'_>, errors: &mut Vec<FieldError>) {
    // Kubernetes leaves "metadata" out of these paths.
    let metadata = |field: &str| At { value: &template.value["metadata"][field], ..template.field(field) };
    check_labels(&metadata("labels"), errors);
    check_annotations(&metadata("annotations"), errors);
    check_finalizers(&metadata("finalizers"), errors);
    check_spec(&template.field("spec"), errors);
}

fn check_spec(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let volumes = volumes::check(&spec.field("volumes"), errors);
    containers::check(spec, &volumes, errors);
    let restart_policy = spec.field("restartPolicy");
    match restart_policy.text() {
        "" => errors.push(restart_policy.required("")),
        _ => restart_policy.check_among(&["Always", "OnFailure", "Never"], errors),
    }
    spec.field("dnsPolicy").check_among(&["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], errors);
    check_labels(&spec.field("nodeSelector"), errors);
    security::check_pod(&spec.field("securityContext"), errors);
    for secret in spec.field("imagePullSecrets").items() {
        if secret.field("name").text().is_empty() {
            errors.push(secret.field("name").required(""));
        }
    }
    for (field, rule) in [
        ("serviceAccountName", names::dns_subdomain_errors as metadata::NameRule),
        ("nodeName", names::dns_subdomain_errors),
        ("hostname", names::dns_label_errors),
        ("subdomain", names::dns_label_errors),
        ("priorityClassName", names::dns_subdomain_errors),
        ("runtimeClassName", names::dns_subdomain_errors),
    ] {
        let field = spec.field(field);
        if !field.text().is_empty() {
            field.check_rule(rule, errors);
        }
    }
    spec.field("preemptionPolicy").check_among(&["PreemptLowerPriority", "Never"], errors);
    check_quantities(&spec.field("overhead"), errors);
    let deadline = spec.field("activeDeadlineSeconds");
    if deadline.int().is_some_and(|seconds| !(1..=MOST_SECONDS).contains(&seconds)) {
        errors.push(deadline.invalid(&format!("must be between 1 and {MOST_SECONDS}, inclusive")));
    }
    spec.field("terminationGracePeriodSeconds").check_not_negative(errors);
    spec.field("tolerations").items().for_each(|toleration| check_toleration(&toleration, errors));
    check_host_aliases(&spec.field("hostAliases"), errors);
    crate::unsupported::check(spec, unsupported::POD, errors);
    for container in ["initContainers", "containers"].iter().flat_map(|list| spec.field(list).items()) {
        crate::unsupported::check(&container, unsupported::CONTAINER, errors);
    }
}

/// metav1.LabelSelector (K:apimachinery/pkg/apis/meta/v1/validation).
pub(crate) fn check_label_selector(selector: &At<'_>, errors: &mut Vec<FieldError>) {
    check_labels(&selector.field("matchLabels"), errors);
    for expression in selector.field("matchExpressions").items() {
        let (operator, values) = (expression.field("operator"), expression.field("values"));
        match operator.text() {
            "In" | "NotIn" if values.len() == 0 => {
                errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
            }
            "Exists" | "DoesNotExist" if values.len() > 0 => {
                errors.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => errors.push(operator.invalid("not a valid selector operator")),
        }
        expression.field("key").check_rule(names::qualified_name_errors, errors);
        values.items().for_each(|value| value.check_rule(names::label_value_errors, errors));
    }
}

pub(crate) fn check_toleration(toleration: &At<'_>, errors: &mut Vec<FieldError>) {
    let (key, operator) = (toleration.field("key"), toleration.field("operator"));
    let (value, effect) = (toleration.field("value"), toleration.field("effect"));
    if !key.text().is_empty() {
        key.check_rule(names::qualified_name_errors, errors);
    } else if operator.text() != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(FieldError::invalid(&operator.path, operator.text(), detail));
    }
    let seconds = toleration.field("tolerationSeconds");
    if seconds.is_set() && effect.text() != "NoExecute" {
        errors.push(FieldError::invalid(
            &effect.path,
            effect.text(),
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        ));
    }
    match operator.text() {
        "" | "Equal" => value.check_rule(names::label_value_errors, errors),
        "Exists" if !value.text().is_empty() => {
            errors.push(toleration.field("operator").invalid("value must be empty when `operator` is 'Exists'"));
        }
        "Exists" => {}
        _ => errors.push(operator.not_supported(&["Equal", "Exists"])),
    }
    if !effect.text().is_empty() {
        effect.check_among(&["NoSchedule", "PreferNoSchedule", "NoExecute"], errors);
    }
}

fn check_host_aliases(aliases: &At<'_>, errors: &mut Vec<FieldError>) {
    for alias in aliases.items() {
        let ip = alias.field("ip");
        if ip.text().parse::<std::net::IpAddr>().is_err() {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(FieldError::invalid(&ip.path, ip.text(), detail));
        }
        for name in alias.field("hostnames").items() {
            let wrong = names::dns_subdomain_errors(name.text());
            let path = alias.field("hostnames").path;
            errors.extend(wrong.iter().map(|detail| FieldError::invalid(&path, name.text(), detail)));
        }
    }
}

/// Complains about the second of two equal texts.
fn check_unique<'a>(at: &At<'a>, seen: &mut BTreeSet<&'a str>, errors: &mut Vec<FieldError>) {
    if !at.text().is_empty() && !seen.insert(at.text()) {
        errors.push(FieldError::duplicate(&at.path, at.text()));
    }
}

#[cfg(test)]
mod tests;
