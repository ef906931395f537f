//! May this user do that? One rule today: members of `system:masters` may everything. RBAC joins here.

use super::User;
use kinds::access::{Attributes, Decision};
use meta::status::{GroupResource, Status};

/// Decides what users may do.
pub trait Authorizer: Send + Sync + 'static {
    /// Pure: called for every request.
    fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision;
}

/// Members of `system:masters` may everything; everybody may ask for health and version.
#[derive(Debug, Clone, Copy, Default)]
pub struct MastersOnly;

impl Authorizer for MastersOnly {
    fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision {
        if user.is_in("system:masters") || is_public(attributes) {
            return Decision::Allow(String::new());
        }
        Decision::NoOpinion(String::new())
    }
}

/// Paths that Kubernetes' `system:public-info-viewer` opens to everybody.
fn is_public(attributes: &Attributes<'_>) -> bool {
    let first = attributes.path.trim_matches('/').split('/').next();
    attributes.resource.is_empty()
        && attributes.verb == "get"
        && matches!(first, Some("version" | "healthz" | "livez" | "readyz"))
}

/// The Status for a denied request: 401 for the unknown, 403 with Kubernetes' text for the known.
pub(crate) fn refuse(user: &User, attributes: &Attributes<'_>) -> Status {
    if user.is_anonymous() {
        return Status::unauthorized();
    }
    if attributes.resource.is_empty() {
        let mut status = Status::forbidden(GroupResource { group: "", resource: "" }, "", "");
        status.message =
            format!("forbidden: User {:?} cannot {} path {:?}", user.name, attributes.verb, attributes.path);
        return status;
    }
    let resource = match attributes.subresource {
        "" => attributes.resource.to_owned(),
        subresource => format!("{}/{subresource}", attributes.resource),
    };
    let place = match attributes.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let what = GroupResource { group: attributes.group, resource: attributes.resource };
    let detail = format!(
        "User {:?} cannot {} resource {resource:?} in API group {:?} {place}",
        user.name, attributes.verb, attributes.group
    );
    Status::forbidden(what, attributes.name, &detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(groups: &[&str]) -> User {
        User::new("x", groups)
    }

    #[test]
    fn masters_may_everything_others_only_ask_for_health() {
        let path = |path| Attributes { verb: "get", path, ..Attributes::default() };
        let jobs = Attributes { verb: "list", group: "batch", resource: "jobs", ..Attributes::default() };
        for (groups, attributes, expect) in [
            (&["system:masters"][..], jobs, true),
            (&["dev"], jobs, false),
            (&["dev"], path("/healthz"), true),
            (&["dev"], path("/readyz/ping"), true),
            (&["dev"], path("/version/"), true),
            (&["dev"], path("/api"), false),
            (&["dev"], Attributes { verb: "post", ..path("/healthz") }, false),
            (&["dev"], Attributes { resource: "version", ..path("/version") }, false),
        ] {
            assert_eq!(
                MastersOnly.authorize(&user(groups), &attributes).is_allowed(),
                expect,
                "{groups:?} {attributes:?}"
            );
        }
    }

    #[test]
    fn refusals_have_kubernetes_texts() {
        let jobs = Attributes {
            verb: "list",
            group: "batch",
            resource: "jobs",
            namespace: "default",
            ..Attributes::default()
        };
        let named = Attributes { verb: "get", name: "a", subresource: "log", resource: "pods", group: "", ..jobs };
        let nodes = Attributes { verb: "delete", name: "n", resource: "nodes", ..Attributes::default() };
        let path = Attributes { verb: "get", path: "/apis", ..Attributes::default() };
        for (attributes, expect) in [
            (
                jobs,
                r#"jobs.batch is forbidden: User "x" cannot list resource "jobs" in API group "batch" in the namespace "default""#,
            ),
            (
                named,
                r#"pods "a" is forbidden: User "x" cannot get resource "pods/log" in API group "" in the namespace "default""#,
            ),
            (
                nodes,
                r#"nodes "n" is forbidden: User "x" cannot delete resource "nodes" in API group "" at the cluster scope"#,
            ),
            (path, r#"forbidden: User "x" cannot get path "/apis""#),
        ] {
            let status = refuse(&user(&["dev"]), &attributes);
            assert_eq!((status.code, status.message.as_str()), (403, expect));
        }
        assert_eq!(refuse(&User::anonymous(), &jobs).code, 401);
    }
}
