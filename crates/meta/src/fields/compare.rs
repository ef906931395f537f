//! What differs between two objects, field by field.

use super::schema::{FieldSchema, Form, ListForm, entry, is_leaf, is_nothing, steps};
use super::set::{Node, Set};
use super::step::Step;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What became of fields from one object to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// There now and not before, or with another value.
    pub set: Set,
    /// There before and not now.
    pub removed: Set,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    /// Without what lies in these fields.
    #[must_use]
    pub fn without(self, ignored: &Set) -> Self {
        if ignored.is_empty() {
            return self;
        }
        Self { set: self.set.recursive_difference(ignored), removed: self.removed.recursive_difference(ignored) }
    }

    /// Changed or gone.
    pub fn touched(&self) -> Set {
        self.set.union(&self.removed)
    }
}

/// Compares two objects of a type (K:structured-merge-diff typed/compare.go).
pub fn compare<S: FieldSchema>(old: &Value, new: &Value, ty: S) -> Changes {
    let level = compare_values(Some(old), Some(new), ty);
    Changes { set: level.set.below, removed: level.removed.below }
}

/// What changed at a field and below it.
#[derive(Default)]
struct Level {
    set: Node,
    removed: Node,
}

impl Level {
    fn put(&mut self, step: Step, below: Self) {
        if below.removed.is_empty() {
            return self.set.below.put(step, below.set);
        }
        self.removed.below.put(step.clone(), below.removed);
        self.set.below.put(step, below.set);
    }

    /// The field itself came, went or changed.
    fn mark(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(_), None) => self.removed.is_member = true,
            _ => self.set.is_member = true,
        }
    }
}

fn compare_values<S: FieldSchema>(old: Option<&Value>, new: Option<&Value>, ty: S) -> Level {
    let mut level = Level::default();
    if old == new {
        return level;
    }
    let form = ty.form();
    // Empty lists and objects are leaves too, so that `{}` is told from absence.
    if is_leaf(&form) || is_nothing(old) && is_nothing(new) {
        level.mark(old, new);
        return level;
    }
    match form {
        Form::List { item, list } => compare_lists(&mut level, items(old), items(new), item, list),
        form => {
            let both = old.is_some() && new.is_some();
            for name in names(old, new) {
                let child = match entry(ty, &form, name) {
                    Some(child) => {
                        let (old, new) = (field(old, name), field(new, name));
                        let (old, new) = match both && child.is_always_there() {
                            true => (old.or(Some(empty(&child.form()))), new.or(Some(empty(&child.form())))),
                            false => (old, new),
                        };
                        compare_values(old, new, child)
                    }
                    None => compare_unknown(field(old, name), field(new, name)),
                };
                level.put(Step::field(name), child);
            }
        }
    }
    if old.is_none() || new.is_none() {
        level.mark(old, new);
    }
    level
}

/// What no schema describes is owned whole.
fn compare_unknown(old: Option<&Value>, new: Option<&Value>) -> Level {
    let mut level = Level::default();
    if old != new {
        level.mark(old, new);
    }
    level
}

fn compare_lists<S: FieldSchema>(level: &mut Level, old: &[Value], new: &[Value], item: S, list: ListForm) {
    let (old, new) = (steps(old, item, list), steps(new, item, list));
    let mut groups: BTreeMap<&Step, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    for (step, value) in &old {
        groups.entry(step).or_default().0.push(value);
    }
    for (step, value) in &new {
        groups.entry(step).or_default().1.push(value);
    }
    for (step, (old, new)) in groups {
        let is_duplicate = 1 < old.len() || 1 < new.len();
        let below = match is_duplicate {
            false => compare_values(old.first().copied(), new.first().copied(), item),
            // Items that cannot be told apart are one leaf.
            true if old == new => continue,
            true => {
                let mut leaf = Level::default();
                leaf.mark(old.first().copied(), new.first().copied());
                leaf
            }
        };
        level.put(step.clone(), below);
    }
}

/// What stands where Kubernetes writes a field that nobody set.
fn empty<S>(form: &Form<S>) -> &'static Value {
    static NULL: Value = Value::Null;
    static OBJECT: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::Object(Map::new()));
    match form {
        Form::Struct { .. } => &OBJECT,
        _ => &NULL,
    }
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn field<'v>(object: Option<&'v Value>, name: &str) -> Option<&'v Value> {
    object.and_then(|object| object.get(name))
}

/// The names in either object, each once.
fn names<'v>(old: Option<&'v Value>, new: Option<&'v Value>) -> impl Iterator<Item = &'v str> {
    let fields = |object: Option<&'v Value>| object.and_then(Value::as_object);
    let old = fields(old);
    let is_only_new = move |name: &&String| old.is_none_or(|old| !old.contains_key(name.as_str()));
    let new = fields(new).into_iter().flat_map(Map::keys).filter(is_only_new);
    old.into_iter().flat_map(Map::keys).chain(new).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Toy, compared};
    use super::super::wire;
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(old: Value, new: Value, set: Value, removed: Value) {
        let changes = compare(&old, &new, Toy::Root);
        assert_eq!((wire::print(&changes.set), wire::print(&changes.removed)), (set, removed), "{old} {new}");
    }

    #[test]
    fn scalars_and_atomic_values_are_leaves() {
        check(json!({}), json!({}), json!({}), json!({}));
        check(
            json!({"n": 1, "t": "x"}),
            json!({"n": 2, "args": ["a"]}),
            json!({"f:args": {}, "f:n": {}}),
            json!({"f:t": {}}),
        );
        check(json!({"args": ["a"]}), json!({"args": ["a", "b"]}), json!({"f:args": {}}), json!({}));
        check(json!({"selector": {"a": 1}}), json!({"selector": {"b": 1}}), json!({"f:selector": {}}), json!({}));
    }

    #[test]
    fn what_comes_with_its_parts_is_owned_with_them() {
        let labels = json!({"labels": {"a": "1", "b": "2"}});
        check(json!({}), labels.clone(), json!({"f:labels": {".": {}, "f:a": {}, "f:b": {}}}), json!({}));
        check(json!({"labels": {"a": "1"}}), labels.clone(), json!({"f:labels": {"f:b": {}}}), json!({}));
        check(labels, json!({}), json!({}), json!({"f:labels": {".": {}, "f:a": {}, "f:b": {}}}));
        check(json!({}), json!({"labels": {}}), json!({"f:labels": {}}), json!({}));
    }

    #[test]
    fn what_always_stands_there_is_nobodys() {
        let spec = json!({"spec": {"n": 1, "items": [{"name": "a", "n": 1}]}});
        let expect = json!({"f:spec": {
            "f:items": {r#"k:{"name":"a"}"#: {".": {}, "f:n": {}, "f:name": {}}},
            "f:n": {},
        }});
        check(json!({}), spec, expect, json!({}));
    }

    #[test]
    fn items_are_compared_by_what_tells_them_apart() {
        check(
            json!({"items": [{"name": "a", "n": 1}, {"name": "b"}], "set": ["x", "y"]}),
            json!({"items": [{"name": "c"}, {"name": "a", "n": 2}], "set": ["y", "z"]}),
            json!({
                "f:items": {r#"k:{"name":"a"}"#: {"f:n": {}}, r#"k:{"name":"c"}"#: {".": {}, "f:name": {}}},
                "f:set": {r#"v:"z""#: {}},
            }),
            json!({
                "f:items": {r#"k:{"name":"b"}"#: {".": {}, "f:name": {}}},
                "f:set": {r#"v:"x""#: {}},
            }),
        );
        // A key that the item leaves out is its default.
        let named = json!({"ports": [{"port": 80}]});
        let full = json!({"ports": [{"port": 80, "protocol": "TCP"}]});
        let added = json!({"f:ports": {r#"k:{"port":80,"protocol":"TCP"}"#: {"f:protocol": {}}}});
        check(named, full, added, json!({}));
    }

    #[test]
    fn items_that_cannot_be_told_apart_are_one_leaf() {
        let twice = json!({"items": [{"name": "a", "n": 1}, {"name": "a", "n": 2}]});
        let other = json!({"items": [{"name": "a", "n": 1}, {"name": "a", "n": 3}]});
        check(twice.clone(), other, json!({"f:items": {r#"k:{"name":"a"}"#: {}}}), json!({}));
        check(json!({}), twice.clone(), json!({"f:items": {r#"k:{"name":"a"}"#: {}}}), json!({}));
        assert!(compared(&twice, &twice).is_empty());
    }
}
