//! Directives over a small schema; `kinds` applies whole kubectl patches over the real one.

use super::*;
use serde_json::json;

/// A corner of the pod types.
#[derive(Debug, Clone, Copy)]
enum Mini {
    Pod,
    Container,
}

impl PatchSchema for Mini {
    fn field(&self, field: &str) -> Option<Self> {
        (field == "containers").then_some(Self::Container)
    }
    fn list_strategy(&self, field: &str) -> ListStrategy<'_> {
        match (self, field) {
            (Self::Pod, "containers") | (Self::Container, "env") => ListStrategy::MergeByKey("name"),
            (Self::Container, "ports") => ListStrategy::MergeByKey("containerPort"),
            (Self::Pod, "finalizers") => ListStrategy::MergeSet,
            _ => ListStrategy::Atomic,
        }
    }
    fn replaces(&self, field: &str) -> bool {
        field == "whole"
    }
}

#[track_caller]
fn patched(object: Value, patch: Value, expected: Value) {
    let mut object = object;
    apply(&mut object, &patch, Some(Mini::Pod)).unwrap();
    // As text: order counts.
    assert_eq!(object.to_string(), expected.to_string(), "{patch}");
}

#[track_caller]
fn refused(object: Value, patch: Value, expected: &str) {
    let mut changed = object.clone();
    let error = apply(&mut changed, &patch, Some(Mini::Pod)).unwrap_err();
    assert_eq!(error.to_string(), expected, "{patch}");
    assert_eq!(changed, object, "an error must not change the object");
}

#[test]
fn maps_merge_and_null_deletes() {
    patched(
        json!({"labels": {"a": "1", "b": "2"}, "n": 1, "l": [1]}),
        json!({"labels": {"a": null, "c": "3"}, "n": "text", "l": {"now": "a map", "not": null}, "gone": null}),
        json!({"labels": {"b": "2", "c": "3"}, "n": "text", "l": {"now": "a map"}}),
    );
    patched(json!({"whole": {"a": 1}}), json!({"whole": {"b": 2}}), json!({"whole": {"b": 2}}));
}

#[test]
fn patch_directives_in_maps() {
    patched(json!({"m": {"a": 1, "b": 2}}), json!({"m": {"$patch": "replace", "c": 3}}), json!({"m": {"c": 3}}));
    patched(json!({"m": {"a": 1}}), json!({"m": {"$patch": "delete"}}), json!({"m": {}}));
    patched(json!({}), json!({"m": {"$patch": "replace", "c": 3}}), json!({"m": {"c": 3}}));
    refused(json!({"m": {}}), json!({"m": {"$patch": "x", "c": 3}}), "unknown patch type: x in map: map[$patch:x c:3]");
}

#[test]
fn lists_merge_by_key_and_new_items_come_first() {
    patched(
        json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}),
        json!({"containers": [{"name": "b", "image": "3"}, {"name": "c"}]}),
        json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "3"}, {"name": "c"}]}),
    );
    patched(
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"containers": [{"name": "c", "x": null}]}),
        json!({"containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}),
    );
    patched(
        json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "x"}], "args": ["1"]}]}),
        json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}], "args": ["2"]}]}),
        json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}], "args": ["2"]}]}),
    );
}

#[test]
fn patch_directives_in_lists() {
    patched(
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"containers": [{"name": "a", "$patch": "delete"}, {"name": "z", "$patch": "delete"}]}),
        json!({"containers": [{"name": "b"}]}),
    );
    patched(
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"containers": [{"$patch": "replace"}, {"name": "c"}]}),
        json!({"containers": [{"name": "c"}]}),
    );
    let one = || json!({"containers": [{"name": "a"}]});
    for (item, expected) in [
        (json!({"image": "x"}), "map: map[image:x] does not contain declared merge key: name"),
        (json!({"$patch": "delete"}), "map: map[$patch:delete] does not contain declared merge key: name"),
        (json!({"$patch": "merge", "name": "a"}), "merging lists cannot yet be specified in the patch"),
        (json!({"$patch": 7, "name": "a"}), "unknown patch type: 7 in map: map[$patch:7 name:a]"),
        (json!("text"), "list element types are not identical: [text]"),
    ] {
        refused(one(), json!({"containers": [item]}), expected);
    }
    refused(json!([]), json!([]), "json: cannot unmarshal array into Go value of type map[string]interface {}");
}

#[test]
fn sets_of_scalars_merge_and_lose_items_by_name() {
    patched(
        json!({"finalizers": ["a", "b"]}),
        json!({"finalizers": ["b", "c"]}),
        json!({"finalizers": ["a", "b", "c"]}),
    );
    patched(
        json!({"finalizers": ["a", "b", "c"]}),
        json!({"$deleteFromPrimitiveList/finalizers": ["a", "z"]}),
        json!({"finalizers": ["b", "c"]}),
    );
    patched(json!({}), json!({"$deleteFromPrimitiveList/finalizers": ["a"]}), json!({}));
    patched(
        json!({"finalizers": ["a", "b"]}),
        json!({"$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}),
        json!({"finalizers": ["c", "b"]}),
    );
    for directive in ["$deleteFromPrimitiveList", "$deleteFromPrimitiveList/", "$deleteFromPrimitiveList/x"] {
        refused(json!({}), json!({directive: "x"}), "invalid patch format of primitive list");
    }
}

#[test]
fn retained_keys_are_all_that_stays() {
    patched(
        json!({"source": {"emptyDir": {}, "name": "v"}}),
        json!({"source": {"$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}, "emptyDir": null}}),
        json!({"source": {"name": "v", "hostPath": {"path": "/x"}}}),
    );
    let text = "invalid patch format of retainKeys";
    refused(json!({"s": {"a": 1}}), json!({"s": {"$retainKeys": ["a"], "b": 1}}), text);
    refused(json!({"s": {"a": 1}}), json!({"s": {"$retainKeys": "a"}}), text);
}

#[test]
fn element_order_is_the_patchs_with_server_items_in_between() {
    patched(
        json!({"containers": [{"name": "a"}, {"name": "server"}, {"name": "b"}]}),
        json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "new"}, {"name": "a"}], "containers": [{"name": "new"}]}),
        json!({"containers": [{"name": "server"}, {"name": "b"}, {"name": "new"}, {"name": "a"}]}),
    );
    patched(
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
        json!({"containers": [{"name": "b"}, {"name": "a"}]}),
    );
    patched(
        json!({}),
        json!({"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "$retainKeys": ["name"]}]}),
        json!({"containers": [{"name": "a"}]}),
    );
    refused(
        json!({"containers": []}),
        json!({"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}),
        "The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
    );
    refused(json!({}), json!({"$setElementOrder/containers": 5}), "invalid patch format of setElementOrder list");
    refused(
        json!({"containers": {"not": "a list"}}),
        json!({"$setElementOrder/containers": []}),
        "expected a list at containers",
    );
}

#[test]
fn without_a_schema_lists_are_replaced() {
    let mut object = json!({"spec": {"containers": [{"name": "a"}], "x": 1}});
    apply::<Mini>(&mut object, &json!({"spec": {"containers": [{"name": "b"}]}}), None).unwrap();
    assert_eq!(object, json!({"spec": {"containers": [{"name": "b"}], "x": 1}}));
}
