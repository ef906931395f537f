//! An applied configuration merged into an object (K:structured-merge-diff typed/merge.go).

use super::schema::{FieldSchema, Form, entry, is_leaf, is_nothing, steps};
use super::step::Step;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The object with all that the configuration says; what it does not mention stays.
pub fn merge<S: FieldSchema>(object: &Value, config: &Value, ty: S) -> Value {
    let form = ty.form();
    if is_leaf(&form) || is_nothing(Some(object)) {
        return config.clone();
    }
    if is_nothing(Some(config)) {
        // Naming a list or an object without saying what is in it takes nothing out of it.
        return match form {
            Form::Scalar(_) | Form::Free => config.clone(),
            Form::Struct { .. } | Form::Map { .. } | Form::List { .. } => object.clone(),
        };
    }
    match (form, object, config) {
        (Form::List { item, list }, Value::Array(items), Value::Array(wanted)) => {
            let merged = merge_items(steps(items, item, list), steps(wanted, item, list), item);
            Value::Array(merged)
        }
        (form, Value::Object(fields), Value::Object(wanted)) => {
            let mut merged: Map<String, Value> = Map::with_capacity(fields.len() + wanted.len());
            for (name, value) in fields {
                let value = match (wanted.get(name), entry(ty, &form, name)) {
                    (Some(wanted), Some(ty)) => merge(value, wanted, ty),
                    (Some(wanted), None) => wanted.clone(),
                    (None, _) => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            for (name, value) in wanted {
                if !merged.contains_key(name) {
                    merged.insert(name.clone(), value.clone());
                }
            }
            Value::Object(merged)
        }
        _ => config.clone(),
    }
}

/// The items of both lists. Those that the configuration names come in its order; the others keep their places among
/// the items that both have.
fn merge_items<S: FieldSchema>(live: Vec<(Step, &Value)>, wanted: Vec<(Step, &Value)>, item: S) -> Vec<Value> {
    let live_values: BTreeMap<&Step, &Value> = live.iter().rev().map(|(step, value)| (step, *value)).collect();
    let wanted_values: BTreeMap<&Step, &Value> = wanted.iter().rev().map(|(step, value)| (step, *value)).collect();
    let mut shared: VecDeque<&Step> =
        wanted.iter().map(|(step, _)| step).filter(|step| live_values.contains_key(step)).collect();
    let mut taken = BTreeSet::new();
    let mut out = Vec::with_capacity(live.len().max(wanted.len()));
    let (mut left, mut right) = (0, 0);
    loop {
        match (live.get(left), wanted.get(right)) {
            (None, None) => return out,
            (Some((step, value)), _) if !wanted_values.contains_key(step) => {
                out.push((*value).clone());
                left += 1;
                continue;
            }
            // In both lists, but others that both have come first in the configuration's order.
            (Some((step, _)), Some((next, _))) if step != next && shared.front().is_some_and(|next| *next != step) => {
                left += 1;
                continue;
            }
            (Some((step, _)), Some((next, _))) if step == next || taken.contains(step) => left += 1,
            (Some(_), None) => left += 1,
            (_, Some(_)) => {}
        }
        let Some((step, value)) = wanted.get(right) else { continue };
        out.push(match live_values.get(step) {
            Some(live) => merge(live, value, item),
            None => (*value).clone(),
        });
        taken.insert(step);
        right += 1;
        if shared.front() == Some(&step) {
            shared.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Toy;
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(object: Value, config: Value, expect: Value) {
        assert_eq!(merge(&object, &config, Toy::Root), expect, "{object} {config}");
    }

    #[test]
    fn what_is_applied_wins_and_the_rest_stays() {
        check(
            json!({"n": 1, "t": "x", "labels": {"a": "1", "b": "2"}, "args": [1], "selector": {"a": 1}}),
            json!({"n": 2, "labels": {"b": "3", "c": "4"}, "args": ["y"], "selector": {"b": 2}}),
            json!({"n": 2, "t": "x", "labels": {"a": "1", "b": "3", "c": "4"}, "args": ["y"], "selector": {"b": 2}}),
        );
        check(json!({"labels": {"a": "1"}}), json!({"labels": {}}), json!({"labels": {"a": "1"}}));
        check(json!({"labels": {"a": "1"}}), json!({"labels": null}), json!({"labels": {"a": "1"}}));
        check(json!({"n": 1}), json!({"n": null}), json!({"n": null}));
    }

    #[test]
    fn items_come_in_the_order_applied_between_those_of_others() {
        let names = |names: &str| -> Value { names.chars().map(|name| json!({"name": name.to_string()})).collect() };
        for (live, applied, expect) in [
            ("abc", "abc", "abc"),
            ("abc", "ca", "bca"),
            ("abc", "cb", "acb"),
            ("abc", "dbe", "adbce"),
            ("a", "bc", "abc"),
            ("abcd", "da", "bcda"),
            ("xay", "ab", "xayb"),
        ] {
            let mut merged = merge(&json!({"items": names(live)}), &json!({"items": names(applied)}), Toy::Root);
            let order: String =
                merged["items"].as_array_mut().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
            assert_eq!(order, expect, "{live} {applied}");
        }
        check(
            json!({"items": [{"name": "a", "n": 1}], "set": ["x"]}),
            json!({"items": [{"name": "a", "t": "y"}], "set": ["y", "x"]}),
            json!({"items": [{"name": "a", "n": 1, "t": "y"}], "set": ["y", "x"]}),
        );
    }
}
