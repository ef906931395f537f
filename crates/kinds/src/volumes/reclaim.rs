//! Decides what a volume needs next (K:pkg/controller/volume/persistentvolume/pv_controller.go, syncVolume, and
//! K:pkg/controller/volume/pvprotection). Reads nothing, writes nothing, waits for nothing.

use super::VOLUME_PROTECTION;
use super::claims::BOUND_BY_CONTROLLER;
use super::matching::volume_mode;
use super::steps::{Step, Told, annotation, has_annotation, version_of, volume_phase, warning, without_finalizer};
use jiff::Timestamp;
use meta::field::quote;
use meta::object;
use serde_json::{Value, json};

/// On a volume: who made it, and removes it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// What becomes of a volume.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// These writes, in order; none when all is well.
    Write(Vec<Step>),
    /// These writes, but only if the claim that the volume names is really gone, or another by now: what was decided on may
    /// be older than the claim.
    WriteIfClaimIsGone(Vec<Step>),
    /// Its claim is to be looked at.
    LookAtClaim,
}

/// `claim`: the one that the volume names, if there is one of that name.
pub fn sync(volume: &Value, claim: Option<&Value>, now: Timestamp) -> Decision {
    if let Some(step) = release(volume) {
        return Decision::Write(vec![step]);
    }
    let reference = &volume["spec"]["claimRef"];
    let uid = reference["uid"].as_str().unwrap_or("");
    if uid.is_empty() {
        // Free, or reserved for a claim that has not come yet.
        return Decision::Write(volume_phase(volume, "Available", None, now).into_iter().collect());
    }
    let Some(claim) = claim.filter(|claim| object::uid(claim) == uid) else {
        return Decision::WriteIfClaimIsGone(reclaim(volume, now));
    };
    let bound_to = claim["spec"]["volumeName"].as_str().unwrap_or("");
    if bound_to == object::name(volume) {
        return Decision::Write(volume_phase(volume, "Bound", None, now).into_iter().collect());
    }
    if bound_to.is_empty() {
        return match volume_mode(volume) == volume_mode(claim) {
            true => Decision::LookAtClaim,
            false => Decision::Write(of_wrong_mode(volume, claim)),
        };
    }
    let is_superfluous =
        has_annotation(volume, PROVISIONED_BY) && volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete";
    Decision::Write(match is_superfluous {
        true => reclaim(volume, now),
        false => unbind(volume, now),
    })
}

/// A volume that is being deleted may go once it is not bound.
fn release(volume: &Value) -> Option<Step> {
    let is_protected = object::finalizers(volume).any(|finalizer| finalizer == VOLUME_PROTECTION);
    let may_go = object::is_being_deleted(volume) && is_protected && volume["status"]["phase"] != "Bound";
    let patch = without_finalizer(volume, VOLUME_PROTECTION);
    may_go.then(|| Step::PatchVolume { name: object::name(volume).to_owned(), patch })
}

fn of_wrong_mode(volume: &Value, claim: &Value) -> Vec<Step> {
    let (volume, claim) = (quote(object::name(volume)), quote(object::name(claim)));
    vec![
        Step::TellVolume(warning(
            "VolumeMismatch",
            format!(
                "Cannot bind PersistentVolume to requested PersistentVolumeClaim {claim} due to incompatible volumeMode."
            ),
        )),
        Step::TellClaim(warning(
            "VolumeMismatch",
            format!(
                "Cannot bind PersistentVolume {volume} to requested PersistentVolumeClaim due to incompatible volumeMode."
            ),
        )),
    ]
}

/// The claim is gone: the volume is released, and then its policy counts.
fn reclaim(volume: &Value, now: Timestamp) -> Vec<Step> {
    let phase = volume["status"]["phase"].as_str().unwrap_or("");
    let is_released = matches!(phase, "Released" | "Failed");
    if !is_released {
        // The policy's turn comes when this write has come back.
        return volume_phase(volume, "Released", None, now).into_iter().collect();
    }
    let failed = |told: Told| {
        let failed = volume_phase(volume, "Failed", Some(&told.message), now);
        let told = failed.is_some().then_some(Step::TellVolume(told));
        failed.into_iter().chain(told).collect()
    };
    match volume["spec"]["persistentVolumeReclaimPolicy"].as_str() {
        Some("Delete") => match annotation(volume, PROVISIONED_BY) {
            // Whoever made it removes it.
            Some(provisioner) if !provisioner.starts_with("kubernetes.io/") => Vec::new(),
            _ => {
                let name = quote(object::name(volume));
                let message = format!(
                    "error getting deleter volume plugin for volume {name}: no deletable volume plugin matched"
                );
                failed(warning("VolumeFailedDelete", message))
            }
        },
        Some("Recycle") => failed(warning("VolumeFailedRecycle", "No recycler plugin found for the volume!")),
        _ => Vec::new(),
    }
}

/// Its claim has another volume: what the binder wrote is taken back; what a user reserved stays reserved.
fn unbind(volume: &Value, now: Timestamp) -> Vec<Step> {
    let mut metadata = version_of(volume);
    let reference = match has_annotation(volume, BOUND_BY_CONTROLLER) {
        true => {
            metadata["annotations"] = json!({ BOUND_BY_CONTROLLER: null });
            Value::Null
        }
        false => json!({"uid": null}),
    };
    let patch = json!({"metadata": metadata, "spec": {"claimRef": reference}});
    let unbound = Step::PatchVolume { name: object::name(volume).to_owned(), patch };
    [unbound].into_iter().chain(volume_phase(volume, "Available", None, now)).collect()
}
