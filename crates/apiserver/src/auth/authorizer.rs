//! May this user do that? Members of `system:masters` may everything; for everybody else the stored roles and bindings
//! decide.

use super::User;
use super::followed::Followed;
use crate::error::Failure;
use kinds::access::{Attributes, Decision};
use kinds::rbac::{MASTERS, Policy};
use meta::status::{GroupResource, Status};
use parking_lot::Mutex;
use std::sync::Arc;
use store::Store;

/// Decides what users may do.
pub(crate) struct Authorizer {
    store: Store,
    followed: Mutex<Followed>,
}

impl Authorizer {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, followed: Mutex::default() }
    }

    /// Called for every request. The machine's own components are masters, so what they ask costs nothing.
    pub(crate) fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision {
        match user.is_in(MASTERS) {
            true => Decision::Allow(String::new()),
            false => self.policy().authorize(user, attributes),
        }
    }

    /// 403 unless the user may.
    pub(crate) fn require(&self, user: &User, attributes: &Attributes<'_>) -> Result<(), Failure> {
        match self.authorize(user, attributes) {
            Decision::Allow(_) => Ok(()),
            Decision::NoOpinion(reason) => Err(forbidden(user, attributes, &reason).into()),
        }
    }

    /// All roles and bindings as of the newest write: whoever was just given a right may use it at once.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.followed.lock().up_to_date(&self.store)
    }
}

/// The Status for a denied request (K:apiserver/pkg/endpoints/handlers/responsewriters/errors.go). Also the answer to
/// whoever shows no credential: anonymous requests are on, as they are in Kubernetes.
fn forbidden(user: &User, attributes: &Attributes<'_>, reason: &str) -> Status {
    let what = GroupResource { group: attributes.group, resource: attributes.resource };
    let mut detail = format!("User {:?} cannot {} {}", user.name, attributes.verb, object(attributes));
    if !reason.is_empty() {
        detail = format!("{detail}: {reason}");
    }
    Status::forbidden(what, attributes.name, &detail)
}

fn object(attributes: &Attributes<'_>) -> String {
    if let Some(path) = attributes.path {
        return format!("path {path:?}");
    }
    let resource = match attributes.subresource {
        "" => attributes.resource.to_owned(),
        subresource => format!("{}/{subresource}", attributes.resource),
    };
    let place = match attributes.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    format!("resource {resource:?} in API group {:?} {place}", attributes.group)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let path = Attributes { verb: "get", path: Some("/apis"), ..Attributes::default() };
        for (attributes, reason, expect) in [
            (
                jobs,
                "",
                r#"jobs.batch is forbidden: User "x" cannot list resource "jobs" in API group "batch" in the namespace "default""#,
            ),
            (
                named,
                "",
                r#"pods "a" is forbidden: User "x" cannot get resource "pods/log" in API group "" in the namespace "default""#,
            ),
            (
                nodes,
                "RBAC: a reason",
                r#"nodes "n" is forbidden: User "x" cannot delete resource "nodes" in API group "" at the cluster scope: RBAC: a reason"#,
            ),
            (path, "", r#"forbidden: User "x" cannot get path "/apis""#),
        ] {
            let status = forbidden(&User::new("x", &["dev"]), &attributes, reason);
            assert_eq!((status.code, status.message.as_str()), (403, expect));
        }
    }
}
