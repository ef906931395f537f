//! RoleBinding and ClusterRoleBinding: who has which role (K:pkg/apis/rbac/validation, K:pkg/apis/rbac/v1/defaults.go).

use super::{GROUP, name_errors, reconcile};
use crate::at::{At, is_same, items_mut, set_default};
use crate::kind::{Cell, Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::names;
use serde_json::{Value, json};

/// RoleBindings of rbac.authorization.k8s.io.
#[derive(Debug)]
pub struct RoleBinding;

/// ClusterRoleBindings of rbac.authorization.k8s.io.
#[derive(Debug)]
pub struct ClusterRoleBinding;

const ROLE_BINDING: Names = Names {
    group: GROUP,
    version: "v1",
    kind: "RoleBinding",
    plural: "rolebindings",
    singular: "rolebinding",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &[],
};

const CLUSTER_ROLE_BINDING: Names = Names {
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    singular: "clusterrolebinding",
    scope: Scope::Cluster,
    ..ROLE_BINDING
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Role", "The role that the subjects have."),
    table::AGE,
    table::wide("Users", "Users who have the role."),
    table::wide("Groups", "Groups whose members have the role."),
    table::wide("ServiceAccounts", "Service accounts that have the role."),
];

fn default(binding: &mut Value) {
    if binding["roleRef"].is_object() {
        set_default(&mut binding["roleRef"], "apiGroup", GROUP);
    }
    for subject in items_mut(binding, "subjects") {
        if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
            set_default(subject, "apiGroup", GROUP);
        }
    }
}

fn validate(binding: &Value, names: &Names, role_kinds: &[&str]) -> Vec<FieldError> {
    let mut errors = metadata::validate(binding, names.scope, name_errors);
    let root = At::root(binding);
    let role = root.field("roleRef");
    let text = |field: &str| Value::from(role.field(field).text());
    if role.field("apiGroup").text() != GROUP {
        errors.push(FieldError::not_supported(role.field("apiGroup").path, text("apiGroup"), &[GROUP]));
    }
    if !role_kinds.contains(&role.field("kind").text()) {
        errors.push(FieldError::not_supported(role.field("kind").path, text("kind"), role_kinds));
    }
    role.field("name").check_required_rule(name_errors, &mut errors);
    for subject in root.field("subjects").items() {
        check_subject(&subject, names.scope, &mut errors);
    }
    errors
}

fn check_subject(subject: &At<'_>, scope: Scope, errors: &mut Vec<FieldError>) {
    let (name, group) = (subject.field("name"), subject.field("apiGroup"));
    if name.text().is_empty() {
        errors.push(name.required(""));
    }
    let (of_kind, expected_group) = match subject.field("kind").text() {
        "ServiceAccount" => ("", ""),
        "User" => ("user name cannot be empty", GROUP),
        "Group" => ("group name cannot be empty", GROUP),
        other => {
            let kinds = ["ServiceAccount", "User", "Group"];
            errors.push(FieldError::not_supported(subject.field("kind").path, other, &kinds));
            return;
        }
    };
    match name.text() {
        "" if !of_kind.is_empty() => errors.push(FieldError::invalid(name.path.as_str(), "", of_kind)),
        "" => {}
        _ if of_kind.is_empty() => name.check_rule(names::dns_subdomain_errors, errors),
        _ => {}
    }
    if group.text() != expected_group {
        errors.push(FieldError::not_supported(group.path.as_str(), group.text(), &[expected_group]));
    }
    let namespace = subject.field("namespace");
    if of_kind.is_empty() && scope == Scope::Cluster && namespace.text().is_empty() {
        errors.push(namespace.required(""));
    }
}

fn validate_update(binding: &Value, old: &Value) -> Vec<FieldError> {
    let (role, old) = (&binding["roleRef"], &old["roleRef"]);
    if is_same(role, old) {
        return Vec::new();
    }
    // Kubernetes prints its internal type here.
    let shown = json!({
        "APIGroup": role["apiGroup"].as_str().unwrap_or(""),
        "Kind": role["kind"].as_str().unwrap_or(""),
        "Name": role["name"].as_str().unwrap_or(""),
    });
    vec![FieldError::invalid("roleRef", shown, "cannot change roleRef")]
}

fn row(binding: &Value, now: Timestamp) -> Row {
    let root = At::root(binding);
    let role = root.field("roleRef");
    let joined = |kind: &str, show: fn(&At<'_>) -> String| -> Cell {
        let subjects = root.field("subjects");
        let subjects = subjects.items().filter(|subject| subject.field("kind").text() == kind);
        subjects.map(|subject| show(&subject)).collect::<Vec<_>>().join(", ").into()
    };
    let name = |subject: &At<'_>| subject.field("name").text().to_owned();
    let account = |subject: &At<'_>| format!("{}/{}", subject.field("namespace").text(), subject.field("name").text());
    Row {
        cells: vec![
            table::name(binding),
            format!("{}/{}", role.field("kind").text(), role.field("name").text()).into(),
            table::age(binding, now),
            joined("User", name),
            joined("Group", name),
            joined("ServiceAccount", account),
        ],
        ..Row::default()
    }
}

impl Kind for RoleBinding {
    fn names(&self) -> &'static Names {
        &ROLE_BINDING
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.rbac.v1.RoleBinding"
    }
    fn default(&self, object: &mut Value) {
        default(object);
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validate(object, &ROLE_BINDING, &["Role", "ClusterRole"])
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        validate_update(object, old)
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        row(object, now)
    }
}

impl Kind for ClusterRoleBinding {
    fn names(&self) -> &'static Names {
        &CLUSTER_ROLE_BINDING
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.rbac.v1.ClusterRoleBinding"
    }
    fn default(&self, object: &mut Value) {
        default(object);
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validate(object, &CLUSTER_ROLE_BINDING, &["ClusterRole"])
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        validate_update(object, old)
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        row(object, now)
    }
    fn reconcile(&self, existing: &Value, expected: &Value) -> Option<Value> {
        reconcile::binding(existing, expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, check_update_errors, defaulted};

    fn binding(subjects: Value) -> Value {
        json!({"metadata": {"name": "b", "namespace": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "roleRef": {"kind": "Role", "name": "r"}, "subjects": subjects})
    }

    #[test]
    fn groups_of_roles_and_people_are_filled_in() {
        let subjects = json!([{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}]);
        let made = defaulted(&RoleBinding, &binding(subjects));
        assert_eq!(made["roleRef"]["apiGroup"], GROUP);
        assert_eq!(made["subjects"][0]["apiGroup"], GROUP);
        assert_eq!(made["subjects"][1].get("apiGroup"), None);
    }

    #[test]
    fn every_mistake_of_a_subject_is_found() {
        check_errors(
            &RoleBinding,
            &binding(json!([{"kind": "User", "name": ""}, {"kind": "Robot", "name": "x"},
                {"kind": "ServiceAccount", "name": "A_b", "apiGroup": "x"}, {"kind": "Group", "name": "g", "apiGroup": "x"}])),
            &[
                "subjects[0].name: Required value",
                r#"subjects[0].name: Invalid value: "": user name cannot be empty"#,
                r#"subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group""#,
                r#"subjects[2].name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
                r#"subjects[2].apiGroup: Unsupported value: "x": supported values: """#,
                r#"subjects[3].apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io""#,
            ],
        );
    }

    #[test]
    fn the_clusters_bindings_name_cluster_roles_and_say_where_accounts_live() {
        let object = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "s"}]});
        check_errors(
            &ClusterRoleBinding,
            &object,
            &[
                r#"roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole""#,
                "subjects[0].namespace: Required value",
            ],
        );
        check_errors(
            &RoleBinding,
            &json!({"metadata": {"name": "b", "namespace": "n"}}),
            &[
                r#"roleRef.apiGroup: Unsupported value: "": supported values: "rbac.authorization.k8s.io""#,
                r#"roleRef.kind: Unsupported value: "": supported values: "Role", "ClusterRole""#,
                "roleRef.name: Required value",
            ],
        );
    }

    #[test]
    fn the_role_stays_what_it_was() {
        let mut other = binding(json!([]));
        other["roleRef"]["name"] = "admin".into();
        check_update_errors(
            &RoleBinding,
            &other,
            &binding(json!([])),
            &[
                r#"roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"admin"}: cannot change roleRef"#,
            ],
        );
    }

    #[test]
    fn tables_say_who_has_what() {
        let object = binding(json!([{"kind": "User", "name": "u"}, {"kind": "User", "name": "v"},
            {"kind": "Group", "name": "g"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]));
        assert_eq!(
            cells(&RoleBinding, &object),
            [json!("b"), json!("Role/r"), json!("60m"), json!("u, v"), json!("g"), json!("n/s"),]
        );
    }
}
