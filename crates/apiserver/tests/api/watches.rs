//! WATCH: from when, what, and how it ends. Time is tokio's paused clock.

use crate::harness::{CONFIG_MAPS, Server, TABLE, config_map};
use http_body_util::BodyExt;
use serde_json::json;

fn named(kind: &str, name: &str) -> (String, String) {
    (kind.into(), name.into())
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_revision_begins_with_what_is_there() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    for query in ["watch=true", "watch=1&resourceVersion=0"] {
        let mut watch = server.watch(&format!("{CONFIG_MAPS}?{query}"), &[]).await;
        assert_eq!(watch.next_name().await, named("ADDED", "a"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_revision_tells_what_came_after() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let list = server.get(CONFIG_MAPS).await.json();
    let from = list["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={from}"), &[]).await;
    server.post(CONFIG_MAPS, &config_map("b", json!({}))).await.expect(201);
    let changed = server.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", json!({"x": "y"}))).await.expect(200).json();
    server.delete(&format!("{CONFIG_MAPS}/a")).await.expect(200);
    server.post("/api/v1/namespaces/kube-system/configmaps", &config_map("elsewhere", json!({}))).await.expect(201);
    server.post(CONFIG_MAPS, &config_map("c", json!({}))).await.expect(201);
    assert_eq!(watch.next_name().await, named("ADDED", "b"));
    let modified = watch.next().await.unwrap();
    assert_eq!((&modified["type"], &modified["object"]), (&json!("MODIFIED"), &changed));
    let deleted = watch.next().await.unwrap();
    assert_eq!(deleted["type"], "DELETED");
    assert_eq!(deleted["object"]["metadata"]["labels"], json!({"x": "y"}));
    let number =
        |value: &serde_json::Value| value["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(number(&changed) < number(&deleted["object"]), "a deletion has a revision of its own");
    assert_eq!(watch.next_name().await, named("ADDED", "c"));
}

#[tokio::test(start_paused = true)]
async fn entering_and_leaving_the_selector_are_added_and_deleted() {
    let server = Server::new();
    let path = format!("{CONFIG_MAPS}/a");
    server.post(CONFIG_MAPS, &config_map("a", json!({"color": "red"}))).await.expect(201);
    let mut blue = server.watch(&format!("{CONFIG_MAPS}?watch=true&labelSelector=color%3Dblue"), &[]).await;
    server.put(&path, &config_map("a", json!({"color": "blue"}))).await.expect(200);
    server.put(&path, &config_map("a", json!({"color": "blue", "more": "x"}))).await.expect(200);
    let left = server.put(&path, &config_map("a", json!({"color": "red"}))).await.expect(200).json();
    assert_eq!(blue.next_name().await, named("ADDED", "a"));
    assert_eq!(blue.next_name().await, named("MODIFIED", "a"));
    let deleted = blue.next().await.unwrap();
    assert_eq!(deleted["type"], "DELETED");
    assert_eq!(deleted["object"]["metadata"]["labels"]["more"], "x", "the state before it left");
    assert_eq!(deleted["object"]["metadata"]["resourceVersion"], left["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_as_a_stream_when_asked() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?{query}"), &[]).await;
    assert_eq!(watch.next_name().await, named("ADDED", "a"));
    let end = watch.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(end["object"]["kind"], "ConfigMap");
    for (query, message) in [
        (
            "sendInitialEvents=true",
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "resourceVersionMatch=NotOlderThan",
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
    ] {
        let reply = server.get(&format!("{CONFIG_MAPS}?watch=true&{query}")).await.expect(422);
        assert_eq!(reply.message(), format!("ListOptions.meta.k8s.io \"\" is invalid: {message}"));
    }
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_before_the_end() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let from = server.get(CONFIG_MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let query = format!("watch=true&allowWatchBookmarks=true&timeoutSeconds=90&resourceVersion={from}");
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?{query}"), &[]).await;
    let start = tokio::time::Instant::now();
    for seconds in [60, 90] {
        let event = watch.next().await.unwrap();
        assert_eq!(
            (&event["type"], &event["object"]["metadata"]["resourceVersion"]),
            (&json!("BOOKMARK"), &json!(from))
        );
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
    assert_eq!(watch.next().await, None);
    let mut quiet =
        server.watch(&format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=5&resourceVersion={from}"), &[]).await;
    assert_eq!(quiet.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_table_watch_says_its_columns_once() {
    let server = Server::new();
    for name in ["a", "b"] {
        server.post(CONFIG_MAPS, &config_map(name, json!({}))).await.expect(201);
    }
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true"), &[("accept", TABLE)]).await;
    let first = watch.next().await.unwrap();
    assert_eq!((&first["type"], &first["object"]["kind"]), (&json!("ADDED"), &json!("Table")));
    assert_eq!(first["object"]["columnDefinitions"][0]["name"], "Name");
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    let second = watch.next().await.unwrap();
    assert_eq!(second["object"]["columnDefinitions"], json!(null));
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
}

#[tokio::test(start_paused = true)]
async fn a_revision_out_of_memory_is_an_error_event() {
    let store = store::Store::in_memory(store::Options { ring_events: 2, ..store::Options::default() });
    let server = Server::on(store);
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let from = server.get(CONFIG_MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut slow = server.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={from}"), &[]).await;
    for index in 0..8 {
        let labels = json!({"n": index.to_string()});
        server.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", labels)).await.expect(200);
    }
    for late in [&mut server.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={from}"), &[]).await, &mut slow] {
        let event = late.next().await.unwrap();
        assert_eq!(event["type"], "ERROR");
        assert_eq!((&event["object"]["code"], &event["object"]["reason"]), (&json!(410), &json!("Expired")));
        assert!(
            event["object"]["message"].as_str().unwrap().starts_with(&format!("too old resource version: {from} ("))
        );
        assert_eq!(late.next().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_reader_has_missed_comes_in_pieces() {
    let server = Server::new();
    let path = format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=60");
    let mut body = server.open("GET", &path, &[], "").await.into_body();
    let n_objects = 40;
    for n in 0..n_objects {
        let mut object = config_map(&format!("c{n}"), json!({}));
        object["data"] = json!({"text": "x".repeat(32 * 1024)});
        server.post(CONFIG_MAPS, &object).await.expect(201);
    }
    let mut n_bytes = 0;
    while n_bytes < n_objects * 32 * 1024 {
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(piece.len() < 128 * 1024, "{}", piece.len());
        n_bytes += piece.len();
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_in_time_however_much_happens() {
    let server = Server::new();
    let path = format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=1");
    let mut watch = server.watch(&path, &[]).await;
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    server.post(CONFIG_MAPS, &config_map("late", json!({}))).await.expect(201);
    assert_eq!(watch.next().await, None);
}

const STREAMING: &str = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

#[tokio::test(start_paused = true)]
async fn the_end_of_the_initial_objects_is_told_to_those_who_take_bookmarks() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let end = json!({"k8s.io/initial-events-end": "true"});
    for (query, expect) in [
        ("allowWatchBookmarks=true".to_owned(), true),
        ("allowWatchBookmarks=true&resourceVersion=0".to_owned(), true),
        (format!("{STREAMING}&allowWatchBookmarks=true"), true),
        (STREAMING.to_owned(), false),
        (String::new(), false),
    ] {
        let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=5&{query}"), &[]).await;
        assert_eq!(watch.next_name().await, named("ADDED", "a"));
        let next = watch.next().await;
        let annotations = next.as_ref().map(|event| event["object"]["metadata"]["annotations"].clone());
        assert_eq!(annotations == Some(end.clone()), expect, "{query}: {next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_may_begin_now() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("old", json!({}))).await.expect(201);
    let query = "watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?{query}"), &[]).await;
    server.post(CONFIG_MAPS, &config_map("new", json!({}))).await.expect(201);
    assert_eq!(watch.next_name().await, named("ADDED", "new"));
}

#[tokio::test(start_paused = true)]
async fn the_future_is_waited_for() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let now: u64 =
        server.get(CONFIG_MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    // A watch just waits; what comes before its revision is not its business.
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={}", now + 1), &[]).await;
    for name in ["b", "c"] {
        server.post(CONFIG_MAPS, &config_map(name, json!({}))).await.expect(201);
    }
    assert_eq!(watch.next_name().await, named("ADDED", "c"));
    // A list as a stream waits a moment, then says that the future does not come.
    let far = now + 1000;
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true&{STREAMING}&resourceVersion={far}"), &[]).await;
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(504)));
    assert_eq!(event["object"]["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(watch.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_can_be_watched() {
    let server = Server::new();
    let accept = [("accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1;stream=watch")];
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true&allowWatchBookmarks=true"), &accept).await;
    assert_eq!(watch.next().await.unwrap()["type"], "BOOKMARK");
    server.post(CONFIG_MAPS, &config_map("a", json!({"x": "y"}))).await.expect(201);
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["object"]["kind"], &event["object"]["apiVersion"]),
        (&json!("PartialObjectMetadata"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(event["object"]["metadata"]["labels"]["x"], "y");
    assert!(event["object"].get("data").is_none());
}

#[tokio::test(start_paused = true)]
async fn bookmarks_of_table_watches_have_a_row() {
    let server = Server::new();
    let path = format!("{CONFIG_MAPS}?watch=true&allowWatchBookmarks=true");
    let mut watch = server.watch(&path, &[("accept", TABLE)]).await;
    let bookmark = watch.next().await.unwrap();
    assert_eq!((&bookmark["type"], &bookmark["object"]["kind"]), (&json!("BOOKMARK"), &json!("Table")));
    assert_eq!(bookmark["object"]["rows"].as_array().unwrap().len(), 1);
    let annotations = &bookmark["object"]["rows"][0]["object"]["metadata"]["annotations"];
    assert_eq!(annotations["k8s.io/initial-events-end"], "true");
}

/// Type and object of each frame: `[length, 4 bytes][WatchEvent { 1: type, 2: RawExtension { 1: raw } }]`.
fn frames(mut bytes: &[u8]) -> Vec<(String, serde_json::Value)> {
    fn field(bytes: &[u8], tag: u8) -> (&[u8], &[u8]) {
        assert_eq!(bytes[0], tag << 3 | 2);
        let (mut length, mut at) = (0, 1);
        for shift in (0..).step_by(7) {
            length |= usize::from(bytes[at] & 0x7f) << shift;
            at += 1;
            if bytes[at - 1] < 0x80 {
                break;
            }
        }
        bytes[at..].split_at(length)
    }
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let (kind, after) = field(frame, 1);
        let (extension, after) = field(after, 2);
        assert!(after.is_empty());
        let (raw, after) = field(extension, 1);
        assert!(after.is_empty());
        found.push((String::from_utf8(kind.to_vec()).unwrap(), apiserver::protobuf::decode(raw).unwrap()));
        bytes = rest;
    }
    found
}

#[tokio::test(start_paused = true)]
async fn watches_come_as_protobuf_frames() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({"x": "y"}))).await.expect(201);
    let object = server.get(&format!("{CONFIG_MAPS}/a")).await.json();
    let path = format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true");
    for accept in
        ["application/vnd.kubernetes.protobuf;stream=watch", "application/vnd.kubernetes.protobuf,application/json"]
    {
        let reply = server.send("GET", &path, &[("accept", accept)], "").await.expect(200);
        assert_eq!(reply.header("content-type"), "application/vnd.kubernetes.protobuf;stream=watch");
        let frames = frames(&reply.bytes);
        assert_eq!(frames[0], ("ADDED".into(), object.clone()));
        assert_eq!(frames[1].0, "BOOKMARK");
        assert_eq!(frames[1].1["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    }
    let old = Server::on(store::Store::in_memory(store::Options { ring_events: 1, ..store::Options::default() }));
    for name in ["a", "b", "c"] {
        old.post(CONFIG_MAPS, &config_map(name, json!({}))).await.expect(201);
    }
    let path = format!("{CONFIG_MAPS}?watch=true&resourceVersion=2");
    let reply = old.send("GET", &path, &[("accept", "application/vnd.kubernetes.protobuf")], "").await.expect(200);
    let frames = frames(&reply.bytes);
    assert_eq!((frames.len(), frames[0].0.as_str(), &frames[0].1["code"]), (1, "ERROR", &json!(410)));
    let yaml = server.send("GET", &path, &[("accept", "application/yaml")], "").await.expect(406);
    let accepted = "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    assert!(yaml.text().contains(accepted), "{}", yaml.text());
}
