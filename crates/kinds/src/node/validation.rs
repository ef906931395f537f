//! Rules for nodes (K:pkg/apis/core/validation/validation.go, ValidateNode and ValidateNodeUpdate).

use super::NAMES;
use crate::at::At;
use crate::metadata;
use crate::pod::validation::{check_quantity, check_unique};
use meta::field::FieldError;
use meta::{names, object};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What can be given out is what there is, unless something else is said.
pub(super) fn default_allocatable(node: &mut Value) {
    let capacity = node["status"]["capacity"].clone();
    if capacity.is_object() && node["status"]["allocatable"].is_null() {
        object::map(node, "status").insert("allocatable".to_owned(), capacity);
    }
}

/// Every mistake in a node.
pub(super) fn validate(node: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(node, NAMES.scope, names::dns_subdomain_errors);
    let spec = At::root(node).field("spec");
    // Kubernetes looks for taints in the metadata, as far as paths go.
    let taints = At { path: "metadata.taints".to_owned(), ..spec.field("taints") };
    check_taints(&taints, &mut errors);
    check_resources(node, &mut errors);
    check_ranges(&spec.field("podCIDRs"), &mut errors);
    errors
}

/// Every mistake in changing `old` into `node`.
pub(super) fn validate_update(node: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let root = At::root(node);
    check_resources(node, &mut errors);
    let mut addresses: Vec<&Value> = Vec::new();
    for address in root.fields(&["status", "addresses"]).items() {
        if addresses.contains(&address.value) {
            errors.push(FieldError::duplicate(&address.path, address.value.clone()));
        }
        addresses.push(address.value);
    }
    let spec = root.field("spec");
    let was_given = |field: &str| {
        let was = &old["spec"][field];
        let is_something =
            was.as_array().is_some_and(|items| !items.is_empty()) || was.as_str().is_some_and(|text| !text.is_empty());
        is_something && was != spec.field(field).value
    };
    if was_given("podCIDRs") {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(spec.field("podCIDRs").forbidden(detail));
    }
    if was_given("providerID") {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.push(spec.field("providerID").forbidden(detail));
    }
    errors
}

fn check_taints(taints: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for taint in taints.items() {
        let (key, effect) = (taint.field("key"), taint.field("effect"));
        key.check_rule(names::qualified_name_errors, errors);
        let value = taint.field("value");
        let wrong = names::label_value_errors(value.text());
        if !wrong.is_empty() {
            errors.push(value.invalid(&wrong.join(";")));
        }
        effect.check_choice(&["NoSchedule", "PreferNoSchedule", "NoExecute"], errors);
        if !seen.insert((effect.text(), key.text())) {
            let mut error = FieldError::duplicate(&taint.path, taint.value.clone());
            error.body.push_str(": taints must be unique by key and effect pair");
            errors.push(error);
        }
    }
}

fn check_resources(node: &Value, errors: &mut Vec<FieldError>) {
    let status = At::root(node).field("status");
    for list in ["capacity", "allocatable"].map(|list| status.field(list)) {
        for (resource, quantity) in list.entries() {
            check_quantity(&At { path: format!("{}.{resource}", list.path), ..quantity }, resource, errors);
        }
    }
}

/// Address ranges of pods: at most one of each family.
fn check_ranges(ranges: &At<'_>, errors: &mut Vec<FieldError>) {
    let parse = |text: &str| -> Option<IpAddr> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        bits.parse::<u8>().ok().filter(|bits| *bits <= most).map(|_| address)
    };
    for range in ranges.items().filter(|range| parse(range.text()).is_none()) {
        errors.push(range.invalid_text("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"));
    }
    if ranges.len() < 2 {
        return;
    }
    let parsed: Vec<IpAddr> = ranges.items().filter_map(|range| parse(range.text())).collect();
    let is_dual = parsed.iter().any(IpAddr::is_ipv4) && parsed.iter().any(IpAddr::is_ipv6);
    if !is_dual || ranges.len() > 2 {
        errors.push(ranges.invalid("may specify no more than one CIDR for each IP family"));
    }
    let mut seen = BTreeSet::new();
    ranges.items().for_each(|range| check_unique(&range, &mut seen, errors));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::node::Node;
    use crate::testing::{check_errors, check_update_errors, defaulted};
    use serde_json::json;

    fn node(spec: Value, status: Value) -> Value {
        json!({"metadata": {"name": "box"}, "spec": spec, "status": status})
    }

    #[test]
    fn taints_are_told_apart_by_key_and_effect() {
        let taint = |key: &str, effect: &str| json!({"key": key, "effect": effect});
        check_errors(
            &Node,
            &node(json!({"taints": [taint("a", "NoSchedule"), taint("a", "NoExecute")]}), json!({})),
            &[],
        );
        check_errors(
            &Node,
            &node(
                json!({"taints": [taint("a", "NoSchedule"), taint("a", "NoSchedule"), taint("b", ""), taint("c", "Maybe")]}),
                json!({}),
            ),
            &[
                "metadata.taints[1]: Duplicate value: {\"key\":\"a\",\"effect\":\"NoSchedule\"}: taints must be unique by key and effect pair",
                "metadata.taints[2].effect: Required value",
                "metadata.taints[3].effect: Unsupported value: \"Maybe\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
            ],
        );
    }

    #[test]
    fn what_a_node_has_is_counted_and_can_be_given_out() {
        let status = json!({"capacity": {"cpu": "-1", "pods": "1500m"}, "allocatable": {}});
        check_errors(
            &Node,
            &node(json!({}), status),
            &[
                "status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0",
                "status.capacity.pods: Invalid value: \"1500m\": must be an integer",
            ],
        );
        let filled = defaulted(&Node, &node(json!({}), json!({"capacity": {"cpu": "2"}})));
        assert_eq!(filled["status"]["allocatable"], json!({"cpu": "2"}));
    }

    #[test]
    fn ranges_of_pods_are_ranges_of_different_families() {
        check_errors(&Node, &node(json!({"podCIDRs": ["10.0.0.0/24", "fd00::/64"]}), json!({})), &[]);
        check_errors(
            &Node,
            &node(json!({"podCIDRs": ["10.0.0.0/33", "10.0.0.0/33"]}), json!({})),
            &[
                "spec.podCIDRs[0]: Invalid value: \"10.0.0.0/33\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                "spec.podCIDRs[1]: Invalid value: \"10.0.0.0/33\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                "spec.podCIDRs: Invalid value: [\"10.0.0.0/33\",\"10.0.0.0/33\"]: may specify no more than one CIDR for each IP family",
                "spec.podCIDRs[1]: Duplicate value: \"10.0.0.0/33\"",
            ],
        );
    }

    #[test]
    fn what_a_node_is_called_elsewhere_stays() {
        let old = node(json!({"providerID": "a", "podCIDRs": ["10.0.0.0/24"]}), json!({}));
        check_update_errors(
            &Node,
            &node(json!({"providerID": "b"}), json!({"addresses": [{"address": "a"}, {"address": "a"}]})),
            &old,
            &[
                "status.addresses[1]: Duplicate value: {\"address\":\"a\"}",
                "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
                "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid",
            ],
        );
        check_update_errors(&Node, &old, &node(json!({}), json!({})), &[]);
        assert!(Node.validate_changed(&old, &old, crate::Part::Spec).is_empty());
    }
}
