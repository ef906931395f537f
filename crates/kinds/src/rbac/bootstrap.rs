//! The roles and bindings every server has (K:plugin/pkg/auth/authorizer/rbac/bootstrappolicy): facts.
//!
//! All names that manifests of real clusters bind are here, with the rules they have there, so that what is bound means
//! the same; but for the group `extensions`, which no server has served since 1.22. Not here are the roles of Kubernetes' own controllers (`system:controller:…`): nothing runs as their
//! service accounts, the controllers in this process being `system:masters`.

use super::GROUP;
use super::aggregate::gather;
use super::reconcile::AUTO_UPDATE;
use serde_json::{Map, Value, json};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const READ_WRITE: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

const AUTHENTICATED: Who = Who::Group("system:authenticated");

/// One rule.
struct Rule {
    verbs: &'static [&'static str],
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    names: &'static [&'static str],
    urls: &'static [&'static str],
}

const fn on(
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Rule {
    Rule { verbs, groups, resources, names: &[], urls: &[] }
}

const fn paths(urls: &'static [&'static str], verbs: &'static [&'static str]) -> Rule {
    Rule { verbs, groups: &[], resources: &[], names: &[], urls }
}

impl Rule {
    const fn named(mut self, names: &'static [&'static str]) -> Self {
        self.names = names;
        self
    }
}

/// Which aggregated role gathers a role.
const TO_ADMIN: &str = "rbac.authorization.k8s.io/aggregate-to-admin";
const TO_EDIT: &str = "rbac.authorization.k8s.io/aggregate-to-edit";
const TO_VIEW: &str = "rbac.authorization.k8s.io/aggregate-to-view";

/// One ClusterRole.
struct ClusterRole {
    name: &'static str,
    /// The label it carries to be gathered.
    gathered_by: &'static str,
    /// The label it gathers by.
    gathers: &'static str,
    rules: &'static [Rule],
}

const fn role(name: &'static str, rules: &'static [Rule]) -> ClusterRole {
    ClusterRole { name, gathered_by: "", gathers: "", rules }
}

const fn part(name: &'static str, gathered_by: &'static str, rules: &'static [Rule]) -> ClusterRole {
    ClusterRole { name, gathered_by, gathers: "", rules }
}

const fn whole(name: &'static str, gathers: &'static str, gathered_by: &'static str) -> ClusterRole {
    ClusterRole { name, gathered_by, gathers, rules: &[] }
}

/// Who has a role.
enum Who {
    User(&'static str),
    Group(&'static str),
}

const EVENTS: Rule = on(&["", "events.k8s.io"], &["events"], &["create", "patch", "update"]);
const TOKEN_REVIEWS: Rule = on(&["authentication.k8s.io"], &["tokenreviews"], &["create"]);
const ACCESS_REVIEWS: Rule = on(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]);

const CLUSTER_ROLES: &[ClusterRole] = &[
    role("cluster-admin", &[on(&["*"], &["*"], &["*"]), paths(&["*"], &["*"])]),
    whole("admin", TO_ADMIN, ""),
    whole("edit", TO_EDIT, TO_ADMIN),
    whole("view", TO_VIEW, TO_EDIT),
    part(
        "system:aggregate-to-admin",
        TO_ADMIN,
        &[
            on(&["authorization.k8s.io"], &["localsubjectaccessreviews"], &["create"]),
            on(&[GROUP], &["rolebindings", "roles"], READ_WRITE),
        ],
    ),
    part(
        "system:aggregate-to-edit",
        TO_EDIT,
        &[
            on(
                &[""],
                &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"],
                READ,
            ),
            on(&[""], &["serviceaccounts"], &["impersonate"]),
            on(&[""], &["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], WRITE),
            on(&[""], &["pods/eviction"], &["create"]),
            on(
                &[""],
                &[
                    "configmaps",
                    "events",
                    "persistentvolumeclaims",
                    "replicationcontrollers",
                    "replicationcontrollers/scale",
                    "secrets",
                    "serviceaccounts",
                    "services",
                    "services/proxy",
                ],
                WRITE,
            ),
            on(&[""], &["serviceaccounts/token"], &["create"]),
            on(
                &["apps"],
                &[
                    "daemonsets",
                    "deployments",
                    "deployments/rollback",
                    "deployments/scale",
                    "replicasets",
                    "replicasets/scale",
                    "statefulsets",
                    "statefulsets/scale",
                ],
                WRITE,
            ),
            on(&["autoscaling"], &["horizontalpodautoscalers"], WRITE),
            on(&["batch"], &["cronjobs", "jobs"], WRITE),
            on(&["policy"], &["poddisruptionbudgets"], WRITE),
            on(&["networking.k8s.io"], &["ingresses", "networkpolicies"], WRITE),
            on(&["coordination.k8s.io"], &["leases"], READ_WRITE),
        ],
    ),
    part(
        "system:aggregate-to-view",
        TO_VIEW,
        &[
            on(
                &[""],
                &[
                    "configmaps",
                    "endpoints",
                    "persistentvolumeclaims",
                    "persistentvolumeclaims/status",
                    "pods",
                    "replicationcontrollers",
                    "replicationcontrollers/scale",
                    "serviceaccounts",
                    "services",
                    "services/status",
                ],
                READ,
            ),
            on(
                &[""],
                &[
                    "bindings",
                    "events",
                    "limitranges",
                    "namespaces/status",
                    "pods/log",
                    "pods/status",
                    "replicationcontrollers/status",
                    "resourcequotas",
                    "resourcequotas/status",
                ],
                READ,
            ),
            // Whoever may see what is in a namespace may see the namespace.
            on(&[""], &["namespaces"], READ),
            on(&["discovery.k8s.io"], &["endpointslices"], READ),
            on(
                &["apps"],
                &[
                    "controllerrevisions",
                    "daemonsets",
                    "daemonsets/status",
                    "deployments",
                    "deployments/scale",
                    "deployments/status",
                    "replicasets",
                    "replicasets/scale",
                    "replicasets/status",
                    "statefulsets",
                    "statefulsets/scale",
                    "statefulsets/status",
                ],
                READ,
            ),
            on(&["autoscaling"], &["horizontalpodautoscalers", "horizontalpodautoscalers/status"], READ),
            on(&["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"], READ),
            on(&["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"], READ),
            on(&["networking.k8s.io"], &["ingresses", "ingresses/status", "networkpolicies"], READ),
        ],
    ),
    role("system:auth-delegator", &[TOKEN_REVIEWS, ACCESS_REVIEWS]),
    role(
        "system:basic-user",
        &[
            on(&["authorization.k8s.io"], &["selfsubjectaccessreviews", "selfsubjectrulesreviews"], &["create"]),
            on(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"]),
        ],
    ),
    role(
        "system:discovery",
        &[paths(
            &[
                "/api",
                "/api/*",
                "/apis",
                "/apis/*",
                "/healthz",
                "/livez",
                "/openapi",
                "/openapi/*",
                "/readyz",
                "/version",
                "/version/",
            ],
            &["get"],
        )],
    ),
    role(
        "system:kube-controller-manager",
        &[
            EVENTS,
            on(&["coordination.k8s.io"], &["leases"], &["create"]),
            on(&["coordination.k8s.io"], &["leases"], &["get", "update"]).named(&["kube-controller-manager"]),
            on(&[""], &["secrets", "serviceaccounts"], &["create"]),
            on(&[""], &["secrets"], &["delete"]),
            on(&[""], &["configmaps", "namespaces", "secrets", "serviceaccounts"], &["get"]),
            on(&[""], &["secrets", "serviceaccounts"], &["update"]),
            TOKEN_REVIEWS,
            ACCESS_REVIEWS,
            on(&["*"], &["*"], &["list", "watch"]),
            on(&[""], &["serviceaccounts/token"], &["create"]),
        ],
    ),
    role(
        "system:kube-scheduler",
        &[
            EVENTS,
            on(&["coordination.k8s.io"], &["leases"], &["create"]),
            on(&["coordination.k8s.io"], &["leases"], &["get", "list", "update", "watch"]).named(&["kube-scheduler"]),
            on(&[""], &["nodes"], READ),
            on(&[""], &["pods"], &["delete", "get", "list", "watch"]),
            on(&[""], &["bindings", "pods/binding"], &["create"]),
            on(&[""], &["pods/status"], &["patch", "update"]),
            on(&[""], &["replicationcontrollers", "services"], READ),
            on(&["apps", "extensions"], &["replicasets"], READ),
            on(&["apps"], &["statefulsets"], READ),
            on(&["policy"], &["poddisruptionbudgets"], READ),
            on(&[""], &["persistentvolumeclaims", "persistentvolumes"], READ),
            TOKEN_REVIEWS,
            ACCESS_REVIEWS,
            on(&["storage.k8s.io"], &["csinodes"], READ),
            on(&[""], &["namespaces"], READ),
            on(&["storage.k8s.io"], &["csidrivers"], READ),
            on(&["storage.k8s.io"], &["csistoragecapacities"], READ),
        ],
    ),
    role(
        "system:kubelet-api-admin",
        &[
            on(&[""], &["nodes"], READ),
            on(&[""], &["nodes"], &["proxy"]),
            on(&[""], &["nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"], &["*"]),
        ],
    ),
    role(
        "system:monitoring",
        &[paths(
            &["/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*"],
            &["get"],
        )],
    ),
    role(
        "system:node",
        &[
            TOKEN_REVIEWS,
            on(&["authorization.k8s.io"], &["localsubjectaccessreviews", "subjectaccessreviews"], &["create"]),
            on(&[""], &["services"], READ),
            on(&[""], &["nodes"], &["create", "get", "list", "watch"]),
            on(&[""], &["nodes/status"], &["patch", "update"]),
            on(&[""], &["nodes"], &["patch", "update"]),
            on(&[""], &["events"], &["create", "patch", "update"]),
            on(&[""], &["pods"], READ),
            on(&[""], &["pods"], &["create", "delete"]),
            on(&[""], &["pods/status"], &["patch", "update"]),
            on(&[""], &["pods/eviction"], &["create"]),
            on(&[""], &["configmaps", "secrets"], READ),
            on(&[""], &["persistentvolumeclaims", "persistentvolumes"], &["get"]),
            on(&[""], &["endpoints"], &["get"]),
            on(&["certificates.k8s.io"], &["certificatesigningrequests"], &["create", "get", "list", "watch"]),
            on(&["coordination.k8s.io"], &["leases"], &["create", "delete", "get", "patch", "update"]),
            on(&["storage.k8s.io"], &["volumeattachments"], &["get"]),
            on(&[""], &["serviceaccounts/token"], &["create"]),
            on(&[""], &["persistentvolumeclaims/status"], &["get", "patch", "update"]),
            on(&["storage.k8s.io"], &["csidrivers"], READ),
            on(&["storage.k8s.io"], &["csinodes"], &["create", "delete", "get", "patch", "update"]),
            on(&["node.k8s.io"], &["runtimeclasses"], READ),
        ],
    ),
    role(
        "system:node-problem-detector",
        &[on(&[""], &["nodes"], &["get"]), on(&[""], &["nodes/status"], &["patch"]), EVENTS],
    ),
    role(
        "system:node-proxier",
        &[
            on(&[""], &["endpoints", "services"], &["list", "watch"]),
            on(&[""], &["nodes"], READ),
            EVENTS,
            on(&["discovery.k8s.io"], &["endpointslices"], &["list", "watch"]),
        ],
    ),
    role(
        "system:persistent-volume-provisioner",
        &[
            on(&[""], &["persistentvolumes"], &["create", "delete", "get", "list", "watch"]),
            on(&[""], &["persistentvolumeclaims"], &["get", "list", "update", "watch"]),
            on(&["storage.k8s.io"], &["storageclasses"], READ),
            on(&[""], &["events"], &["watch"]),
            EVENTS,
        ],
    ),
    role("system:public-info-viewer", &[paths(&["/healthz", "/livez", "/readyz", "/version", "/version/"], &["get"])]),
    role(
        "system:service-account-issuer-discovery",
        &[paths(&["/.well-known/openid-configuration", "/openid/v1/jwks"], &["get"])],
    ),
    role(
        "system:volume-scheduler",
        &[
            on(&[""], &["persistentvolumes"], &["get", "list", "patch", "update", "watch"]),
            on(&["storage.k8s.io"], &["storageclasses"], READ),
            on(&[""], &["persistentvolumeclaims"], &["get", "list", "patch", "update", "watch"]),
        ],
    ),
];

/// Binding (and, but for one, ClusterRole) and who has it. `system:node` is bound to nobody: nodes are authorized
/// object by object in Kubernetes.
const CLUSTER_ROLE_BINDINGS: &[(&str, &str, &[Who])] = &[
    ("cluster-admin", "cluster-admin", &[Who::Group(super::MASTERS)]),
    ("system:basic-user", "system:basic-user", &[AUTHENTICATED]),
    ("system:discovery", "system:discovery", &[AUTHENTICATED]),
    (
        "system:kube-controller-manager",
        "system:kube-controller-manager",
        &[Who::User("system:kube-controller-manager")],
    ),
    ("system:kube-scheduler", "system:kube-scheduler", &[Who::User("system:kube-scheduler")]),
    ("system:monitoring", "system:monitoring", &[Who::Group("system:monitoring")]),
    ("system:node", "system:node", &[]),
    ("system:node-proxier", "system:node-proxier", &[Who::User("system:kube-proxy")]),
    ("system:public-info-viewer", "system:public-info-viewer", &[AUTHENTICATED, Who::Group("system:unauthenticated")]),
    (
        "system:service-account-issuer-discovery",
        "system:service-account-issuer-discovery",
        &[Who::Group("system:serviceaccounts")],
    ),
    ("system:volume-scheduler", "system:volume-scheduler", &[Who::User("system:kube-scheduler")]),
];

/// Roles of one namespace: what extension API servers (metrics-server, admission webhooks) are bound to.
const ROLES: &[(&str, &str, &[Rule])] = &[(
    "kube-system",
    "extension-apiserver-authentication-reader",
    &[on(&[""], &["configmaps"], READ).named(&["extension-apiserver-authentication"])],
)];

/// All of them.
pub fn objects() -> Vec<Value> {
    [cluster_roles(), cluster_role_bindings(), roles()].concat()
}

fn cluster_roles() -> Vec<Value> {
    let mut roles: Vec<Value> = CLUSTER_ROLES.iter().map(cluster_role).collect();
    // Those that gather have their rules from the first moment on: view's are among edit's, and edit's among admin's.
    for name in ["view", "edit", "admin"] {
        if let Some(index) = CLUSTER_ROLES.iter().position(|role| role.name == name) {
            let rules = gather(&roles[index], &roles);
            roles[index]["rules"] = rules.into();
        }
    }
    roles
}

fn cluster_role(role: &ClusterRole) -> Value {
    let mut object = head("ClusterRole", role.name);
    if !role.gathered_by.is_empty() {
        object["metadata"]["labels"][role.gathered_by] = "true".into();
    }
    if !role.gathers.is_empty() {
        object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {role.gathers: "true"}}]});
    }
    object["rules"] = rules(role.rules);
    object
}

fn roles() -> Vec<Value> {
    let role = |(namespace, name, own): &(&str, &str, &[Rule])| {
        let mut object = head("Role", name);
        object["metadata"]["namespace"] = (*namespace).into();
        object["rules"] = rules(own);
        object
    };
    ROLES.iter().map(role).collect()
}

fn cluster_role_bindings() -> Vec<Value> {
    let binding = |(name, role, who): &(&str, &str, &[Who])| {
        let mut object = head("ClusterRoleBinding", name);
        object["roleRef"] = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": role});
        let subjects: Vec<Value> = who.iter().map(subject).collect();
        if !subjects.is_empty() {
            object["subjects"] = subjects.into();
        }
        object
    };
    CLUSTER_ROLE_BINDINGS.iter().map(binding).collect()
}

fn head(kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": kind,
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {AUTO_UPDATE: "true"},
        },
    })
}

fn rules(rules: &[Rule]) -> Value {
    rules.iter().map(rule).collect()
}

fn rule(rule: &Rule) -> Value {
    let mut object = Map::new();
    object.insert("verbs".into(), json!(rule.verbs));
    for (field, texts) in [
        ("apiGroups", rule.groups),
        ("resources", rule.resources),
        ("resourceNames", rule.names),
        ("nonResourceURLs", rule.urls),
    ] {
        if !texts.is_empty() {
            object.insert(field.into(), json!(texts));
        }
    }
    object.into()
}

fn subject(who: &Who) -> Value {
    let (kind, name) = match who {
        Who::User(name) => ("User", name),
        Who::Group(name) => ("Group", name),
    };
    json!({"apiGroup": GROUP, "kind": kind, "name": name})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Attributes;
    use crate::rbac::{Policy, aggregate};
    use meta::object;
    use meta::user::User;

    #[test]
    fn every_role_that_is_bound_is_there() {
        let roles = cluster_roles();
        for (binding, role, _) in CLUSTER_ROLE_BINDINGS {
            assert!(roles.iter().any(|other| object::name(other) == *role), "{binding} names {role}");
        }
    }

    #[test]
    fn gathered_roles_leave_nothing_to_the_controller() {
        let roles = cluster_roles();
        for role in &roles {
            assert_eq!(aggregate::missing_rules(role, &roles), None, "{}", object::name(role));
        }
    }

    #[test]
    fn people_may_what_their_role_says_and_strangers_see_versions_only() {
        let mut policy = Policy::default();
        cluster_roles().iter().for_each(|role| policy.put("clusterroles", role));
        cluster_role_bindings().iter().for_each(|binding| policy.put("clusterrolebindings", binding));
        for role in ["view", "edit", "admin"] {
            policy.put(
                "rolebindings",
                &json!({"metadata": {"name": role, "namespace": "n"},
                "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": "User", "name": role}]}),
            );
        }
        let may = |user: &User, verb, group, resource| {
            let attributes = Attributes { verb, group, resource, namespace: "n", ..Attributes::default() };
            policy.authorize(user, &attributes).is_allowed()
        };
        let of = |name| User::new(name, &["system:authenticated"]);
        for (verb, group, resource, view, edit, admin) in [
            ("list", "batch", "jobs", true, true, true),
            ("create", "batch", "jobs", false, true, true),
            ("get", "", "secrets", false, true, true),
            ("get", "", "namespaces", true, true, true),
            ("create", GROUP, "rolebindings", false, false, true),
            ("escalate", GROUP, "roles", false, false, false),
            ("create", "", "resourcequotas", false, false, false),
            ("get", "", "nodes", false, false, false),
            ("create", "authorization.k8s.io", "selfsubjectaccessreviews", true, true, true),
        ] {
            let found = ["view", "edit", "admin"].map(|name| may(&of(name), verb, group, resource));
            assert_eq!(found, [view, edit, admin], "{verb} {resource}");
        }
        let stranger = User::anonymous();
        for (path, expect) in
            [("/version", true), ("/healthz", true), ("/api", false), ("/", false), ("/metrics", false)]
        {
            let attributes = Attributes { verb: "get", path: Some(path), ..Attributes::default() };
            assert_eq!(policy.authorize(&stranger, &attributes).is_allowed(), expect, "{path}");
            if path == "/api" {
                assert!(policy.authorize(&of("x"), &attributes).is_allowed());
            }
        }
    }
}
