//! What the decisions on claims and volumes ask their shell to write, in order.

use jiff::Timestamp;
use meta::object;
use serde_json::{Value, json};

/// The controller's name in events.
pub const COMPONENT: &str = "persistentvolume-controller";

/// A Kubernetes event.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// A Warning, or else Normal.
    pub is_warning: bool,
    /// In one CamelCase word.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

pub(super) fn normal(reason: &'static str, message: impl Into<String>) -> Told {
    Told { is_warning: false, reason, message: message.into() }
}

pub(super) fn warning(reason: &'static str, message: impl Into<String>) -> Told {
    Told { is_warning: true, reason, message: message.into() }
}

/// One write, or one event. Patches are strategic merges and name the object's uid; those that decide who gets what name
/// its resourceVersion too, so that of two decisions only one comes true.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Changes the claim.
    PatchClaim(Value),
    /// Changes the claim's status.
    ClaimStatus(Value),
    /// An event on the claim.
    TellClaim(Told),
    /// Changes a volume.
    PatchVolume {
        /// Its name.
        name: String,
        /// The change.
        patch: Value,
    },
    /// Changes a volume's status.
    VolumeStatus {
        /// Its name.
        name: String,
        /// The change.
        patch: Value,
    },
    /// An event on the volume that the decision is about.
    TellVolume(Told),
}

pub(super) fn uid_of(object: &Value) -> Value {
    json!({"uid": object::uid(object)})
}

pub(super) fn version_of(object: &Value) -> Value {
    json!({"uid": object::uid(object), "resourceVersion": object["metadata"]["resourceVersion"]})
}

pub(super) fn has_annotation(object: &Value, key: &str) -> bool {
    annotation(object, key).is_some()
}

pub(super) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object::annotations(object).find(|(found, _)| *found == key).map(|(_, value)| value)
}

/// Brings a volume into a phase; nothing if it is in it.
pub(super) fn volume_phase(volume: &Value, phase: &str, message: Option<&str>, now: Timestamp) -> Option<Step> {
    if volume["status"]["phase"] == phase {
        return None;
    }
    let status = json!({"phase": phase, "message": message, "lastPhaseTransitionTime": second(now)});
    let patch = json!({"metadata": uid_of(volume), "status": status});
    Some(Step::VolumeStatus { name: object::name(volume).to_owned(), patch })
}

/// An instant as metav1.Time has it: whole seconds.
fn second(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Takes a finalizer off.
pub(super) fn without_finalizer(object: &Value, finalizer: &str) -> Value {
    let mut metadata = uid_of(object);
    metadata["$deleteFromPrimitiveList/finalizers"] = json!([finalizer]);
    json!({ "metadata": metadata })
}
