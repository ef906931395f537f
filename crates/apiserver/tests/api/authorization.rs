//! Who may do what.

use crate::harness::{JOBS, PODS, Server, TABLE, job};
use apiserver::auth::User;
use serde_json::{Value, json};

pub const CLUSTER_ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const CLUSTER_ROLE_BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
pub const ROLE_BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";

pub fn rule(verbs: &[&str], group: &str, resource: &str) -> Value {
    json!({"verbs": verbs, "apiGroups": [group], "resources": [resource]})
}

/// A RoleBinding of the user to a ClusterRole or a Role.
pub fn binding(name: &str, kind: &str, role: &str, user: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "roleRef": {"kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": user}],
    })
}

impl Server {
    /// The same server, asked by somebody else.
    pub fn as_user(&self, name: &str) -> Self {
        self.as_one(User::new(name, &["system:authenticated"]))
    }

    pub fn as_one(&self, user: User) -> Self {
        Self { api: self.api.clone(), clock: self.clock.clone(), node: self.node.clone(), user }
    }
}

#[tokio::test]
async fn strangers_see_health_and_version_and_nothing_else() {
    let server = Server::new().as_one(User::anonymous());
    for path in ["/version", "/healthz", "/livez", "/readyz"] {
        assert_ne!(server.get(path).await.code, 403, "{path}");
    }
    for path in ["/api", "/apis", "/openapi/v2", "/", "/nowhere", "/metrics"] {
        let text = format!("forbidden: User \"system:anonymous\" cannot get path {path:?}");
        server.get(path).await.expect_status(403, "Forbidden", &text);
    }
    server.get(JOBS).await.expect_status(
        403,
        "Forbidden",
        "jobs.batch is forbidden: User \"system:anonymous\" cannot list resource \"jobs\" in API group \"batch\" in the namespace \"default\"",
    );
}

#[tokio::test]
async fn the_known_without_rights_see_what_is_served_and_are_told_what_they_lack() {
    let server = Server::new().as_user("x");
    for path in ["/api", "/apis", "/apis/batch/v1", "/openapi/v3"] {
        server.get(path).await.expect(200);
    }
    server.get(JOBS).await.expect_status(
        403,
        "Forbidden",
        "jobs.batch is forbidden: User \"x\" cannot list resource \"jobs\" in API group \"batch\" in the namespace \"default\"",
    );
    server.delete("/api/v1/namespaces/blue").await.expect_status(
        403,
        "Forbidden",
        "namespaces \"blue\" is forbidden: User \"x\" cannot delete resource \"namespaces\" in API group \"\" in the namespace \"blue\"",
    );
    server.get("/api/v1/nodes").await.expect_status(
        403,
        "Forbidden",
        "nodes is forbidden: User \"x\" cannot list resource \"nodes\" in API group \"\" at the cluster scope",
    );
}

#[tokio::test]
async fn rights_hold_from_the_answer_that_gave_them_to_the_answer_that_took_them() {
    let server = Server::new();
    let ann = server.as_user("ann");
    server.post(JOBS, &job("j")).await.expect(201);
    for _ in 0..3 {
        ann.get(JOBS).await.expect(403);
        server.post(ROLE_BINDINGS, &binding("ann", "ClusterRole", "view", "ann")).await.expect(201);
        ann.get(JOBS).await.expect(200);
        ann.get("/api/v1/namespaces/default").await.expect(200);
        ann.post(JOBS, &job("k")).await.expect(403);
        ann.get("/apis/batch/v1/jobs").await.expect(403);
        ann.get("/apis/batch/v1/namespaces/kube-system/jobs").await.expect(403);
        server.delete(&format!("{ROLE_BINDINGS}/ann")).await.expect(200);
    }
    ann.get(JOBS).await.expect(403);
}

#[tokio::test]
async fn a_role_that_is_gone_is_named_in_the_refusal() {
    let server = Server::new();
    server.post(ROLE_BINDINGS, &binding("ann", "Role", "gone", "ann")).await.expect(201);
    let text = "pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\": RBAC: role.rbac.authorization.k8s.io \"gone\" not found";
    server.as_user("ann").get(PODS).await.expect_status(403, "Forbidden", text);
}

#[tokio::test]
async fn who_may_see_one_object_by_name_may_list_and_watch_it_by_name() {
    let server = Server::new();
    let mut one = rule(&["get", "list", "watch"], "batch", "jobs");
    one["resourceNames"] = json!(["j"]);
    server.post(ROLES, &json!({"metadata": {"name": "one"}, "rules": [one]})).await.expect(201);
    server.post(ROLE_BINDINGS, &binding("ann", "Role", "one", "ann")).await.expect(201);
    server.post(JOBS, &job("j")).await.expect(201);
    let ann = server.as_user("ann");
    ann.get(&format!("{JOBS}/j")).await.expect(200);
    ann.get(&format!("{JOBS}/k")).await.expect(403);
    ann.get(&format!("{JOBS}?fieldSelector=metadata.name%3Dj")).await.expect(200);
    ann.get(&format!("{JOBS}?fieldSelector=metadata.name%3Dk")).await.expect(403);
    ann.get(JOBS).await.expect(403);
}

#[tokio::test]
async fn masters_need_no_binding() {
    let server = Server::new();
    server.delete(&format!("{CLUSTER_ROLE_BINDINGS}/cluster-admin")).await.expect(200);
    server.delete(&format!("{CLUSTER_ROLES}/cluster-admin")).await.expect(200);
    server.get(JOBS).await.expect(200);
}

#[tokio::test]
async fn what_a_server_came_with_is_completed_at_the_next_start() {
    let store = store::Store::in_memory(store::Options::default());
    let server = Server::on(store.clone());
    let path = format!("{CLUSTER_ROLES}/system:basic-user");
    let whole = server.get(&path).await.expect(200).json();
    assert_eq!(whole["metadata"]["labels"], json!({"kubernetes.io/bootstrapping": "rbac-defaults"}));
    let cut = json!({"rules": [], "metadata": {"labels": null}});
    server.patch(&path, "merge-patch+json", &cut).await.expect(200);
    server.delete(&format!("{CLUSTER_ROLE_BINDINGS}/system:discovery")).await.expect(200);
    let kept =
        json!({"rules": [], "metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}});
    server.patch(&format!("{CLUSTER_ROLES}/system:monitoring"), "merge-patch+json", &kept).await.expect(200);

    let server = Server::on(store.clone());
    let again = server.get(&path).await.expect(200).json();
    let texts = |role: &Value| -> std::collections::BTreeSet<String> {
        role["rules"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|rule| rule["resources"].as_array().unwrap())
            .map(Value::to_string)
            .collect()
    };
    assert_eq!(texts(&again), texts(&whole));
    assert_eq!(again["metadata"]["labels"], whole["metadata"]["labels"]);
    assert_eq!(again["metadata"]["uid"], whole["metadata"]["uid"]);
    server.get(&format!("{CLUSTER_ROLE_BINDINGS}/system:discovery")).await.expect(200);
    let kept = server.get(&format!("{CLUSTER_ROLES}/system:monitoring")).await.expect(200).json();
    assert_eq!(kept["rules"], json!([]));

    // A start that finds everything writes nothing.
    let revision = store.revision();
    Server::on(store.clone()).api.bootstrap().await.unwrap();
    assert_eq!(store.revision(), revision);
}

#[tokio::test]
async fn nobody_grants_what_he_does_not_have() {
    let server = Server::new();
    server.post(ROLE_BINDINGS, &binding("ann", "ClusterRole", "admin", "ann")).await.expect(201);
    let ann = server.as_user("ann");
    let role = |name: &str, rule: Value| json!({"metadata": {"name": name}, "rules": [rule]});
    ann.post(ROLES, &role("readers", rule(&["get"], "batch", "jobs"))).await.expect(201);
    let more = role("more", rule(&["get", "approve"], "certificates.k8s.io", "signers"));
    let text = "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"ann\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"certificates.k8s.io\"], Resources:[\"signers\"], Verbs:[\"get\" \"approve\"]}";
    ann.post(ROLES, &more).await.expect_status(403, "Forbidden", text);
    let patch = json!({"rules": [rule(&["get", "approve"], "certificates.k8s.io", "signers")]});
    let text = text.replace("\"more\"", "\"readers\"");
    ann.patch(&format!("{ROLES}/readers"), "merge-patch+json", &patch).await.expect_status(403, "Forbidden", &text);
    ann.post(ROLE_BINDINGS, &binding("carl", "Role", "readers", "carl")).await.expect(201);
    let refusal = ann.post(ROLE_BINDINGS, &binding("self", "ClusterRole", "cluster-admin", "ann")).await.expect(403);
    assert!(
        refusal.message().ends_with(
            "is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"
        ),
        "{}",
        refusal.message()
    );
    ann.post(ROLE_BINDINGS, &binding("self", "Role", "gone", "ann")).await.expect_status(
        404,
        "NotFound",
        "roles.rbac.authorization.k8s.io \"gone\" not found",
    );
}

#[tokio::test]
async fn a_binding_keeps_its_role_and_tables_show_both() {
    let server = Server::new();
    server.post(ROLE_BINDINGS, &binding("ann", "ClusterRole", "view", "ann")).await.expect(201);
    let path = format!("{ROLE_BINDINGS}/ann");
    server.put(&path, &binding("ann", "ClusterRole", "edit", "ann")).await.expect_status(
        422,
        "Invalid",
        "RoleBinding.rbac.authorization.k8s.io \"ann\" is invalid: roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"ClusterRole\",\"Name\":\"edit\"}: cannot change roleRef",
    );
    let table = server.send("GET", &path, &[("accept", TABLE)], "").await.expect(200).json();
    assert_eq!(table["rows"][0]["cells"], json!(["ann", "ClusterRole/view", "0s", "ann", "", ""]));
    let table = server.send("GET", &format!("{CLUSTER_ROLES}/view"), &[("accept", TABLE)], "").await.expect(200).json();
    assert_eq!(table["rows"][0]["cells"], json!(["view", "2026-03-01T12:00:00Z"]));
}

#[tokio::test]
async fn what_a_namespace_enforces_is_not_changed_through_its_status_either() {
    const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
    let server = Server::new();
    let mut both = rule(&["patch", "update"], "", "namespaces/status");
    both["resources"] = json!(["namespaces", "namespaces/status"]);
    server.post(CLUSTER_ROLES, &json!({"metadata": {"name": "status"}, "rules": [both]})).await.expect(201);
    server.post(CLUSTER_ROLE_BINDINGS, &binding("ann", "ClusterRole", "status", "ann")).await.expect(201);
    let ann = server.as_user("ann");
    let relaxed = json!({"metadata": {"labels": {ENFORCE: "privileged"}}});
    let config = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": {ENFORCE: "privileged"}}});
    for path in ["/api/v1/namespaces/default", "/api/v1/namespaces/default/status"] {
        let refused = ann.patch(path, "merge-patch+json", &relaxed).await.expect(403).message();
        assert!(refused.contains("needs the permission to escalate namespaces"), "{refused}");
        ann.apply(path, "ann", "", &config).await.expect(403);
        ann.patch(path, "merge-patch+json", &json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
    }
}

#[tokio::test]
async fn a_binding_that_no_path_can_name_is_not_made() {
    let server = Server::new();
    let long = "a".repeat(1025);
    for (name, detail) in [
        ("a\\b", r#"Invalid value: "a\\b": may not contain '/', '%', '\' or control characters"#),
        ("a\nb", r#"Invalid value: "a\nb": may not contain '/', '%', '\' or control characters"#),
        (&long, "Too long: may not be more than 1024 bytes"),
    ] {
        let refused = server.post(ROLE_BINDINGS, &binding(name, "ClusterRole", "view", "ann")).await.expect(422);
        let message = refused.message();
        assert!(message.ends_with(&format!(" is invalid: metadata.name: {detail}")), "{message}");
    }
    for name in ["system:a b?#é", &long[1..]] {
        let made = server.post(ROLE_BINDINGS, &binding(name, "ClusterRole", "view", "ann")).await.expect(201);
        assert_eq!(made.json()["metadata"]["name"], name);
        let path: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        server.delete(&format!("{ROLE_BINDINGS}/{path}")).await.expect(200);
    }
}
