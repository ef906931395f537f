//! Cells that the tables of several kinds share (K:pkg/printers/internalversion/printers.go).

use crate::kind::{Cell, Column, Row};
use jiff::Timestamp;
use meta::{duration, object};
use serde_json::Value;

/// The first column of nearly every kind.
pub(crate) const NAME: Column = Column {
    name: "Name",
    kind: "string",
    format: "name",
    description: "Name of the object, unique among its kind within a namespace.",
    priority: 0,
};
/// How long ago the object was created.
pub(crate) const AGE: Column = column("Age", "How long ago the object was created.");
/// When the object was created; of kinds that say nothing more (K:apiserver/pkg/registry/rest/table.go).
pub(crate) const CREATED_AT: Column = typed("Created At", "date", "When the object was created.");
/// The columns of kinds that have none of their own.
pub(crate) const DEFAULT: &[Column] = &[NAME, CREATED_AT];
/// The containers' names of a pod template.
pub(crate) const CONTAINERS: Column = wide("Containers", "Names of the containers in the pod template.");
/// The containers' images of a pod template.
pub(crate) const IMAGES: Column = wide("Images", "Images of the containers in the pod template.");
/// The selector of an object that owns pods.
pub(crate) const SELECTOR: Column = wide("Selector", "Labels by which the object finds its pods.");

/// A text column that is always shown.
pub(crate) const fn column(name: &'static str, description: &'static str) -> Column {
    typed(name, "string", description)
}
/// A column of another type that is always shown.
pub(crate) const fn typed(name: &'static str, kind: &'static str, description: &'static str) -> Column {
    Column { name, kind, format: "", description, priority: 0 }
}
/// A text column that only `-o wide` shows.
pub(crate) const fn wide(name: &'static str, description: &'static str) -> Column {
    Column { priority: 1, ..column(name, description) }
}

pub(crate) fn name(object: &Value) -> Cell {
    object::name(object).into()
}

pub(crate) fn age(object: &Value, now: Timestamp) -> Cell {
    since(&object["metadata"]["creationTimestamp"], now).into()
}

pub(crate) fn created_at(object: &Value) -> Cell {
    object["metadata"]["creationTimestamp"].clone()
}

/// A row of the default columns.
pub(crate) fn default_row(object: &Value) -> Row {
    Row { cells: vec![name(object), created_at(object)], ..Row::default() }
}

/// How long ago a timestamp was; `<unknown>` when there is none.
pub(crate) fn since(timestamp: &Value, now: Timestamp) -> String {
    match instant(timestamp) {
        Some(then) => duration::human(now.duration_since(then)),
        None => "<unknown>".to_owned(),
    }
}

/// A timestamp, if it is one.
pub(crate) fn instant(timestamp: &Value) -> Option<Timestamp> {
    timestamp.as_str()?.parse().ok()
}

/// A text, or `instead` when there is none.
pub(crate) fn text_or<'a>(value: &'a Value, instead: &'a str) -> &'a str {
    match value.as_str() {
        None | Some("") => instead,
        Some(text) => text,
    }
}

/// Names and images of a pod spec's containers, each joined by commas.
pub(crate) fn containers_and_images(pod_spec: &Value) -> [Cell; 2] {
    let joined = |field: &str| -> Cell {
        let containers = pod_spec["containers"].as_array().into_iter().flatten();
        let texts: Vec<&str> = containers.map(|c| c[field].as_str().unwrap_or("")).collect();
        texts.join(",").into()
    };
    [joined("name"), joined("image")]
}

/// `a=b,c in (d,e),!f`; `<none>` when there is nothing to select by.
pub(crate) fn selector(selector: &Value) -> Cell {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut terms: Vec<(&str, String)> =
        labels.map(|(key, value)| (key.as_str(), format!("{key}={}", value.as_str().unwrap_or("")))).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or("");
        let values = expression["values"].as_array().into_iter().flatten();
        let mut values: Vec<&str> = values.filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let term = match expression["operator"].as_str().unwrap_or("") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return "<error>".into(),
        };
        terms.push((key, term));
    }
    if terms.is_empty() {
        return "<none>".into();
    }
    terms.sort_by_key(|(key, _)| *key);
    let terms: Vec<String> = terms.into_iter().map(|(_, term)| term).collect();
    terms.join(",").into()
}

/// Whether `status.conditions` holds this type with status True.
pub(crate) fn has_condition(object: &Value, condition_type: &str) -> bool {
    condition(object, condition_type).is_some_and(|condition| condition["status"] == "True")
}

/// The condition of this type in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, condition_type: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == condition_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_are_printed_sorted_by_key() {
        for (value, expect) in [
            (json!(null), "<none>"),
            (json!({}), "<none>"),
            (json!({"matchLabels": {"b": "2", "a": "1"}}), "a=1,b=2"),
            (
                json!({"matchLabels": {"m": "1"}, "matchExpressions": [
                    {"key": "z", "operator": "In", "values": ["y", "x"]},
                    {"key": "a", "operator": "DoesNotExist"},
                    {"key": "k", "operator": "Exists"},
                    {"key": "l", "operator": "NotIn", "values": ["v"]}]}),
                "!a,k,l notin (v),m=1,z in (x,y)",
            ),
            (json!({"matchExpressions": [{"key": "a", "operator": "Gt"}]}), "<error>"),
        ] {
            assert_eq!(selector(&value), expect);
        }
    }

    #[test]
    fn ages_count_from_a_timestamp() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        assert_eq!(since(&json!("2026-01-01T00:00:00Z"), now), "10m");
        assert_eq!(since(&json!("2026-01-01T00:09:59.500000Z"), now), "0s");
        assert_eq!(since(&json!(null), now), "<unknown>");
    }
}
