//! Real kubectl against a real server: who gets the room there is, quotas, priorities, nodes that are closed and drained.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use serde_json::{Value, json};
use support::{Kubectl, Server, kubectl, stderr, wait_for};

fn apply(server: &Server, kubectl: &Kubectl, object: &Value) {
    let made = server.with_input(kubectl, &["apply", "-f", "-"], &object.to_string());
    assert!(made.status.success(), "{}", stderr(&made));
}

fn pod(name: &str, cpu: &str, class: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "priorityClassName": class,
        "containers": [{"name": "c", "image": "kiln/demo", "command": ["sleep", "600"], "resources": {"requests": {"cpu": cpu}}}]}})
}

#[test]
fn a_quota_is_described_and_what_exceeds_it_is_refused() {
    let (server, kubectl) = (Server::start(), kubectl());
    server.ok(&kubectl, &["create", "quota", "small", "--hard=pods=1,count/jobs.batch=2"]);
    wait_for("the quota to be counted", || {
        let used = server.ok(&kubectl, &["get", "quota", "small", "-o", "jsonpath={.status.used.pods}"]);
        (used == "0").then_some(())
    });
    apply(&server, &kubectl, &pod("first", "1m", ""));
    let refused = server.with_input(&kubectl, &["create", "-f", "-"], &pod("second", "1m", "").to_string());
    assert_eq!(
        stderr(&refused),
        "Error from server (Forbidden): error when creating \"STDIN\": pods \"second\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1\n"
    );
    let described = server.ok(&kubectl, &["describe", "quota", "small"]);
    let rows: Vec<Vec<&str>> = described.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(
        rows.contains(&vec!["pods", "1", "1"]) && rows.contains(&vec!["count/jobs.batch", "0", "2"]),
        "{described}"
    );
    server.ok(&kubectl, &["delete", "pod", "first"]);
    wait_for("room", || {
        let second = server.with_input(&kubectl, &["create", "-f", "-"], &pod("second", "1m", "").to_string());
        second.status.success().then_some(())
    });
}

#[test]
fn a_pod_that_fits_nowhere_is_described_and_one_that_matters_more_displaces_others() {
    let (server, kubectl) = (Server::start(), kubectl());
    server.ok(&kubectl, &["create", "priorityclass", "high", "--value=1000"]);
    let classes = server.ok(&kubectl, &["get", "priorityclasses", "--no-headers"]);
    assert_eq!(classes.lines().count(), 3, "{classes}");
    let cpus: u64 =
        server.ok(&kubectl, &["get", "nodes", "-o", "jsonpath={.items[0].status.allocatable.cpu}"]).parse().unwrap();
    apply(&server, &kubectl, &pod("huge", &format!("{}", cpus + 1), ""));
    let message = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    wait_for("the event", || {
        let described = server.ok(&kubectl, &["describe", "pod", "huge"]);
        (described.contains("FailedScheduling") && described.contains(message)).then_some(())
    });
    apply(&server, &kubectl, &pod("usual", &cpus.to_string(), ""));
    server.ok(&kubectl, &["wait", "--for=condition=ready", "pod/usual", "--timeout=60s"]);
    apply(&server, &kubectl, &pod("urgent", &cpus.to_string(), "high"));
    server.ok(&kubectl, &["wait", "--for=condition=ready", "pod/urgent", "--timeout=60s"]);
    let gone = server.fails(&kubectl, &["get", "pod", "usual"]);
    assert!(gone.contains("not found"), "{gone}");
    let events = server
        .ok(&kubectl, &["get", "events", "--field-selector=reason=Preempted", "-o", "jsonpath={.items[*].message}"]);
    assert!(events.starts_with("Preempted by pod "), "{events}");
}

#[test]
fn a_node_is_cordoned_drained_and_opened_again() {
    let (server, kubectl) = (Server::start(), kubectl());
    apply(&server, &kubectl, &pod("stays", "1m", ""));
    server.ok(&kubectl, &["wait", "--for=condition=ready", "pod/stays", "--timeout=60s"]);
    let node = server.ok(&kubectl, &["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"]);
    server.ok(&kubectl, &["drain", &node, "--ignore-daemonsets", "--force", "--timeout=60s"]);
    assert_eq!(server.ok(&kubectl, &["get", "pods", "-o", "name"]), "");
    assert!(server.ok(&kubectl, &["get", "nodes"]).contains("Ready,SchedulingDisabled"));
    apply(&server, &kubectl, &pod("waits", "1m", ""));
    wait_for("the reason", || {
        let described = server.ok(&kubectl, &["describe", "pod", "waits"]);
        described.contains("1 node(s) were unschedulable").then_some(())
    });
    server.ok(&kubectl, &["uncordon", &node]);
    server.ok(&kubectl, &["wait", "--for=condition=ready", "pod/waits", "--timeout=60s"]);
    server.ok(&kubectl, &["taint", "node", &node, "closed=yes:NoExecute"]);
    server.ok(&kubectl, &["wait", "--for=delete", "pod/waits", "--timeout=60s"]);
    server.ok(&kubectl, &["taint", "node", &node, "closed-"]);
    let info = server.ok(&kubectl, &["get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"]);
    assert_eq!(info, "10.96.0.1");
}
