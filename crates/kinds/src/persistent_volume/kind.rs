//! The volume as the server sees it: names, defaults, columns.

use super::validation;
use crate::at::set_default;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::volumes::{attributes_class, class_annotation_warning, class_name, short_modes};
use crate::{strategy, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::object;
use serde_json::{Value, json};

/// Volumes of the core group.
#[derive(Debug)]
pub struct PersistentVolume;

pub(super) const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "PersistentVolume",
    plural: "persistentvolumes",
    singular: "persistentvolume",
    short: &["pv"],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::ALL,
    subresources: &["status"],
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Capacity", "What it holds."),
    table::column("Access Modes", "How it may be used."),
    table::column("Reclaim Policy", "What becomes of it when its claim is gone."),
    table::column("Status", "Available, Bound, Released, Failed, or Terminating while it is being deleted."),
    table::column("Claim", "Namespace and name of its claim."),
    table::column("StorageClass", "Its class."),
    table::column("VolumeAttributesClass", "Class of its changeable attributes."),
    table::column("Reason", "Why it is in its status."),
    table::AGE,
    table::wide("VolumeMode", "Filesystem or Block."),
];

impl Kind for PersistentVolume {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.PersistentVolume"
    }
    fn default(&self, object: &mut Value) {
        let spec = object::as_map(object).entry("spec").or_insert(json!({}));
        set_default(spec, "persistentVolumeReclaimPolicy", "Retain");
        set_default(spec, "volumeMode", "Filesystem");
        if let Some(host_path) = spec.get_mut("hostPath") {
            set_default(host_path, "type", "");
        }
        set_default(object::as_map(object).entry("status").or_insert(json!({})), "phase", "Pending");
    }
    fn prepare_create(&self, object: &mut Value) {
        let since = object["metadata"]["creationTimestamp"].clone();
        let mut status = json!({"phase": "Pending"});
        if !since.is_null() {
            status["lastPhaseTransitionTime"] = since;
        }
        object::as_map(object).insert("status".to_owned(), status);
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        match part {
            Part::Spec => strategy::restore(object, old, &["status"]),
            Part::Status => strategy::keep_only(object, old, &["metadata", "status"]),
        }
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validation::validate(object)
    }
    fn validate_update(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        validation::validate_update(object, old, part)
    }
    fn warnings(&self, object: &Value) -> Vec<String> {
        let recycles = object["spec"]["persistentVolumeReclaimPolicy"] == "Recycle";
        let recycle = recycles.then(|| {
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.".to_owned()
        });
        class_annotation_warning(object).into_iter().chain(recycle).collect()
    }
    fn returns_deleted(&self) -> bool {
        true
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let (spec, status) = (&object["spec"], &object["status"]);
        let phase = match object::is_being_deleted(object) {
            true => "Terminating",
            false => status["phase"].as_str().unwrap_or(""),
        };
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let claim = match spec["claimRef"].is_object() {
            true => format!("{}/{}", text(&spec["claimRef"]["namespace"]), text(&spec["claimRef"]["name"])),
            false => String::new(),
        };
        let cells = vec![
            table::name(object),
            table::text_or(&spec["capacity"]["storage"], "0").into(),
            short_modes(&spec["accessModes"]).into(),
            text(&spec["persistentVolumeReclaimPolicy"]).into(),
            phase.into(),
            claim.into(),
            class_name(object).into(),
            attributes_class(object).into(),
            text(&status["reason"]).into(),
            table::age(object, now),
            table::text_or(&spec["volumeMode"], "<unset>").into(),
        ];
        Row { cells, ..Row::default() }
    }
}
