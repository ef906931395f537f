//! DELETE: at once, gracefully, held by finalizers, a whole collection; and namespaces on their way out.

use crate::harness::{CONFIG_MAPS, JOBS, PODS, Server, config_map, job, pod};
use serde_json::{Value, json};

#[tokio::test]
async fn what_nothing_holds_goes_at_once() {
    let server = Server::new();
    let created = server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201).json();
    let path = format!("{CONFIG_MAPS}/a");
    let with = |uid: Value| json!({"preconditions": {"uid": uid}}).to_string();
    let uid = created["metadata"]["uid"].as_str().unwrap();
    server.send("DELETE", &path, &[], with("other".into())).await.expect_status(
        409,
        "Conflict",
        &format!("Operation cannot be fulfilled on configmaps \"a\": Precondition failed: UID in precondition: other, UID in object meta: {uid}"),
    );
    let gone = server.send("DELETE", &path, &[], with(uid.into())).await.expect(200).json();
    assert_eq!((&gone["status"], &gone["details"]["uid"]), (&json!("Success"), &json!(uid)));
    server.get(&path).await.expect_status(404, "NotFound", "configmaps \"a\" not found");
    server.delete(&path).await.expect(404);
}

#[tokio::test]
async fn finalizers_keep_an_object_until_the_last_is_removed() {
    let server = Server::new();
    let mut object = config_map("a", json!({}));
    object["metadata"]["finalizers"] = json!(["example.com/one", "example.com/two"]);
    server.post(CONFIG_MAPS, &object).await.expect(201);
    let path = format!("{CONFIG_MAPS}/a");
    let marked = server.delete(&path).await.expect(200).json();
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-03-01T12:00:00Z");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    let again = server.delete(&path).await.expect(200).json();
    assert_eq!(again["metadata"]["resourceVersion"], marked["metadata"]["resourceVersion"]);
    let keep = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    let added = server
        .patch(&path, "merge-patch+json", &keep(json!(["example.com/one", "example.com/three"])))
        .await
        .expect(422);
    assert!(added.message().contains("metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/three\"}"), "{}", added.message());
    server.patch(&path, "merge-patch+json", &keep(json!(["example.com/two"]))).await.expect(200);
    server.get(&path).await.expect(200);
    server.patch(&path, "merge-patch+json", &keep(json!(null))).await.expect(200);
    server.get(&path).await.expect(404);
}

#[tokio::test]
async fn propagation_is_written_down_as_a_finalizer() {
    let server = Server::new();
    for (name, body, expect, n_warnings) in [
        ("a", json!({"propagationPolicy": "Foreground"}), json!(["foregroundDeletion"]), 0),
        ("b", json!({"propagationPolicy": "Orphan"}), json!(["orphan"]), 0),
        ("c", json!({"orphanDependents": true}), json!(["orphan"]), 0),
        // Nobody said: Jobs keep their pods, and say so.
        ("d", json!({}), json!(["orphan"]), 1),
    ] {
        server.post(JOBS, &job(name)).await.expect(201);
        let reply = server.send("DELETE", &format!("{JOBS}/{name}"), &[], body.to_string()).await.expect(200);
        assert_eq!(reply.json()["metadata"]["finalizers"], expect, "{name}");
        assert_eq!(reply.warnings().len(), n_warnings, "{name}");
    }
    server.post(JOBS, &job("e")).await.expect(201);
    let gone = server.delete(&format!("{JOBS}/e?propagationPolicy=Background")).await.expect(200);
    assert_eq!(gone.json()["status"], "Success");
    server.get(&format!("{JOBS}/e")).await.expect(404);
    server.post(JOBS, &job("f")).await.expect(201);
    server.delete(&format!("{JOBS}/f?propagationPolicy=Later")).await.expect_status(
        422,
        "Invalid",
        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Later\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
    );
}

#[tokio::test]
async fn a_pod_that_runs_is_given_time_and_a_later_delete_may_shorten_it() {
    let server = Server::new();
    for name in ["idle", "busy", "forced"] {
        server.post(PODS, &pod(name)).await.expect(201);
    }
    let binding = |name: &str| json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": "box"}});
    for name in ["busy", "forced"] {
        server.post(&format!("{PODS}/{name}/binding"), &binding(name)).await.expect(201);
    }
    server.delete(&format!("{PODS}/idle")).await.expect(200);
    server.get(&format!("{PODS}/idle")).await.expect(404);

    let path = format!("{PODS}/busy");
    let marked = server.delete(&path).await.expect(200).json();
    assert_eq!(marked["kind"], "Pod");
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-03-01T12:00:30Z");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    server.clock.advance(2);
    let longer = server.delete(&format!("{path}?gracePeriodSeconds=60")).await.expect(200).json();
    assert_eq!(longer["metadata"]["deletionTimestamp"], "2026-03-01T12:00:30Z");
    let shorter = server.delete(&format!("{path}?gracePeriodSeconds=10")).await.expect(200).json();
    assert_eq!(shorter["metadata"]["deletionTimestamp"], "2026-03-01T12:00:10Z");
    assert_eq!(shorter["metadata"]["generation"], marked["metadata"]["generation"], "only the first moves it");
    server.delete(&format!("{path}?gracePeriodSeconds=0")).await.expect(200);
    server.get(&path).await.expect(404);

    server.delete(&format!("{PODS}/forced?gracePeriodSeconds=0")).await.expect(200);
    server.get(&format!("{PODS}/forced")).await.expect(404);
}

#[tokio::test]
async fn a_collection_goes_by_selector() {
    let server = Server::new();
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        server.post(CONFIG_MAPS, &config_map(name, json!({"color": color}))).await.expect(201);
    }
    let deleted = server.delete(&format!("{CONFIG_MAPS}?labelSelector=color%3Dred")).await.expect(200).json();
    assert_eq!(deleted["items"].as_array().unwrap().len(), 2);
    server.get(&format!("{CONFIG_MAPS}/b")).await.expect(200);
    server.get(&format!("{CONFIG_MAPS}/a")).await.expect(404);
    server.delete("/api/v1/configmaps").await.expect(405);
}

#[tokio::test]
async fn a_namespace_empties_before_it_goes() {
    let server = Server::new();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "blue"}});
    server.post("/api/v1/namespaces", &namespace).await.expect(201);
    let marked = server.delete("/api/v1/namespaces/blue").await.expect(200).json();
    assert_eq!(marked["status"]["phase"], "Terminating");
    let reply = server.post("/api/v1/namespaces/blue/configmaps", &config_map("a", json!({}))).await.expect_status(
        403,
        "Forbidden",
        "configmaps \"a\" is forbidden: unable to create new content in namespace blue because it is being terminated",
    );
    assert_eq!(reply.json()["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let mut emptied = marked.clone();
    emptied["spec"]["finalizers"] = json!([]);
    server.put("/api/v1/namespaces/blue/finalize", &emptied).await.expect(200);
    server.get("/api/v1/namespaces/blue").await.expect(404);
}

#[tokio::test]
async fn the_system_namespaces_are_there() {
    let server = Server::new();
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let namespace = server.get(&format!("/api/v1/namespaces/{name}")).await.expect(200).json();
        assert_eq!(namespace["status"]["phase"], "Active");
    }
}

#[tokio::test(start_paused = true)]
async fn events_live_an_hour_after_their_last_write() {
    let server = Server::new();
    let events = "/api/v1/namespaces/default/events";
    let event = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
            "involvedObject": {"kind": "Job", "namespace": "default", "name": "a"},
            "reason": "Tested", "message": "m", "type": "Normal", "source": {"component": "test"},
        })
    };
    let tick = async |seconds: i64| {
        for _ in 0..seconds / 60 {
            server.clock.advance(60);
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        }
    };
    server.post(events, &event("old")).await.expect(201);
    server.post(events, &event("kept")).await.expect(201);
    tick(1800).await;
    server.patch(&format!("{events}/kept"), "merge-patch+json", &json!({"count": 2})).await.expect(200);
    server.get("/apis/events.k8s.io/v1/namespaces/default/events/kept").await.expect(200);
    tick(1740).await;
    server.get(&format!("{events}/old")).await.expect(200);
    tick(240).await;
    server.get(&format!("{events}/old")).await.expect(404);
    server.get(&format!("{events}/kept")).await.expect(200);
    tick(1800).await;
    server.get(&format!("{events}/kept")).await.expect(404);
}

#[tokio::test]
async fn the_first_namespaces_stay() {
    let server = Server::new();
    for name in ["default", "kube-system", "kube-public"] {
        let path = format!("/api/v1/namespaces/{name}");
        server.delete(&path).await.expect_status(
            403,
            "Forbidden",
            &format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted"),
        );
        assert_eq!(server.get(&path).await.expect(200).json()["status"]["phase"], "Active");
    }
    server.delete("/api/v1/namespaces/kube-node-lease").await.expect(200);
}
