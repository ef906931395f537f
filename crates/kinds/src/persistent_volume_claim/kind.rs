//! The claim as the server sees it: names, defaults, columns.

use super::validation;
use crate::at::set_default;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::volumes::{attributes_class, class_annotation_warning, class_name, quantity, short_modes};
use crate::{strategy, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::object;
use serde_json::{Value, json};

/// Claims of the core group.
#[derive(Debug)]
pub struct PersistentVolumeClaim;

pub(super) const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "PersistentVolumeClaim",
    plural: "persistentvolumeclaims",
    singular: "persistentvolumeclaim",
    short: &["pvc"],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &["status"],
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Status", "Pending, Bound, Lost, or Terminating while it is being deleted."),
    table::column("Volume", "Name of the volume it is bound to."),
    table::column("Capacity", "What the volume holds."),
    table::column("Access Modes", "How the volume may be used."),
    table::column("StorageClass", "Class of the volume."),
    table::column("VolumeAttributesClass", "Class of the volume's changeable attributes."),
    table::AGE,
    table::wide("VolumeMode", "Filesystem or Block."),
];

impl Kind for PersistentVolumeClaim {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.PersistentVolumeClaim"
    }
    fn default(&self, object: &mut Value) {
        set_default(object::as_map(object).entry("spec").or_insert(json!({})), "volumeMode", "Filesystem");
        set_default(object::as_map(object).entry("status").or_insert(json!({})), "phase", "Pending");
    }
    fn prepare_create(&self, object: &mut Value) {
        object::as_map(object).insert("status".to_owned(), json!({"phase": "Pending"}));
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
        let storage = &object["spec"]["resources"]["requests"]["storage"];
        let is_broken = quantity(storage).is_some_and(|amount| !amount.is_whole());
        let fraction = is_broken.then(|| {
            format!("spec.resources.requests[storage]: fractional byte value {storage} is invalid, must be an integer")
        });
        class_annotation_warning(object).into_iter().chain(fraction).collect()
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
        let volume = spec["volumeName"].as_str().unwrap_or("");
        let (capacity, modes) = match volume {
            "" => ("", String::new()),
            _ => (table::text_or(&status["capacity"]["storage"], "0"), short_modes(&status["accessModes"])),
        };
        let cells = vec![
            table::name(object),
            phase.into(),
            volume.into(),
            capacity.into(),
            modes.into(),
            class_name(object).into(),
            attributes_class(object).into(),
            table::age(object, now),
            table::text_or(&spec["volumeMode"], "<unset>").into(),
        ];
        Row { cells, ..Row::default() }
    }
}
