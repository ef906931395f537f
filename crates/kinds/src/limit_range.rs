//! LimitRange: what one container, pod or claim of a namespace may ask for, and what it gets when it says nothing
//! (K:pkg/apis/core/validation ValidateLimitRange). `admission::limit_ranger` applies it.

use crate::at::{At, items_mut};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::quantity::Quantity;
use meta::{names, object};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// LimitRanges of the core group.
#[derive(Debug)]
pub struct LimitRange;

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "LimitRange",
    plural: "limitranges",
    singular: "limitrange",
    short: &["limits"],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &[],
};

const COLUMNS: &[Column] = &[table::NAME, table::AGE];

impl Kind for LimitRange {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.LimitRange"
    }
    fn default(&self, object: &mut Value) {
        if let Some(spec) = object.get_mut("spec") {
            items_mut(spec, "limits").filter(|limit| limit["type"] == "Container").for_each(complete);
        }
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_subdomain_errors);
        let mut types = BTreeSet::new();
        for limit in At::root(object).fields(&["spec", "limits"]).items() {
            let limit_type = limit.field("type");
            check_type(&limit_type, &mut errors);
            if !types.insert(limit_type.text()) {
                errors.push(FieldError::duplicate(&limit_type.path, limit_type.text()));
            }
            check_limit(&limit, &mut errors);
        }
        errors
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        Vec::new()
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        Row { cells: vec![table::name(object), table::age(object, now)], ..Row::default() }
    }
}

/// For containers: the default is the maximum, the default request is the default, else the minimum
/// (K:pkg/apis/core/v1/defaults.go SetDefaults_LimitRangeItem).
fn complete(limit: &mut Value) {
    let copy = |limit: &mut Value, from: &str, to: &str| {
        let source = limit[from].as_object().cloned().unwrap_or_default();
        if source.is_empty() {
            return;
        }
        let target = object::map(limit, to);
        for (resource, quantity) in source {
            target.entry(resource).or_insert(quantity);
        }
    };
    copy(limit, "max", "default");
    copy(limit, "default", "defaultRequest");
    copy(limit, "min", "defaultRequest");
}

fn check_type(limit_type: &At<'_>, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    limit_type.check_rule(names::qualified_name_errors, errors);
    let is_standard = matches!(limit_type.text(), "Pod" | "Container" | "PersistentVolumeClaim");
    if errors.len() == before && !is_standard && !limit_type.text().contains('/') {
        errors.push(limit_type.invalid("must be a standard limit type or fully qualified"));
    }
}

fn check_limit(limit: &At<'_>, errors: &mut Vec<FieldError>) {
    let limit_type = limit.field("type").text();
    for field in ["max", "min"] {
        limit.field(field).entries().for_each(|(name, at)| check_resource(limit_type, name, &at, errors));
    }
    for field in ["default", "defaultRequest"] {
        let given = limit.field(field);
        match limit_type {
            "Pod" if 0 < given.len() => errors.push(given.forbidden("may not be specified when `type` is 'Pod'")),
            "Pod" => {}
            _ => given.entries().for_each(|(name, at)| check_resource(limit_type, name, &at, errors)),
        }
    }
    let has_storage = |field: &str| limit.field(field).field("storage").is_set();
    if limit_type == "PersistentVolumeClaim" && !has_storage("min") && !has_storage("max") {
        let detail = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(limit.field("limits").required(detail));
    }
    limit.field("maxLimitRequestRatio").entries().for_each(|(name, at)| check_resource(limit_type, name, &at, errors));
    let fields = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];
    let resources: BTreeSet<&str> = fields
        .iter()
        .flat_map(|field| limit.value[field].as_object().into_iter().flatten())
        .map(|(k, _)| k.as_str())
        .collect();
    resources.into_iter().for_each(|resource| check_order(limit, resource, errors));
}

/// Containers and pods have containers' resources; the rest has any (K: ValidateLimitRangeResourceName).
fn check_resource(limit_type: &str, resource: &str, at: &At<'_>, errors: &mut Vec<FieldError>) {
    let wrong = names::qualified_name_errors(resource);
    errors.extend(wrong.iter().map(|detail| FieldError::invalid(&at.path, resource, detail)));
    if !wrong.is_empty() || resource.contains('/') {
        return;
    }
    let is_of_containers =
        matches!(resource, "cpu" | "memory" | "ephemeral-storage") || resource.starts_with("hugepages-");
    match limit_type {
        "Pod" | "Container" if !is_of_containers => {
            errors.push(FieldError::invalid(&at.path, resource, "must be a standard resource for containers"));
        }
        "Pod" | "Container" => {}
        _ if is_of_containers || resource == "storage" || crate::resource_quota::is_standard(resource) => {}
        _ => {
            errors.push(FieldError::invalid(&at.path, resource, "must be a standard resource type or fully qualified"))
        }
    }
}

/// min ≤ default request ≤ default ≤ max, and ratios that can be kept.
fn check_order(limit: &At<'_>, resource: &str, errors: &mut Vec<FieldError>) {
    let of = |field: &str| quantity(&limit.value[field], resource);
    let (min, max, default, request) = (of("min"), of("max"), of("default"), of("defaultRequest"));
    let at = |field: &str| format!("{}[{resource}]", limit.field(field).path);
    let mut compare =
        |small: Option<Quantity>, large: Option<Quantity>, field: &str, shown: Option<Quantity>, words: [&str; 2]| {
            if let (Some(small), Some(large), Some(shown)) = (small, large, shown)
                && large < small
            {
                let detail = format!("{} value {small} is greater than {} value {large}", words[0], words[1]);
                errors.push(FieldError::invalid(at(field), shown.canonical(), &detail));
            }
        };
    compare(min, max, "min", min, ["min", "max"]);
    compare(min, request, "defaultRequest", request, ["min", "default request"]);
    compare(request, max, "defaultRequest", request, ["default request", "max"]);
    compare(request, default, "defaultRequest", request, ["default request", "default limit"]);
    compare(min, default, "default", min, ["min", "default"]);
    compare(default, max, "default", max, ["default", "max"]);
    let Some(ratio) = of("maxLimitRequestRatio") else { return };
    if ratio.milli_value() < 1000 {
        errors.push(FieldError::invalid(
            at("maxLimitRequestRatio"),
            ratio.canonical(),
            &format!("ratio {ratio} is less than 1"),
        ));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let most = max.milli_value() as f64 / min.milli_value() as f64;
        if most < ratio.milli_value() as f64 / 1000.0 {
            let detail = format!("ratio {ratio} is greater than max/min = {most:.6}");
            errors.push(FieldError::invalid(at("maxLimitRequestRatio"), ratio.canonical(), &detail));
        }
    }
}

/// The quantity of a resource in a list of them.
pub(crate) fn quantity(list: &Value, resource: &str) -> Option<Quantity> {
    list.get(resource).and_then(Value::as_str)?.parse().ok()
}

/// A list of resources as quantities; what is none is left out.
pub(crate) fn quantities(list: &Value) -> Vec<(&str, Quantity)> {
    let entries = list.as_object().map(Map::iter).into_iter().flatten();
    let mut all: Vec<(&str, Quantity)> =
        entries.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.parse().ok()?))).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, defaulted};
    use serde_json::json;

    fn range(limits: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": "n"}, "spec": {"limits": limits}})
    }

    #[test]
    fn what_a_container_gets_follows_from_what_is_said() {
        for (given, expect) in [
            (json!({"max": {"cpu": "2"}}), json!({"default": {"cpu": "2"}, "defaultRequest": {"cpu": "2"}})),
            (json!({"min": {"cpu": "1"}}), json!({"defaultRequest": {"cpu": "1"}})),
            (
                json!({"default": {"cpu": "1"}, "max": {"cpu": "2", "memory": "1Gi"}, "min": {"memory": "1Mi"}}),
                json!({"default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "1", "memory": "1Gi"}}),
            ),
        ] {
            let mut limit = given.clone();
            limit["type"] = "Container".into();
            let range = defaulted(&LimitRange, &range(json!([limit])));
            let limit = &range["spec"]["limits"][0];
            for field in ["default", "defaultRequest"] {
                assert_eq!(limit.get(field), expect.get(field), "{field} of {given}");
            }
        }
        let pods = range(json!([{"type": "Pod", "max": {"cpu": "2"}}]));
        assert_eq!(defaulted(&LimitRange, &pods), pods);
    }

    #[test]
    fn limits_are_in_order_and_of_known_types() {
        check_errors(
            &LimitRange,
            &range(json!([
                {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1"}, "maxLimitRequestRatio": {"cpu": "2"}},
                {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
                {"type": "Pod", "max": {"memory": "1Gi"}}])),
            &[],
        );
        check_errors(
            &LimitRange,
            &range(json!([
                {"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "2"}, "default": {"cpu": "1"}},
                {"type": "Pod"},
                {"type": "Thing"},
                {"type": "PersistentVolumeClaim"}])),
            &[
                "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
                "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1",
                "spec.limits[0].default[cpu]: Invalid value: \"2\": min value 2 is greater than default value 1",
                "spec.limits[1].type: Duplicate value: \"Pod\"",
                "spec.limits[2].type: Invalid value: \"Thing\": must be a standard limit type or fully qualified",
                "spec.limits[3].limits: Required value: either minimum or maximum storage value is required, but neither was provided",
            ],
        );
    }

    #[test]
    fn requests_stand_between_and_ratios_can_be_kept() {
        check_errors(
            &LimitRange,
            &range(json!([{"type": "Container", "min": {"cpu": "500m"}, "max": {"cpu": "1"},
                "default": {"cpu": "2"}, "defaultRequest": {"cpu": "100m", "things": "1"}, "maxLimitRequestRatio": {"cpu": "4", "memory": "500m"}}])),
            &[
                "spec.limits[0].defaultRequest[things]: Invalid value: \"things\": must be a standard resource for containers",
                "spec.limits[0].defaultRequest[cpu]: Invalid value: \"100m\": min value 500m is greater than default request value 100m",
                "spec.limits[0].default[cpu]: Invalid value: \"1\": default value 2 is greater than max value 1",
                "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"4\": ratio 4 is greater than max/min = 2.000000",
                "spec.limits[0].maxLimitRequestRatio[memory]: Invalid value: \"500m\": ratio 500m is less than 1",
            ],
        );
        assert_eq!(cells(&LimitRange, &range(json!([])))[0], "l");
    }
}
