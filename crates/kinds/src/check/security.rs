//! Pods that their namespace does not take, by its pod security level.

use super::Finding;
use super::object::{self, Object};
use super::pods::Pod;
use super::world::{Found, World};
use crate::admission::pod_security;
use serde_json::Value;

/// Tells of pods that are refused. What a namespace that is not in the files says nobody knows: it may say nothing, and
/// then kiln enforces `baseline`.
pub(super) fn check(object: &Object<'_>, pod: &Pod<'_>, world: &World<'_>, findings: &mut Vec<Finding>) {
    let namespace = match world.find("Namespace", "", &object.namespace) {
        Found::Here(namespace) => Some(namespace),
        Found::BuiltIn | Found::InNamespace(_) | Found::Nowhere(_) => None,
    };
    let Some(why) = pod_security::refusal(namespace.unwrap_or(&Value::Null), pod.metadata.value, pod.spec.value) else {
        return;
    };
    let (path, name) = (&pod.spec.path, &object.namespace);
    let label = "pod-security.kubernetes.io/enforce=privileged";
    findings.push(match namespace {
        Some(_) => {
            let remedy = format!("do without it, or give the Namespace {name:?} the label {label}");
            object::error(object.manifest, path, &format!("{path}: {why}")).remedy(remedy)
        }
        None => object
            .warning(path, why)
            .because(format!("kiln enforces this in the namespace {name:?}, unless its labels say otherwise"))
            .remedy(format!("do without it, or let the namespace: kiln label namespace {name} {label}")),
    });
}
