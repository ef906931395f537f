//! Rules for quotas (K:pkg/apis/core/validation ValidateResourceQuotaSpec).

use super::NAMES;
use super::names::{is_counted, is_scope, is_standard, scope_takes};
use crate::at::{At, IMMUTABLE};
use crate::metadata;
use meta::field::FieldError;
use meta::names;
use meta::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeSet;

const APART: [[&str; 2]; 2] = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];
const ONLY_EXISTS: &str = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

pub(super) fn validate(quota: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(quota, NAMES.scope, names::dns_subdomain_errors);
    let root = At::root(quota);
    let spec = root.field("spec");
    check_amounts(&spec.field("hard"), &mut errors);
    check_scopes(&spec, &mut errors);
    check_selector(&spec, &mut errors);
    for field in ["hard", "used"] {
        check_amounts(&root.fields(&["status", field]), &mut errors);
    }
    errors
}

/// Which pods a quota counts does not change.
pub(super) fn validate_update(quota: &Value, old: &Value) -> Vec<FieldError> {
    let set = |quota: &Value| -> BTreeSet<String> {
        let scopes = quota["spec"]["scopes"].as_array().into_iter().flatten();
        scopes.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let scopes = At::root(quota).fields(&["spec", "scopes"]);
    match set(quota) == set(old) {
        true => Vec::new(),
        // A nil list is shown as JSON, unlike a nil pointer.
        false => vec![FieldError::invalid(&scopes.path, scopes.value.clone(), IMMUTABLE)],
    }
}

fn check_amounts(amounts: &At<'_>, errors: &mut Vec<FieldError>) {
    for (resource, amount) in amounts.entries() {
        let wrong = names::qualified_name_errors(resource);
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&amount.path, resource, detail)));
        if wrong.is_empty() && !resource.contains('/') && !is_standard(resource) {
            // Kubernetes says both, unless it is a resource of something else.
            if !matches!(resource, "storage") {
                let detail = "must be a standard resource type or fully qualified";
                errors.push(FieldError::invalid(&amount.path, resource, detail));
            }
            errors.push(FieldError::invalid(&amount.path, resource, "must be a standard resource for quota"));
        }
        let Ok(quantity) = amount.text().parse::<Quantity>() else { continue };
        if quantity.is_negative() {
            errors.push(amount.invalid("must be greater than or equal to 0"));
        }
        if is_counted(resource) && !quantity.is_whole() {
            errors.push(amount.invalid("must be an integer"));
        }
    }
}

fn check_scopes(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let scopes = spec.field("scopes");
    for scope in scopes.items() {
        if !is_scope(scope.text()) {
            errors.push(scopes.invalid("unsupported scope"));
        }
        for _ in refused_by(scope.text(), spec) {
            errors.push(scopes.invalid("unsupported scope applied to resource"));
        }
    }
    let has = |name: &str| scopes.items().any(|scope| scope.text() == name);
    for pair in APART {
        if pair.into_iter().all(has) {
            errors.push(scopes.invalid("conflicting scopes"));
        }
    }
}

/// What of `hard` a scope cannot count.
fn refused_by<'a>(scope: &'a str, spec: &At<'a>) -> impl Iterator<Item = &'a str> {
    let hard = spec.field("hard").value.as_object().into_iter().flatten().map(|(resource, _)| resource.as_str());
    hard.filter(move |resource| is_standard(resource) && !scope_takes(scope, resource))
}

fn check_selector(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let selector = spec.field("scopeSelector");
    let expressions = At { path: selector.field("matchExpressions").path, value: selector.value };
    for requirement in selector.field("matchExpressions").items() {
        // Kubernetes leaves the index out of these paths.
        let field = |name: &str| At { value: &requirement.value[name], ..expressions.field(name) };
        let (scope, operator, values) = (field("scopeName"), field("operator"), field("values"));
        if !is_scope(scope.text()) {
            errors.push(scope.invalid("unsupported scope"));
        }
        for _ in refused_by(scope.text(), spec) {
            errors.push(expressions.invalid("unsupported scope applied to resource"));
        }
        let only_exists = matches!(
            scope.text(),
            "BestEffort" | "NotBestEffort" | "Terminating" | "NotTerminating" | "CrossNamespacePodAffinity"
        );
        if only_exists && operator.text() != "Exists" {
            errors.push(operator.invalid(ONLY_EXISTS));
        }
        match operator.text() {
            "In" | "NotIn" if values.len() == 0 => errors.push(
                values.required("must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
            ),
            "Exists" | "DoesNotExist" if 0 < values.len() => errors.push(
                values.invalid("must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"),
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => errors.push(operator.invalid("not a valid selector operator")),
        }
    }
    let has = |name: &str| selector.field("matchExpressions").items().any(|one| one.field("scopeName").text() == name);
    for pair in APART {
        if pair.into_iter().all(has) {
            errors.push(expressions.invalid("conflicting scopes"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::resource_quota::ResourceQuota;
    use crate::testing::{check_errors, check_update_errors};
    use serde_json::{Value, json};

    fn quota(spec: Value) -> Value {
        json!({"metadata": {"name": "q", "namespace": "n"}, "spec": spec})
    }

    #[test]
    fn quotas_limit_known_resources_in_whole_numbers_of_objects() {
        check_errors(
            &ResourceQuota,
            &quota(json!({"hard": {"pods": "4", "requests.cpu": "1500m", "count/jobs.batch": "3",
                "gold.storageclass.storage.k8s.io/requests.storage": "5Gi"}, "scopes": []})),
            &[],
        );
        check_errors(
            &ResourceQuota,
            &quota(json!({"hard": {"pods": "1500m", "odd": "1", "storage": "1", "memory": "-1"}})),
            &[
                "spec.hard[pods]: Invalid value: \"1500m\": must be an integer",
                "spec.hard[odd]: Invalid value: \"odd\": must be a standard resource type or fully qualified",
                "spec.hard[odd]: Invalid value: \"odd\": must be a standard resource for quota",
                "spec.hard[storage]: Invalid value: \"storage\": must be a standard resource for quota",
                "spec.hard[memory]: Invalid value: \"-1\": must be greater than or equal to 0",
            ],
        );
    }

    #[test]
    fn scopes_fit_each_other_and_what_is_limited() {
        check_errors(
            &ResourceQuota,
            &quota(json!({"hard": {"pods": "1", "cpu": "1"}, "scopes": ["NotBestEffort", "Terminating"]})),
            &[],
        );
        check_errors(
            &ResourceQuota,
            &quota(json!({"hard": {"cpu": "1"}, "scopes": ["BestEffort", "NotBestEffort", "Odd"]})),
            &[
                "spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\",\"Odd\"]: unsupported scope applied to resource",
                "spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\",\"Odd\"]: unsupported scope",
                "spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\",\"Odd\"]: conflicting scopes",
            ],
        );
        let class = |operator: &str, values: Value| {
            quota(json!({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions":
                [{"scopeName": "PriorityClass", "operator": operator, "values": values}]}}))
        };
        check_errors(&ResourceQuota, &class("In", json!(["high"])), &[]);
        check_errors(
            &ResourceQuota,
            &class("In", json!([])),
            &[
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            ],
        );
    }

    #[test]
    fn scopes_do_not_change() {
        let old = quota(json!({"hard": {"pods": "1"}, "scopes": ["Terminating"]}));
        check_update_errors(
            &ResourceQuota,
            &quota(json!({"hard": {"pods": "2"}, "scopes": ["Terminating"]})),
            &old,
            &[],
        );
        check_update_errors(
            &ResourceQuota,
            &quota(json!({"hard": {"pods": "1"}})),
            &old,
            &["spec.scopes: Invalid value: null: field is immutable"],
        );
    }
}
