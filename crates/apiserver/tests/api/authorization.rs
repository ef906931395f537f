//! Who may do what.

use crate::harness::{JOBS, Server};
use apiserver::auth::User;

#[tokio::test]
async fn strangers_see_health_and_nothing_else() {
    let mut server = Server::new();
    server.user = User::anonymous();
    for path in ["/version", "/healthz", "/livez"] {
        server.get(path).await.expect(200);
    }
    for path in ["/api", "/apis", "/openapi/v2", "/", JOBS, "/nowhere"] {
        server.get(path).await.expect_status(401, "Unauthorized", "Unauthorized");
    }
}

#[tokio::test]
async fn the_known_without_rights_are_told_what_they_lack() {
    let mut server = Server::new();
    server.user = User { name: "x".into(), groups: vec!["system:authenticated".into()], ..User::default() };
    server.get(JOBS).await.expect_status(
        403,
        "Forbidden",
        "jobs.batch is forbidden: User \"x\" cannot list resource \"jobs\" in API group \"batch\" in the namespace \"default\"",
    );
    server.delete("/api/v1/namespaces/blue").await.expect_status(
        403,
        "Forbidden",
        "namespaces \"blue\" is forbidden: User \"x\" cannot delete resource \"namespaces\" in API group \"\" at the cluster scope",
    );
}
