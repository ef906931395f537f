//! Questions that are answered and never stored.

use crate::harness::{PROTOBUF, Server};
use apiserver::auth::User;
use serde_json::json;

const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

#[tokio::test]
async fn who_am_i_is_answered_with_the_user() {
    let mut server = Server::new();
    server.user = User {
        uid: "u-1".into(),
        extra: vec![("scopes".into(), vec!["a".into(), "b".into()])],
        ..User::new("ann", &["system:masters", "system:authenticated"])
    };
    let question = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let reply = server.post(WHO_AM_I, &question).await.expect(201).json();
    assert_eq!(
        reply["status"]["userInfo"],
        json!({
            "username": "ann",
            "uid": "u-1",
            "groups": ["system:masters", "system:authenticated"],
            "extra": {"scopes": ["a", "b"]},
        })
    );
    assert_eq!(reply["metadata"], json!({"creationTimestamp": "2026-03-01T12:00:00Z"}));
    let reply = server.send("POST", WHO_AM_I, &[("accept", PROTOBUF)], question.to_string()).await.expect(201);
    assert!(reply.bytes.starts_with(b"k8s\0"));
}

#[tokio::test]
async fn questions_cannot_be_read_back() {
    let server = Server::new();
    let text = "list is not supported on resources of kind \"selfsubjectreviews.authentication.k8s.io\"";
    server.get(WHO_AM_I).await.expect_status(405, "MethodNotAllowed", text);
}
