//! A row at least for each kind of finding, and what must not be found.

mod fields;
mod jobs;
mod objects;
mod references;
mod schedules;
mod security;
mod volumes;

use super::*;
use serde_json::json;

/// A Job about which there is nothing to say.
fn job() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "good"},
        "spec": {"template": {"metadata": {"labels": {"app": "good"}}, "spec": {"restartPolicy": "Never", "containers": [
            {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", "date"]},
        ]}}},
    })
}

/// A CronJob about which there is nothing to say.
fn cronjob() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "good"},
        "spec": {"schedule": "30 4 * * *", "timeZone": "Etc/UTC", "jobTemplate": {"spec": job()["spec"]}},
    })
}

/// The object with this field set; objects and items on the way are made or must be there.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let mut here = &mut object;
    for step in pointer.split('/') {
        here = match step.parse::<usize>() {
            Ok(index) => &mut here[index],
            Err(_) => &mut here[step],
        };
    }
    *here = value;
    object
}

const POD: &str = "spec/template/spec";
const CONTAINER: &str = "spec/template/spec/containers/0";

/// The Job with a field of its pods set.
fn with_pod(object: Value, field: &str, value: Value) -> Value {
    with(object, &format!("{POD}/{field}"), value)
}

/// The Job with a field of its container set.
fn with_container(object: Value, field: &str, value: Value) -> Value {
    with(object, &format!("{CONTAINER}/{field}"), value)
}

fn found(objects: &[Value]) -> Vec<Finding> {
    let manifests: Vec<Manifest> = objects
        .iter()
        .enumerate()
        .map(|(index, object)| Manifest {
            file: "x.yaml".to_owned(),
            document: index + 1,
            object: object.clone(),
            lines: Lines::default(),
            repeated: Vec::new(),
        })
        .collect();
    let circumstances = Circumstances {
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
        local: TimeZone::UTC,
        namespace: "default".to_owned(),
        is_complete: true,
    };
    findings(&manifests, &circumstances)
}

/// `error: WHAT -> TO DO`.
fn told(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let remedy = finding.remedy.as_ref().map_or(String::new(), |remedy| format!(" -> {remedy}"));
    format!("{word}: {}{remedy}", finding.what)
}

#[track_caller]
fn check(objects: &[Value], expect: &[&str]) {
    let found: Vec<String> = found(objects).iter().map(told).collect();
    assert_eq!(found, expect, "{}", serde_json::to_string_pretty(objects).unwrap());
}

#[test]
fn nothing_is_said_of_good_objects() {
    check(&[job(), cronjob()], &[]);
}

#[test]
fn no_manifest_panics() {
    let mut odd = vec![json!([1]), json!("text"), json!({}), json!({"kind": 1, "apiVersion": []})];
    for kind in crate::KINDS {
        let names = kind.names();
        let api_version = format!("{}/{}", names.group, names.version);
        for rest in [
            json!({}),
            json!({"metadata": [], "spec": [], "data": 7}),
            json!({"metadata": {"name": 1, "labels": []},
            "spec": {"template": {"spec": {"containers": {}, "volumes": [1]}}, "jobTemplate": [], "selector": 3, "schedule": 1}}),
        ] {
            let mut object = rest;
            object["apiVersion"] = api_version.trim_start_matches('/').into();
            object["kind"] = names.kind.into();
            odd.push(object);
        }
    }
    assert!(odd.len() <= found(&odd).len() + 3 * crate::KINDS.len());
}
