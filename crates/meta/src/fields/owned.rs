//! The fields that an object sets, and an object without some of its fields.

use super::schema::{FieldSchema, Form, entry, is_leaf, step_of, steps};
use super::set::{Node, Set};
use super::step::Step;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields that an applied configuration makes its applier's own (K:structured-merge-diff typed/tofieldset.go).
/// Objects with known fields are not among them, unless they are empty: their fields are.
pub fn of<S: FieldSchema>(object: &Value, ty: S) -> Set {
    node_of(object, ty).below
}

fn node_of<S: FieldSchema>(value: &Value, ty: S) -> Node {
    let form = ty.form();
    let mut node = Node { is_member: is_leaf(&form), below: Set::default() };
    match (&form, value) {
        _ if node.is_member => {}
        (Form::List { item, list }, Value::Array(items)) => {
            let steps = steps(items, *item, *list);
            let mut counts: BTreeMap<&Step, usize> = BTreeMap::new();
            for (step, _) in &steps {
                *counts.entry(step).or_default() += 1;
            }
            for (step, value) in &steps {
                let below = match counts.get(step) {
                    // Items that cannot be told apart are one leaf.
                    Some(2..) => Node::leaf(),
                    _ => Node { is_member: true, ..node_of(value, *item) },
                };
                node.below.put(step.clone(), below);
            }
        }
        (form, Value::Object(fields)) => {
            for (name, value) in fields {
                let below = match entry(ty, form, name) {
                    Some(child) => {
                        let mut below = node_of(value, child);
                        let is_known = matches!(form, Form::Struct { .. });
                        below.is_member |= !is_known || is_empty(value);
                        below
                    }
                    None => Node::leaf(),
                };
                node.below.put(Step::field(name), below);
            }
        }
        _ => {}
    }
    node
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// The object without these fields. A list or map that loses all it had is null (K:structured-merge-diff
/// typed/remove.go).
pub fn remove<S: FieldSchema>(value: &Value, fields: &Set, ty: S) -> Value {
    let form = ty.form();
    if matches!(form, Form::Scalar(_)) {
        return value.clone();
    }
    if is_leaf(&form) {
        return Value::Null;
    }
    match (&form, value) {
        (Form::List { item, list }, Value::Array(items)) => {
            let kept: Vec<Value> = items
                .iter()
                .enumerate()
                .filter_map(|(index, value)| {
                    let node = step_of(value, *item, *list, index).ok().and_then(|step| fields.node(&step));
                    kept(value, node, Some(*item))
                })
                .collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        (form, Value::Object(entries)) => {
            let kept: Map<String, Value> = entries
                .iter()
                .filter_map(|(name, value)| {
                    let kept = kept(value, fields.node(&Step::field(name)), entry(ty, form, name))?;
                    Some((name.clone(), kept))
                })
                .collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        _ => Value::Null,
    }
}

fn kept<S: FieldSchema>(value: &Value, node: Option<&Node>, ty: Option<S>) -> Option<Value> {
    match (node, ty) {
        (Some(node), _) if node.is_member => None,
        (Some(node), Some(ty)) => Some(remove(value, &node.below, ty)),
        (Some(_), None) | (None, _) => Some(value.clone()),
    }
}

/// The set with every known field on the way to a member: whoever owns `.spec.n` alone may take all of `.spec` away when
/// nobody else owns anything in it (K:structured-merge-diff EnsureNamedFieldsAreMembers).
#[must_use]
pub fn with_named_fields<S: FieldSchema>(set: &Set, ty: S) -> Set {
    let form = ty.form();
    let mut named = Set::default();
    for (step, node) in set.nodes() {
        let child = match (step, &form) {
            (Step::Field(name), form) => entry(ty, form, name),
            (_, Form::List { item, .. }) => Some(*item),
            _ => None,
        };
        let is_named = matches!((step, &form), (Step::Field(_), Form::Struct { .. })) && child.is_some();
        let below = match child {
            Some(child) => with_named_fields(&node.below, child),
            None => node.below.clone(),
        };
        let is_member = node.is_member || is_named && !below.is_empty();
        named.put(step.clone(), Node { is_member, below });
    }
    named
}

#[cfg(test)]
mod tests {
    use super::super::testing::Toy;
    use super::super::wire;
    use super::*;
    use serde_json::json;

    #[test]
    fn an_applier_owns_what_it_names() {
        for (object, fields) in [
            (json!({"n": 1, "args": ["a"], "selector": {"a": 1}}), json!({"f:args": {}, "f:n": {}, "f:selector": {}})),
            (
                json!({"labels": {"a": "1"}, "set": ["x", "y"]}),
                json!({"f:labels": {"f:a": {}}, "f:set": {r#"v:"x""#: {}, r#"v:"y""#: {}}}),
            ),
            (
                json!({"spec": {"items": [{"name": "a", "n": 1}]}}),
                json!({"f:spec": {"f:items": {r#"k:{"name":"a"}"#: {".": {}, "f:n": {}, "f:name": {}}}}}),
            ),
            (json!({"spec": {}, "labels": {}, "n": null}), json!({"f:labels": {}, "f:n": {}, "f:spec": {}})),
            (json!({"items": [{"name": "a", "n": 1}, {"name": "a"}]}), json!({"f:items": {r#"k:{"name":"a"}"#: {}}})),
            (
                json!({"ports": [{"port": 1}]}),
                json!({"f:ports": {r#"k:{"port":1,"protocol":"TCP"}"#: {".": {}, "f:port": {}}}}),
            ),
        ] {
            assert_eq!(wire::print(&of(&object, Toy::Root)), fields, "{object}");
        }
    }

    #[test]
    fn fields_are_taken_out_of_an_object() {
        let object = json!({"n": 1, "labels": {"a": "1", "b": "2"}, "items": [{"name": "a", "n": 1}, {"name": "b"}], "set": ["x"]});
        for (fields, expect) in [
            (json!({}), object.clone()),
            (
                json!({"f:n": {}, "f:labels": {"f:a": {}}}),
                json!({"labels": {"b": "2"}, "items": [{"name": "a", "n": 1}, {"name": "b"}], "set": ["x"]}),
            ),
            (
                json!({"f:items": {r#"k:{"name":"a"}"#: {"f:n": {}}, r#"k:{"name":"b"}"#: {}}, "f:set": {r#"v:"x""#: {}}}),
                json!({"n": 1, "labels": {"a": "1", "b": "2"}, "items": [{"name": "a"}], "set": null}),
            ),
        ] {
            assert_eq!(remove(&object, &wire::parse(&fields).unwrap(), Toy::Root), expect, "{fields}");
        }
    }

    #[test]
    fn known_fields_on_the_way_to_a_member_count() {
        let set = wire::parse(&json!({"f:spec": {"f:labels": {"f:a": {}}, "f:n": {}}})).unwrap();
        assert_eq!(
            wire::print(&with_named_fields(&set, Toy::Root)),
            json!({"f:spec": {".": {}, "f:labels": {".": {}, "f:a": {}}, "f:n": {}}}),
        );
    }
}
