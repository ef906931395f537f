//! Strategic merge patches on Jobs over the real table, as kubectl sends them.

use super::lookup;
use meta::patch::strategic;
use serde_json::{Value, json};

#[track_caller]
fn patched(mut object: Value, patch: &Value) -> Value {
    strategic::apply(&mut object, patch, lookup("io.k8s.api.batch.v1.Job")).unwrap();
    object
}

/// A Job as the server has it: kubectl's manifest with what others have added.
fn live() -> Value {
    json!({
        "metadata": {
            "name": "pi", "labels": {"app": "pi", "old": "x"}, "uid": "u1",
            "finalizers": ["example.com/keep", "example.com/drop", "server/own"],
        },
        "spec": {
            "backoffLimit": 4, "parallelism": 1, "completions": 1,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "pi", "image": "kiln/demo", "command": ["pi", "2000"],
                    "env": [
                        {"name": "SERVER", "value": "s"}, {"name": "A", "value": "1"}, {"name": "B", "value": "2"},
                    ],
                    "volumeMounts": [{"name": "work", "mountPath": "/work"}],
                    "resources": {}, "terminationMessagePath": "/dev/termination-log",
                }],
                "volumes": [{"name": "work", "emptyDir": {}}],
            }},
        },
    })
}

#[test]
fn kubectl_apply_of_a_changed_manifest() {
    // The body that kubectl 1.33 sends for a manifest that changes all of these at once.
    let patch = json!({
        "metadata": {
            "$deleteFromPrimitiveList/finalizers": ["example.com/drop"],
            "$setElementOrder/finalizers": ["example.com/new", "example.com/keep"],
            "finalizers": ["example.com/new"],
            "labels": {"old": null},
        },
        "spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "pi"}, {"name": "side"}],
            "$setElementOrder/volumes": [{"name": "work"}, {"name": "logs"}],
            "containers": [
                {
                    "$setElementOrder/env": [{"name": "C"}, {"name": "A"}],
                    "$setElementOrder/volumeMounts": [{"mountPath": "/work"}, {"mountPath": "/logs"}],
                    "env": [
                        {"name": "C", "value": "3"}, {"name": "A", "value": "one"}, {"$patch": "delete", "name": "B"},
                    ],
                    "name": "pi",
                    "volumeMounts": [{"mountPath": "/work", "readOnly": true}, {"mountPath": "/logs", "name": "logs"}],
                },
                {"args": ["sleep", "1"], "image": "kiln/demo", "name": "side"},
            ],
            "volumes": [
                {"$retainKeys": ["hostPath", "name"], "emptyDir": null, "hostPath": {"path": "/tmp"}, "name": "work"},
                {"emptyDir": {}, "name": "logs"},
            ],
        }}},
    });
    let expected = json!({
        "metadata": {
            "name": "pi", "labels": {"app": "pi"}, "uid": "u1",
            "finalizers": ["example.com/new", "example.com/keep", "server/own"],
        },
        "spec": {
            "backoffLimit": 4, "parallelism": 1, "completions": 1,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "pi", "image": "kiln/demo", "command": ["pi", "2000"],
                        "env": [
                            {"name": "C", "value": "3"}, {"name": "SERVER", "value": "s"}, {"name": "A", "value": "one"},
                        ],
                        "volumeMounts": [
                            {"name": "work", "mountPath": "/work", "readOnly": true}, {"name": "logs", "mountPath": "/logs"},
                        ],
                        "resources": {}, "terminationMessagePath": "/dev/termination-log",
                    },
                    {"name": "side", "image": "kiln/demo", "args": ["sleep", "1"]},
                ],
                "volumes": [{"name": "work", "hostPath": {"path": "/tmp"}}, {"name": "logs", "emptyDir": {}}],
            }},
        },
    });
    let once = patched(live(), &patch);
    assert_eq!(once, expected);
    assert_eq!(patched(once.clone(), &patch), once, "applying it again changes nothing");
}

#[test]
fn kubectl_patch_of_parallelism_and_completions() {
    let job = patched(live(), &json!({"spec": {"parallelism": 3, "completions": 5}}));
    assert_eq!((&job["spec"]["parallelism"], &job["spec"]["completions"]), (&json!(3), &json!(5)));
    assert_eq!(job["spec"]["template"], live()["spec"]["template"]);
}

#[test]
fn controllers_change_finalizers_conditions_and_owners_by_item() {
    let job = patched(
        json!({
            "metadata": {
                "finalizers": ["a", "batch.kubernetes.io/job-tracking"],
                "ownerReferences": [{"uid": "1", "name": "one"}, {"uid": "2", "name": "two"}],
            },
            "status": {"conditions": [{"type": "Suspended", "status": "True"}]},
        }),
        &json!({
            "metadata": {
                "$deleteFromPrimitiveList/finalizers": ["batch.kubernetes.io/job-tracking"],
                "ownerReferences": [{"$patch": "delete", "uid": "1"}],
            },
            "status": {"conditions": [{"type": "Suspended", "status": "False"}]},
        }),
    );
    assert_eq!(
        job,
        json!({
            "metadata": {"finalizers": ["a"], "ownerReferences": [{"uid": "2", "name": "two"}]},
            "status": {"conditions": [{"type": "Suspended", "status": "False"}]},
        })
    );
}

#[test]
fn atomic_lists_are_replaced() {
    let job = patched(
        live(),
        &json!({"spec": {"template": {"spec": {
            "containers": [{"name": "pi", "command": ["echo"]}],
            "tolerations": [{"key": "a"}],
        }}}}),
    );
    assert_eq!(job["spec"]["template"]["spec"]["containers"][0]["command"], json!(["echo"]));
    assert_eq!(job["spec"]["template"]["spec"]["tolerations"], json!([{"key": "a"}]));
}
