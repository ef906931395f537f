//! A patch computed from two objects turns one into the other.

use crate::cases;
use meta::patch::strategic::{ListStrategy, PatchSchema};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// `items` merge by name, `set` as a set, every other list is replaced.
#[derive(Debug, Clone, Copy)]
struct Toy;

impl PatchSchema for Toy {
    fn field(&self, _field: &str) -> Option<Self> {
        Some(Self)
    }
    fn list_strategy(&self, field: &str) -> ListStrategy<'_> {
        match field {
            "items" => ListStrategy::MergeByKey("name"),
            "set" => ListStrategy::MergeSet,
            _ => ListStrategy::Atomic,
        }
    }
    fn replaces(&self, _field: &str) -> bool {
        false
    }
}

/// Any JSON without null, which patches cannot set.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..5).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-d]", any_json(), 0..5).prop_map(|fields| json!(fields))
}

/// An object that follows the toy schema, without empty parts.
fn toy(depth: u32) -> BoxedStrategy<Value> {
    let maybe = |value: BoxedStrategy<Value>| prop_oneof![Just(Value::Null), value];
    let number = maybe((0..3).prop_map(Value::from).boxed());
    let args = maybe(prop::collection::vec("[ab]", 1..3).prop_map(Value::from).boxed());
    let set =
        prop::collection::btree_set("[s-w]", 1..4).prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle();
    let set = maybe(set.prop_map(Value::from).boxed());
    let labels = maybe(prop::collection::btree_map("[kl]", "[xy]", 1..3).prop_map(|labels| json!(labels)).boxed());
    let items = match depth {
        0 => Just(Value::Null).boxed(),
        depth => {
            let named = |(name, mut item): (String, Value)| {
                item["name"] = name.into();
                item
            };
            let items = prop::collection::btree_map("[p-s]", toy(depth - 1), 1..4);
            let items = items.prop_map(move |items| items.into_iter().map(named).collect::<Vec<_>>()).prop_shuffle();
            maybe(items.prop_map(Value::from).boxed()).boxed()
        }
    };
    (number, args, set, labels, items)
        .prop_map(|(n, args, set, labels, items)| {
            let fields = [("n", n), ("args", args), ("set", set), ("labels", labels), ("items", items)];
            let set = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect())
        })
        .boxed()
}

/// RFC 7386 from one object to another.
fn merge_diff(from: &Map<String, Value>, to: &Map<String, Value>) -> Value {
    let mut patch: Map<String, Value> =
        from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), Value::Null)).collect();
    for (name, wanted) in to {
        match (from.get(name), wanted) {
            (Some(current), wanted) if current == wanted => {}
            (Some(Value::Object(current)), Value::Object(wanted)) => {
                patch.insert(name.clone(), merge_diff(current, wanted));
            }
            _ => {
                patch.insert(name.clone(), wanted.clone());
            }
        }
    }
    Value::Object(patch)
}

/// What kubectl sends: directives for order and deletions, items only where they differ.
fn strategic_diff(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let mut patch: Map<String, Value> =
        from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), Value::Null)).collect();
    for (name, wanted) in to {
        let current = from.get(name);
        if current == Some(wanted) {
            continue;
        }
        match (Toy.list_strategy(name), current, wanted) {
            (ListStrategy::MergeByKey(key), Some(Value::Array(current)), Value::Array(wanted)) => {
                let order: Vec<Value> = wanted.iter().map(|item| json!({key: item[key]})).collect();
                patch.insert(format!("$setElementOrder/{name}"), order.into());
                let of = |list: &[Value], item: &Value| list.iter().find(|other| other[key] == item[key]).cloned();
                let mut items: Vec<Value> = Vec::new();
                for item in wanted {
                    match of(current, item) {
                        Some(current) if current == *item => {}
                        Some(current) => {
                            let (current, item) = (current.as_object().unwrap(), item.as_object().unwrap());
                            let mut changed = strategic_diff(current, item);
                            changed.insert(key.to_owned(), item[key].clone());
                            items.push(changed.into());
                        }
                        None => items.push(item.clone()),
                    }
                }
                let gone = current.iter().filter(|item| of(wanted, item).is_none());
                items.extend(gone.map(|item| json!({"$patch": "delete", key: item[key]})));
                patch.insert(name.clone(), items.into());
            }
            (ListStrategy::MergeSet, Some(Value::Array(current)), Value::Array(wanted)) => {
                patch.insert(format!("$setElementOrder/{name}"), wanted.clone().into());
                let gone: Vec<Value> = current.iter().filter(|item| !wanted.contains(item)).cloned().collect();
                if !gone.is_empty() {
                    patch.insert(format!("$deleteFromPrimitiveList/{name}"), gone.into());
                }
                let new: Vec<Value> = wanted.iter().filter(|item| !current.contains(item)).cloned().collect();
                if !new.is_empty() {
                    patch.insert(name.clone(), new.into());
                }
            }
            (_, Some(Value::Object(current)), Value::Object(wanted)) => {
                patch.insert(name.clone(), strategic_diff(current, wanted).into());
            }
            _ => {
                patch.insert(name.clone(), wanted.clone());
            }
        }
    }
    patch
}

fn fields(object: &Value) -> &Map<String, Value> {
    object.as_object().unwrap()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_merge_patch_of_a_difference_makes_the_target(from in any_object(), to in any_object()) {
        let mut object = from.clone();
        meta::patch::merge(&mut object, &merge_diff(fields(&from), fields(&to))).unwrap();
        prop_assert_eq!(&object, &to);
        meta::patch::merge(&mut object, &json!({})).unwrap();
        prop_assert_eq!(object, to);
    }

    #[test]
    fn a_strategic_patch_of_a_difference_makes_the_target(from in toy(2), to in toy(2)) {
        let patch = Value::Object(strategic_diff(fields(&from), fields(&to)));
        let mut object = from;
        meta::patch::strategic::apply(&mut object, &patch, Some(Toy)).unwrap();
        prop_assert_eq!(&object, &to, "{}", patch);
        meta::patch::strategic::apply(&mut object, &patch, Some(Toy)).unwrap();
        prop_assert_eq!(&object, &to, "the same again changes nothing: {}", patch);
    }

    #[test]
    fn a_strategic_patch_leaves_what_others_added(from in toy(1), to in toy(1)) {
        let patch = Value::Object(strategic_diff(fields(&from), fields(&to)));
        let mut object = from;
        object["others"] = json!({"a": 1});
        let has_items = object.get("items").is_some() && to.get("items").is_some();
        if has_items {
            object["items"].as_array_mut().unwrap().push(json!({"name": "others"}));
        }
        meta::patch::strategic::apply(&mut object, &patch, Some(Toy)).unwrap();
        let mut expect = to;
        expect["others"] = json!({"a": 1});
        let others = |item: &Value| item["name"] == "others";
        if has_items {
            let items = object["items"].as_array_mut().unwrap();
            prop_assert!(items.iter().any(others), "{}", patch);
            items.retain(|item| !others(item));
        }
        prop_assert_eq!(object, expect, "{}", patch);
    }

    #[test]
    fn patches_of_any_shape_fail_without_a_trace_or_make_an_object(
        object in any_object(),
        patch in any_json(),
        directive in prop::sample::select(vec!["$patch", "$retainKeys", "$setElementOrder/items", "$deleteFromPrimitiveList/set", "$setElementOrder"]),
        place in "[a-d]?",
    ) {
        let mut odd = json!({directive: patch.clone()});
        if !place.is_empty() {
            odd = json!({place: odd});
        }
        for patch in [&patch, &odd] {
            let mut changed = object.clone();
            match meta::patch::strategic::apply(&mut changed, patch, Some(Toy)) {
                Ok(()) => prop_assert!(changed.is_object()),
                Err(_) => prop_assert_eq!(&changed, &object),
            }
        }
    }

    #[test]
    fn json_patches_of_single_changes_can_be_taken_back(object in any_object(), name in "[a-d]", value in any_json()) {
        let path = format!("/{name}");
        let (change, back) = match object.get(&name) {
            Some(old) => (
                json!([{"op": "test", "path": path, "value": old}, {"op": "replace", "path": path, "value": value}]),
                json!([{"op": "test", "path": path, "value": value}, {"op": "replace", "path": path, "value": old}]),
            ),
            None => (
                json!([{"op": "add", "path": path, "value": value}]),
                json!([{"op": "remove", "path": path}]),
            ),
        };
        let mut changed = object.clone();
        meta::patch::json(&mut changed, &change).unwrap();
        prop_assert_eq!(&changed[&name], &value);
        meta::patch::json(&mut changed, &back).unwrap();
        prop_assert_eq!(changed, object);
    }
}
