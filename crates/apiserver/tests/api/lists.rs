//! LIST: selectors, pieces, revisions.

use crate::harness::{CONFIG_MAPS, JOBS, Server, config_map, job};
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

async fn with_config_maps(names: &[&str]) -> Server {
    let server = Server::new();
    for (index, name) in names.iter().enumerate() {
        let labels = json!({"parity": if index % 2 == 0 { "even" } else { "odd" }});
        server.post(CONFIG_MAPS, &config_map(name, labels)).await.expect(201);
    }
    server
}

#[tokio::test]
async fn a_list_is_sorted_and_its_items_say_no_kind() {
    let server = with_config_maps(&["b", "a", "c"]).await;
    let list = server.get(CONFIG_MAPS).await.expect(200).json();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    assert_eq!(names(&list), ["a", "b", "c"]);
    assert!(list["items"][0].get("kind").is_none() && list["items"][0].get("apiVersion").is_none());
    let revision = |value: &Value| value["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(list["items"].as_array().unwrap().iter().all(|item| revision(item) <= revision(&list)));
    let empty = server.get("/api/v1/namespaces/nowhere/configmaps").await.expect(200).json();
    assert_eq!(empty["items"], json!([]));
    assert_eq!(names(&server.get("/api/v1/configmaps").await.json()), ["a", "b", "c"]);
}

#[tokio::test]
async fn selectors_choose() {
    let server = with_config_maps(&["a", "a-1", "b", "c"]).await;
    for (query, expect) in [
        ("labelSelector=parity%3Deven", &["a", "b"][..]),
        ("labelSelector=parity+in+(odd)", &["a-1", "c"]),
        ("labelSelector=!parity", &[]),
        ("fieldSelector=metadata.name%3Da", &["a"]),
        ("fieldSelector=metadata.name!%3Da", &["a-1", "b", "c"]),
        ("fieldSelector=metadata.name%3Da,metadata.namespace%3Ddefault", &["a"]),
        ("fieldSelector=metadata.name%3Da&labelSelector=parity%3Dodd", &[]),
    ] {
        let list = server.get(&format!("{CONFIG_MAPS}?{query}")).await.expect(200).json();
        assert_eq!(names(&list), expect, "{query}");
    }
    server.get(&format!("{CONFIG_MAPS}?fieldSelector=spec.x%3D1")).await.expect_status(
        400,
        "BadRequest",
        "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
    );
    server.get(&format!("{JOBS}?fieldSelector=spec.x%3D1")).await.expect_status(
        400,
        "BadRequest",
        "field label \"spec.x\" not supported for batchv1.Job",
    );
    server.get("/api/v1/pods?fieldSelector=spec.x%3D1").await.expect_status(
        400,
        "BadRequest",
        "field label not supported: spec.x",
    );
    server.get("/api/v1/pods?fieldSelector=spec.x").await.expect_status(
        400,
        "BadRequest",
        "invalid selector: 'spec.x'; can't understand 'spec.x'",
    );
    server.get(&format!("{CONFIG_MAPS}?labelSelector=a%3D%3D%3Db")).await.expect(400);
    server.get(&format!("{CONFIG_MAPS}?limit=x")).await.expect_status(
        400,
        "BadRequest",
        "strconv.ParseInt: parsing \"x\": invalid syntax",
    );
}

#[tokio::test]
async fn jobs_are_selected_by_their_status() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    let found = server.get(&format!("{JOBS}?fieldSelector=status.successful%3D0")).await.expect(200).json();
    assert_eq!(names(&found), ["a"]);
}

#[tokio::test]
async fn pieces_are_of_one_moment() {
    let server = with_config_maps(&["a", "b", "c", "d", "e"]).await;
    let first = server.get(&format!("{CONFIG_MAPS}?limit=2")).await.expect(200).json();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    server.delete(&format!("{CONFIG_MAPS}/d")).await.expect(200);
    server.post(CONFIG_MAPS, &config_map("cc", json!({}))).await.expect(201);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = server.get(&format!("{CONFIG_MAPS}?limit=2&continue={token}")).await.expect(200).json();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let token = second["metadata"]["continue"].as_str().unwrap();
    let last = server.get(&format!("{CONFIG_MAPS}?limit=2&continue={token}")).await.expect(200).json();
    assert_eq!(names(&last), ["e"]);
    assert!(last["metadata"].get("continue").is_none());
    // A selector hides the count, and a last piece is not followed by an empty one.
    let odd = server.get(&format!("{CONFIG_MAPS}?limit=1&labelSelector=parity%3Dodd")).await.expect(200).json();
    assert_eq!(names(&odd), ["b"]);
    assert!(odd["metadata"].get("continue").is_none(), "d is gone: {odd}");
}

#[tokio::test]
async fn an_expired_token_is_410_with_a_way_on() {
    let server = with_config_maps(&["a", "b", "c"]).await;
    let first = server.get(&format!("{CONFIG_MAPS}?limit=1")).await.json();
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    server.clock.advance(301);
    let expired = server.get(&format!("{CONFIG_MAPS}?limit=1&continue={token}")).await.expect(410).json();
    assert_eq!(expired["reason"], "Expired");
    let fresh = expired["metadata"]["continue"].as_str().unwrap();
    let rest = server.get(&format!("{CONFIG_MAPS}?continue={fresh}")).await.expect(200).json();
    assert_eq!(names(&rest), ["b", "c"]);
    server.get(&format!("{CONFIG_MAPS}?continue=a%25b")).await.expect_status(
        400,
        "BadRequest",
        "invalid continue token: continue key is not valid: illegal base64 data at input byte 1",
    );
    server.get(&format!("{CONFIG_MAPS}?continue={fresh}&resourceVersion=5")).await.expect_status(
        400,
        "BadRequest",
        "specifying resource version is not allowed when using continue",
    );
    // A token of another resource's list names nothing outside of the list it is used on.
    server.get(&format!("{JOBS}?continue={token}")).await.expect(410);
    let rest = server.get(&format!("{JOBS}?continue={fresh}")).await.expect(200).json();
    assert_eq!(rest["items"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn revisions_are_waited_for_a_moment() {
    let server = with_config_maps(&["a"]).await;
    let now: u64 =
        server.get(CONFIG_MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    server.get(&format!("{CONFIG_MAPS}?resourceVersion=0")).await.expect(200);
    server.get(&format!("{CONFIG_MAPS}?resourceVersion={now}&resourceVersionMatch=NotOlderThan")).await.expect(200);
    server.get(&format!("{CONFIG_MAPS}?resourceVersion={now}&resourceVersionMatch=Exact")).await.expect(200);
    let far = now + 1000;
    let reply = server.get(&format!("{CONFIG_MAPS}?resourceVersion={far}")).await.expect_status(
        504,
        "Timeout",
        &format!("Timeout: Too large resource version: {far}, current: {now}"),
    );
    assert_eq!(reply.json()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(reply.header("retry-after"), "1");
    for (query, message) in [
        (
            "resourceVersionMatch=Exact",
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "resourceVersion=1&resourceVersionMatch=No",
            "resourceVersionMatch: Unsupported value: \"No\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
        ),
        (
            "resourceVersion=0&resourceVersionMatch=Exact",
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ),
        ("sendInitialEvents=true", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
    ] {
        let reply = server.get(&format!("{CONFIG_MAPS}?{query}")).await.expect(422);
        assert_eq!(reply.message(), format!("ListOptions.meta.k8s.io \"\" is invalid: {message}"));
    }
    server.get(&format!("{CONFIG_MAPS}?resourceVersion=x")).await.expect(400);
}

#[tokio::test]
async fn a_list_can_be_of_an_earlier_moment() {
    let server = with_config_maps(&["a", "b", "c"]).await;
    let then = server.get(CONFIG_MAPS).await.json();
    let revision = then["metadata"]["resourceVersion"].as_str().unwrap();
    server.delete(&format!("{CONFIG_MAPS}/b")).await.expect(200);
    server.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", json!({"new": "label"}))).await.expect(200);
    server.post(CONFIG_MAPS, &config_map("d", json!({}))).await.expect(201);
    server.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", json!({"newer": "label"}))).await.expect(200);
    let exact = format!("{CONFIG_MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact");
    assert_eq!(server.get(&exact).await.expect(200).json(), then);
    // A limit without resourceVersionMatch means the same, and its pieces are all of that moment.
    let first = server.get(&format!("{CONFIG_MAPS}?resourceVersion={revision}&limit=2")).await.expect(200).json();
    assert_eq!((names(&first), &first["metadata"]["resourceVersion"]), (vec!["a", "b"], &json!(revision)));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = server.get(&format!("{CONFIG_MAPS}?continue={token}")).await.expect(200).json();
    assert_eq!((names(&rest), &rest["metadata"]["resourceVersion"]), (vec!["c"], &json!(revision)));
    let newer = format!("{CONFIG_MAPS}?resourceVersion={revision}&resourceVersionMatch=NotOlderThan&limit=9");
    assert_eq!(names(&server.get(&newer).await.expect(200).json()), ["a", "c", "d"]);
}

#[tokio::test]
async fn a_moment_that_is_forgotten_is_410() {
    let server = Server::on(store::Store::in_memory(store::Options { ring_events: 2, ..store::Options::default() }));
    for name in ["a", "b", "c", "d"] {
        server.post(CONFIG_MAPS, &config_map(name, json!({}))).await.expect(201);
    }
    let reply = server.get(&format!("{CONFIG_MAPS}?resourceVersion=3&resourceVersionMatch=Exact")).await;
    reply.expect_status(410, "Expired", "The resourceVersion for the provided list is too old.");
}

#[tokio::test]
async fn a_collection_is_deleted_as_it_is_listed() {
    let server = with_config_maps(&["a", "b", "c", "d"]).await;
    let deleted = server.delete(&format!("{CONFIG_MAPS}?labelSelector=parity%3Deven&limit=1")).await.expect(200).json();
    assert_eq!((names(&deleted), &deleted["kind"]), (vec!["a"], &json!("ConfigMapList")));
    server.delete(&format!("{CONFIG_MAPS}?resourceVersionMatch=Exact")).await.expect(422);
    server.delete(&format!("{CONFIG_MAPS}?fieldSelector=metadata.name!%3Dd")).await.expect(200);
    assert_eq!(names(&server.get(CONFIG_MAPS).await.json()), ["d"]);
}

#[tokio::test]
async fn odd_requests_of_ordinary_clients() {
    let server = with_config_maps(&["a"]).await;
    assert_eq!(names(&server.get(&format!("{CONFIG_MAPS}/")).await.expect(200).json()), ["a"]);
    let head = server.send("HEAD", CONFIG_MAPS, &[], "").await.expect(200);
    assert!(head.bytes.is_empty());
    server.send("OPTIONS", CONFIG_MAPS, &[], "").await.expect(405);
    server.get(&format!("{CONFIG_MAPS}?limit=")).await.expect_status(
        400,
        "BadRequest",
        "strconv.ParseInt: parsing \"\": invalid syntax",
    );
    assert_eq!(names(&server.get(&format!("{CONFIG_MAPS}?limit=-1")).await.expect(200).json()), ["a"]);
    let gone = server.get(&format!("{CONFIG_MAPS}/a?resourceVersionMatch=Exact")).await.expect(200);
    assert_eq!(gone.json()["metadata"]["name"], "a", "get has no such option");
    let page = server.get(&format!("{CONFIG_MAPS}?timeout=x")).await;
    page.expect_status(
        400,
        "BadRequest",
        "invalid timeout specified in the request URL - time: invalid duration \"x\"",
    );
}
