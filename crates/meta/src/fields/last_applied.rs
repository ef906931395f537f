//! Objects that `kubectl apply` manages without the server's help keep what was applied in an annotation. When kubectl
//! turns to server-side apply, what it applied before is no conflict with itself, and the annotation goes on telling what
//! was applied, for those who turn back (K:managedfields/internal/lastappliedmanager.go, lastappliedupdater.go).

use super::compare::compare;
use super::owned::of;
use super::schema::FieldSchema;
use super::set::Set;
use super::validate::validate;
use serde_json::{Map, Value};

/// The annotation.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The manager that this is for; another name opts out.
pub const KUBECTL: &str = "kubectl";
/// K:apimachinery/pkg/api/validation TotalAnnotationSizeLimitB.
const ANNOTATIONS_BYTES: usize = 256 * 1024;

/// The fields that the annotation says kubectl applied and that still are as it applied them; `None` without an
/// annotation that can be read.
pub fn allowed_by_last_applied<S: FieldSchema>(object: &Value, api_version: &str, ty: S) -> Option<Set> {
    let text = object["metadata"]["annotations"][LAST_APPLIED].as_str().filter(|text| !text.is_empty())?;
    let applied: Value = serde_json::from_str(text).ok()?;
    if applied["apiVersion"] != api_version || !validate(&applied, ty).is_empty() {
        return None;
    }
    let changes = compare(&applied, object, ty);
    Some(of(&applied, ty).difference(&changes.touched()))
}

/// Brings the annotation up to date, if the object has it.
pub fn set_last_applied(object: &mut Value, config: &Value) {
    let annotations = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    let Some(annotations) = annotations.and_then(Value::as_object_mut) else { return };
    let is_kept = annotations.get(LAST_APPLIED).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if !is_kept {
        return;
    }
    let mut config = sorted(config);
    let own = config.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(own) = own.and_then(Value::as_object_mut) {
        own.shift_remove(LAST_APPLIED);
    }
    let text = config.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    annotations.insert(LAST_APPLIED.to_owned(), format!("{text}\n").into());
    let n_bytes: usize = annotations.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if ANNOTATIONS_BYTES < n_bytes {
        annotations.shift_remove(LAST_APPLIED);
    }
}

/// With every object's fields in order, as Go writes maps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            let fields = fields.into_iter().map(|(name, value)| (name.clone(), sorted(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Toy;
    use super::super::wire;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_annotation_is_kept_up_to_date_and_never_added() {
        let mut object = json!({"metadata": {"annotations": {LAST_APPLIED: "{}", "a": "b"}}});
        set_last_applied(
            &mut object,
            &json!({"z": "<", "metadata": {"annotations": {LAST_APPLIED: "x"}}, "a": [{"c": 1, "b": 2}]}),
        );
        let expect = "{\"a\":[{\"b\":2,\"c\":1}],\"metadata\":{\"annotations\":{}},\"z\":\"\\u003c\"}\n";
        assert_eq!(object["metadata"]["annotations"], json!({LAST_APPLIED: expect, "a": "b"}));
        let huge = json!({"t": "x".repeat(ANNOTATIONS_BYTES)});
        set_last_applied(&mut object, &huge);
        assert_eq!(object["metadata"]["annotations"], json!({"a": "b"}));
        set_last_applied(&mut object, &json!({}));
        assert_eq!(object["metadata"]["annotations"], json!({"a": "b"}));
    }

    #[test]
    fn only_what_is_still_as_it_was_applied_is_allowed() {
        let applied = json!({"apiVersion": "v1", "n": 1, "t": "x", "set": ["a", "b"]}).to_string();
        let object = json!({"apiVersion": "v1", "n": 2, "t": "x", "set": ["a"],
            "metadata": {"annotations": {LAST_APPLIED: applied}}});
        let allowed = allowed_by_last_applied(&object, "v1", Toy::Root).unwrap();
        let expect = json!({"f:apiVersion": {}, "f:set": {r#"v:"a""#: {}}, "f:t": {}});
        assert_eq!(wire::print(&allowed), expect);
        assert_eq!(allowed_by_last_applied(&object, "v2", Toy::Root), None);
        assert_eq!(allowed_by_last_applied(&json!({}), "v1", Toy::Root), None);
    }
}
