//! PodSecurity: what pods of a namespace may do, by its labels (K:staging/src/k8s.io/pod-security-admission/admission).
//!
//! [ namespace's labels ] -> [ policy ] -> [ checks ] of a pod, and of the template in a Job or CronJob

mod checks;
mod host_image;
mod policy;

use super::{Operation, Plugin, Request, Verdict};
use crate::access::Attributes;
use crate::at::is_same;
use checks::{Pod, Violation, details, evaluate, reasons};
use meta::object;
use meta::status::Status;
use policy::{Level, Policy, Rules, of_namespace};
use serde_json::Value;
use std::collections::BTreeMap;

/// Pods of a namespace that are looked at when it becomes stricter.
const MAX_PODS: usize = 3000;

pub(super) struct PodSecurity;

impl Plugin for PodSecurity {
    fn name(&self) -> &'static str {
        "PodSecurity"
    }

    fn validate(&self, request: &Request<'_>, object: &Value) -> Result<Verdict, Box<Status>> {
        // Labels may be written with the status too (K: namespaceStatusStrategy), so the same is asked at that door.
        let names = request.kind.names();
        if (names.group, names.plural) == ("", "namespaces") {
            return namespace(request, object);
        }
        let Some(pod) = pod_of(request, object) else { return Ok(Verdict::pass()) };
        let old = request.old.and_then(|old| pod_of(request, old));
        if old.is_some_and(|old| !is_significant(request, pod, old)) {
            return Ok(Verdict::pass());
        }
        let namespace = request.world.get("", "namespaces", "", request.namespace).unwrap_or_default();
        let (policy, _) = of_namespace(&namespace);
        check_host_image(request, object, pod, &policy)?;
        // Kubernetes only warns of a Job whose pods it would refuse one by one, for ever. Here they are refused at once.
        let violations = evaluate(policy.enforce, pod);
        if !violations.is_empty() {
            return Err(request.forbidden(object, &violates("violates", policy.enforce, &violations)));
        }
        let warnings = evaluate(policy.warn, pod);
        let mut verdict = Verdict::pass();
        if !warnings.is_empty() {
            verdict.warnings.push(violates("would violate", policy.warn, &warnings));
        }
        Ok(verdict)
    }
}

/// Why pods are refused in a namespace with these labels, as far as it depends on nobody's permissions.
pub(crate) fn refusal(namespace: &Value, metadata: &Value, spec: &Value) -> Option<String> {
    let (policy, _) = of_namespace(namespace);
    let violations = evaluate(policy.enforce, Pod { metadata, spec });
    (!violations.is_empty()).then(|| violates("violates", policy.enforce, &violations))
}

fn violates(verb: &str, rules: Rules, violations: &[Violation]) -> String {
    format!("{verb} PodSecurity \"{rules}\": {}", details(violations))
}

/// The pod that a request is about, or that it is a template for.
fn pod_of<'a>(request: &Request<'_>, object: &'a Value) -> Option<Pod<'a>> {
    let names = request.kind.names();
    if !matches!(request.subresource, "" | "ephemeralcontainers" | "resize") {
        return None;
    }
    let template = match (names.group, names.plural) {
        ("", "pods") => object,
        ("batch", "jobs") => &object["spec"]["template"],
        ("batch", "cronjobs") => &object["spec"]["jobTemplate"]["spec"]["template"],
        _ => return None,
    };
    Some(Pod { metadata: &template["metadata"], spec: &template["spec"] })
}

/// Whether an update changes anything that levels speak of. Of a pod that is what its containers are made of; a template
/// that stays the same was judged before.
fn is_significant(request: &Request<'_>, new: Pod<'_>, old: Pod<'_>) -> bool {
    if !request.is_about("", "pods") && request.subresource.is_empty() {
        return !is_same(new.spec, old.spec) || new.metadata["annotations"] != old.metadata["annotations"];
    }
    let made_of = |pod: Pod<'_>| -> Vec<(Value, Value)> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let containers = lists.iter().flat_map(|list| pod.spec[list].as_array().cloned().unwrap_or_default());
        containers.map(|container| (container["name"].clone(), container["image"].clone())).collect()
    };
    let profiles = |pod: Pod<'_>| -> Vec<(String, Value)> {
        let annotations = pod.metadata["annotations"].as_object().cloned().unwrap_or_default();
        annotations.into_iter().filter(|(key, _)| key.contains("seccomp.security.alpha.kubernetes.io/")).collect()
    };
    made_of(new) != made_of(old) || profiles(new) != profiles(old)
}

fn check_host_image(request: &Request<'_>, object: &Value, pod: Pod<'_>, policy: &Policy) -> Result<(), Box<Status>> {
    let Some(container) = host_image::container(pod.spec) else { return Ok(()) };
    let (verb, group, resource, name) = host_image::PERMISSION;
    let attributes = Attributes { verb, group, resource, name, namespace: request.namespace, ..Attributes::default() };
    let is_allowed =
        policy.enforce.level == Level::Privileged || request.world.authorize(request.user, &attributes).is_allowed();
    if is_allowed {
        return Ok(());
    }
    let detail = format!(
        "container {container:?} runs this machine's own programs (image {name}): that needs a namespace with the label \
         {}enforce=privileged, or the permission to {verb} {resource}.{group} {name:?}",
        policy::PREFIX
    );
    Err(request.forbidden(object, &detail))
}

fn namespace(request: &Request<'_>, namespace: &Value) -> Result<Verdict, Box<Status>> {
    let names = request.kind.names();
    let name = object::name(namespace);
    let (new, errors) = of_namespace(namespace);
    let old = request.old.map(of_namespace);
    let is_new_mistake = old.as_ref().is_none_or(|(_, old_errors)| *old_errors != errors);
    if !errors.is_empty() && is_new_mistake {
        return Err(Box::new(Status::invalid(names.group, names.kind, name, &errors)));
    }
    let relaxes = enforced_labels(namespace) != request.old.map(enforced_labels).unwrap_or_default();
    if relaxes {
        check_relabel(request, namespace)?;
    }
    let Some((old, _)) = old else { return Ok(Verdict::pass()) };
    let is_as_strict = new.enforce == old.enforce
        || new.enforce.level == Level::Privileged
        || (new.enforce.version == old.enforce.version && new.enforce.level <= old.enforce.level);
    let mut verdict = Verdict::pass();
    if request.operation == Operation::Update && !is_as_strict {
        verdict.warnings = existing_pods(request, name, new.enforce);
    }
    Ok(verdict)
}

/// The labels that decide what is enforced.
fn enforced_labels(namespace: &Value) -> Vec<(String, String)> {
    let prefix = format!("{}enforce", policy::PREFIX);
    let labels = object::labels(namespace).filter(|(key, _)| key.starts_with(&prefix));
    labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Whoever may write a namespace may not thereby let its pods out: what is enforced is for those to say who may escalate.
fn check_relabel(request: &Request<'_>, namespace: &Value) -> Result<(), Box<Status>> {
    let name = object::name(namespace);
    // Namespaces are asked for as what lives in them (K: RequestInfo).
    let attributes =
        Attributes { verb: "escalate", resource: "namespaces", namespace: name, name, ..Attributes::default() };
    if request.world.authorize(request.user, &attributes).is_allowed() {
        return Ok(());
    }
    let detail = format!(
        "changing the labels {}enforce and {}enforce-version needs the permission to escalate namespaces, which cluster-admin has",
        policy::PREFIX,
        policy::PREFIX
    );
    Err(request.forbidden(namespace, &detail))
}

/// Pods that a stricter level would not let in any more. They stay.
fn existing_pods(request: &Request<'_>, namespace: &str, enforce: Rules) -> Vec<String> {
    let pods = request.world.list("", "pods", namespace);
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in pods.iter().take(MAX_PODS) {
        let violations = evaluate(enforce, Pod { metadata: &pod["metadata"], spec: &pod["spec"] });
        if !violations.is_empty() {
            found.entry(reasons(&violations)).or_default().push(object::name(pod));
        }
    }
    let mut warnings = Vec::new();
    if MAX_PODS < pods.len() {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {MAX_PODS} of {} existing pods",
            pods.len()
        ));
    }
    if !found.is_empty() {
        warnings.push(format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{enforce}\""
        ));
    }
    let mut lines: Vec<String> = found
        .into_iter()
        .map(|(reason, mut names)| {
            names.sort_unstable();
            match names.as_slice() {
                [one] => format!("{one}: {reason}"),
                [first, _] => format!("{first} (and 1 other pod): {reason}"),
                [first, others @ ..] => format!("{first} (and {} other pods): {reason}", others.len()),
                [] => reason,
            }
        })
        .collect();
    lines.sort();
    warnings.extend(lines);
    warnings
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
