//! Decides what a claim needs next (K:pkg/controller/volume/persistentvolume/pv_controller.go, syncClaim). Reads nothing,
//! writes nothing, waits for nothing.

use super::matching::{Chooser, best, is_for, mismatch};
use super::steps::{
    Step, annotation, has_annotation, normal, uid_of, version_of, volume_phase, warning, without_finalizer,
};
use super::{BETA_CLASS_ANNOTATION, CLAIM_PROTECTION, class_name, default_class};
use jiff::Timestamp;
use meta::field::quote;
use meta::object;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// On a claim: its binding was done once.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On a claim or a volume: the binder has set the reference, not a user.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On a claim: who is to make its volume.
pub const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same, before it was stable; both are written.
pub const BETA_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// On a claim that waited for its first pod: where that pod is to run.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// What a decision on a claim rests on.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// All volumes.
    pub volumes: &'a [&'a Value],
    /// All classes.
    pub classes: &'a [Value],
    /// Whether a pod waits for the claim.
    pub has_consumer: bool,
    /// Name and labels of the node.
    pub node: Option<(&'a str, &'a BTreeMap<String, String>)>,
    /// The current instant.
    pub now: Timestamp,
}

/// What to write, in this order; nothing when all is well.
#[must_use = "a decision nobody applies is a lost decision"]
pub fn sync(claim: &Value, around: Around<'_>) -> Vec<Step> {
    let is_bound = has_annotation(claim, BIND_COMPLETED);
    match is_bound {
        true => sync_bound(claim, around),
        // Nobody will use it any more.
        false if object::is_being_deleted(claim) => Vec::new(),
        false if volume_name(claim).is_empty() => sync_unbound(claim, around),
        false => sync_reserved(claim, around),
    }
}

/// Whether a claim that is being deleted may go, as far as pods are concerned; `is_used`: one that has a node mounts it.
/// A pod that has ended counts as well, as in Kubernetes: its volumes may still be unmounted
/// (K:pkg/controller/volume/pvcprotection).
#[must_use = "a decision nobody applies is a lost decision"]
pub fn release(claim: &Value, is_used: bool) -> Option<Step> {
    let is_protected = object::finalizers(claim).any(|finalizer| finalizer == CLAIM_PROTECTION);
    let may_go = object::is_being_deleted(claim) && is_protected && !is_used;
    may_go.then(|| Step::PatchClaim(without_finalizer(claim, CLAIM_PROTECTION)))
}

fn volume_name(claim: &Value) -> &str {
    claim["spec"]["volumeName"].as_str().unwrap_or("")
}

/// Any volume will do.
fn sync_unbound(claim: &Value, around: Around<'_>) -> Vec<Step> {
    let wanted = class_name(claim);
    let class = around.classes.iter().find(|class| object::name(class) == wanted);
    let is_delayed = class.is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer");
    let consumer = around.node.filter(|_| around.has_consumer);
    let chooser = match consumer {
        _ if !is_delayed => Chooser::Claim,
        Some((_, labels)) => Chooser::Pod(labels),
        None => Chooser::Nobody,
    };
    if let Some(volume) = best(claim, around.volumes, chooser) {
        return bind(claim, volume, around.now);
    }
    let has_class = claim["spec"]["storageClassName"].is_string() || has_annotation(claim, BETA_CLASS_ANNOTATION);
    if let Some(default) = default_class(around.classes).filter(|_| !has_class) {
        let patch = json!({"metadata": version_of(claim), "spec": {"storageClassName": object::name(default)}});
        return vec![Step::PatchClaim(patch)];
    }
    let told = match () {
        () if is_delayed && !has_annotation(claim, SELECTED_NODE) => match consumer {
            Some((node, _)) => {
                let mut metadata = version_of(claim);
                metadata["annotations"] = json!({ SELECTED_NODE: node });
                return vec![Step::PatchClaim(json!({ "metadata": metadata }))];
            }
            None => normal("WaitForFirstConsumer", "waiting for first consumer to be created before binding"),
        },
        () if !wanted.is_empty() => return provision(claim, wanted, class),
        () => normal("FailedBinding", "no persistent volumes available for this claim and no storage class is set"),
    };
    [Step::TellClaim(told)].into_iter().chain(phase(claim, "Pending", None)).collect()
}

/// The class's provisioner is asked for a volume.
fn provision(claim: &Value, wanted: &str, class: Option<&Value>) -> Vec<Step> {
    let provisioner = class.and_then(|class| class["provisioner"].as_str()).unwrap_or("");
    let told = match () {
        () if class.is_none() => {
            warning("ProvisioningFailed", format!("storageclass.storage.k8s.io {} not found", quote(wanted)))
        }
        () if provisioner.starts_with("kubernetes.io/") => {
            warning("ProvisioningFailed", format!("no volume plugin matched name: {provisioner}"))
        }
        () => {
            let mut steps = Vec::new();
            if annotation(claim, PROVISIONER) != Some(provisioner) {
                let mut metadata = version_of(claim);
                metadata["annotations"] = json!({ PROVISIONER: provisioner, BETA_PROVISIONER: provisioner });
                steps.push(Step::PatchClaim(json!({ "metadata": metadata })));
            }
            let message = format!(
                "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
            );
            steps.push(Step::TellClaim(normal("ExternalProvisioning", message)));
            return steps;
        }
    };
    [Step::TellClaim(told)].into_iter().chain(phase(claim, "Pending", None)).collect()
}

/// The user names the volume.
fn sync_reserved(claim: &Value, around: Around<'_>) -> Vec<Step> {
    let pending = || phase(claim, "Pending", None);
    let Some(volume) = find(claim, around) else { return pending().into_iter().collect() };
    if volume["spec"]["claimRef"].is_null() {
        let Some(reason) = mismatch(volume, claim) else { return bind(claim, volume, around.now) };
        let message = format!("Cannot bind to requested volume {}: {reason}", quote(object::name(volume)));
        return [Step::TellClaim(warning("VolumeMismatch", message))].into_iter().chain(pending()).collect();
    }
    if is_for(volume, claim) {
        return bind(claim, volume, around.now);
    }
    let message = format!("volume {} already bound to a different claim.", quote(object::name(volume)));
    [Step::TellClaim(warning("FailedBinding", message))].into_iter().chain(pending()).collect()
}

fn sync_bound(claim: &Value, around: Around<'_>) -> Vec<Step> {
    let lost = |reason, message: &str| {
        let status = phase(claim, "Lost", None);
        let told = status.is_some().then(|| Step::TellClaim(warning(reason, message)));
        status.into_iter().chain(told).collect()
    };
    if volume_name(claim).is_empty() {
        return lost("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
    }
    let Some(volume) = find(claim, around) else {
        return lost("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    };
    let reference = &volume["spec"]["claimRef"];
    if reference.is_null() || reference["uid"] == object::uid(claim) {
        return bind(claim, volume, around.now);
    }
    lost("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
}

fn find<'a>(claim: &Value, around: Around<'a>) -> Option<&'a Value> {
    around.volumes.iter().copied().find(|volume| object::name(volume) == volume_name(claim))
}

/// The four writes of a binding, those that are missing: volume, its phase, claim, its status. Whoever is interrupted
/// after any of them goes on with the next.
fn bind(claim: &Value, volume: &Value, now: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    let name = object::name(volume).to_owned();
    let is_complete = is_for(volume, claim) && volume["spec"]["claimRef"]["uid"] == object::uid(claim);
    if !is_complete {
        let mut metadata = version_of(volume);
        if !is_for(volume, claim) {
            metadata["annotations"] = json!({ BOUND_BY_CONTROLLER: "yes" });
        }
        let reference = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "namespace": object::namespace(claim), "name": object::name(claim), "uid": object::uid(claim),
            "resourceVersion": claim["metadata"]["resourceVersion"],
        });
        let patch = json!({"metadata": metadata, "spec": {"claimRef": reference}});
        steps.push(Step::PatchVolume { name: name.clone(), patch });
    }
    steps.extend(volume_phase(volume, "Bound", None, now));
    let mut annotations = json!({});
    let mut patch = json!({});
    if volume_name(claim) != name {
        patch["spec"] = json!({ "volumeName": name });
        annotations[BOUND_BY_CONTROLLER] = "yes".into();
    }
    if !has_annotation(claim, BIND_COMPLETED) {
        annotations[BIND_COMPLETED] = "yes".into();
    }
    if annotations.as_object().is_some_and(|annotations| !annotations.is_empty()) {
        patch["metadata"] = version_of(claim);
        patch["metadata"]["annotations"] = annotations;
        steps.push(Step::PatchClaim(patch));
    }
    steps.extend(phase(claim, "Bound", Some(volume)));
    steps
}

/// Brings a claim into a phase, with the volume's ways of access and, when it is new to the claim, its size.
fn phase(claim: &Value, phase: &str, volume: Option<&Value>) -> Option<Step> {
    let status = &claim["status"];
    let is_new = status["phase"] != phase;
    let modes = volume.map_or(Value::Null, |volume| volume["spec"]["accessModes"].clone());
    let capacity = match volume {
        Some(_) if !is_new => status["capacity"].clone(),
        Some(volume) => volume["spec"]["capacity"].clone(),
        None => Value::Null,
    };
    let is_right = !is_new && status["accessModes"] == modes && status["capacity"] == capacity;
    if is_right {
        return None;
    }
    let status = json!({"phase": phase, "accessModes": modes, "capacity": capacity});
    Some(Step::ClaimStatus(json!({"metadata": uid_of(claim), "status": status})))
}
