//! PriorityClass: a name for how much a pod matters (K:pkg/apis/scheduling/validation). `admission::priority` writes the
//! number into pods; the scheduler orders and preempts by it.

use crate::at::{At, set_default};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::{names, object};
use serde_json::{Value, json};

/// PriorityClasses of scheduling.k8s.io.
#[derive(Debug)]
pub struct PriorityClass;

/// The largest value of a class that users make; what is above is the system's.
pub const HIGHEST_OF_USERS: i64 = 1_000_000_000;

/// The classes that every server has (K:pkg/apis/scheduling/v1/helpers.go): name, value, description.
pub const SYSTEM: [(&str, i64, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
];

const SYSTEM_PREFIX: &str = "system-";

const NAMES: Names = Names {
    group: "scheduling.k8s.io",
    version: "v1",
    kind: "PriorityClass",
    plural: "priorityclasses",
    singular: "priorityclass",
    short: &["pc"],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::ALL,
    subresources: &[],
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Value", "The priority of pods of this class."),
    table::column("Global-Default", "Whether pods that name no class are of this one."),
    table::AGE,
    table::column("PreemptionPolicy", "Whether its pods may displace others."),
];

impl Kind for PriorityClass {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.scheduling.v1.PriorityClass"
    }
    fn default(&self, object: &mut Value) {
        set_default(object, "preemptionPolicy", "PreemptLowerPriority");
    }
    fn prepare_create(&self, object: &mut Value) {
        object::metadata(object).insert("generation".to_owned(), 1.into());
    }
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_subdomain_errors);
        let root = At::root(object);
        let value = root.field("value");
        let name = root.fields(&["metadata", "name"]);
        if name.text().starts_with(SYSTEM_PREFIX) {
            if let Err(detail) = check_system(name.text(), value.int().unwrap_or(0), object["globalDefault"] == true) {
                errors.push(name.forbidden(&format!(
                    "priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error: {detail}"
                )));
            }
        } else if HIGHEST_OF_USERS < value.int().unwrap_or(0) {
            let detail = format!("maximum allowed value of a user defined priority is {HIGHEST_OF_USERS}");
            errors.push(value.forbidden(&detail));
        }
        root.field("preemptionPolicy").check_among(&["Never", "PreemptLowerPriority"], &mut errors);
        errors
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let (root, old) = (At::root(object), At::root(old));
        if root.field("value").int().unwrap_or(0) != old.field("value").int().unwrap_or(0) {
            errors.push(root.field("value").forbidden("may not be changed in an update."));
        }
        root.field("preemptionPolicy").check_immutable(&old.field("preemptionPolicy"), &mut errors);
        errors
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let is_default = object["globalDefault"] == true;
        let cells = vec![
            table::name(object),
            object["value"].as_i64().unwrap_or(0).into(),
            is_default.into(),
            table::age(object, now),
            table::text_or(&object["preemptionPolicy"], "").into(),
        ];
        Row { cells, ..Row::default() }
    }
    fn deletion_refusal(&self, object: &Value) -> Option<&'static str> {
        let is_system = SYSTEM.iter().any(|(name, ..)| *name == object::name(object));
        is_system.then_some("this is a system priority class and cannot be deleted")
    }
}

/// The classes that every server has, as objects.
pub fn system() -> Vec<Value> {
    let object = |(name, value, description): (&str, i64, &str)| {
        json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
            "value": value, "description": description})
    };
    SYSTEM.into_iter().map(object).collect()
}

fn check_system(name: &str, value: i64, is_default: bool) -> Result<(), String> {
    match SYSTEM.iter().find(|(known, ..)| *known == name) {
        None => Err(format!("{name} is not a known system priority class")),
        Some((_, known, _)) if *known != value => Err(format!("value of {name} PriorityClass must be {known}")),
        Some(_) if is_default => Err(format!("globalDefault of {name} PriorityClass must be false")),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, check_update_errors, defaulted};

    fn class(name: &str, rest: Value) -> Value {
        let mut object = json!({"metadata": {"name": name}, "value": 1000});
        object::as_map(&mut object).extend(rest.as_object().unwrap().clone());
        object
    }

    #[test]
    fn values_end_where_the_systems_begin() {
        check_errors(&PriorityClass, &class("high", json!({"value": 1_000_000_000})), &[]);
        check_errors(
            &PriorityClass,
            &class("low", json!({"value": -2_147_483_648_i64, "preemptionPolicy": "Never"})),
            &[],
        );
        check_errors(
            &PriorityClass,
            &class("high", json!({"value": 1_000_000_001, "preemptionPolicy": "Sometimes"})),
            &[
                "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
                "preemptionPolicy: Unsupported value: \"Sometimes\": supported values: \"Never\", \"PreemptLowerPriority\"",
            ],
        );
        let reserved = "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: ";
        check_errors(
            &PriorityClass,
            &class("system-mine", json!({})),
            &[&format!("{reserved}system-mine is not a known system priority class")],
        );
        check_errors(
            &PriorityClass,
            &class("system-node-critical", json!({})),
            &[&format!("{reserved}value of system-node-critical PriorityClass must be 2000001000")],
        );
    }

    #[test]
    fn the_systems_own_classes_are_valid_and_stay() {
        for class in system() {
            check_errors(&PriorityClass, &class, &[]);
            assert!(PriorityClass.deletion_refusal(&class).is_some());
        }
        assert_eq!(PriorityClass.deletion_refusal(&class("high", json!({}))), None);
    }

    #[test]
    fn value_and_policy_do_not_change() {
        let old = class("c", json!({}));
        check_update_errors(&PriorityClass, &class("c", json!({"description": "d", "globalDefault": true})), &old, &[]);
        check_update_errors(
            &PriorityClass,
            &class("c", json!({"value": 1, "preemptionPolicy": "Never"})),
            &old,
            &[
                "value: Forbidden: may not be changed in an update.",
                "preemptionPolicy: Invalid value: \"Never\": field is immutable",
            ],
        );
    }

    #[test]
    fn the_row_tells_value_and_policy() {
        let object = defaulted(&PriorityClass, &class("c", json!({"globalDefault": true})));
        assert_eq!(
            cells(&PriorityClass, &object),
            [json!("c"), json!(1000), json!(true), json!("<unknown>"), json!("PreemptLowerPriority")]
        );
    }
}
