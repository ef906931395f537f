//! All roles and bindings together: may this user do that? (K:plugin/pkg/auth/authorizer/rbac,
//! K:pkg/registry/rbac/validation/rule.go)

use super::rule::Rule;
use crate::access::{Attributes, Decision};
use meta::field::quote;
use meta::object;
use meta::user::User;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The stored roles and bindings, cut down to what decides. Cheap to clone: rules are shared.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    cluster_roles: BTreeMap<String, Arc<[Rule]>>,
    /// By namespace and name.
    roles: BTreeMap<(String, String), Arc<[Rule]>>,
    /// By namespace (empty: of the whole cluster), then by name.
    bindings: BTreeMap<String, BTreeMap<String, Binding>>,
}

/// A RoleBinding or a ClusterRoleBinding.
#[derive(Debug, Clone)]
struct Binding {
    role_kind: String,
    role_name: String,
    subjects: Vec<Subject>,
}

#[derive(Debug, Clone)]
struct Subject {
    kind: String,
    name: String,
    /// Of a ServiceAccount; its binding's namespace unless it says another.
    namespace: String,
}

/// A role that a binding names and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Plural of the role's kind.
    pub plural: &'static str,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // client-go's listers call the resource by its singular.
        let singular = self.plural.trim_end_matches('s');
        write!(f, "{singular}.{} {} not found", super::GROUP, quote(&self.name))
    }
}

/// What holds for a user.
#[derive(Debug, Default)]
pub struct Held {
    /// In the order of the bindings they come from.
    pub rules: Vec<Rule>,
    /// Roles that are named but not there.
    pub missing: Vec<Missing>,
}

/// What a binding gives to a user, and how to call that in a reason.
struct Grant<'a> {
    namespace: &'a str,
    name: &'a str,
    binding: &'a Binding,
    subject: &'a Subject,
    rules: &'a [Rule],
}

impl Policy {
    /// Takes in an object as it is now; `plural` is one of `super::PLURALS`, anything else changes nothing.
    pub fn put(&mut self, plural: &str, role_or_binding: &Value) {
        let namespace = object::namespace(role_or_binding).to_owned();
        let name = object::name(role_or_binding).to_owned();
        match plural {
            "clusterroles" => {
                self.cluster_roles.insert(name, Rule::all_of(role_or_binding).into());
            }
            "roles" => {
                self.roles.insert((namespace, name), Rule::all_of(role_or_binding).into());
            }
            "clusterrolebindings" | "rolebindings" => {
                let binding = Binding::of(role_or_binding, &namespace);
                self.bindings.entry(namespace).or_default().insert(name, binding);
            }
            _ => {}
        }
    }

    /// Forgets an object that is gone.
    pub fn remove(&mut self, plural: &str, namespace: &str, name: &str) {
        match plural {
            "clusterroles" => {
                self.cluster_roles.remove(name);
            }
            "roles" => {
                self.roles.remove(&(namespace.to_owned(), name.to_owned()));
            }
            "clusterrolebindings" | "rolebindings" => {
                let Some(bindings) = self.bindings.get_mut(namespace) else { return };
                bindings.remove(name);
                if bindings.is_empty() {
                    self.bindings.remove(namespace);
                }
            }
            _ => {}
        }
    }

    /// Whether any rule allows it. The reason names the binding, or the roles that could not be looked at.
    pub fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision {
        let mut missing = Vec::new();
        for grant in self.grants(user, attributes.namespace) {
            match grant {
                Ok(grant) if grant.rules.iter().any(|rule| rule.allows(attributes)) => {
                    return Decision::Allow(format!("RBAC: allowed by {grant}"));
                }
                Ok(_) => {}
                Err(role) => missing.push(role),
            }
        }
        Decision::NoOpinion(match missing.as_slice() {
            [] => String::new(),
            missing => format!("RBAC: {}", together(missing)),
        })
    }

    /// Every rule that holds for a user in a namespace; without one, only those of the whole cluster.
    pub fn held_by(&self, user: &User, namespace: &str) -> Held {
        let mut held = Held::default();
        for grant in self.grants(user, namespace) {
            match grant {
                Ok(grant) => held.rules.extend(grant.rules.iter().cloned()),
                Err(role) => held.missing.push(role),
            }
        }
        held
    }

    /// The rules of the role that a binding in this namespace names.
    pub fn rules_of_role(&self, kind: &str, name: &str, namespace: &str) -> Result<&[Rule], Missing> {
        let (plural, found) = match kind {
            "Role" => ("roles", self.roles.get(&(namespace.to_owned(), name.to_owned()))),
            _ => ("clusterroles", self.cluster_roles.get(name)),
        };
        found.map(AsRef::as_ref).ok_or_else(|| Missing { plural, name: name.to_owned() })
    }

    /// What each binding that names the user gives: those of the cluster first.
    fn grants<'a>(&'a self, user: &User, namespace: &'a str) -> impl Iterator<Item = Result<Grant<'a>, Missing>> {
        let local = Some(namespace).filter(|namespace| !namespace.is_empty());
        let places = [Some(""), local].into_iter().flatten();
        places
            .filter_map(|namespace| Some((namespace, self.bindings.get(namespace)?)))
            .flat_map(|(namespace, bindings)| bindings.iter().map(move |(name, binding)| (namespace, name, binding)))
            .filter_map(move |(namespace, name, binding)| {
                let subject = binding.subjects.iter().find(|subject| subject.is(user))?;
                let rules = self.rules_of_role(&binding.role_kind, &binding.role_name, namespace);
                Some(rules.map(|rules| Grant { namespace, name, binding, subject, rules }))
            })
    }
}

impl Binding {
    fn of(binding: &Value, namespace: &str) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let subjects = binding["subjects"].as_array().into_iter().flatten().map(|subject| Subject {
            kind: text(&subject["kind"]),
            name: text(&subject["name"]),
            namespace: match text(&subject["namespace"]) {
                own if own.is_empty() => namespace.to_owned(),
                own => own,
            },
        });
        Self {
            role_kind: text(&binding["roleRef"]["kind"]),
            role_name: text(&binding["roleRef"]["name"]),
            subjects: subjects.collect(),
        }
    }
}

impl Subject {
    fn is(&self, user: &User) -> bool {
        match self.kind.as_str() {
            "User" => self.name == user.name,
            "Group" => user.is_in(&self.name),
            "ServiceAccount" => meta::user::service_account(&user.name) == Some((&self.namespace, &self.name)),
            _ => false,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.as_str() {
            "ServiceAccount" => write!(f, "ServiceAccount {}", quote(&format!("{}/{}", self.name, self.namespace))),
            kind => write!(f, "{kind} {}", quote(&self.name)),
        }
    }
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self.namespace {
            "" => ("ClusterRoleBinding", quote(self.name)),
            namespace => ("RoleBinding", quote(&format!("{}/{namespace}", self.name))),
        };
        let Binding { role_kind, role_name, .. } = self.binding;
        write!(f, "{kind} {name} of {role_kind} {} to {}", quote(role_name), self.subject)
    }
}

/// Several mistakes as one text, each once: `a`, or `[a, b]` (K:apimachinery/util/errors NewAggregate).
pub(crate) fn together(missing: &[Missing]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in missing.iter().map(Missing::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [text] => text.clone(),
        texts => format!("[{}]", texts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy() -> Policy {
        let mut policy = Policy::default();
        let jobs = json!([{"verbs": ["get", "list"], "apiGroups": ["batch"], "resources": ["jobs"]}]);
        policy.put("clusterroles", &json!({"metadata": {"name": "jobs"}, "rules": jobs}));
        policy.put(
            "roles",
            &json!({"metadata": {"namespace": "blue", "name": "pods"},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        );
        for (plural, namespace, name, kind, role, subjects) in [
            ("clusterrolebindings", "", "team", "ClusterRole", "jobs", json!([{"kind": "Group", "name": "team"}])),
            ("rolebindings", "blue", "ann", "ClusterRole", "jobs", json!([{"kind": "User", "name": "ann"}])),
            ("rolebindings", "blue", "robot", "Role", "pods", json!([{"kind": "ServiceAccount", "name": "robot"}])),
            ("rolebindings", "blue", "lost", "Role", "gone", json!([{"kind": "User", "name": "bob"}])),
            ("clusterrolebindings", "", "lost", "ClusterRole", "gone", json!([{"kind": "User", "name": "bob"}])),
        ] {
            policy.put(
                plural,
                &json!({"metadata": {"namespace": namespace, "name": name},
                "roleRef": {"kind": kind, "name": role}, "subjects": subjects}),
            );
        }
        policy
    }

    fn list_jobs(namespace: &str) -> Attributes<'_> {
        Attributes { verb: "list", group: "batch", resource: "jobs", namespace, ..Attributes::default() }
    }

    #[track_caller]
    fn check(user: &User, attributes: Attributes<'_>, expect: Decision) {
        assert_eq!(policy().authorize(user, &attributes), expect);
    }

    fn allow(reason: &str) -> Decision {
        Decision::Allow(reason.into())
    }

    #[test]
    fn reasons_name_the_binding_the_role_and_the_subject() {
        let ann = User::new("ann", &[]);
        check(
            &ann,
            list_jobs("blue"),
            allow(r#"RBAC: allowed by RoleBinding "ann/blue" of ClusterRole "jobs" to User "ann""#),
        );
        check(
            &User::new("carl", &["team"]),
            list_jobs(""),
            allow(r#"RBAC: allowed by ClusterRoleBinding "team" of ClusterRole "jobs" to Group "team""#),
        );
        let pods = Attributes { verb: "get", resource: "pods", namespace: "blue", ..Attributes::default() };
        check(
            &User::new("system:serviceaccount:blue:robot", &[]),
            pods,
            allow(r#"RBAC: allowed by RoleBinding "robot/blue" of Role "pods" to ServiceAccount "robot/blue""#),
        );
    }

    #[test]
    fn a_binding_holds_in_its_namespace_only() {
        let ann = User::new("ann", &["team2"]);
        for namespace in ["", "green"] {
            check(&ann, list_jobs(namespace), Decision::NoOpinion(String::new()));
        }
        check(&User::new("system:serviceaccount:green:robot", &[]), list_jobs("blue"), Decision::NoOpinion("".into()));
    }

    #[test]
    fn roles_that_are_not_there_are_named_in_the_refusal() {
        check(
            &User::new("bob", &[]),
            list_jobs("blue"),
            Decision::NoOpinion(
                r#"RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "gone" not found]"#
                    .into(),
            ),
        );
        check(
            &User::new("bob", &[]),
            list_jobs(""),
            Decision::NoOpinion(r#"RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found"#.into()),
        );
    }

    #[test]
    fn what_is_removed_holds_no_longer() {
        let mut policy = policy();
        policy.remove("rolebindings", "blue", "ann");
        assert!(!policy.authorize(&User::new("ann", &[]), &list_jobs("blue")).is_allowed());
        policy.remove("clusterroles", "", "jobs");
        assert!(!policy.authorize(&User::new("carl", &["team"]), &list_jobs("")).is_allowed());
        assert_eq!(policy.held_by(&User::new("carl", &["team"]), "").missing.len(), 1);
    }
}
