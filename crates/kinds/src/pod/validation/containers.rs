//! Rules for containers: ordinary, init (sidecars among them) and ephemeral ones.

use super::{Pod, check_unique, env, mounts, network, probes, resources, security};
use crate::at::At;
use meta::field::FieldError;
use meta::names;
use std::collections::BTreeSet;

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["File", "FallbackToLogsOnError"];
const RESTART_POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
/// K: bounds of 1.34's restartPolicyRules.
const MOST_RULES: usize = 20;
const MOST_EXIT_CODES: usize = 255;
const ONLY_SIDECARS: &str = "may not be set for init containers without restartPolicy=Always";
/// What an ephemeral container may not have: it comes late and nobody waits for it.
const NOT_EPHEMERAL: [&str; 9] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// All lists of containers; names are unique over all of them.
pub(super) fn check_all(pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let containers = pod.spec.field("containers");
    let mut names = BTreeSet::new();
    if containers.len() == 0 {
        errors.push(containers.required(""));
    }
    for container in containers.items() {
        check_common(&container, pod, errors);
        check_unique(&container.field("name"), &mut names, errors);
        check_hooks(&container, pod, errors);
        check_restart_policy(&container, errors);
    }
    network::check_host_port_conflicts(containers.items(), errors);
    for container in pod.spec.field("initContainers").items() {
        check_common(&container, pod, errors);
        check_init(&container, pod, &mut names, errors);
    }
    let targets = names.clone();
    for container in pod.spec.field("ephemeralContainers").items() {
        check_common(&container, pod, errors);
        check_image_of_pod(&container, errors);
        check_unique(&container.field("name"), &mut names, errors);
        check_ephemeral(&container, &targets, errors);
    }
}

/// What is asked of every container.
fn check_common(container: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    container.field("name").check_required_rule(names::dns_label_errors, errors);
    container.field("image").check_required(errors);
    container.field("terminationMessagePolicy").check_choice(MESSAGE_POLICIES, errors);
    network::check_ports(&container.field("ports"), errors);
    env::check(container, pod, errors);
    mounts::check(container, pod, errors);
    container.field("imagePullPolicy").check_choice(PULL_POLICIES, errors);
    resources::check_container(&container.field("resources"), &pod.claims, errors);
    resources::check_resize_policy(&container.field("resizePolicy"), pod.restart_policy(), errors);
    security::check_container(&container.field("securityContext"), pod.has_host_users(), errors);
}

/// Asked of pods only: templates from before this rule may have such images.
pub(super) fn check_image_of_pod(container: &At<'_>, errors: &mut Vec<FieldError>) {
    let image = container.field("image");
    if image.text() != image.text().trim() {
        errors.push(image.invalid("must not have leading or trailing whitespace"));
    }
}

fn check_hooks(container: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    probes::check_lifecycle(&container.field("lifecycle"), pod, errors);
    probes::check_liveness(&container.field("livenessProbe"), errors);
    probes::check_readiness(&container.field("readinessProbe"), errors);
    probes::check_liveness(&container.field("startupProbe"), errors);
}

fn check_init<'a>(container: &At<'a>, pod: &Pod<'a>, names: &mut BTreeSet<&'a str>, errors: &mut Vec<FieldError>) {
    check_restart_policy(container, errors);
    check_unique(&container.field("name"), names, errors);
    network::check_host_port_conflicts(std::iter::once(container.clone()), errors);
    if container.field("restartPolicy").text() == "Always" {
        return check_hooks(container, pod, errors);
    }
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if container.field(field).is_set() {
            errors.push(container.field(field).forbidden(ONLY_SIDECARS));
        }
    }
}

/// A container's own restartPolicy (KEP-5307), with rules for some exit codes.
fn check_restart_policy(container: &At<'_>, errors: &mut Vec<FieldError>) {
    let (policy, rules) = (container.field("restartPolicy"), container.field("restartPolicyRules"));
    if policy.is_set() {
        policy.check_among(RESTART_POLICIES, errors);
    } else if rules.len() > 0 {
        errors.push(policy.required("must specify restartPolicy when restart rules are used"));
    }
    if MOST_RULES < rules.len() {
        errors.push(FieldError::too_many(&rules.path, rules.len(), MOST_RULES));
    }
    for rule in rules.items() {
        check_restart_rule(&rule, errors);
    }
}

fn check_restart_rule(rule: &At<'_>, errors: &mut Vec<FieldError>) {
    if rule.field("action").text() != "Restart" {
        errors.push(rule.field("action").not_supported(&["Restart"]));
    }
    let exit_codes = rule.field("exitCodes");
    if !exit_codes.is_set() {
        errors.push(exit_codes.required("must be specified"));
        return;
    }
    if !["In", "NotIn"].contains(&exit_codes.field("operator").text()) {
        errors.push(exit_codes.field("operator").not_supported(&["In", "NotIn"]));
    }
    let values = exit_codes.field("values");
    if MOST_EXIT_CODES < values.len() {
        errors.push(FieldError::too_many(&values.path, values.len(), MOST_EXIT_CODES));
    }
}

fn check_ephemeral(container: &At<'_>, targets: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    let target = container.field("targetContainerName");
    if !target.text().is_empty() && !targets.contains(target.text()) {
        errors.push(FieldError::not_found(&target.path, target.text()));
    }
    let refusal = "cannot be set for an Ephemeral Container";
    let is_something = |at: &At<'_>| at.is_set() && (at.len() > 0 || !at.text().is_empty());
    for field in NOT_EPHEMERAL.map(|field| container.field(field)).iter().filter(|at| is_something(at)) {
        errors.push(field.forbidden(refusal));
    }
    for mount in container.field("volumeMounts").items() {
        for field in ["subPath", "subPathExpr"].map(|field| mount.field(field)) {
            if !field.text().is_empty() {
                errors.push(field.forbidden(refusal));
            }
        }
    }
}
