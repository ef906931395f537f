//! What a Job's decision reads off a pod.

use super::*;
use serde_json::{Value, json};

fn facts(pod: Value) -> PodFacts {
    PodFacts::of(&serde_json::from_value(pod).unwrap())
}

fn ended(name: &str, code: i32, second: u32) -> Value {
    let finished = format!("2026-01-01T00:00:{second:02}Z");
    json!({"name": name, "restartCount": 1, "ready": false, "image": "", "imageID": "",
        "state": {"terminated": {"exitCode": code, "finishedAt": finished}}})
}

fn running(name: &str) -> Value {
    json!({"name": name, "restartCount": 2, "ready": true, "image": "", "imageID": "", "state": {"running": {}}})
}

fn at(second: u32) -> Timestamp {
    format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()
}

#[test]
fn exit_codes_are_of_what_has_ended_app_containers_first() {
    let status = json!({"phase": "Failed",
        "initContainerStatuses": [ended("first", 3, 1), running("sidecar")],
        "containerStatuses": [ended("a", 0, 2), running("b"), ended("c", 42, 3)],
        "conditions": [{"type": "DisruptionTarget", "status": "True"}, {"type": "Ready", "status": "False"}]});
    let facts = facts(json!({"status": status}));
    let end = facts.end.unwrap();
    assert_eq!(end.exit_codes, [("a".to_owned(), 0), ("c".to_owned(), 42), ("first".to_owned(), 3)]);
    let conditions: Vec<(&str, &str)> = end.conditions.iter().map(|(kind, status)| (&**kind, &**status)).collect();
    assert_eq!(conditions, [("DisruptionTarget", "True"), ("Ready", "False")]);
    assert_eq!(facts.restarts, 7, "init containers and sidecars included");
}

#[test]
fn only_how_failed_pods_ended_is_remembered() {
    for phase in ["Pending", "Running", "Succeeded", "Unknown"] {
        assert_eq!(facts(json!({"status": {"phase": phase, "containerStatuses": [ended("a", 1, 1)]}})).end, None);
    }
}

#[test]
fn a_pod_has_finished_when_its_last_container_did_or_the_nearest_thing_to_it() {
    let metadata = json!({"creationTimestamp": at(1).to_string()});
    let gone = json!({"creationTimestamp": at(1).to_string(), "deletionTimestamp": at(50).to_string(), "deletionGracePeriodSeconds": 30});
    let not_ready = json!([{"type": "Ready", "status": "False", "lastTransitionTime": at(9).to_string()}]);
    let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": at(9).to_string()}]);
    let both = json!([ended("a", 1, 7), ended("b", 1, 5)]);
    let one = json!([ended("a", 1, 7), running("b")]);
    for (what, metadata, containers, conditions, expect) in [
        ("the newest container", &gone, &both, &not_ready, 7),
        ("no longer ready, as one container tells nothing", &gone, &one, &not_ready, 9),
        ("deleted, less its grace", &gone, &one, &ready, 20),
        ("nothing is known", &metadata, &one, &ready, 1),
        ("no container ever was", &metadata, &json!([]), &json!([]), 1),
    ] {
        let status = json!({"phase": "Failed", "containerStatuses": containers, "conditions": conditions});
        assert_eq!(facts(json!({"metadata": metadata, "status": status})).finished_at, at(expect), "{what}");
    }
}

#[test]
fn a_finalizer_tells_of_jobs_only() {
    let pod = |owners: Value| {
        facts(json!({"metadata": {"finalizers": ["x", TRACKING_FINALIZER], "ownerReferences": owners}}))
    };
    let owner = |version: &str, kind: &str, controls: bool| json!({"apiVersion": version, "kind": kind, "name": "o", "uid": "u", "controller": controls});
    for (what, owners, controller, tracked) in [
        ("nobody's", json!([]), None, true),
        ("a Job's", json!([owner("batch/v1", "Job", true)]), Some("u"), true),
        ("another Job kind's", json!([owner("acme.io/v1", "Job", true)]), Some("u"), false),
        ("another kind's", json!([owner("v1", "ConfigMap", true)]), Some("u"), false),
        ("owned, not controlled", json!([owner("v1", "ConfigMap", false)]), None, true),
    ] {
        let facts = pod(owners);
        assert_eq!((facts.controller_uid.as_deref(), facts.tracked), (controller, tracked), "{what}");
    }
    assert!(!facts(json!({"metadata": {"finalizers": ["x"]}})).tracked);
}

#[test]
fn index_and_failures_before_are_annotations_that_can_be_read() {
    let pod = |annotations: Value| facts(json!({"metadata": {"annotations": annotations, "labels": {INDEX: "9"}}}));
    let read = pod(json!({INDEX: "3", INDEX_FAILURES: "2", INDEX_IGNORED_FAILURES: "1"}));
    assert_eq!((read.index, read.index_failures), (Some(3), IndexFailures { counted: 2, ignored: 1 }));
    let odd = pod(json!({INDEX: "-1", INDEX_FAILURES: "many"}));
    assert_eq!((odd.index, odd.index_failures), (None, IndexFailures::default()));
}
