//! Questions that are answered and never stored.

use crate::authorization::{ROLE_BINDINGS, binding};
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

const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";

#[tokio::test]
async fn what_one_may_is_told_with_the_reason() {
    let server = Server::new();
    server.post(ROLE_BINDINGS, &binding("ann", "ClusterRole", "view", "ann")).await.expect(201);
    let ann = server.as_user("ann");
    let ask = |verb: &str| {
        json!({"spec": {"resourceAttributes":
        {"namespace": "default", "verb": verb, "group": "batch", "resource": "jobs"}}})
    };
    let path = format!("{AUTHORIZATION}/selfsubjectaccessreviews");
    let reply = ann.post(&path, &ask("list")).await.expect(201).json();
    let reason = "RBAC: allowed by RoleBinding \"ann/default\" of ClusterRole \"view\" to User \"ann\"";
    assert_eq!(reply["status"], json!({"allowed": true, "reason": reason}));
    assert_eq!(reply["kind"], "SelfSubjectAccessReview");
    let reply = ann.post(&path, &ask("create")).await.expect(201).json();
    assert_eq!(reply["status"], json!({"allowed": false}));
    let reply = server.post(&path, &ask("create")).await.expect(201).json();
    assert_eq!(reply["status"], json!({"allowed": true}));
    ann.post(&path, &json!({"spec": {}})).await.expect_status(
        422,
        "Invalid",
        "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
}

#[tokio::test]
async fn what_others_may_is_told_to_those_who_may_ask() {
    let server = Server::new();
    server.post(ROLE_BINDINGS, &binding("ann", "ClusterRole", "admin", "ann")).await.expect(201);
    let ann = server.as_user("ann");
    let ask = |namespace: &str| {
        json!({"spec": {"user": "bob", "groups": ["system:masters"], "resourceAttributes":
        {"namespace": namespace, "verb": "list", "resource": "pods"}}})
    };
    ann.post(&format!("{AUTHORIZATION}/subjectaccessreviews"), &ask("default")).await.expect(403);
    let local = format!("{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews");
    let reply = ann.post(&local, &ask("default")).await.expect(201).json();
    assert_eq!(reply["status"], json!({"allowed": true}));
    ann.post(&local, &ask("kube-system")).await.expect_status(
        422,
        "Invalid",
        "LocalSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"kube-system\": must match metadata.namespace",
    );
    server.post(&format!("{AUTHORIZATION}/subjectaccessreviews"), &ask("default")).await.expect(201);
}

#[tokio::test]
async fn everything_one_may_in_a_namespace_is_listed() {
    let server = Server::new();
    server.post(ROLE_BINDINGS, &binding("ann", "ClusterRole", "view", "ann")).await.expect(201);
    let path = format!("{AUTHORIZATION}/selfsubjectrulesreviews");
    let reply = server.as_user("ann").post(&path, &json!({"spec": {"namespace": "default"}})).await.expect(201).json();
    let rules = reply["status"]["resourceRules"].as_array().unwrap();
    assert!(
        rules
            .iter()
            .any(|rule| rule["apiGroups"] == json!(["batch"]) && rule["verbs"] == json!(["get", "list", "watch"]))
    );
    assert_eq!(reply["status"]["incomplete"], false);
    assert!(!reply["status"]["nonResourceRules"].as_array().unwrap().is_empty());
    // Masters are shown what they are bound to.
    let reply = server.post(&path, &json!({"spec": {"namespace": "default"}})).await.expect(201).json();
    let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
    assert!(reply["status"]["resourceRules"].as_array().unwrap().contains(&all));
    server.post(&path, &json!({"spec": {}})).await.expect_status(400, "BadRequest", "no namespace on request");
}
