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
    for subresource in ["eviction"] {
        let reply = server.post(&format!("{PODS}/p/{subresource}"), &json!({})).await.expect(501);
        assert!(reply.message().starts_with(&format!("pods/{subresource} is not supported by this version")));
    }
    server.post(JOBS, &job("a")).await.expect(201);
    server.get(&format!("{JOBS}/a/scale")).await.expect_status(
        404,
        "NotFound",
        "the server could not find the requested resource",
    );
    server.delete(&format!("{JOBS}/a/status")).await.expect(405);
}
