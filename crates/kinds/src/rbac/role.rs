//! Role and ClusterRole: rules under a name (K:pkg/apis/rbac/validation).

use super::{name_errors, reconcile};
use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::object;
use serde_json::Value;

/// Roles of rbac.authorization.k8s.io: rules for one namespace.
#[derive(Debug)]
pub struct Role;

/// ClusterRoles of rbac.authorization.k8s.io: rules for the cluster, or for whichever namespace a binding names them in.
#[derive(Debug)]
pub struct ClusterRole;

const ROLE: Names = Names {
    group: super::GROUP,
    version: "v1",
    kind: "Role",
    plural: "roles",
    singular: "role",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &[],
};

const CLUSTER_ROLE: Names =
    Names { kind: "ClusterRole", plural: "clusterroles", singular: "clusterrole", scope: Scope::Cluster, ..ROLE };

/// `rules` is always written, as Kubernetes does.
fn default(role: &mut Value) {
    if role["rules"].is_null() && role.is_object() {
        object::as_map(role).entry("rules").or_insert(Value::Null);
    }
}

fn validate(role: &Value, names: &Names) -> Vec<FieldError> {
    let mut errors = metadata::validate(role, names.scope, name_errors);
    for rule in At::root(role).field("rules").items() {
        check_rule(&rule, names.scope, &mut errors);
    }
    errors
}

fn check_rule(rule: &At<'_>, scope: Scope, errors: &mut Vec<FieldError>) {
    let of = |field: &str| rule.field(field);
    if of("verbs").len() == 0 {
        errors.push(of("verbs").required("verbs must contain at least one value"));
    }
    let urls = of("nonResourceURLs");
    if urls.len() != 0 {
        if scope == Scope::Namespaced {
            errors.push(urls.invalid("namespaced rules cannot apply to non-resource URLs"));
        }
        if ["apiGroups", "resources", "resourceNames"].iter().any(|field| of(field).len() != 0) {
            errors.push(urls.invalid("rules cannot apply to both regular resources and non-resource URLs"));
        }
        return;
    }
    if of("apiGroups").len() == 0 {
        errors.push(of("apiGroups").required("resource rules must supply at least one api group"));
    }
    if of("resources").len() == 0 {
        errors.push(of("resources").required("resource rules must supply at least one resource"));
    }
}

impl Kind for Role {
    fn names(&self) -> &'static Names {
        &ROLE
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.rbac.v1.Role"
    }
    fn default(&self, object: &mut Value) {
        default(object);
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validate(object, &ROLE)
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        Vec::new()
    }
    fn columns(&self) -> &'static [Column] {
        table::DEFAULT
    }
    fn row(&self, object: &Value, _: Timestamp) -> Row {
        table::default_row(object)
    }
    fn reconcile(&self, existing: &Value, expected: &Value) -> Option<Value> {
        reconcile::role(existing, expected)
    }
}

impl Kind for ClusterRole {
    fn names(&self) -> &'static Names {
        &CLUSTER_ROLE
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.rbac.v1.ClusterRole"
    }
    fn default(&self, object: &mut Value) {
        default(object);
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = validate(object, &CLUSTER_ROLE);
        check_aggregation(&At::root(object).field("aggregationRule"), &mut errors);
        errors
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        Vec::new()
    }
    fn columns(&self) -> &'static [Column] {
        table::DEFAULT
    }
    fn row(&self, object: &Value, _: Timestamp) -> Row {
        table::default_row(object)
    }
    fn reconcile(&self, existing: &Value, expected: &Value) -> Option<Value> {
        reconcile::role(existing, expected)
    }
}

fn check_aggregation(aggregation: &At<'_>, errors: &mut Vec<FieldError>) {
    if !aggregation.is_set() {
        return;
    }
    let selectors = aggregation.field("clusterRoleSelectors");
    if selectors.len() == 0 {
        errors.push(selectors.required("at least one clusterRoleSelector required if aggregationRule is non-nil"));
    }
    for selector in selectors.items() {
        crate::pod::validation::check_label_selector(&selector, errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, created};
    use serde_json::json;

    fn role(rules: Value) -> Value {
        json!({"metadata": {"name": "system:r", "namespace": "n"}, "rules": rules})
    }

    #[test]
    fn names_only_have_to_fit_into_a_path() {
        let named = |name: &str| json!({"metadata": {"name": name}});
        check_errors(&ClusterRole, &named("system:Node_x"), &[]);
        check_errors(&ClusterRole, &named("a/b"), &[r#"metadata.name: Invalid value: "a/b": may not contain '/'"#]);
        check_errors(&ClusterRole, &named(".."), &[r#"metadata.name: Invalid value: "..": may not be '..'"#]);
    }

    #[test]
    fn rules_are_about_resources_or_paths() {
        check_errors(&Role, &role(json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])), &[]);
        check_errors(
            &Role,
            &role(json!([{}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}])),
            &[
                "rules[0].verbs: Required value: verbs must contain at least one value",
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
                r#"rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs"#,
            ],
        );
        let both = json!({"metadata": {"name": "c"},
            "rules": [{"verbs": ["get"], "resources": ["pods"], "nonResourceURLs": ["/x"]}]});
        check_errors(
            &ClusterRole,
            &both,
            &[
                r#"rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs"#,
            ],
        );
    }

    #[test]
    fn an_aggregation_selects_something() {
        let of = |rule: Value| json!({"metadata": {"name": "c"}, "aggregationRule": rule});
        check_errors(
            &ClusterRole,
            &of(json!({})),
            &[
                "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil",
            ],
        );
        check_errors(
            &ClusterRole,
            &of(json!({"clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]})),
            &[
                "aggregationRule.clusterRoleSelectors[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ],
        );
    }

    #[test]
    fn rules_are_always_written_and_tables_say_when() {
        let made = created(&Role, &json!({"metadata": {"name": "r", "creationTimestamp": "2026-01-01T00:00:00Z"}}));
        assert!(made.as_object().unwrap().contains_key("rules"));
        assert_eq!(cells(&Role, &made), [json!("r"), json!("2026-01-01T00:00:00Z")]);
    }
}
