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
        "field label not supported: spec.x",
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
    let bad = server.get(&format!("{CONFIG_MAPS}?continue=nonsense")).await;
    assert!(bad.expect(400).message().starts_with("invalid continue token: "));
    let foreign = server.get(&format!("{JOBS}?continue={token}")).await;
    foreign.expect(400);
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
