//! May this user do that? One rule today: members of `system:masters` may everything. RBAC joins here.

use super::User;
use meta::status::{GroupResource, Status};

/// What is asked for, in the words of RBAC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// get, list, watch, create, update, patch, delete, deletecollection; for paths the method in lower case.
    pub verb: &'a str,
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Plural name; empty when a path is asked for.
    pub resource: &'a str,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Empty for all namespaces and for cluster-scoped resources.
    pub namespace: &'a str,
    /// Empty for collections.
    pub name: &'a str,
    /// The path, when no resource is asked for.
    pub path: &'a str,
}

/// An authorizer's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a decision nobody applies is a lost decision"]
pub enum Decision {
    /// Yes.
    Allow,
    /// No: 401 or 403.
    Deny,
}

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
            return Decision::Allow;
        }
        Decision::Deny
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
            (&["system:masters"][..], jobs, Decision::Allow),
            (&["dev"], jobs, Decision::Deny),
            (&["dev"], path("/healthz"), Decision::Allow),
            (&["dev"], path("/readyz/ping"), Decision::Allow),
            (&["dev"], path("/version/"), Decision::Allow),
            (&["dev"], path("/api"), Decision::Deny),
            (&["dev"], Attributes { verb: "post", ..path("/healthz") }, Decision::Deny),
            (&["dev"], Attributes { resource: "version", ..path("/version") }, Decision::Deny),
        ] {
            assert_eq!(MastersOnly.authorize(&user(groups), &attributes), expect, "{groups:?} {attributes:?}");
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
