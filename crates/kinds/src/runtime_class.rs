//! RuntimeClass: a name for what runs a pod's containers, and what that costs (K:pkg/apis/node/validation).
//! `admission::runtime_class` writes cost and place into pods.

use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::pod::validation::{check_quantities, check_toleration};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::names;
use serde_json::Value;

/// RuntimeClasses of node.k8s.io.
#[derive(Debug)]
pub struct RuntimeClass;

/// The handler of kiln's own runtime: what runs pods that name no class.
pub const OWN_HANDLER: &str = "kiln";

const NAMES: Names = Names {
    group: "node.k8s.io",
    version: "v1",
    kind: "RuntimeClass",
    plural: "runtimeclasses",
    singular: "runtimeclass",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::ALL,
    subresources: &[],
};

const COLUMNS: &[Column] = &[table::NAME, table::column("Handler", "What runs the containers."), table::AGE];

impl Kind for RuntimeClass {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.node.v1.RuntimeClass"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_subdomain_errors);
        let root = At::root(object);
        let handler = root.field("handler");
        let wrong = names::dns_label_errors(handler.text());
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&handler.path, handler.text(), detail)));
        // Kubernetes checks the overhead as if it were a container's limits, and names them so.
        let overhead = root.field("overhead");
        let limits = At { value: &overhead.value["podFixed"], path: format!("{}.limits", overhead.path) };
        check_quantities(&limits, &mut errors);
        let scheduling = root.field("scheduling");
        metadata::check_labels(&scheduling.field("nodeSelector"), &mut errors);
        scheduling.field("tolerations").items().for_each(|toleration| check_toleration(&toleration, &mut errors));
        errors
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        let mut errors = Vec::new();
        At::root(object).field("handler").check_immutable(&At::root(old).field("handler"), &mut errors);
        errors
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let handler = table::text_or(&object["handler"], "");
        Row { cells: vec![table::name(object), handler.into(), table::age(object, now)], ..Row::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, check_update_errors};
    use serde_json::json;

    fn class(handler: &str, rest: Value) -> Value {
        let mut object = json!({"metadata": {"name": "c"}, "handler": handler});
        meta::object::as_map(&mut object).extend(rest.as_object().unwrap().clone());
        object
    }

    #[test]
    fn handlers_are_labels_and_costs_are_quantities() {
        let whole = json!({"overhead": {"podFixed": {"cpu": "250m", "memory": "120Mi"}},
            "scheduling": {"nodeSelector": {"kind": "fast"}, "tolerations": [{"key": "a", "operator": "Exists"}]}});
        check_errors(&RuntimeClass, &class("kiln", whole), &[]);
        let label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        check_errors(
            &RuntimeClass,
            &class("a_b", json!({"overhead": {"podFixed": {"cpu": "-1", "odd": "1"}}})),
            &[
                &format!("handler: Invalid value: \"a_b\": {label}"),
                "overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
                "overhead.limits[odd]: Invalid value: \"odd\": must be a standard resource type or fully qualified",
                "overhead.limits[odd]: Invalid value: \"odd\": must be a standard resource for containers",
            ],
        );
    }

    #[test]
    fn the_handler_does_not_change() {
        check_update_errors(
            &RuntimeClass,
            &class("b", json!({})),
            &class("a", json!({})),
            &["handler: Invalid value: \"b\": field is immutable"],
        );
        assert_eq!(cells(&RuntimeClass, &class("a", json!({})))[1], "a");
    }
}
