//! Which volume fits a claim (K:component-helpers/storage/volume/pv_helpers.go, K:pkg/controller/volume/persistentvolume).

use super::{class_name, quantity, requested};
use meta::object;
use meta::quantity::Quantity;
use meta::selector::LabelSelector;
use serde_json::Value;
use std::collections::BTreeMap;

/// Who chooses a volume.
#[derive(Debug, Clone, Copy)]
pub enum Chooser<'a> {
    /// The claim alone.
    Claim,
    /// A pod that uses the claim is to run on a node with these labels.
    Pod(&'a BTreeMap<String, String>),
    /// The claim waits for its first pod: only what was reserved for it is taken.
    Nobody,
}

/// The volume that was made or reserved for the claim; else the smallest free one that fits.
pub(super) fn best<'a>(claim: &Value, volumes: &[&'a Value], chooser: Chooser<'_>) -> Option<&'a Value> {
    let could = volumes.iter().copied().filter(|volume| !object::is_being_deleted(volume));
    let could = could.filter(|volume| mismatch_of_kind(volume, claim).is_none());
    let could: Vec<&Value> = could.filter(|volume| on_node(volume, chooser)).collect();
    let reserved = could.iter().find(|volume| is_for(volume, claim));
    if let Some(reserved) = reserved {
        // Of two volumes made for one claim the other is given back when this one is bound.
        return Some(reserved);
    }
    if matches!(chooser, Chooser::Nobody) {
        return None;
    }
    let selector = selector(claim)?;
    let is_free = |volume: &&Value| {
        volume["spec"]["claimRef"].is_null()
            && volume["status"]["phase"] == "Available"
            && class_name(volume) == class_name(claim)
            && selector.matches(|key| object::label(volume, key))
    };
    let fitting = could.into_iter().filter(is_free);
    fitting.min_by(|a, b| capacity(a).cmp(&capacity(b)).then_with(|| object::name(a).cmp(object::name(b))))
}

/// What no reservation can do away with: size, mode, ways of access.
fn mismatch_of_kind(volume: &Value, claim: &Value) -> Option<&'static str> {
    let has_mode = |mode: &Value| {
        let modes = volume["spec"]["accessModes"].as_array();
        modes.is_some_and(|modes| modes.contains(mode))
    };
    let wanted = claim["spec"]["accessModes"].as_array();
    match () {
        () if capacity(volume) < requested(claim) => Some("requested PV is too small"),
        () if volume_mode(volume) != volume_mode(claim) => Some("incompatible volumeMode"),
        () if !wanted.into_iter().flatten().all(has_mode) => Some("incompatible accessMode"),
        () => None,
    }
}

/// Why a claim cannot have the volume that it names.
pub(super) fn mismatch(volume: &Value, claim: &Value) -> Option<String> {
    if object::is_being_deleted(volume) {
        return Some(format!("the volume is marked for deletion {}", meta::field::quote(object::name(volume))));
    }
    let has_class = class_name(volume) == class_name(claim);
    match mismatch_of_kind(volume, claim) {
        Some("requested PV is too small") => Some("requested PV is too small".to_owned()),
        _ if !has_class => Some("storageClassName does not match".to_owned()),
        other => other.map(str::to_owned),
    }
}

/// Whether the volume was made, reserved or bound for this claim.
pub(super) fn is_for(volume: &Value, claim: &Value) -> bool {
    let reference = &volume["spec"]["claimRef"];
    let uid = reference["uid"].as_str().unwrap_or("");
    reference["name"] == object::name(claim)
        && reference["namespace"] == object::namespace(claim)
        && (uid.is_empty() || uid == object::uid(claim))
}

pub(super) fn volume_mode(object: &Value) -> &str {
    object["spec"]["volumeMode"].as_str().unwrap_or("Filesystem")
}

fn capacity(volume: &Value) -> Option<Quantity> {
    quantity(&volume["spec"]["capacity"]["storage"])
}

/// None when it cannot be read, which validation has ruled out.
fn selector(claim: &Value) -> Option<LabelSelector> {
    match &claim["spec"]["selector"] {
        Value::Null => Some(LabelSelector::default()),
        selector => LabelSelector::from_json(selector).ok(),
    }
}

fn on_node(volume: &Value, chooser: Chooser<'_>) -> bool {
    match chooser {
        Chooser::Pod(labels) => reaches(volume, labels),
        Chooser::Claim | Chooser::Nobody => true,
    }
}

/// Whether a volume can be used on a node with these labels: one of its terms must hold, if it has any.
pub fn reaches(volume: &Value, labels: &BTreeMap<String, String>) -> bool {
    let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
    let Some(terms) = terms.as_array() else { return true };
    terms.iter().any(|term| {
        let expressions = term["matchExpressions"].as_array().map_or(&[][..], Vec::as_slice);
        // A term without conditions matches nothing.
        !expressions.is_empty() && expressions.iter().all(|expression| holds(expression, labels))
    })
}

fn holds(expression: &Value, labels: &BTreeMap<String, String>) -> bool {
    let value = expression["key"].as_str().and_then(|key| labels.get(key));
    let values = expression["values"].as_array().map_or(&[][..], Vec::as_slice);
    let is_named = value.is_some_and(|value| values.iter().any(|named| named == value));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let numbers = (number(value.map(String::as_str)), number(values.first().and_then(Value::as_str)));
    match expression["operator"].as_str() {
        Some("In") => is_named,
        Some("NotIn") => !is_named,
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        Some("Gt") => matches!(numbers, (Some(value), Some(bound)) if bound < value),
        Some("Lt") => matches!(numbers, (Some(value), Some(bound)) if value < bound),
        _ => false,
    }
}
