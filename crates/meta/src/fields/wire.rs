//! FieldsV1: a set as JSON.
//!
//! `{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{}}}}}`: a step leads to an object; `.` in it, or
//! nothing at all, says that the field itself is a member.

use super::set::{Node, Set};
use super::step::Step;
use serde_json::{Map, Value};

const SELF: &str = ".";

/// Reads FieldsV1.
pub fn parse(fields: &Value) -> Result<Set, String> {
    match fields {
        Value::Object(fields) => Ok(parse_level(fields)?.below),
        Value::Null => Ok(Set::default()),
        other => Err(format!("fieldsV1 must be an object, not {other}")),
    }
}

fn parse_level(fields: &Map<String, Value>) -> Result<Node, String> {
    let mut node = Node { is_member: fields.is_empty(), below: Set::default() };
    for (key, value) in fields {
        if key == SELF {
            node.is_member = true;
            continue;
        }
        let Some(step) = Step::parse(key)? else { continue };
        let Value::Object(value) = value else { return Err(format!("{key} must hold an object")) };
        // The same step spelt twice is one step.
        let read = parse_level(value)?;
        let merged = match node.below.node(&step) {
            Some(known) => Node { is_member: known.is_member || read.is_member, below: known.below.union(&read.below) },
            None => read,
        };
        node.below.put(step, merged);
    }
    Ok(node)
}

/// Writes FieldsV1.
pub fn print(set: &Set) -> Value {
    Value::Object(print_level(set, Map::new()))
}

fn print_level(set: &Set, mut fields: Map<String, Value>) -> Map<String, Value> {
    for (step, node) in set.nodes() {
        let mut below = Map::new();
        if node.is_member && !node.below.is_empty() {
            below.insert(SELF.to_owned(), Value::Object(Map::new()));
        }
        fields.insert(step.key(), Value::Object(print_level(&node.below, below)));
    }
    fields
}

/// Whether canonical FieldsV1 holds every member of a set: without reading all of it.
pub fn covers(fields: &Value, set: &Set) -> bool {
    set.nodes().all(|(step, node)| match fields.get(step.key()) {
        Some(found) => (!node.is_member || is_member(found)) && covers(found, &node.below),
        None => false,
    })
}

/// Whether canonical FieldsV1 and a set have members in common: without reading all of it.
pub fn overlaps(fields: &Value, set: &Set) -> bool {
    set.nodes().any(|(step, node)| match fields.get(step.key()) {
        Some(found) => node.is_member && is_member(found) || overlaps(found, &node.below),
        None => false,
    })
}

fn is_member(found: &Value) -> bool {
    found.as_object().is_some_and(|fields| fields.is_empty() || fields.contains_key(SELF))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_written_canonically() {
        for (text, canonical) in [
            ("{}", "{}"),
            (r#"{"f:b":{},"f:a":{"f:c":{},".":{}}}"#, r#"{"f:a":{".":{},"f:c":{}},"f:b":{}}"#),
            (r#"{"f:a":{"x:later":{}}}"#, "{}"),
            (
                r#"{"f:l":{"k:{\"b\":1, \"a\":2}":{},"k:{\"a\":2,\"b\":1}":{"f:x":{}}}}"#,
                r#"{"f:l":{"k:{\"a\":2,\"b\":1}":{".":{},"f:x":{}}}}"#,
            ),
        ] {
            let set = parse(&serde_json::from_str(text).unwrap()).unwrap();
            assert_eq!(print(&set).to_string(), canonical, "{text}");
        }
        for malformed in [json!([]), json!("x"), json!({"spec": {}}), json!({"f:a": 1}), json!({"f:a": null})] {
            assert!(parse(&malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn members_are_looked_up_without_reading_everything() {
        let fields = json!({"f:a": {".": {}, "f:b": {}}, "f:c": {"f:d": {}}});
        for (set, covered, overlapping) in [
            (json!({}), true, false),
            (json!({"f:a": {}}), true, true),
            (json!({"f:a": {".": {}, "f:b": {}}}), true, true),
            (json!({"f:c": {}}), false, false),
            (json!({"f:c": {"f:d": {}, "f:e": {}}}), false, true),
            (json!({"f:x": {}}), false, false),
        ] {
            let set = parse(&set).unwrap();
            assert_eq!((covers(&fields, &set), overlaps(&fields, &set)), (covered, overlapping), "{}", print(&set));
        }
    }
}
