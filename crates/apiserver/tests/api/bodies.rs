//! What a body may be, and what is said when it is something else.

use crate::harness::{JOBS, PROTOBUF, Server, job};
use serde_json::json;

const YAML: &str = "apiVersion: batch/v1
kind: Job
metadata: {name: a}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: kiln/demo}
";

#[tokio::test]
async fn yaml_and_protobuf_are_bodies_too() {
    let server = Server::new();
    let yaml = server.send("POST", JOBS, &[("content-type", "application/yaml")], YAML).await.expect(201);
    assert_eq!(yaml.json()["spec"]["template"]["spec"]["containers"][0]["image"], "kiln/demo");
    let body = apiserver::protobuf::encode(&job("b")).unwrap();
    let protobuf = server.send("POST", JOBS, &[("content-type", PROTOBUF)], body).await.expect(201);
    assert_eq!(protobuf.json()["metadata"]["name"], "b");
}

#[tokio::test]
async fn duplicate_fields_of_yaml_are_seen() {
    let server = Server::new();
    let yaml = YAML.replace("spec:\n  template", "spec:\n  backoffLimit: 1\n  backoffLimit: 2\n  template");
    let path = format!("{JOBS}?fieldValidation=Strict");
    let reply = server.send("POST", &path, &[("content-type", "application/yaml")], yaml).await.expect(400);
    assert!(
        reply.message().contains("strict decoding error: duplicate field \"spec.backoffLimit\""),
        "{}",
        reply.message()
    );
}

#[tokio::test]
async fn broken_bodies_are_400() {
    let server = Server::new();
    let json = "application/json";
    for (content_type, body, start) in [
        (
            json,
            "",
            "the object provided is unrecognized (must be of type Job): couldn't get version/kind; json parse error: ",
        ),
        (
            json,
            "{\"kind\"",
            "the object provided is unrecognized (must be of type Job): couldn't get version/kind; json parse error: ",
        ),
        (json, "[1]", "the object provided is unrecognized (must be of type Job): "),
        (json, "\"x\"", "the object provided is unrecognized (must be of type Job): "),
        (json, "{\"kind\": 7}", "the object provided is unrecognized (must be of type Job): "),
        (
            json,
            "{\"metadata\": 7}",
            "Job in version \"v1\" cannot be handled as a Job: json: cannot unmarshal number into",
        ),
        (
            json,
            "{\"spec\": {\"completions\": \"x\"}}",
            "Job in version \"v1\" cannot be handled as a Job: json: cannot unmarshal string into Go struct field JobSpec.spec.completions of type int32",
        ),
        (
            "application/yaml",
            "a: b: c",
            "the object provided is unrecognized (must be of type Job): couldn't get version/kind; error converting YAML to JSON",
        ),
        (PROTOBUF, "k8s", "the object provided is unrecognized (must be of type Job): "),
        (PROTOBUF, "k8s\0\u{1}\u{2}", "the object provided is unrecognized (must be of type Job): "),
    ] {
        let reply = server.send("POST", JOBS, &[("content-type", content_type)], body).await.expect(400);
        assert!(reply.message().starts_with(start), "{content_type} {body:?}: {}", reply.message());
        assert_eq!(reply.json()["reason"], "BadRequest");
    }
}

#[tokio::test]
async fn other_content_types_are_415() {
    let server = Server::new();
    server.send("POST", JOBS, &[("content-type", "text/csv")], "a,b").await.expect_status(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    );
    server.post(JOBS, &job("a")).await.expect(201);
    for content_type in ["application/apply-patch+json", "application/apply-patch+cbor", ""] {
        let reply =
            server.send("PATCH", &format!("{JOBS}/a"), &[("content-type", content_type)], "{}").await.expect(415);
        let accepted = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";
        assert!(reply.message().ends_with(accepted), "{}", reply.message());
    }
}

#[tokio::test]
async fn a_body_of_four_megabytes_is_413() {
    let server = Server::new();
    let mut large = job("a");
    large["metadata"]["annotations"] = json!({"x": "y".repeat(4 << 20)});
    server.post(JOBS, &large).await.expect_status(
        413,
        "RequestEntityTooLarge",
        "Request entity is too large: limit is 3145728",
    );
}
