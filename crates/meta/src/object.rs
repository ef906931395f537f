//! Reading and writing metadata of objects held as `serde_json::Value`.

use serde_json::{Map, Value};

/// `metadata.FIELD` as text; empty when absent.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or("")
}
/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    text(object, "name")
}
/// `metadata.namespace`; empty for cluster-scoped objects.
pub fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}
/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    text(object, "uid")
}
/// `metadata.generation`; 0 when absent.
pub fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or(0)
}
/// Whether `metadata.deletionTimestamp` is set.
pub fn is_being_deleted(object: &Value) -> bool {
    !text(object, "deletionTimestamp").is_empty()
}
/// `metadata.labels` as pairs.
pub fn labels(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    pairs(&object["metadata"]["labels"])
}
/// `metadata.annotations` as pairs.
pub fn annotations(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    pairs(&object["metadata"]["annotations"])
}
/// `metadata.labels[KEY]`.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(key)?.as_str()
}
/// `metadata.finalizers`.
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
}
/// The owner with `controller: true`.
pub fn controller(object: &Value) -> Option<&Value> {
    object["metadata"]["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)
}

/// `object.FIELD` as a map that can be written to; whatever else stood there is replaced.
pub fn map<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    let value = entry(as_map(object), field);
    as_map(value)
}
/// `metadata` as a map that can be written to.
pub fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    map(object, "metadata")
}
/// Sets `metadata.labels[KEY]`.
pub fn set_label(object: &mut Value, key: &str, value: &str) {
    let labels = as_map(entry(metadata(object), "labels"));
    labels.insert(key.to_owned(), value.into());
}
/// The value itself as a map that can be written to; whatever else it was is replaced.
pub fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object above")
}

fn entry<'a>(map: &'a mut Map<String, Value>, field: &str) -> &'a mut Value {
    map.entry(field).or_insert(Value::Null)
}

fn pairs(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    value.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_of_any_shape_can_be_read() {
        for object in [json!(null), json!([]), json!({"metadata": 1}), json!({"metadata": {"labels": []}})] {
            assert_eq!(name(&object), "");
            assert_eq!(labels(&object).count(), 0);
            assert_eq!(label(&object, "a"), None);
            assert_eq!(controller(&object), None);
        }
        let object = json!({"metadata": {"name": "n", "labels": {"a": "b", "c": 1}, "ownerReferences": [
            {"name": "x"}, {"name": "y", "controller": true}]}});
        assert_eq!(name(&object), "n");
        assert_eq!(labels(&object).collect::<Vec<_>>(), [("a", "b")]);
        assert_eq!(controller(&object).unwrap()["name"], "y");
    }

    #[test]
    fn metadata_of_any_shape_can_be_written() {
        for mut object in [json!(null), json!({"metadata": 1}), json!({"metadata": {"labels": []}})] {
            set_label(&mut object, "a", "b");
            assert_eq!(label(&object, "a"), Some("b"));
        }
    }
}
