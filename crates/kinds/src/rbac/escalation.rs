//! Nobody grants what he does not have (K:pkg/registry/rbac/escalation_check.go and the policybased stores beside it).
//!
//! Writing a role takes its permissions or the verb `escalate` on it; binding one takes its permissions or the verb
//! `bind` on it. Members of system:masters may both.

use super::cover::{compacted, uncovered};
use super::policy::together;
use super::rule::{Rule, quoted};
use super::{GROUP, MASTERS, aggregate};
use crate::access::Attributes;
use crate::admission::{Plugin, Request, Verdict};
use crate::at::is_same;
use meta::field::quote;
use meta::object;
use meta::status::{GroupResource, Status};
use serde_json::Value;

/// The gate before roles and bindings.
#[derive(Debug)]
pub struct EscalationCheck;

impl Plugin for EscalationCheck {
    /// Kubernetes has it in its stores for these kinds, not among its plugins.
    fn name(&self) -> &'static str {
        "RBACEscalationCheck"
    }

    fn validate(&self, request: &Request<'_>, new: &Value) -> Result<Verdict, Box<Status>> {
        let names = request.kind.names();
        let is_ours = names.group == GROUP && request.subresource.is_empty();
        if !is_ours || request.user.is_in(MASTERS) || request.old.is_some_and(|old| frees_only(new, old)) {
            return Ok(Verdict::pass());
        }
        match names.plural {
            "roles" | "clusterroles" => check_role(request, new),
            "rolebindings" | "clusterrolebindings" => check_binding(request, new),
            _ => Ok(()),
        }
        .map(|()| Verdict::pass())
    }
}

fn check_role(request: &Request<'_>, new: &Value) -> Result<(), Box<Status>> {
    let escalate = Attributes {
        verb: "escalate",
        group: GROUP,
        resource: request.kind.names().plural,
        namespace: request.namespace,
        // What is new has no name in the request's path, so a right to escalate by name is none to create.
        name: request.old.map_or("", object::name),
        ..Attributes::default()
    };
    if request.world.authorize(request.user, &escalate).is_allowed() {
        return Ok(());
    }
    confirm(request, new, &Rule::all_of(new))?;
    // What gathers rules by label may come to hold anything.
    let gathers = aggregate::is_aggregated(new) || request.old.is_some_and(aggregate::is_aggregated);
    if gathers && missing(request, &full_authority()).is_some() {
        return Err(forbidden(request, new, "must have cluster-admin privileges to use the aggregationRule"));
    }
    Ok(())
}

fn check_binding(request: &Request<'_>, new: &Value) -> Result<(), Box<Status>> {
    let role = &new["roleRef"];
    let text = |field: &str| role[field].as_str().unwrap_or("");
    let resource = match text("kind") {
        "Role" => "roles",
        _ => "clusterroles",
    };
    let bind = Attributes {
        verb: "bind",
        group: text("apiGroup"),
        resource,
        namespace: request.namespace,
        name: text("name"),
        ..Attributes::default()
    };
    if request.world.authorize(request.user, &bind).is_allowed() {
        return Ok(());
    }
    let policy = request.world.policy();
    let rules = policy
        .rules_of_role(text("kind"), text("name"), request.namespace)
        .map_err(|role| Status::not_found(GroupResource { group: GROUP, resource: role.plural }, &role.name))?;
    confirm(request, new, rules)
}

/// 403 unless the user has all of these rules.
fn confirm(request: &Request<'_>, new: &Value, rules: &[Rule]) -> Result<(), Box<Status>> {
    match missing(request, rules) {
        None => Ok(()),
        Some(text) => Err(forbidden(request, new, &text)),
    }
}

/// What of these rules the user lacks, as a sentence.
fn missing(request: &Request<'_>, rules: &[Rule]) -> Option<String> {
    let held = request.world.policy().held_by(request.user, request.namespace);
    let lacking = uncovered(&held.rules, rules);
    if lacking.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = compacted(lacking).iter().map(Rule::to_string).collect();
    lines.sort();
    lines.dedup();
    let mut text = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quote(&request.user.name),
        quoted(&request.user.groups),
        lines.join("\n")
    );
    if !held.missing.is_empty() {
        text.push_str(&format!("; resolution errors: [{}]", together(&held.missing)));
    }
    Some(text)
}

fn full_authority() -> [Rule; 2] {
    let all = || vec!["*".to_owned()];
    [
        Rule { verbs: all(), api_groups: all(), resources: all(), ..Rule::default() },
        Rule { verbs: all(), non_resource_urls: all(), ..Rule::default() },
    ]
}

fn forbidden(request: &Request<'_>, new: &Value, detail: &str) -> Box<Status> {
    let what = GroupResource { group: GROUP, resource: request.kind.names().plural };
    Box::new(Status::forbidden(what, object::name(new), detail))
}

/// Whether a change touches nothing but what garbage collection needs to let the object go.
fn frees_only(new: &Value, old: &Value) -> bool {
    let mut same = new.clone();
    let fields = object::metadata(&mut same);
    for key in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
        match old["metadata"].get(key) {
            Some(value) => fields.insert(key.into(), value.clone()),
            None => fields.shift_remove(key),
        };
    }
    is_same(&same, old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Operation;
    use crate::kind::Kind;
    use crate::rbac::{ClusterRole, Role, RoleBinding};
    use crate::testing::{Objects, Zeros, now};
    use meta::user::User;
    use serde_json::json;

    /// Ann may read pods in `blue`; Bob may do more with roles; the ClusterRole `pods` reads pods.
    fn world(bobs: Value) -> Objects {
        let read = json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]);
        let all = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]);
        let mut world = Objects::default()
            .with(GROUP, "clusterroles", json!({"metadata": {"name": "pods"}, "rules": read}))
            .with(GROUP, "clusterroles", json!({"metadata": {"name": "all"}, "rules": all}))
            .with(GROUP, "roles", json!({"metadata": {"name": "bobs", "namespace": "blue"}, "rules": bobs}));
        for (name, kind, role) in
            [("ann", "ClusterRole", "pods"), ("bob", "Role", "bobs"), ("root", "ClusterRole", "all")]
        {
            world = world.with(
                GROUP,
                "rolebindings",
                json!({"metadata": {"name": name, "namespace": "blue"},
                "roleRef": {"kind": kind, "name": role}, "subjects": [{"kind": "User", "name": name}]}),
            );
        }
        world
    }

    fn role(resource: &str, verbs: &[&str]) -> Value {
        json!({"metadata": {"name": "new", "namespace": "blue"},
            "rules": [{"verbs": verbs, "apiGroups": [""], "resources": [resource]}]})
    }

    fn binding(kind: &str, name: &str) -> Value {
        json!({"metadata": {"name": "new", "namespace": "blue"}, "roleRef": {"apiGroup": GROUP, "kind": kind, "name": name}})
    }

    fn ask(
        user: &str,
        world: &Objects,
        kind: &'static dyn Kind,
        new: &Value,
        old: Option<&Value>,
    ) -> Result<(), String> {
        let user = User::new(user, &["team", "system:authenticated"]);
        let request = Request {
            user: &user,
            operation: if old.is_some() { Operation::Update } else { Operation::Create },
            kind,
            subresource: "",
            namespace: "blue",
            old,
            dry_run: false,
            now: now(),
            entropy: &Zeros,
            world,
        };
        EscalationCheck
            .validate(&request, new)
            .map(|_| ())
            .map_err(|status| format!("{} {}", status.code, status.message))
    }

    #[test]
    fn roles_are_written_by_who_has_their_permissions() {
        let world = world(json!([]));
        assert_eq!(ask("ann", &world, &Role, &role("pods", &["get"]), None), Ok(()));
        assert_eq!(
            ask("ann", &world, &Role, &role("pods", &["get", "watch", "delete"]), None),
            Err("403 roles.rbac.authorization.k8s.io \"new\" is forbidden: user \"ann\" (groups=[\"team\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"watch\" \"delete\"]}".into())
        );
    }

    #[test]
    fn escalate_stands_in_for_permissions_by_name_only_on_update() {
        let named =
            json!([{"verbs": ["escalate"], "apiGroups": [GROUP], "resources": ["roles"], "resourceNames": ["new"]}]);
        let world = world(named);
        let new = role("secrets", &["get"]);
        assert!(ask("bob", &world, &Role, &new, None).is_err());
        assert_eq!(ask("bob", &world, &Role, &new, Some(&role("pods", &["get"]))), Ok(()));
        assert!(ask("ann", &world, &Role, &new, Some(&role("pods", &["get"]))).is_err());
    }

    #[test]
    fn bindings_take_the_roles_permissions_or_bind() {
        let world = world(
            json!([{"verbs": ["bind"], "apiGroups": [GROUP], "resources": ["clusterroles"], "resourceNames": ["all"]}]),
        );
        assert_eq!(ask("ann", &world, &RoleBinding, &binding("ClusterRole", "pods"), None), Ok(()));
        assert!(ask("ann", &world, &RoleBinding, &binding("ClusterRole", "all"), None).is_err());
        assert_eq!(ask("bob", &world, &RoleBinding, &binding("ClusterRole", "all"), None), Ok(()));
        assert!(ask("bob", &world, &RoleBinding, &binding("ClusterRole", "pods"), None).is_err());
        assert_eq!(
            ask("ann", &world, &RoleBinding, &binding("Role", "gone"), None),
            Err("404 roles.rbac.authorization.k8s.io \"gone\" not found".into())
        );
    }

    #[test]
    fn gathering_rules_takes_every_permission() {
        let world = world(json!([]));
        let gathering = json!({"metadata": {"name": "new"}, "aggregationRule": {"clusterRoleSelectors": [{}]}});
        assert_eq!(
            ask("ann", &world, &ClusterRole, &gathering, None),
            Err("403 clusterroles.rbac.authorization.k8s.io \"new\" is forbidden: must have cluster-admin privileges to use the aggregationRule".into())
        );
        assert_eq!(ask("root", &world, &ClusterRole, &gathering, None), Ok(()));
    }

    #[test]
    fn who_only_lets_an_object_go_grants_nothing() {
        let world = world(json!([]));
        let mut old = role("secrets", &["get"]);
        old["metadata"]["finalizers"] = json!(["a/b"]);
        assert_eq!(ask("ann", &world, &Role, &role("secrets", &["get"]), Some(&old)), Ok(()));
        assert!(ask("ann", &world, &Role, &role("secrets", &["list"]), Some(&old)).is_err());
    }
}
