//! Who wrote which field: managedFields on every kind of write.

use crate::harness::{CONFIG_MAPS, JOBS, PODS, Server, TABLE, config_map, job, owners, pod};
use serde_json::{Value, json};

const MERGE: &str = "merge-patch+json";

#[tokio::test]
async fn whoever_creates_owns_what_he_set_and_what_it_defaults_to() {
    let server = Server::new();
    let path = format!("{JOBS}?fieldManager=kubectl-create");
    let made = server.post(&path, &job("a")).await.expect(201).json();
    assert_eq!(
        owners(&made),
        [concat!(
            r#"kubectl-create Update - 00:00 {"f:spec":{"f:backoffLimit":{},"f:completionMode":{},"f:completions":{},"#,
            r#""f:manualSelector":{},"f:parallelism":{},"f:podReplacementPolicy":{},"f:suspend":{},"f:template":{"f:spec":{"#,
            r#""f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:command":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"#,
            r#""f:resources":{},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},"f:dnsPolicy":{},"#,
            r#""f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{}}}}}"#,
        )],
    );
    assert_eq!(made["metadata"]["managedFields"][0]["apiVersion"], "batch/v1");
    assert_eq!(made["metadata"]["managedFields"][0]["fieldsType"], "FieldsV1");
    let read = server.get(&format!("{JOBS}/a")).await.json();
    assert_eq!(read["metadata"]["managedFields"], made["metadata"]["managedFields"]);
}

#[tokio::test]
async fn updates_take_over_the_fields_they_change() {
    let server = Server::new();
    let path = format!("{CONFIG_MAPS}/a");
    let mut object = config_map("a", json!({"x": "1"}));
    server.post(&format!("{CONFIG_MAPS}?fieldManager=one"), &object).await.expect(201);
    server.clock.advance(60);
    let patch = json!({"data": {"key": "other", "more": "x"}});
    let patched = server.patch(&format!("{path}?fieldManager=two"), MERGE, &patch).await.expect(200).json();
    let expect = [
        r#"one Update - 00:00 {"f:data":{},"f:metadata":{"f:labels":{".":{},"f:x":{}}}}"#,
        r#"two Update - 01:00 {"f:data":{"f:key":{},"f:more":{}}}"#,
    ];
    assert_eq!(owners(&patched), expect);
    // The same again changes nothing, not even the revision.
    server.clock.advance(60);
    let again = server.patch(&format!("{path}?fieldManager=three"), MERGE, &patch).await.expect(200).json();
    assert_eq!(again, patched);
    // A PUT takes what it leaves out from whoever owned it, and the time stays when nothing else changed.
    object["data"] = json!({"key": "other", "more": "x"});
    object["metadata"]["labels"] = json!({});
    let put = server.put(&format!("{path}?fieldManager=three"), &object).await.expect(200).json();
    let expect = [r#"one Update - 00:00 {"f:data":{}}"#, expect[1]];
    assert_eq!(owners(&put), expect);
}

#[tokio::test]
async fn the_status_has_owners_of_its_own() {
    let server = Server::new();
    server.post(&format!("{PODS}?fieldManager=creator"), &pod("p")).await.expect(201);
    let path = format!("{PODS}/p/status?fieldManager=kubelet");
    let patch = json!({"spec": {"priority": 7}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    let patched = server.patch(&path, "strategic-merge-patch+json", &patch).await.expect(200).json();
    let theirs = owners(&patched);
    assert_eq!(
        theirs[1],
        concat!(
            r#"kubelet Update status 00:00 {"f:status":{"f:conditions":{".":{},"k:{\"type\":\"Ready\"}":{".":{},"#,
            r#""f:status":{},"f:type":{}}},"f:phase":{}}}"#
        )
    );
    assert_eq!(theirs.len(), 2);
    // A status in a write of the rest, and owners in a write of the status, say nothing.
    let mut object = patched;
    object["status"]["phase"] = json!("Failed");
    object["metadata"]["managedFields"] = json!([{}]);
    let status = server.put(&format!("{PODS}/p/status?fieldManager=other"), &object).await.expect(200).json();
    assert!(owners(&status)[2].ends_with(r#"{"f:status":{"f:phase":{}}}"#), "{:?}", owners(&status));
    let labels = json!({"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Running"}});
    let labelled = server.patch(&format!("{PODS}/p?fieldManager=l"), MERGE, &labels).await.expect(200).json();
    assert!(
        owners(&labelled).contains(&r#"l Update - 00:00 {"f:metadata":{"f:labels":{".":{},"f:a":{}}}}"#.to_owned())
    );
    assert_eq!(labelled["status"]["phase"], "Failed");
}

#[tokio::test]
async fn a_manager_that_does_not_say_who_it_is_is_known_by_its_program() {
    let server = Server::new();
    let post = async |name: &str, agent: &str| {
        let headers = [("user-agent", agent)];
        let body = config_map(name, json!({})).to_string();
        server.send("POST", CONFIG_MAPS, &headers, body).await.expect(201).json()["metadata"]["managedFields"][0]["manager"].clone()
    };
    assert_eq!(post("a", "kubectl/v1.33.0 (linux/amd64) kubernetes/60a317e").await, "kubectl");
    assert_eq!(post("b", "python-requests").await, "python-requests");
    assert_eq!(post("c", "a\tb/1").await, "ab");
    assert_eq!(post("d", "").await, "unknown");
    assert_eq!(post("e", &"x".repeat(300)).await, "x".repeat(128));
}

#[tokio::test]
async fn owners_can_be_rewritten_and_forgotten() {
    let server = Server::new();
    server.post(&format!("{CONFIG_MAPS}?fieldManager=one"), &config_map("a", json!({}))).await.expect(201);
    let path = format!("{CONFIG_MAPS}/a");
    let entry = json!({"manager": "two", "operation": "Apply", "apiVersion": "v1", "time": "2026-03-01T12:00:07Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:key": {}, ".": {}}}});
    let rewrite = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [entry]}]);
    let rewritten = server.patch(&path, "json-patch+json", &rewrite).await.expect(200).json();
    assert_eq!(owners(&rewritten), [r#"two Apply - 00:07 {"f:data":{".":{},"f:key":{}}}"#]);
    // What cannot be read is not taken, as in Kubernetes: those who write blindly shall not do damage.
    for broken in [json!([{"manager": "x"}]), json!([{"manager": "x", "operation": "Update", "apiVersion": "v1"}])] {
        let kept = server.patch(&path, MERGE, &json!({"metadata": {"managedFields": broken}})).await.expect(200).json();
        assert_eq!(owners(&kept), owners(&rewritten));
    }
    let wrong = json!({"metadata": {"managedFields": "x"}});
    server.patch(&path, MERGE, &wrong).await.expect(422);
    for forget in [json!([]), json!([{}])] {
        let forgotten =
            server.patch(&path, MERGE, &json!({"metadata": {"managedFields": forget}})).await.expect(200).json();
        assert_eq!(forgotten["metadata"].get("managedFields"), None);
        server
            .patch(
                &path,
                "json-patch+json",
                &json!([{"op": "add", "path": "/metadata/managedFields", "value": [entry]}]),
            )
            .await
            .expect(200);
    }
    server.patch(&path, MERGE, &json!({"metadata": {"managedFields": [{}]}})).await.expect(200);
    // From then on nothing is noted before the first apply.
    let edited = server.patch(&path, MERGE, &json!({"data": {"key": "x"}})).await.expect(200).json();
    assert!(owners(&edited).is_empty());
}

#[tokio::test]
async fn an_object_made_of_anothers_owners_has_its_own() {
    let server = Server::new();
    let mut copy = config_map("a", json!({}));
    copy["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Apply", "apiVersion": "v1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:key": {}}}}]);
    let made = server.post(&format!("{CONFIG_MAPS}?fieldManager=m"), &copy).await.expect(201).json();
    assert_eq!(owners(&made), [r#"m Update - 00:00 {"f:data":{".":{},"f:key":{}}}"#]);
}

#[tokio::test]
async fn lists_watches_and_tables_tell_the_owners() {
    let server = Server::new();
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true"), &[]).await;
    server.post(&format!("{CONFIG_MAPS}?fieldManager=m"), &config_map("a", json!({}))).await.expect(201);
    let expect = [r#"m Update - 00:00 {"f:data":{".":{},"f:key":{}}}"#];
    assert_eq!(owners(&watch.next().await.unwrap()["object"]), expect);
    assert_eq!(owners(&server.get(CONFIG_MAPS).await.json()["items"][0]), expect);
    let table = server.send("GET", CONFIG_MAPS, &[("accept", TABLE)], "").await.json();
    assert_eq!(owners(&table["rows"][0]["object"]), expect);
}

#[tokio::test]
async fn an_event_is_owned_in_both_of_its_forms() {
    let server = Server::new();
    let core = "/api/v1/namespaces/default/events";
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Job", "namespace": "default", "name": "j"}, "reason": "R", "message": "m", "type": "Normal",
        "source": {"component": "c"}});
    let made = server.post(&format!("{core}?fieldManager=old"), &event).await.expect(201).json();
    assert!(owners(&made)[0].starts_with("old Update - 00:00 "), "{:?}", owners(&made));
    for field in ["f:involvedObject", "f:message", "f:reason", "f:type"] {
        assert!(made["metadata"]["managedFields"][0]["fieldsV1"].get(field).is_some(), "{field}");
    }
    let newer = "/apis/events.k8s.io/v1/namespaces/default/events/e?fieldManager=new";
    let label = |value: &str| json!({"metadata": {"labels": {"a": value}}});
    let patched = server.patch(newer, MERGE, &label("b")).await.expect(200).json();
    let of = |event: &Value, manager: &str| {
        let entries = event["metadata"]["managedFields"].as_array().unwrap();
        entries.iter().find(|entry| entry["manager"] == manager).unwrap().clone()
    };
    assert_eq!(of(&patched, "new")["apiVersion"], "events.k8s.io/v1");
    assert_eq!(of(&patched, "new")["fieldsV1"], json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}));
    assert_eq!(of(&patched, "old"), made["metadata"]["managedFields"][0]);
    let older = format!("{core}/e?fieldManager=old");
    let patched = server.patch(&older, MERGE, &label("c")).await.expect(200).json();
    assert_eq!(of(&patched, "new")["fieldsV1"], json!({"f:metadata": {"f:labels": {}}}));
}

#[tokio::test]
async fn names_of_managers_are_checked() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let long = "x".repeat(129);
    let text = |kind: &str| {
        format!("{kind}.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more than 128 bytes")
    };
    let object = config_map("a", json!({}));
    let path = format!("{CONFIG_MAPS}/a?fieldManager={long}");
    let post = server.post(&format!("{CONFIG_MAPS}?fieldManager={long}"), &object).await;
    post.expect_status(422, "Invalid", &text("CreateOptions"));
    server.put(&path, &object).await.expect_status(422, "Invalid", &text("UpdateOptions"));
    server.patch(&path, MERGE, &json!({})).await.expect_status(422, "Invalid", &text("PatchOptions"));
    let forced = server.patch(&format!("{CONFIG_MAPS}/a?force=true"), MERGE, &json!({})).await;
    forced.expect_status(
        422,
        "Invalid",
        "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
    );
}

#[tokio::test]
async fn what_the_server_itself_makes_is_its_own() {
    let server = Server::new();
    let namespace = server.get("/api/v1/namespaces/default").await.expect(200).json();
    let owners = owners(&namespace);
    assert!(owners[0].starts_with("kube-apiserver Update - 00:00 "), "{owners:?}");
}
