//! ConfigMap: texts and bytes by key, which may be sealed (K:pkg/apis/core/validation/config_maps.go).

use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::names;
use serde_json::Value;

/// The values of a ConfigMap or Secret together, in bytes; keys do not count.
pub(crate) const DATA_BYTES: usize = 1024 * 1024;
/// What is said of a change to an immutable ConfigMap or Secret.
pub(crate) const SEALED: &str = "field is immutable when `immutable` is set";

/// ConfigMaps of the core group.
#[derive(Debug)]
pub struct ConfigMap;

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "ConfigMap",
    plural: "configmaps",
    singular: "configmap",
    short: &["cm"],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &[],
};

const COLUMNS: &[Column] = &[table::NAME, table::column("Data", "How many keys it holds."), table::AGE];

impl Kind for ConfigMap {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.ConfigMap"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_subdomain_errors);
        let root = At::root(object);
        let (data, binary_data) = (root.field("data"), root.field("binaryData"));
        for (key, entry) in data.entries() {
            check_key(key, &entry, &mut errors);
            if !binary_data.value[key].is_null() {
                let detail = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(&entry.path, key, detail));
            }
        }
        for (key, entry) in binary_data.entries() {
            check_key(key, &entry, &mut errors);
        }
        if text_bytes(&data) + decoded_bytes(&binary_data) > DATA_BYTES {
            // Kubernetes names no field here either.
            errors.push(FieldError::too_long("[]", DATA_BYTES));
        }
        errors
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_sealed(object, old, &["data", "binaryData"], &mut errors);
        errors
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let root = At::root(object);
        let n_keys = root.field("data").len() + root.field("binaryData").len();
        Row { cells: vec![table::name(object), n_keys.into(), table::age(object, now)], ..Row::default() }
    }
}

/// A key becomes a file name.
pub(crate) fn check_key(key: &str, entry: &At<'_>, errors: &mut Vec<FieldError>) {
    let wrong = names::config_key_errors(key);
    errors.extend(wrong.iter().map(|detail| FieldError::invalid(&entry.path, key, detail)));
}

/// Once `immutable` is set it stays, and so do the `fields`.
pub(crate) fn check_sealed(object: &Value, old: &Value, fields: &[&str], errors: &mut Vec<FieldError>) {
    if old["immutable"] != true {
        return;
    }
    let (root, old) = (At::root(object), At::root(old));
    if !root.field("immutable").is_true() {
        errors.push(root.field("immutable").forbidden(SEALED));
    }
    for field in fields {
        if !same_entries(&root.field(field), &old.field(field)) {
            errors.push(root.field(field).forbidden(SEALED));
        }
    }
}

/// Whether two maps hold the same; order and the difference between empty and absent do not count.
fn same_entries(left: &At<'_>, right: &At<'_>) -> bool {
    left.len() == right.len() && left.entries().all(|(key, entry)| right.value.get(key) == Some(entry.value))
}

fn text_bytes(data: &At<'_>) -> usize {
    data.entries().map(|(_, entry)| entry.text().len()).sum()
}

/// The size of base64 texts once decoded.
pub(crate) fn decoded_bytes(data: &At<'_>) -> usize {
    let decoded = |text: &str| text.trim_end_matches('=').len() * 3 / 4;
    data.entries().map(|(_, entry)| decoded(entry.text())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, check_update_errors};
    use serde_json::json;

    fn config_map(rest: Value) -> Value {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        object
    }

    #[test]
    fn keys_are_file_names_and_stand_in_one_place_only() {
        let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
        check_errors(&ConfigMap, &config_map(json!({"data": {"a.txt": ""}, "binaryData": {"b": "AA=="}})), &[]);
        check_errors(
            &ConfigMap,
            &config_map(json!({"data": {"a/b": "", "c": ""}, "binaryData": {"c": ""}})),
            &[
                &format!("data[a/b]: Invalid value: \"a/b\": {rule}"),
                "data[c]: Invalid value: \"c\": duplicate of key present in binaryData",
            ],
        );
    }

    #[test]
    fn more_than_a_mebibyte_is_refused() {
        check_errors(&ConfigMap, &config_map(json!({"data": {"a": "x".repeat(1024 * 1024)}})), &[]);
        let object = config_map(json!({"data": {"a": "x".repeat(1024 * 1024)}, "binaryData": {"b": "AA=="}}));
        check_errors(&ConfigMap, &object, &["[]: Too long: may not be more than 1048576 bytes"]);
    }

    #[test]
    fn a_sealed_one_does_not_change() {
        let old = config_map(json!({"immutable": true, "data": {"a": "1"}}));
        check_update_errors(&ConfigMap, &old, &old, &[]);
        let new = config_map(json!({"data": {"a": "2"}, "binaryData": {}}));
        check_update_errors(
            &ConfigMap,
            &new,
            &old,
            &[
                "immutable: Forbidden: field is immutable when `immutable` is set",
                "data: Forbidden: field is immutable when `immutable` is set",
            ],
        );
    }

    #[test]
    fn the_row_counts_keys_of_both_maps() {
        let object = config_map(json!({"data": {"a": ""}, "binaryData": {"b": ""}}));
        assert_eq!(cells(&ConfigMap, &object), [json!("c"), json!(2), json!("<unknown>")]);
    }
}
