//! Node: this machine.

mod validation;

use crate::kind::{Cell, Column, Kind, Names, Part, Row, Scope};
use crate::{strategy, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::object;
use serde_json::Value;

/// Nodes of the core group.
#[derive(Debug)]
pub struct Node;

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "Node",
    plural: "nodes",
    singular: "node",
    short: &["no"],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::ALL,
    subresources: &["status"],
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Status", "Whether it takes and runs pods."),
    table::column("Roles", "Roles, from its labels."),
    table::AGE,
    table::column("Version", "Version of its agent."),
    table::wide("Internal-IP", "Address within the machine's network."),
    table::wide("External-IP", "Address from outside."),
    table::wide("OS-Image", "Operating system."),
    table::wide("Kernel-Version", "Kernel version."),
    table::wide("Container-Runtime", "What runs its containers."),
];

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";

impl Kind for Node {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.Node"
    }
    fn default(&self, object: &mut Value) {
        validation::default_allocatable(object);
    }
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        match part {
            Part::Spec => strategy::restore(object, old, &["status"]),
            Part::Status => strategy::keep_only(object, old, &["metadata", "status"]),
        }
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validation::validate(object)
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        validation::validate_update(object, old)
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        let is_unschedulable = object["spec"]["unschedulable"] == true;
        vec![("spec.unschedulable", is_unschedulable.to_string())]
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let node_info = &object["status"]["nodeInfo"];
        let info = |field: &str| -> Cell { table::text_or(&node_info[field], "<unknown>").into() };
        let cells = vec![
            table::name(object),
            status(object).into(),
            roles(object).into(),
            table::age(object, now),
            table::text_or(&node_info["kubeletVersion"], "").into(),
            address(object, "InternalIP").into(),
            address(object, "ExternalIP").into(),
            info("osImage"),
            info("kernelVersion"),
            info("containerRuntimeVersion"),
        ];
        Row { cells, ..Row::default() }
    }
}

fn status(node: &Value) -> String {
    let ready = match table::condition(node, "Ready") {
        Some(condition) if condition["status"] == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    match node["spec"]["unschedulable"] == true {
        true => format!("{ready},SchedulingDisabled"),
        false => ready.to_owned(),
    }
}

fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = object::labels(node)
        .filter_map(|(key, value)| match key {
            "kubernetes.io/role" => Some(value),
            _ => key.strip_prefix(ROLE_PREFIX),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    match roles.is_empty() {
        true => "<none>".to_owned(),
        false => roles.join(","),
    }
}

fn address(node: &Value, address_type: &str) -> String {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    addresses
        .into_iter()
        .find(|address| address["type"] == address_type)
        .map_or("<none>", |address| table::text_or(&address["address"], "<none>"))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cells;
    use serde_json::json;

    #[test]
    fn the_row_tells_readiness_roles_and_addresses() {
        let node = json!({"metadata": {"name": "box", "labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "all"}},
            "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1", "osImage": "Debian", "kernelVersion": "6.1", "containerRuntimeVersion": "kiln://0.1"}}});
        assert_eq!(
            cells(&Node, &node),
            [
                "box",
                "Ready,SchedulingDisabled",
                "all,control-plane",
                "<unknown>",
                "v1",
                "10.0.0.1",
                "<none>",
                "Debian",
                "6.1",
                "kiln://0.1"
            ]
        );
        assert_eq!(
            cells(&Node, &json!({"metadata": {"name": "box"}})),
            ["box", "Unknown", "<none>", "<unknown>", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"]
        );
    }
}
