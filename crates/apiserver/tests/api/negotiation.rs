//! Forms of answers: tables, partial objects, YAML, protobuf, pretty and compressed.

use crate::harness::{CONFIG_MAPS, JOBS, PROTOBUF, Server, TABLE, config_map, job};
use axum::body::Body;
use serde_json::json;
use std::io::Read;

#[tokio::test]
async fn tables_have_all_columns_and_a_row_each() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    for (path, is_list) in [(JOBS.to_owned(), true), (format!("{JOBS}/a"), false)] {
        let table = server.send("GET", &path, &[("accept", TABLE)], Body::empty()).await.expect(200).json();
        assert_eq!((&table["kind"], &table["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
        let columns: Vec<&str> =
            table["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(columns, ["Name", "Status", "Completions", "Duration", "Age", "Containers", "Images", "Selector"]);
        let row = &table["rows"][0];
        assert_eq!(row["cells"].as_array().unwrap().len(), columns.len());
        assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
        assert!(row["object"].get("spec").is_none());
        assert!(table["metadata"]["resourceVersion"].is_string(), "{is_list}");
    }
    let old = [("accept", "application/json;as=Table;v=v1beta1;g=meta.k8s.io")];
    let table = server.send("GET", JOBS, &old, Body::empty()).await.json();
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1beta1");
    for (include, expect) in [("None", json!(null)), ("Object", json!("Job"))] {
        let path = format!("{JOBS}?includeObject={include}");
        let table = server.send("GET", &path, &[("accept", TABLE)], Body::empty()).await.json();
        assert_eq!(table["rows"][0]["object"]["kind"], expect);
    }
    server.send("GET", &format!("{JOBS}?includeObject=Some"), &[("accept", TABLE)], Body::empty()).await.expect(400);
}

#[tokio::test]
async fn partial_objects_are_metadata() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    let accept = [("accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json")];
    let list = server.send("GET", JOBS, &accept, Body::empty()).await.expect(200).json();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
    assert!(list["items"][0].get("spec").is_none());
}

#[tokio::test]
async fn the_clients_first_choice_is_honoured() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    let path = format!("{JOBS}/a");
    let plain = server.get(&path).await.expect(200).json();
    let first = format!("{PROTOBUF},application/json");
    let last = format!("application/json,{PROTOBUF}");
    for (accept, content_type) in [(PROTOBUF, PROTOBUF), (&first, PROTOBUF), (&last, "application/json")] {
        let reply = server.send("GET", &path, &[("accept", accept)], Body::empty()).await.expect(200);
        assert_eq!(reply.header("content-type"), content_type);
        let object = match content_type {
            PROTOBUF => apiserver::protobuf::decode(&reply.bytes).unwrap(),
            _ => reply.json(),
        };
        assert_eq!(object, plain);
    }
    let missing = server.send("GET", &format!("{JOBS}/none"), &[("accept", PROTOBUF)], Body::empty()).await.expect(404);
    assert_eq!(apiserver::protobuf::decode(&missing.bytes).unwrap()["reason"], "NotFound");
    let refused = server.send("GET", &path, &[("accept", "image/png")], Body::empty()).await;
    assert_eq!(refused.expect(406).json()["reason"], "NotAcceptable");
    let discovery = server.send("GET", "/apis/batch/v1", &[("accept", &first)], Body::empty()).await.expect(200);
    assert_eq!(discovery.header("content-type"), "application/json", "documents have no protobuf form");
}

#[tokio::test]
async fn lists_metadata_and_deletions_come_as_protobuf_too() {
    let server = Server::new();
    for name in ["a", "b"] {
        server.post(JOBS, &job(name)).await.expect(201);
    }
    let plain = server.get(JOBS).await.expect(200).json();
    let list = server.send("GET", JOBS, &[("accept", PROTOBUF)], Body::empty()).await.expect(200);
    assert_eq!(apiserver::protobuf::decode(&list.bytes).unwrap(), plain);
    let partial = format!("{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    let partial = server.send("GET", JOBS, &[("accept", &partial)], Body::empty()).await.expect(200);
    assert_eq!(partial.header("content-type"), PROTOBUF);
    assert!(partial.text().contains("PartialObjectMetadataList") && partial.bytes.len() < list.bytes.len());
    // A Table has no protobuf form; the refusal has.
    let table = format!("{PROTOBUF};as=Table;g=meta.k8s.io;v=v1");
    let table = server.send("GET", JOBS, &[("accept", &table)], Body::empty()).await.expect(406);
    assert_eq!(
        apiserver::protobuf::decode(&table.bytes).unwrap()["message"],
        "object *v1.Table does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message"
    );
    let deleted = server
        .send("DELETE", &format!("{JOBS}/a?propagationPolicy=Background"), &[("accept", PROTOBUF)], Body::empty())
        .await;
    assert_eq!(apiserver::protobuf::decode(&deleted.expect(200).bytes).unwrap()["status"], "Success");
    let deleted = server
        .send("DELETE", &format!("{JOBS}?propagationPolicy=Background"), &[("accept", PROTOBUF)], Body::empty())
        .await;
    let deleted = apiserver::protobuf::decode(&deleted.expect(200).bytes).unwrap();
    assert_eq!(deleted["items"][0]["metadata"]["name"], "b");
}

#[tokio::test]
async fn yaml_and_pretty_json_are_for_people() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let path = format!("{CONFIG_MAPS}/a");
    let yaml = server.send("GET", &path, &[("accept", "application/yaml")], Body::empty()).await.expect(200);
    assert!(yaml.text().contains("kind: ConfigMap\n"), "{}", yaml.text());
    let pretty = server.get(&format!("{path}?pretty=true")).await.expect(200);
    assert!(pretty.text().contains("\n  \"kind\": \"ConfigMap\""), "{}", pretty.text());
    let plain = server.get(&path).await.expect(200);
    assert_eq!(plain.json(), pretty.json());
}

#[tokio::test]
async fn large_lists_are_compressed_when_the_client_takes_it() {
    let server = Server::new();
    for index in 0..40 {
        let mut object = config_map(&format!("large-{index}"), json!({}));
        object["data"]["key"] = "x".repeat(5_000).into();
        server.post(CONFIG_MAPS, &object).await.expect(201);
    }
    let plain = server.get(CONFIG_MAPS).await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    let packed = server.send("GET", CONFIG_MAPS, &[("accept-encoding", "gzip")], Body::empty()).await.expect(200);
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.bytes.as_ref()).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
}

#[tokio::test]
async fn every_answer_can_be_found_in_an_audit_and_is_not_kept() {
    let server = Server::new();
    let given = server.send("GET", "/nowhere", &[("audit-id", "me")], Body::empty()).await.expect(404);
    assert_eq!((given.header("audit-id"), given.header("cache-control")), ("me", "no-cache, private"));
    assert_eq!(server.get(JOBS).await.header("audit-id").len(), 36);
}
