//! Logs, bindings, and what this version does not have.

use crate::harness::{JOBS, PODS, Server, job, pod};
use serde_json::json;

fn binding(node: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": node}})
}

#[tokio::test]
async fn logs_come_from_the_node_for_one_container() {
    let server = Server::new();
    server.post(PODS, &pod("p")).await.expect(201);
    let log = format!("{PODS}/p/log");
    assert_eq!(server.get(&format!("{log}?container=a")).await.expect(200).text(), "", "nobody runs it yet");
    server.post(&format!("{PODS}/p/binding"), &binding("box")).await.expect(201);
    let reply = server.get(&format!("{log}?container=b&tailLines=3&follow=true")).await.expect(200);
    assert_eq!((reply.text().as_str(), reply.header("content-type")), ("p b tail=Some(3) follow=true", "text/plain"));
    for (query, code, message) in [
        ("", 400, "a container name must be specified for pod p, choose one of: [a b]"),
        ("container=c", 400, "container c is not valid for pod p"),
        (
            "container=a&tailLines=-1",
            422,
            "PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "container=a&sinceSeconds=0",
            422,
            "PodLogOptions \"p\" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0",
        ),
    ] {
        let reply = server.get(&format!("{log}?{query}")).await.expect(code);
        assert_eq!(reply.message(), message);
    }
    server.get(&format!("{PODS}/none/log")).await.expect_status(404, "NotFound", "pods \"none\" not found");
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let server = Server::new();
    server.post(PODS, &pod("p")).await.expect(201);
    let path = format!("{PODS}/p/binding");
    server.post(&path, &binding("box")).await.expect(201);
    let bound = server.get(&format!("{PODS}/p")).await.json();
    assert_eq!(bound["spec"]["nodeName"], "box");
    let scheduled =
        bound["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "PodScheduled").unwrap();
    assert_eq!(scheduled["status"], "True");
    server.post(&path, &binding("other")).await.expect_status(
        409,
        "Conflict",
        "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"box\"",
    );
    server.post(&path, &binding("")).await.expect(422);
}

#[tokio::test]
async fn what_is_not_there_yet_says_so() {
    let server = Server::new();
    server.post(PODS, &pod("p")).await.expect(201);
    server.post(JOBS, &job("a")).await.expect(201);
    server.get(&format!("{JOBS}/a/scale")).await.expect_status(
        404,
        "NotFound",
        "the server could not find the requested resource",
    );
    server.delete(&format!("{JOBS}/a/status")).await.expect(405);
}

fn eviction(name: &str, options: serde_json::Value) -> serde_json::Value {
    json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options})
}

#[tokio::test]
async fn an_evicted_pod_goes_with_grace_and_says_why() {
    let server = Server::new();
    server.post(PODS, &pod("p")).await.expect(201);
    server.post(&format!("{PODS}/p/binding"), &binding("box")).await.expect(201);
    let path = format!("{PODS}/p/eviction");
    server.post(&path, &eviction("q", json!({}))).await.expect_status(
        400,
        "BadRequest",
        "name in URL does not match name in Eviction object",
    );
    server.post(&format!("{path}?dryRun=All"), &eviction("p", json!({}))).await.expect(201);
    server.post(&path, &eviction("p", json!({"dryRun": ["All"]}))).await.expect(201);
    let other = json!({"preconditions": {"uid": "other"}});
    server.post(&path, &eviction("p", other)).await.expect(409);
    let there = server.get(&format!("{PODS}/p")).await.json();
    assert!(there["metadata"]["deletionTimestamp"].is_null(), "nothing of this deletes it");
    let done = server.post(&path, &eviction("p", json!({"gracePeriodSeconds": 7}))).await.expect(201).json();
    assert_eq!((&done["kind"], &done["status"]), (&json!("Status"), &json!("Success")));
    let evicted = server.get(&format!("{PODS}/p")).await.json();
    assert_eq!(evicted["metadata"]["deletionGracePeriodSeconds"], 7);
    let conditions = evicted["status"]["conditions"].as_array().unwrap();
    let why = conditions.iter().find(|one| one["type"] == "DisruptionTarget").unwrap();
    assert_eq!(
        (&why["status"], &why["reason"], &why["message"]),
        (&json!("True"), &json!("EvictionByEvictionAPI"), &json!("Eviction API: evicting"))
    );
    server.post(&format!("{PODS}/none/eviction"), &eviction("none", json!({}))).await.expect(404);
    server.post(PODS, &pod("unbound")).await.expect(201);
    server.post(&format!("{PODS}/unbound/eviction"), &eviction("unbound", json!({}))).await.expect(201);
    server.get(&format!("{PODS}/unbound")).await.expect(404);
}

#[tokio::test]
async fn a_gated_pod_waits_and_the_old_path_binds_as_well() {
    let server = Server::new();
    let mut gated = pod("p");
    gated["spec"]["schedulingGates"] = json!([{"name": "example.com/wait"}]);
    gated["spec"]["schedulerName"] = "mine".into();
    let made = server.post(PODS, &gated).await.expect(201).json();
    assert_eq!(made["status"]["conditions"][0]["reason"], "SchedulingGated");
    let bindings = "/api/v1/namespaces/default/bindings";
    server.post(bindings, &binding("box")).await.expect_status(
        409,
        "Conflict",
        "Operation cannot be fulfilled on pods/binding \"p\": pod p has non-empty .spec.schedulingGates",
    );
    let open = json!({"spec": {"schedulingGates": null}});
    server.patch(&format!("{PODS}/p"), "merge-patch+json", &open).await.expect(200);
    server.post(bindings, &binding("box")).await.expect(201);
    let bound = server.get(&format!("{PODS}/p")).await.json();
    assert_eq!(bound["spec"]["nodeName"], "box");
    assert_eq!(bound["status"]["conditions"].as_array().unwrap().len(), 1);
    assert_eq!(bound["status"]["conditions"][0]["status"], "True");
}

#[tokio::test]
async fn what_would_need_a_proxy_is_refused_by_name() {
    let server = Server::new();
    for (path, what) in [
        (format!("{PODS}/p/proxy"), "pods/proxy"),
        (format!("{PODS}/p/proxy/a/b"), "pods/proxy"),
        ("/api/v1/nodes/n/proxy/stats/summary".to_owned(), "nodes/proxy"),
        ("/api/v1/namespaces/default/services/s/proxy/".to_owned(), "services/proxy"),
        (format!("{PODS}/p/resize"), "pods/resize"),
        (format!("{PODS}/p/ephemeralcontainers"), "pods/ephemeralcontainers"),
    ] {
        let reply = server.get(&path).await.expect(501);
        assert_eq!(reply.message(), format!("{what} is not supported by this version of kiln"));
    }
}

#[tokio::test]
async fn what_finalizes_a_namespace_has_a_name() {
    let server = Server::new();
    let body =
        |finalizer: &str| json!({"metadata": {"name": "default"}, "spec": {"finalizers": ["kubernetes", finalizer]}});
    let path = "/api/v1/namespaces/default/finalize";
    server.put(path, &body("a.b/c")).await.expect(200);
    server.put(path, &body("mine")).await.expect_status(
        422,
        "Invalid",
        "Namespace \"default\" is invalid: spec.finalizers: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified",
    );
}
