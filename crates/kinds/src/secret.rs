//! Secret: bytes by key, with a type that says which keys there must be (K:pkg/apis/core/validation/secrets.go).

use crate::at::{At, set_default};
use crate::configmap::{DATA_BYTES, check_key, check_sealed, decoded_bytes};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, schema, service_account, table, verbs};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use meta::field::FieldError;
use meta::{names, object};
use serde_json::Value;

/// Secrets of the core group.
#[derive(Debug)]
pub struct Secret;

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "Secret",
    plural: "secrets",
    singular: "secret",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &[],
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Type", "What the secret is for; says which keys it has."),
    table::column("Data", "How many keys it holds."),
    table::AGE,
];

impl Kind for Secret {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.Secret"
    }
    fn default(&self, object: &mut Value) {
        encode_texts(object);
        set_default(object, "type", "Opaque");
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_subdomain_errors);
        let data = At::root(object).field("data");
        for (key, entry) in data.entries() {
            check_key(key, &entry, &mut errors);
        }
        if decoded_bytes(&data) > DATA_BYTES {
            errors.push(FieldError::too_long(&data.path, DATA_BYTES));
        }
        check_type(object, &data, &mut errors);
        errors
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        let mut errors = Vec::new();
        At::root(object).field("type").check_immutable(&At::root(old).field("type"), &mut errors);
        check_sealed(object, old, &["data"], &mut errors);
        errors
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        vec![("type", At::root(object).field("type").text().to_owned())]
    }
    fn is_confidential(&self) -> bool {
        true
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let root = At::root(object);
        let cells = vec![
            table::name(object),
            root.field("type").text().into(),
            root.field("data").len().into(),
            table::age(object, now),
        ];
        Row { cells, ..Row::default() }
    }
}

/// `stringData` is for writing only: its texts move into `data`, where they win.
fn encode_texts(object: &mut Value) {
    let Some(texts) = object.get_mut("stringData").map(Value::take) else {
        return;
    };
    object::as_map(object).shift_remove("stringData");
    let Value::Object(texts) = texts else { return };
    if texts.is_empty() {
        return;
    }
    let data = object::map(object, "data");
    for (key, text) in texts {
        let bytes = ByteString(text.as_str().unwrap_or("").as_bytes().to_vec());
        let encoded = serde_json::to_value(bytes).expect("bytes are written as one text");
        data.insert(key, encoded);
    }
}

/// Some types need some keys.
fn check_type(object: &Value, data: &At<'_>, errors: &mut Vec<FieldError>) {
    let requires = |key: &str| -> Option<FieldError> {
        let is_missing = data.value[key].is_null();
        is_missing.then(|| FieldError::required(format!("data[{key}]"), ""))
    };
    match object["type"].as_str().unwrap_or("") {
        service_account::secret::TYPE => {
            let key = service_account::secret::NAME_ANNOTATION;
            let has_account = object::annotations(object).any(|(name, value)| name == key && !value.is_empty());
            if !has_account {
                let field = format!("metadata.annotations[{key}]");
                errors.push(FieldError::required(field, ""));
            }
        }
        "kubernetes.io/dockercfg" => {
            errors.extend(requires(".dockercfg").or_else(|| json_error(data, ".dockercfg")));
        }
        "kubernetes.io/dockerconfigjson" => {
            errors.extend(requires(".dockerconfigjson").or_else(|| json_error(data, ".dockerconfigjson")));
        }
        "kubernetes.io/ssh-auth" if data.field("ssh-privatekey").text().is_empty() => {
            errors.push(FieldError::required("data[ssh-privatekey]", ""));
        }
        "kubernetes.io/tls" => {
            errors.extend(requires("tls.crt"));
            errors.extend(requires("tls.key"));
        }
        "kubernetes.io/basic-auth" => {
            // Either will do; both are named when both are missing.
            if let (Some(username), Some(password)) = (requires("username"), requires("password")) {
                errors.extend([username, password]);
            }
        }
        _ => {}
    }
}

/// What is wrong with this key's bytes as a JSON object. They are not shown.
fn json_error(data: &At<'_>, key: &str) -> Option<FieldError> {
    let bytes: ByteString = serde_json::from_value(data.value[key].clone()).ok()?;
    let wrong = match serde_json::from_slice::<Value>(&bytes.0) {
        Ok(Value::Object(_) | Value::Null) => return None,
        Ok(other) => {
            let word = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            format!("json: cannot unmarshal {word} into Go value of type map[string]interface {{}}")
        }
        Err(error) => schema::syntax_error(&bytes.0).unwrap_or_else(|| error.to_string()),
    };
    Some(FieldError::invalid(format!("data[{key}]"), "<secret contents redacted>", &wrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, check_update_errors, defaulted};
    use serde_json::json;

    fn secret(rest: Value) -> Value {
        let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        object
    }

    #[test]
    fn texts_become_data_and_win() {
        let object = secret(json!({"data": {"a": "AA==", "b": "AA=="}, "stringData": {"b": "text", "c": ""}}));
        let expect = secret(json!({"data": {"a": "AA==", "b": "dGV4dA==", "c": ""}, "type": "Opaque"}));
        assert_eq!(defaulted(&Secret, &object), expect);
        assert_eq!(defaulted(&Secret, &expect), expect, "defaulting twice changes nothing");
    }

    #[test]
    fn types_require_their_keys() {
        for (kind, expect) in [
            ("Opaque", vec![]),
            ("my.own/type", vec![]),
            ("kubernetes.io/dockercfg", vec!["data[.dockercfg]: Required value"]),
            ("kubernetes.io/dockerconfigjson", vec!["data[.dockerconfigjson]: Required value"]),
            ("kubernetes.io/ssh-auth", vec!["data[ssh-privatekey]: Required value"]),
            ("kubernetes.io/tls", vec!["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
            ("kubernetes.io/basic-auth", vec!["data[username]: Required value", "data[password]: Required value"]),
            (
                "kubernetes.io/service-account-token",
                vec!["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
            ),
        ] {
            check_errors(&Secret, &secret(json!({ "type": kind })), &expect);
        }
        check_errors(&Secret, &secret(json!({"type": "kubernetes.io/basic-auth", "data": {"username": "AA=="}})), &[]);
    }

    #[test]
    fn credentials_of_registries_are_json_objects() {
        let with =
            |data: &str| secret(json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}}));
        let at = "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\"";
        check_errors(&Secret, &with("e30="), &[]);
        check_errors(
            &Secret,
            &with("e3g="),
            &[&format!("{at}: invalid character 'x' looking for beginning of object key string")],
        );
        check_errors(
            &Secret,
            &with("W10="),
            &[&format!("{at}: json: cannot unmarshal array into Go value of type map[string]interface {{}}")],
        );
        check_errors(&Secret, &with(""), &[&format!("{at}: unexpected end of JSON input")]);
        let empty = secret(json!({"type": "kubernetes.io/ssh-auth", "data": {"ssh-privatekey": ""}}));
        check_errors(&Secret, &empty, &["data[ssh-privatekey]: Required value"]);
    }

    #[test]
    fn the_type_does_not_change_and_neither_does_a_sealed_secret() {
        let old = secret(json!({"immutable": true, "data": {"a": "AA=="}}));
        let new = secret(json!({"immutable": true, "data": {"a": "AB=="}, "type": "x/y"}));
        check_update_errors(
            &Secret,
            &new,
            &old,
            &[
                "type: Invalid value: \"x/y\": field is immutable",
                "data: Forbidden: field is immutable when `immutable` is set",
            ],
        );
    }

    #[test]
    fn the_row_shows_type_and_number_of_keys_but_no_value() {
        let object = secret(json!({"type": "Opaque", "data": {"a": "AA=="}}));
        assert_eq!(cells(&Secret, &object), [json!("s"), json!("Opaque"), json!(1), json!("<unknown>")]);
    }
}
