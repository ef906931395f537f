//! Strategic merge patch (K:apimachinery/pkg/util/strategicpatch): merges lists by their keys.
//!
//! Directives: `$patch: replace|delete` in an object or a list's item, `$retainKeys: [field…]`,
//! `$setElementOrder/LIST: […]`, `$deleteFromPrimitiveList/LIST: […]`. Null deletes.

mod order;

use super::PatchError;
use super::print::go_text;
use order::Places;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// How a list merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListStrategy<'a> {
    /// Replaced whole.
    Atomic,
    /// Items that agree in this key are one item.
    MergeByKey(&'a str),
    /// Scalars, each once.
    MergeSet,
}

/// What a merge needs to know of a type. `kinds::schema` implements it; a type is whatever the table calls one.
pub trait PatchSchema: Copy {
    /// The type of `field` (of its items, when it is a list); `None` when unknown: merged as a free map.
    fn field(&self, field: &str) -> Option<Self>;
    /// How the list at `field` merges.
    fn list_strategy(&self, field: &str) -> ListStrategy<'_>;
    /// Whether the object at `field` is replaced whole (`x-kubernetes-patch-strategy: replace`).
    fn replaces(&self, field: &str) -> bool;
}

type Result<T> = std::result::Result<T, PatchError>;
type Object = Map<String, Value>;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";

/// Applies `patch` with its directives. An error leaves the object as it was.
pub fn apply<S: PatchSchema>(object: &mut Value, patch: &Value, schema: Option<S>) -> Result<()> {
    let Value::Object(patch) = patch else { return Err(PatchError::Malformed(not_a_map(patch))) };
    let mut patched = object.as_object().cloned().unwrap_or_default();
    merge_object(&mut patched, patch.clone(), schema)?;
    *object = Value::Object(patched);
    Ok(())
}

/// Go's words for a patch that is no object.
pub fn not_a_map(patch: &Value) -> String {
    let word = match patch {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {word} into Go value of type map[string]interface {{}}")
}

fn merge_object<S: PatchSchema>(original: &mut Object, mut patch: Object, schema: Option<S>) -> Result<()> {
    if let Some(directive) = patch.shift_remove(PATCH) {
        return replace_object(original, patch, directive);
    }
    retain_keys(original, &mut patch)?;
    for (list, order) in take_directives(&mut patch, SET_ORDER)? {
        set_order(original, &mut patch, &list, &order, schema)?;
    }
    for (list, doomed) in take_directives(&mut patch, DELETE_FROM)? {
        if let Some(Value::Array(items)) = original.get_mut(&list) {
            let doomed = Places::of(&doomed, None);
            items.retain(|item| doomed.of_item(item).is_none());
        }
    }
    for (field, value) in patch {
        if value.is_null() {
            original.shift_remove(&field);
            continue;
        }
        merge_field(original, field, value, schema)?;
    }
    Ok(())
}

fn merge_field<S: PatchSchema>(original: &mut Object, field: String, value: Value, schema: Option<S>) -> Result<()> {
    match (original.get_mut(&field), value) {
        (Some(Value::Object(current)), Value::Object(patch)) => {
            if schema.is_some_and(|schema| schema.replaces(&field)) {
                *current = patch;
                return Ok(());
            }
            merge_object(current, patch, schema.and_then(|schema| schema.field(&field)))
        }
        (Some(Value::Array(current)), Value::Array(patch)) => {
            *current = merge_list(std::mem::take(current), patch, &field, schema)?;
            Ok(())
        }
        (_, value) => {
            original.insert(field, without_directives(value));
            Ok(())
        }
    }
}

/// `$patch` in an object.
fn replace_object(original: &mut Object, mut patch: Object, directive: Value) -> Result<()> {
    match directive.as_str() {
        Some("replace") => *original = patch,
        Some("delete") => original.clear(),
        _ => {
            patch.insert(PATCH.to_owned(), directive);
            return Err(unknown_directive(&patch));
        }
    }
    Ok(())
}

fn unknown_directive(map: &Object) -> PatchError {
    let directive = go_text(map.get(PATCH).unwrap_or(&Value::Null));
    PatchError::Malformed(format!("unknown patch type: {directive} in map: {}", go_text(&Value::Object(map.clone()))))
}

/// `$retainKeys`: fields that it does not list are dropped; the patch may set only fields that it lists.
fn retain_keys(original: &mut Object, patch: &mut Object) -> Result<()> {
    let Some(keys) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let malformed = || PatchError::Malformed("invalid patch format of retainKeys".to_owned());
    let keys: HashSet<&str> = keys.as_array().ok_or_else(malformed)?.iter().filter_map(Value::as_str).collect();
    let is_kept = |field: &str| keys.contains(field);
    let is_listed = |(field, value): (&String, &Value)| {
        value.is_null() || field.starts_with(SET_ORDER) || field.starts_with(DELETE_FROM) || is_kept(field)
    };
    if !patch.iter().all(is_listed) {
        return Err(malformed());
    }
    original.retain(|field, _| is_kept(field));
    Ok(())
}

/// Takes all `DIRECTIVE/LIST` entries out of the patch.
fn take_directives(patch: &mut Object, directive: &str) -> Result<Vec<(String, Vec<Value>)>> {
    let keys: Vec<String> = patch.keys().filter(|key| key.starts_with(directive)).cloned().collect();
    keys.into_iter()
        .map(|key| {
            let list = key[directive.len()..].strip_prefix('/').filter(|list| !list.is_empty());
            match (list, patch.shift_remove(&key)) {
                (Some(list), Some(Value::Array(items))) => Ok((list.to_owned(), items)),
                _ => Err(PatchError::Malformed(match directive {
                    SET_ORDER => "invalid patch format of setElementOrder list".to_owned(),
                    _ => "invalid patch format of primitive list".to_owned(),
                })),
            }
        })
        .collect()
}

/// `$setElementOrder/LIST`: merges the list and brings it into this order; items that are only on the server keep
/// their places between the others.
fn set_order<S: PatchSchema>(
    original: &mut Object,
    patch: &mut Object,
    list: &str,
    order: &[Value],
    schema: Option<S>,
) -> Result<()> {
    let strategy = schema.as_ref().map_or(ListStrategy::Atomic, |schema| schema.list_strategy(list));
    let key = match strategy {
        // Replaced whole: the patch's list has the order it wants.
        ListStrategy::Atomic => return Ok(()),
        ListStrategy::MergeByKey(key) => Some(key),
        ListStrategy::MergeSet => None,
    };
    let current = take_list(original, list)?;
    let patched = take_list(patch, list)?;
    if patched.is_some() {
        patch.shift_remove(list);
    }
    if let Some(patched) = &patched {
        check_order(patched, order, key)?;
    }
    let merged = match (current.clone(), patched) {
        (None, None) => return Ok(()),
        (Some(current), None) => current,
        (None, Some(patched)) => added(patched),
        (Some(current), Some(patched)) => merge_list(current, patched, list, schema)?,
    };
    require_key(&merged, key)?;
    let live = Places::of(current.as_deref().unwrap_or_default(), key);
    let ordered = order::interleave(merged, &Places::of(order, key), &live);
    original.insert(list.to_owned(), Value::Array(ordered));
    Ok(())
}

/// The list at `field`, which `null` and absence are not. It stays in its place until it is overwritten.
fn take_list(object: &mut Object, field: &str) -> Result<Option<Vec<Value>>> {
    match object.get_mut(field) {
        Some(Value::Array(items)) => {
            let items = std::mem::take(items);
            Ok(Some(items))
        }
        None | Some(Value::Null) => Ok(None),
        Some(_) => Err(PatchError::Malformed(format!("expected a list at {field}"))),
    }
}

/// What the patch sets must come in the order that it asks for.
fn check_order(patched: &[Value], order: &[Value], key: Option<&str>) -> Result<()> {
    let places = Places::of(order, key);
    let mut last = None;
    for item in patched.iter().filter(|item| item.get(PATCH).is_none()) {
        let place = places.of_item(item);
        if place.is_none() || place < last {
            return Err(PatchError::Malformed(format!(
                "The order in patch list:\n{}\n doesn't match {SET_ORDER} list:\n{}\n",
                go_text(&Value::Array(patched.to_vec())),
                go_text(&Value::Array(order.to_vec())),
            )));
        }
        last = place;
    }
    Ok(())
}

fn merge_list<S: PatchSchema>(
    current: Vec<Value>,
    patch: Vec<Value>,
    field: &str,
    schema: Option<S>,
) -> Result<Vec<Value>> {
    let strategy = schema.as_ref().map_or(ListStrategy::Atomic, |schema| schema.list_strategy(field));
    match strategy {
        ListStrategy::Atomic => Ok(patch),
        ListStrategy::MergeSet => {
            let (live, wanted) = (Places::of(&current, None), Places::of(&patch, None));
            let mut seen = HashSet::new();
            let merged = current.into_iter().chain(patch).filter(|item| seen.insert(item.to_string())).collect();
            Ok(order::interleave(merged, &wanted, &live))
        }
        ListStrategy::MergeByKey(key) => {
            merge_by_key(current, patch, key, schema.and_then(|schema| schema.field(field)))
        }
    }
}

fn merge_by_key<S: PatchSchema>(
    mut merged: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    items: Option<S>,
) -> Result<Vec<Value>> {
    let (patch, doomed, replaces) = split_directives(patch, key)?;
    if replaces {
        return Ok(patch);
    }
    let doomed = Places::of(&doomed, Some(key));
    merged.retain(|item| doomed.of_item(item).is_none());
    let live = Places::of(&merged, Some(key));
    let wanted = Places::of(&patch, Some(key));
    let mut places = Places::of(&merged, Some(key));
    for item in patch {
        let Value::Object(item) = item else { return Err(not_maps(&[item])) };
        match places.of_object(&item).and_then(|place| merged.get_mut(place)) {
            Some(Value::Object(current)) => merge_object(current, item, items)?,
            Some(_) => return Err(not_maps(&merged)),
            None => {
                places.add(&item, merged.len());
                merged.push(without_directives(Value::Object(item)));
            }
        }
    }
    require_key(&merged, Some(key))?;
    Ok(order::interleave(merged, &wanted, &live))
}

/// Parts a list's patch: items to merge, items to delete, and whether the rest of the list goes.
fn split_directives(patch: Vec<Value>, key: &str) -> Result<(Vec<Value>, Vec<Value>, bool)> {
    let (mut kept, mut doomed, mut replaces) = (Vec::new(), Vec::new(), false);
    for item in patch {
        let Value::Object(map) = &item else { return Err(not_maps(&[item])) };
        match map.get(PATCH).map(Value::as_str) {
            None => {
                require_key(std::slice::from_ref(&item), Some(key))?;
                kept.push(item);
            }
            Some(Some("delete")) => {
                require_key(std::slice::from_ref(&item), Some(key))?;
                doomed.push(item);
            }
            Some(Some("replace")) => replaces = true,
            Some(Some("merge")) => {
                let text = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Malformed(text.to_owned()));
            }
            Some(_) => return Err(unknown_directive(map)),
        }
    }
    Ok((kept, doomed, replaces))
}

fn require_key(items: &[Value], key: Option<&str>) -> Result<()> {
    let Some(key) = key else { return Ok(()) };
    match items.iter().find(|item| item.get(key).is_none()) {
        None => Ok(()),
        Some(item) if item.is_object() => {
            Err(PatchError::Malformed(format!("map: {} does not contain declared merge key: {key}", go_text(item))))
        }
        Some(item) => Err(not_maps(std::slice::from_ref(item))),
    }
}

fn not_maps(items: &[Value]) -> PatchError {
    let items = go_text(&Value::Array(items.to_vec()));
    PatchError::Malformed(format!("list element types are not identical: {items}"))
}

/// What a patch adds where there was nothing: its directives and deletions have nothing to act on.
fn without_directives(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let is_directive = |key: &str| {
                [PATCH, RETAIN_KEYS].contains(&key) || key.starts_with(SET_ORDER) || key.starts_with(DELETE_FROM)
            };
            let kept = map.into_iter().filter(|(key, value)| !is_directive(key) && !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_directives(value))).collect())
        }
        Value::Array(items) => Value::Array(added(items)),
        scalar => scalar,
    }
}

fn added(items: Vec<Value>) -> Vec<Value> {
    items.into_iter().filter(|item| item.get(PATCH).is_none()).map(without_directives).collect()
}

#[cfg(test)]
mod tests;
