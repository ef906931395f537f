//! Volumes on this machine's disk: what their provisioner, which is the agent, makes and removes. The flow is that of
//! sig-storage-lib-external-provisioner.

use super::claims::{BIND_COMPLETED, PROVISIONER, SELECTED_NODE};
use super::reclaim::PROVISIONED_BY;
use super::steps::{annotation, has_annotation};
use super::{class_name, quantity, requested};
use crate::storage_class::LOCAL_PROVISIONER;
use meta::object;
use serde_json::{Value, json};

/// Keeps a volume until its directory is gone (KEP-2644).
pub const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

/// What is to be done for a claim.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub enum Provision {
    /// Nothing: it has a volume, waits for something, or is another provisioner's.
    Nothing,
    /// It cannot have one: ProvisioningFailed, with this text.
    Refuse(String),
    /// A directory, and then this volume.
    Make(Box<Value>),
}

/// The name of a claim's volume, and of its directory. The server has made the uid, so it is safe in a path.
pub fn volume_name(claim: &Value) -> String {
    format!("pvc-{}", object::uid(claim))
}

/// `path`: where the volume's directory is to be.
pub fn provision(claim: &Value, class: Option<&Value>, node: &str, path: &str) -> Provision {
    let is_ours = annotation(claim, PROVISIONER) == Some(LOCAL_PROVISIONER);
    let has_volume = !claim["spec"]["volumeName"].as_str().unwrap_or("").is_empty();
    if !is_ours || has_volume || has_annotation(claim, BIND_COMPLETED) || object::is_being_deleted(claim) {
        return Provision::Nothing;
    }
    let Some(class) = class.filter(|class| class["provisioner"] == LOCAL_PROVISIONER) else {
        return Provision::Nothing;
    };
    let is_delayed = class["volumeBindingMode"] == "WaitForFirstConsumer";
    if is_delayed && annotation(claim, SELECTED_NODE) != Some(node) {
        return Provision::Nothing;
    }
    if claim["spec"]["volumeMode"] == "Block" {
        return Provision::Refuse(format!("{LOCAL_PROVISIONER} does not support block volume provisioning"));
    }
    let failed = |why: &str| {
        let class = meta::field::quote(class_name(claim));
        Provision::Refuse(format!("failed to provision volume with StorageClass {class}: {why}"))
    };
    if claim["spec"]["selector"].is_object() {
        return failed("claim Selector is not supported");
    }
    if let Some((parameter, _)) = class["parameters"].as_object().and_then(|parameters| parameters.iter().next()) {
        return failed(&format!("unknown parameter {}", meta::field::quote(parameter)));
    }
    Provision::Make(Box::new(volume(claim, class, node, path)))
}

fn volume(claim: &Value, class: &Value, node: &str, path: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name(claim),
            "annotations": {PROVISIONED_BY: LOCAL_PROVISIONER},
            "finalizers": [FINALIZER],
        },
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": object::namespace(claim), "name": object::name(claim), "uid": object::uid(claim),
                "resourceVersion": claim["metadata"]["resourceVersion"],
            },
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]},
            ]}]}},
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"],
            "storageClassName": object::name(class),
            "volumeMode": "Filesystem",
        },
    })
}

/// What is to be done with a volume.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It stays.
    Keep,
    /// Its claim is gone: directory, object, and last the finalizer.
    Remove,
    /// The object is to go and the directory stays: only the finalizer.
    Forget,
}

/// Looks at a volume that this provisioner has made, or at another's, which it leaves alone.
pub fn removal(volume: &Value) -> Removal {
    let is_ours = annotation(volume, PROVISIONED_BY) == Some(LOCAL_PROVISIONER);
    let is_held = object::finalizers(volume).any(|finalizer| finalizer == FINALIZER);
    let is_deleted = object::is_being_deleted(volume);
    let is_bound = volume["status"]["phase"] == "Bound";
    let is_released = matches!(volume["status"]["phase"].as_str(), Some("Released" | "Failed"));
    let removes = volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete";
    match () {
        () if !is_ours || !is_held => Removal::Keep,
        () if !removes && is_deleted => Removal::Forget,
        () if removes && (is_released || (is_deleted && !is_bound)) => Removal::Remove,
        () => Removal::Keep,
    }
}

/// How much a bound claim of this provisioner's has grown to, if it has: the volume's new capacity. It is a figure, the
/// disk is shared.
pub fn expansion(claim: &Value, volume: &Value) -> Option<Value> {
    let is_ours = annotation(volume, PROVISIONED_BY) == Some(LOCAL_PROVISIONER);
    let is_bound = claim["status"]["phase"] == "Bound" && volume["spec"]["claimRef"]["uid"] == object::uid(claim);
    let has = quantity(&claim["status"]["capacity"]["storage"]);
    let has_grown = matches!((has, requested(claim)), (Some(has), Some(wanted)) if has < wanted);
    let wanted = &claim["spec"]["resources"]["requests"]["storage"];
    (is_ours && is_bound && has_grown).then(|| json!({ "storage": wanted }))
}
