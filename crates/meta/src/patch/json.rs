//! JSON patch (RFC 6902) and JSON merge patch (RFC 7386).

use super::PatchError;
use json_patch::{Patch, PatchErrorKind, PatchOperation};
use serde_json::Value;

/// The API server's own bound.
const MAX_OPERATIONS: usize = 10_000;
/// A few `copy` operations can double an object many times over; what they add up to is bounded by this.
const MAX_COPIED_BYTES: usize = 3 << 20;
/// Moves can put one deep value into another, again and again. No deeper than what a body may hold: whoever walks an
/// object, to print or to drop it, needs stack for every level.
const MAX_DEPTH: usize = 128;

/// RFC 6902. At most 10,000 operations. An error leaves the object as it was.
pub fn json(object: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let n_operations = patch.as_array().map_or(0, Vec::len);
    if MAX_OPERATIONS < n_operations {
        return Err(PatchError::Malformed(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {n_operations}"
        )));
    }
    let Patch(operations) = serde_json::from_value(patch.clone())
        .map_err(|error| PatchError::Malformed(format!("error decoding patch: {error}")))?;
    let mut patched = object.clone();
    let mut n_copied_bytes = 0;
    for operation in operations {
        if let PatchOperation::Copy(copy) = &operation {
            let source = patched.pointer(copy.from.as_str());
            n_copied_bytes += source.map_or(0, |source| source.to_string().len());
            if MAX_COPIED_BYTES < n_copied_bytes {
                return Err(PatchError::Unprocessable(format!(
                    "unable to complete the copy, the accumulated size increase of copy is {n_copied_bytes}, exceeding the limit {MAX_COPIED_BYTES}"
                )));
            }
        }
        if MAX_DEPTH < depth_after(&operation, &patched) {
            return Err(PatchError::Unprocessable(format!(
                "{} operation does not apply: {:?}: exceeded max depth",
                name(&operation),
                operation.path().as_str()
            )));
        }
        json_patch::patch_unsafe(&mut patched, std::slice::from_ref(&operation))
            .map_err(|error| PatchError::Unprocessable(describe(&operation, &error.kind)))?;
    }
    if !patched.is_object() {
        return Err(PatchError::Unprocessable("the patched value is not an object".to_owned()));
    }
    *object = patched;
    Ok(())
}

/// How deep the place is at which an operation puts something, with what it puts there; 0 when it puts nothing.
fn depth_after(operation: &PatchOperation, object: &Value) -> usize {
    let found = |pointer: &str| object.pointer(pointer).map_or(0, depth);
    let depth_of_value = match operation {
        PatchOperation::Add(add) => depth(&add.value),
        PatchOperation::Replace(replace) => depth(&replace.value),
        PatchOperation::Move(moving) => found(moving.from.as_str()),
        PatchOperation::Copy(copy) => found(copy.from.as_str()),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return 0,
    };
    operation.path().count() + depth_of_value
}

/// Levels of lists and objects.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn name(operation: &PatchOperation) -> &'static str {
    match operation {
        PatchOperation::Add(_) => "add",
        PatchOperation::Remove(_) => "remove",
        PatchOperation::Replace(_) => "replace",
        PatchOperation::Move(_) => "move",
        PatchOperation::Copy(_) => "copy",
        PatchOperation::Test(_) => "test",
    }
}

fn describe(operation: &PatchOperation, kind: &PatchErrorKind) -> String {
    let (name, path) = (name(operation), operation.path());
    match kind {
        PatchErrorKind::TestFailed => format!("testing value {path} failed: test failed"),
        PatchErrorKind::InvalidPointer => {
            format!("{name} operation does not apply: doc is missing path: {:?}: missing value", path.as_str())
        }
        other => format!("{name} operation does not apply: {:?}: {other}", path.as_str()),
    }
}

/// RFC 7386.
pub fn merge(object: &mut Value, patch: &Value) -> Result<(), PatchError> {
    if !patch.is_object() {
        return Err(PatchError::Malformed(super::strategic::not_a_map(patch)));
    }
    json_patch::merge(object, patch);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job() -> Value {
        json!({"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"parallelism": 1, "list": [1, 2]}})
    }

    #[test]
    fn operations_are_applied_in_order() {
        let mut object = job();
        let patch = json!([
            {"op": "test", "path": "/spec/parallelism", "value": 1},
            {"op": "replace", "path": "/spec/parallelism", "value": 3},
            {"op": "add", "path": "/metadata/labels/a~1b", "value": "2"},
            {"op": "add", "path": "/spec/list/-", "value": 3},
            {"op": "remove", "path": "/metadata/labels/x"},
            {"op": "copy", "from": "/spec/list/0", "path": "/spec/first"},
        ]);
        super::json(&mut object, &patch).unwrap();
        assert_eq!(
            object,
            json!({"metadata": {"name": "a", "labels": {"a/b": "2"}}, "spec": {"parallelism": 3, "list": [1, 2, 3], "first": 1}})
        );
    }

    #[test]
    fn operations_that_do_not_fit_change_nothing() {
        let apply = |patch: Value| {
            let mut object = job();
            let error = super::json(&mut object, &patch).unwrap_err();
            assert_eq!(object, job());
            error.to_string()
        };
        for (patch, expected) in [
            (
                json!([{"op": "remove", "path": "/spec/list"}, {"op": "test", "path": "/spec/parallelism", "value": 2}]),
                "testing value /spec/parallelism failed: test failed",
            ),
            (
                json!([{"op": "remove", "path": "/spec/none"}]),
                r#"remove operation does not apply: doc is missing path: "/spec/none": missing value"#,
            ),
            (
                json!([{"op": "replace", "path": "/a/b", "value": 1}]),
                r#"replace operation does not apply: doc is missing path: "/a/b": missing value"#,
            ),
            (json!([{"op": "replace", "path": "", "value": 1}]), "the patched value is not an object"),
        ] {
            assert_eq!(apply(patch), expected);
        }
        assert!(apply(json!({"op": "test"})).starts_with("error decoding patch: "));
        assert!(apply(json!([{"op": "leap", "path": "/x"}])).starts_with("error decoding patch: "));
        let many = vec![json!({"op": "test", "path": "/spec/parallelism", "value": 1}); MAX_OPERATIONS + 1];
        assert_eq!(apply(many.into()), "The allowed maximum operations in a JSON patch is 10000, got 10001");
    }

    #[test]
    fn copies_that_grow_without_bound_are_stopped() {
        let mut object = json!({"a": {"x": "0123456789"}});
        let doubling: Vec<Value> =
            (0..60).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/a/{n}")})).collect();
        let error = super::json(&mut object, &doubling.into()).unwrap_err();
        assert!(error.to_string().starts_with("unable to complete the copy"), "{error}");
    }

    #[test]
    fn moves_that_nest_without_bound_are_stopped() {
        let mut deep = json!({});
        for _ in 0..99 {
            deep = json!({ "a": deep });
        }
        let path = "/a".repeat(99);
        let operations: Vec<Value> = [("/x", "/y"), ("/y", "/x")]
            .into_iter()
            .cycle()
            .take(20)
            .flat_map(|(from, to)| {
                let moved = json!({"op": "move", "from": from, "path": format!("{to}{path}/a")});
                [json!({"op": "add", "path": to, "value": deep}), moved]
            })
            .collect();
        let mut object = json!({"x": {}});
        let error = super::json(&mut object, &operations.into()).unwrap_err();
        assert!(error.to_string().ends_with(": exceeded max depth"), "{error}");
    }

    #[test]
    fn merge_patches_merge_maps_replace_lists_and_delete_by_null() {
        let mut object = job();
        merge(&mut object, &json!({"metadata": {"labels": {"x": null, "y": "2"}}, "spec": {"list": [9]}})).unwrap();
        assert_eq!(
            object,
            json!({"metadata": {"name": "a", "labels": {"y": "2"}}, "spec": {"parallelism": 1, "list": [9]}})
        );
        assert_eq!(
            merge(&mut object, &json!([])),
            Err(PatchError::Malformed(
                "json: cannot unmarshal array into Go value of type map[string]interface {}".to_owned()
            ))
        );
    }
}
