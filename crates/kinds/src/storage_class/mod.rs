//! StorageClass: how volumes are made for claims that name it (K:pkg/apis/storage/validation).

use crate::at::{At, set_default};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::unsupported::{Unsupported, When, refuse};
use crate::volumes::{BETA_DEFAULT_CLASS_ANNOTATION, DEFAULT_CLASS_ANNOTATION};
use crate::{metadata, table, unsupported, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::{names, object};
use serde_json::{Value, json};

/// Classes of the group storage.k8s.io.
#[derive(Debug)]
pub struct StorageClass;

const NAMES: Names = Names {
    group: "storage.k8s.io",
    version: "v1",
    kind: "StorageClass",
    plural: "storageclasses",
    singular: "storageclass",
    short: &["sc"],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::ALL,
    subresources: &[],
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Provisioner", "Who makes its volumes."),
    table::column("ReclaimPolicy", "What becomes of a volume when its claim is gone."),
    table::column("VolumeBindingMode", "When a claim gets its volume: at once, or with the first pod that uses it."),
    table::column("AllowVolumeExpansion", "Whether claims may grow."),
    table::AGE,
];

const UNSUPPORTED: &[Unsupported] = &[
    refuse("mountOptions", When::Set, "leave it out"),
    refuse("allowedTopologies", When::Set, "leave it out; there is one node"),
];

/// Most parameters, and most bytes of them together (K:pkg/apis/storage/validation).
const MOST_PARAMETERS: usize = 512;
const PARAMETERS_BYTES: usize = 256 * 1024;

/// Who makes volumes on this machine's disk: the agent.
pub const LOCAL_PROVISIONER: &str = "kiln.dev/local";

/// The class that every server begins with. It binds at once, as claims on a machine with one node have nothing to wait
/// for, and lets them grow: how much a volume holds is a figure, the disk is shared.
pub fn standard() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {DEFAULT_CLASS_ANNOTATION: "true"}},
        "provisioner": LOCAL_PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": true,
    })
}

/// Whether claims without a class get this one.
pub fn is_default(class: &Value) -> bool {
    object::annotations(class)
        .any(|(key, value)| matches!(key, DEFAULT_CLASS_ANNOTATION | BETA_DEFAULT_CLASS_ANNOTATION) && value == "true")
}

impl Kind for StorageClass {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.storage.v1.StorageClass"
    }
    fn default(&self, object: &mut Value) {
        set_default(object, "reclaimPolicy", "Delete");
        set_default(object, "volumeBindingMode", "Immediate");
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_subdomain_errors);
        let root = At::root(object);
        let provisioner = root.field("provisioner");
        match provisioner.text() {
            "" => errors.push(provisioner.required("")),
            name => {
                // Compared without regard to case, and shown so.
                let name = name.to_lowercase();
                let wrong = names::qualified_name_errors(&name);
                errors.extend(wrong.iter().map(|detail| FieldError::invalid(&provisioner.path, name.as_str(), detail)));
            }
        }
        check_parameters(&root.field("parameters"), &mut errors);
        root.field("reclaimPolicy").check_among(&["Delete", "Retain"], &mut errors);
        root.field("volumeBindingMode").check_among(&["Immediate", "WaitForFirstConsumer"], &mut errors);
        unsupported::check(&root, UNSUPPORTED, &mut errors);
        errors
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let (new, old) = (At::root(object), At::root(old));
        for field in ["parameters", "provisioner", "reclaimPolicy"] {
            if !crate::at::is_same(new.field(field).value, old.field(field).value) {
                errors.push(new.field(field).forbidden(&format!("updates to {field} are forbidden.")));
            }
        }
        new.field("volumeBindingMode").check_immutable(&old.field("volumeBindingMode"), &mut errors);
        errors
    }
    fn returns_deleted(&self) -> bool {
        true
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let name = match is_default(object) {
            true => format!("{} (default)", object::name(object)),
            false => object::name(object).to_owned(),
        };
        let cells = vec![
            name.into(),
            table::text_or(&object["provisioner"], "").into(),
            table::text_or(&object["reclaimPolicy"], "Delete").into(),
            table::text_or(&object["volumeBindingMode"], "Immediate").into(),
            (object["allowVolumeExpansion"] == true).into(),
            table::age(object, now),
        ];
        Row { cells, ..Row::default() }
    }
}

fn check_parameters(parameters: &At<'_>, errors: &mut Vec<FieldError>) {
    if MOST_PARAMETERS < parameters.len() {
        errors.push(FieldError::too_long(&parameters.path, MOST_PARAMETERS));
        return;
    }
    let mut total_bytes = 0;
    for (key, value) in parameters.entries() {
        if key.is_empty() {
            errors.push(FieldError::invalid(&parameters.path, key, "field can not be empty."));
        }
        total_bytes += key.len() + value.text().len();
    }
    if PARAMETERS_BYTES < total_bytes {
        errors.push(FieldError::too_long(&parameters.path, PARAMETERS_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, check_update_errors, created};

    fn class() -> Value {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "example.com/Disk"})
    }

    #[test]
    fn a_new_class_deletes_what_is_released_and_binds_at_once() {
        let class = created(&StorageClass, &class());
        assert_eq!((&class["reclaimPolicy"], &class["volumeBindingMode"]), (&json!("Delete"), &json!("Immediate")));
        check_errors(&StorageClass, &class, &[]);
    }

    #[test]
    fn every_mistake_is_named() {
        let mut odd = class();
        object::as_map(&mut odd).extend(
            json!({"provisioner": "", "reclaimPolicy": "Recycle", "volumeBindingMode": "Odd", "parameters": {"": "x"},
            "allowedTopologies": [{}]})
            .as_object()
            .unwrap()
            .clone(),
        );
        check_errors(
            &StorageClass,
            &odd,
            &[
                "provisioner: Required value",
                "parameters: Invalid value: \"\": field can not be empty.",
                "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"",
                "volumeBindingMode: Unsupported value: \"Odd\": supported values: \"Immediate\", \"WaitForFirstConsumer\"",
                "allowedTopologies: Forbidden: not supported by this version of kiln: leave it out; there is one node",
            ],
        );
    }

    #[test]
    fn what_volumes_were_made_by_does_not_change() {
        let old = created(&StorageClass, &class());
        let mut new = old.clone();
        new["allowVolumeExpansion"] = true.into();
        check_update_errors(&StorageClass, &new, &old, &[]);
        new["provisioner"] = "other".into();
        new["parameters"] = json!({"a": "b"});
        new["reclaimPolicy"] = "Retain".into();
        new["volumeBindingMode"] = "WaitForFirstConsumer".into();
        check_update_errors(
            &StorageClass,
            &new,
            &old,
            &[
                "parameters: Forbidden: updates to parameters are forbidden.",
                "provisioner: Forbidden: updates to provisioner are forbidden.",
                "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
                "volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable",
            ],
        );
    }

    #[test]
    fn the_default_class_is_marked() {
        let mut class = class();
        assert_eq!(
            cells(&StorageClass, &class),
            [
                json!("fast"),
                json!("example.com/Disk"),
                json!("Delete"),
                json!("Immediate"),
                json!(false),
                json!("<unknown>")
            ]
        );
        class["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
        assert_eq!(cells(&StorageClass, &class)[0], "fast (default)");
        class["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "false"});
        assert!(!is_default(&class));
    }
}
