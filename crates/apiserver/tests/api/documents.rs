//! Discovery, version, health.

use crate::harness::Server;
use axum::body::Body;
use serde_json::json;

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const BETA: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

#[tokio::test]
async fn discovery_speaks_what_each_kubectl_asks() {
    let server = Server::new();
    for (accept, content_type, version) in [
        (format!("{V2},{BETA},application/json"), V2, "apidiscovery.k8s.io/v2"),
        (format!("{BETA},application/json"), BETA, "apidiscovery.k8s.io/v2beta1"),
    ] {
        for (path, group) in [("/api", ""), ("/apis", "batch")] {
            let reply = server.send("GET", path, &[("accept", &accept)], Body::empty()).await.expect(200);
            assert_eq!(reply.header("content-type"), content_type);
            let document = reply.json();
            assert_eq!(document["apiVersion"], version);
            assert!(document["items"].as_array().unwrap().iter().any(|item| item["metadata"]["name"] == group));
        }
    }
    let groups = server.get("/apis").await.expect(200).json();
    assert_eq!(groups["kind"], "APIGroupList");
    assert_eq!(server.get("/api/").await.expect(200).json()["versions"], json!(["v1"]));
    assert_eq!(server.get("/apis/batch").await.expect(200).json()["preferredVersion"]["groupVersion"], "batch/v1");
    let resources = server.get("/apis/batch/v1").await.expect(200).json();
    let jobs = resources["resources"].as_array().unwrap().iter().find(|r| r["name"] == "jobs").unwrap();
    assert_eq!(jobs["categories"], json!(["all"]));
    assert_eq!(
        (&jobs["kind"], &jobs["singularName"], &jobs["namespaced"]),
        (&json!("Job"), &json!("job"), &json!(true))
    );
    let status = resources["resources"].as_array().unwrap().iter().find(|r| r["name"] == "jobs/status").unwrap();
    assert_eq!(status["verbs"], json!(["get", "patch", "update"]));
    for path in ["/apis/nope", "/apis/batch/v2", "/api/v2"] {
        server.get(path).await.expect_status(404, "NotFound", "the server could not find the requested resource");
    }
}

#[tokio::test]
async fn there_are_no_custom_resources() {
    let server = Server::new();
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(server.get(path).await.expect(200).json()["items"], json!([]));
    server.get(&format!("{path}/x")).await.expect(404);
    server.post(path, &json!({})).await.expect(404);
}

#[tokio::test]
async fn a_document_the_client_has_is_304() {
    let server = Server::new();
    let first = server.send("GET", "/apis", &[("accept", V2)], Body::empty()).await.expect(200);
    let tag = first.header("etag").to_owned();
    let again =
        server.send("GET", "/apis", &[("accept", V2), ("if-none-match", &tag)], Body::empty()).await.expect(304);
    assert!(again.bytes.is_empty());
    server.send("GET", "/apis", &[("accept", BETA), ("if-none-match", &tag)], Body::empty()).await.expect(200);
}

#[tokio::test]
async fn version_and_health() {
    let server = Server::new();
    let version = server.get("/version?timeout=32s").await.expect(200).json();
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("36")));
    assert_eq!(version["gitVersion"], "v1.36.2+kiln.0.1.0");
    assert_eq!(server.get("/livez").await.expect(200).text(), "ok");
    assert_eq!(server.get("/healthz").await.expect(200).text(), "ok");
    server.get("/readyz").await.expect(500);
    server.api.set_ready();
    assert_eq!(server.get("/readyz").await.expect(200).text(), "ok");
    server.send("POST", "/version", &[], "{}").await.expect(405);
    server.get("/swagger.json").await.expect_status(
        404,
        "NotFound",
        "the server could not find the requested resource",
    );
}

#[tokio::test]
async fn openapi_has_a_document_for_each_path_of_its_index() {
    let server = Server::new();
    let index = server.get("/openapi/v3").await.expect(200).json();
    let url = index["paths"]["apis/batch/v1"]["serverRelativeURL"].as_str().unwrap();
    assert!(url.starts_with("/openapi/v3/apis/batch/v1?hash="), "{url}");
    let document = server.get(url).await.expect(200);
    assert!(document.json()["components"]["schemas"].is_object());
    server.get("/openapi/v3/apis/nope/v1").await.expect(404);
    let swagger = server.get("/openapi/v2").await.expect(200).json();
    assert_eq!(swagger["swagger"], "2.0");
    let old = [("accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")];
    let gnostic = server.send("GET", "/openapi/v2", &old, Body::empty()).await.expect(200);
    assert_eq!(gnostic.header("content-type"), "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    assert!(!gnostic.bytes.is_empty());
}
