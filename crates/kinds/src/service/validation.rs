//! Rules for Services (K:pkg/apis/core/validation ValidateService).

use super::NAMES;
use crate::at::At;
use crate::metadata::{self, check_labels};
use meta::field::FieldError;
use meta::names;
use serde_json::Value;
use std::collections::BTreeSet;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";
const WRONG_ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

pub(super) fn validate(service: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(service, NAMES.scope, names::dns_1035_label_errors);
    let spec = At::root(service).field("spec");
    let service_type = spec.field("type");
    let is_headless = spec.field("clusterIP").text() == "None";
    let ports = spec.field("ports");
    if ports.len() == 0 && !is_headless && service_type.text() != "ExternalName" {
        errors.push(ports.required(""));
    }
    match service_type.text() {
        "LoadBalancer" | "NodePort" if is_headless => {
            let detail = format!("may not be set to 'None' for {} services", service_type.text());
            errors.push(FieldError::invalid(format!("{}[0]", spec.field("clusterIPs").path), "None", &detail));
        }
        "ExternalName" => check_external(&spec, &mut errors),
        _ => {}
    }
    check_ports(&spec, &mut errors);
    check_labels(&spec.field("selector"), &mut errors);
    let affinity = spec.field("sessionAffinity");
    match affinity.text() {
        "" => errors.push(affinity.required("")),
        _ => affinity.check_among(&["ClientIP", "None"], &mut errors),
    }
    let addresses =
        if service_type.text() == "ExternalName" { At::root(&Value::Null) } else { spec.field("clusterIPs") };
    for address in addresses.items().filter(|address| !matches!(address.text(), "" | "None")) {
        check_address(&address, &mut errors);
    }
    for address in spec.field("externalIPs").items() {
        check_address(&address, &mut errors);
    }
    match service_type.text() {
        "" => errors.push(service_type.required("")),
        _ => service_type.check_among(TYPES, &mut errors),
    }
    if spec.field("externalTrafficPolicy").is_set() {
        match service_type.text() {
            "NodePort" | "LoadBalancer" => {
                spec.field("externalTrafficPolicy").check_among(&["Cluster", "Local"], &mut errors);
            }
            _ if spec.field("externalTrafficPolicy").text().is_empty() => {}
            _ => errors.push(
                spec.field("externalTrafficPolicy").invalid("may only be set for externally-accessible services"),
            ),
        }
    }
    spec.field("internalTrafficPolicy").check_among(&["Cluster", "Local"], &mut errors);
    errors
}

/// An address that was given stays, unless the Service becomes a mere name.
pub(super) fn validate_update(service: &Value, old: &Value) -> Vec<FieldError> {
    let addresses = At::root(service).fields(&["spec", "clusterIPs"]);
    let first = |service: &Value| service["spec"]["clusterIPs"][0].as_str().unwrap_or("").to_owned();
    let is_external = |service: &Value| service["spec"]["type"] == "ExternalName";
    let (new_first, old_first) = (first(service), first(old));
    if is_external(service) || is_external(old) || old_first.is_empty() || new_first == old_first {
        return Vec::new();
    }
    let path = format!("{}[0]", addresses.path);
    vec![FieldError::invalid(path, addresses.value.clone(), "may not change once set")]
}

fn check_external(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    if 0 < spec.field("clusterIPs").len() {
        errors.push(spec.field("clusterIPs").forbidden("may not be set for ExternalName services"));
    }
    let name = spec.field("externalName");
    match name.text().strip_suffix('.').unwrap_or(name.text()) {
        "" => errors.push(name.required("")),
        text => {
            let wrong = names::dns_subdomain_errors(text);
            errors.extend(wrong.iter().map(|detail| FieldError::invalid(&name.path, text, detail)));
        }
    }
}

fn check_ports(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let ports = spec.field("ports");
    let (mut seen_names, mut seen_ports) = (BTreeSet::new(), BTreeSet::new());
    for port in ports.items() {
        let name = port.field("name");
        match name.text() {
            "" if 1 < ports.len() => errors.push(name.required("")),
            "" => {}
            text => {
                name.check_rule(names::dns_label_errors, errors);
                if !seen_names.insert(text) {
                    errors.push(FieldError::duplicate(&name.path, text));
                }
            }
        }
        let number = port.field("port");
        if number.int().is_none_or(|number| !(1..=65535).contains(&number)) {
            errors.push(FieldError::invalid(&number.path, number.int().unwrap_or(0), PORT_RANGE));
        }
        let protocol = port.field("protocol");
        match protocol.text() {
            "" => errors.push(protocol.required("")),
            _ => protocol.check_among(PROTOCOLS, errors),
        }
        check_target(&port.field("targetPort"), errors);
        let node_port = port.field("nodePort");
        if spec.field("type").text() == "ClusterIP" && node_port.int().unwrap_or(0) != 0 {
            errors.push(node_port.forbidden("may not be used when `type` is 'ClusterIP'"));
        }
        if !seen_ports.insert((protocol.text(), number.int())) {
            let shown = serde_json::json!({"Name": "", "Protocol": protocol.text(), "AppProtocol": null,
                "Port": number.int().unwrap_or(0), "TargetPort": 0, "NodePort": 0});
            errors.push(FieldError::duplicate(&port.path, shown));
        }
    }
}

fn check_target(target: &At<'_>, errors: &mut Vec<FieldError>) {
    match target.value {
        Value::String(name) => {
            let wrong = names::port_name_errors(name);
            errors.extend(wrong.iter().map(|detail| target.invalid(detail)));
        }
        _ if target.int().is_some_and(|number| !(1..=65535).contains(&number)) => {
            errors.push(target.invalid(PORT_RANGE));
        }
        _ => {}
    }
}

fn check_address(address: &At<'_>, errors: &mut Vec<FieldError>) {
    if address.text().parse::<std::net::IpAddr>().is_err() {
        errors.push(FieldError::invalid(&address.path, address.text(), WRONG_ADDRESS));
    }
}
