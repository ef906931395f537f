//! `kubectl --as`: somebody asks as somebody else.

use crate::authorization::{CLUSTER_ROLES, ROLE_BINDINGS, binding};
use crate::harness::{JOBS, Reply, Server};
use serde_json::json;

const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    server.send("GET", path, headers, "").await
}

#[tokio::test]
async fn masters_may_be_anybody_and_then_may_only_what_that_one_may() {
    let server = Server::new();
    let ann = [("impersonate-user", "ann")];
    get(&server, JOBS, &ann).await.expect_status(
        403,
        "Forbidden",
        "jobs.batch is forbidden: User \"ann\" cannot list resource \"jobs\" in API group \"batch\" in the namespace \"default\"",
    );
    server.post(ROLE_BINDINGS, &binding("ann", "ClusterRole", "view", "ann")).await.expect(201);
    get(&server, JOBS, &ann).await.expect(200);
    get(&server, JOBS, &[("impersonate-user", "bob"), ("impersonate-group", "system:masters")]).await.expect(200);
}

#[tokio::test]
async fn who_is_impersonated_is_who_one_is() {
    let server = Server::new();
    for (headers, expect) in [
        (
            vec![("impersonate-user", "system:serviceaccount:blue:robot")],
            json!({"username": "system:serviceaccount:blue:robot",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:blue", "system:authenticated"]}),
        ),
        (
            vec![
                ("impersonate-user", "ann"),
                ("impersonate-uid", "u"),
                ("impersonate-group", "team"),
                ("impersonate-extra-scopes", "a"),
                ("impersonate-extra-scopes", "b"),
            ],
            json!({"username": "ann", "uid": "u", "groups": ["team", "system:authenticated"], "extra": {"scopes": ["a", "b"]}}),
        ),
    ] {
        let reply = server.send("POST", WHO_AM_I, &headers, "{}").await.expect(201).json();
        assert_eq!(reply["status"]["userInfo"], expect);
    }
    // Strangers may not even ask who they are.
    server.send("POST", WHO_AM_I, &[("impersonate-user", "system:anonymous")], "{}").await.expect(403);
}

#[tokio::test]
async fn each_part_of_another_takes_a_right_of_its_own() {
    let server = Server::new();
    let ann = server.as_user("ann");
    let refusal = |what: &str| format!("User \"ann\" cannot impersonate resource {what}");
    let named = ("impersonate-user", "bob");
    get(&ann, JOBS, &[named]).await.expect_status(
        403,
        "Forbidden",
        &format!("users \"bob\" is forbidden: {} in API group \"\" at the cluster scope", refusal("\"users\"")),
    );
    get(&ann, JOBS, &[("impersonate-user", "system:serviceaccount:blue:robot")]).await.expect_status(
        403,
        "Forbidden",
        &format!(
            "serviceaccounts \"robot\" is forbidden: {} in API group \"\" in the namespace \"blue\"",
            refusal("\"serviceaccounts\"")
        ),
    );
    let role = json!({"metadata": {"name": "bobs"}, "rules": [
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"]}]});
    server.post(CLUSTER_ROLES, &role).await.expect(201);
    let bindings = CLUSTER_ROLES.replace("clusterroles", "clusterrolebindings");
    server.post(&bindings, &binding("bobs", "ClusterRole", "bobs", "ann")).await.expect(201);
    server.post(ROLE_BINDINGS, &binding("bob", "ClusterRole", "view", "bob")).await.expect(201);
    get(&ann, JOBS, &[named]).await.expect(200);
    for (header, what, group) in [
        (
            ("impersonate-group", "system:masters"),
            "groups \"system:masters\" is forbidden: ",
            "\"groups\" in API group \"\"",
        ),
        (
            ("impersonate-uid", "u"),
            "uids.authentication.k8s.io \"u\" is forbidden: ",
            "\"uids\" in API group \"authentication.k8s.io\"",
        ),
        (
            ("impersonate-extra-scopes", "a"),
            "userextras.authentication.k8s.io \"a\" is forbidden: ",
            "\"userextras/scopes\" in API group \"authentication.k8s.io\"",
        ),
    ] {
        let text = format!("{what}{} at the cluster scope", refusal(group));
        get(&ann, JOBS, &[named, header]).await.expect_status(403, "Forbidden", &text);
    }
}

#[tokio::test]
async fn nobody_is_impersonated_by_a_group_alone() {
    let server = Server::new();
    let text = "requested [{Group  system:masters    }] without impersonating a user";
    get(&server, JOBS, &[("impersonate-group", "system:masters")]).await.expect_status(400, "BadRequest", text);
}
