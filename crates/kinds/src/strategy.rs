//! What writing means for most kinds: which parts a write may touch, and when the generation moves on.

use crate::at::is_same;
use crate::kind::Part;
use meta::object;
use serde_json::{Value, json};

/// A new object with a spec and a status: first generation, nothing reported yet.
pub(crate) fn begin(object: &mut Value) {
    object::as_map(object).insert("status".to_owned(), json!({}));
    object::metadata(object).insert("generation".to_owned(), 1.into());
}

/// Puts back what this write may not touch and moves the generation on when the spec changed.
pub(crate) fn keep(object: &mut Value, old: &Value, part: Part) {
    match part {
        Part::Spec => restore(object, old, &["status"]),
        Part::Status => keep_only(object, old, &["metadata", "status"]),
    }
    let has_moved = !is_same(&object["spec"], &old["spec"]);
    let generation = object::generation(old) + i64::from(has_moved);
    if generation != 0 {
        object::metadata(object).insert("generation".to_owned(), generation.into());
    }
}

/// Whether two objects differ in nothing but their metadata and status.
pub(crate) fn is_same_content(object: &Value, old: &Value) -> bool {
    let keys =
        |object: &Value| object.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let is_content = |key: &String| !matches!(key.as_str(), "metadata" | "status");
    keys(object).iter().chain(&keys(old)).filter(|key| is_content(key)).all(|key| is_same(&object[key], &old[key]))
}

/// Puts back everything but the named fields.
pub(crate) fn keep_only(object: &mut Value, old: &Value, fields: &[&str]) {
    let mut kept = old.clone();
    restore(&mut kept, object, fields);
    *object = kept;
}

/// Puts back the named fields, or their absence.
pub(crate) fn restore(object: &mut Value, old: &Value, fields: &[&str]) {
    let object = object::as_map(object);
    for field in fields {
        match old.get(field) {
            Some(value) => {
                object.insert((*field).to_owned(), value.clone());
            }
            None => {
                object.shift_remove(*field);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(part: Part, new: Value, expect: Value) {
        let old = json!({"metadata": {"generation": 3}, "spec": {"a": 1}, "status": {"s": 1}});
        let mut object = new;
        keep(&mut object, &old, part);
        assert!(is_same(&object, &expect), "got {object}");
    }

    #[test]
    fn a_changed_spec_moves_the_generation_on_and_leaves_the_status() {
        check(
            Part::Spec,
            json!({"metadata": {}, "spec": {"a": 2}, "status": {"s": 9}}),
            json!({"metadata": {"generation": 4}, "spec": {"a": 2}, "status": {"s": 1}}),
        );
    }

    #[test]
    fn changed_labels_leave_the_generation() {
        check(
            Part::Spec,
            json!({"metadata": {"labels": {"a": "b"}, "generation": 77}, "spec": {"a": 1}}),
            json!({"metadata": {"labels": {"a": "b"}, "generation": 3}, "spec": {"a": 1}, "status": {"s": 1}}),
        );
    }

    #[test]
    fn a_status_write_leaves_the_spec() {
        check(
            Part::Status,
            json!({"metadata": {"annotations": {"x": "y"}}, "spec": {"a": 2}, "status": {"s": 9}}),
            json!({"metadata": {"annotations": {"x": "y"}, "generation": 3}, "spec": {"a": 1}, "status": {"s": 9}}),
        );
    }

    #[test]
    fn content_is_what_is_neither_metadata_nor_status() {
        let old = json!({"metadata": {"a": 1}, "spec": {"b": []}, "status": 1});
        assert!(is_same_content(&json!({"metadata": {}, "spec": {}}), &old));
        assert!(!is_same_content(&json!({"metadata": {"a": 1}, "spec": {"b": [1]}, "status": 1}), &old));
        assert!(!is_same_content(&json!({"spec": {}, "data": {"k": "v"}}), &old));
        assert!(is_same_content(&json!(null), &json!([])));
    }

    #[test]
    fn a_new_object_starts_at_generation_one_without_a_status() {
        let mut object = json!({"metadata": {"generation": 9}, "status": {"s": 1}});
        begin(&mut object);
        assert_eq!(object, json!({"metadata": {"generation": 1}, "status": {}}));
    }
}
