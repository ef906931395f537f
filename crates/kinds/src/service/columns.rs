//! Rows of `kubectl get services` (K:pkg/printers/internalversion/printers.go printService).

use crate::kind::{Column, Row};
use crate::table;
use jiff::Timestamp;
use serde_json::Value;

pub(super) const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Type", "How it is reached: ClusterIP, NodePort, LoadBalancer, ExternalName."),
    table::column("Cluster-IP", "Its address within the cluster."),
    table::column("External-IP", "Where it is reached from outside, or the name it stands for."),
    table::column("Port(s)", "Its ports and their protocols."),
    table::AGE,
    table::SELECTOR,
];

pub(super) fn row(service: &Value, now: Timestamp) -> Row {
    let spec = &service["spec"];
    let cells = vec![
        table::name(service),
        table::text_or(&spec["type"], "").into(),
        table::text_or(&spec["clusterIPs"][0], "<none>").into(),
        external(service).into(),
        ports(spec).into(),
        table::age(service, now),
        selector(&spec["selector"]).into(),
    ];
    Row { cells, ..Row::default() }
}

fn external(service: &Value) -> String {
    let spec = &service["spec"];
    let mut addresses: Vec<&str> = texts(&spec["externalIPs"]).collect();
    match spec["type"].as_str() {
        Some("ExternalName") => table::text_or(&spec["externalName"], "").to_owned(),
        Some("LoadBalancer") => {
            let ingress = service["status"]["loadBalancer"]["ingress"].as_array().into_iter().flatten();
            let of_balancer = ingress.filter_map(|one| one["ip"].as_str().or(one["hostname"].as_str()));
            addresses.extend(of_balancer);
            if addresses.is_empty() { "<pending>".to_owned() } else { addresses.join(",") }
        }
        _ if addresses.is_empty() => "<none>".to_owned(),
        _ => addresses.join(","),
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn ports(spec: &Value) -> String {
    let ports = spec["ports"].as_array().into_iter().flatten();
    let shown: Vec<String> = ports
        .map(|port| {
            let (number, node_port) = (port["port"].as_i64().unwrap_or(0), port["nodePort"].as_i64().unwrap_or(0));
            let protocol = table::text_or(&port["protocol"], "");
            match node_port {
                0 => format!("{number}/{protocol}"),
                _ => format!("{number}:{node_port}/{protocol}"),
            }
        })
        .collect();
    if shown.is_empty() { "<none>".to_owned() } else { shown.join(",") }
}

fn selector(selector: &Value) -> String {
    let mut terms: Vec<String> = selector
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    terms.sort_unstable();
    if terms.is_empty() { "<none>".to_owned() } else { terms.join(",") }
}
