//! What a Service means where it says nothing (K:pkg/apis/core/v1/defaults.go SetDefaults_Service, and what the
//! registry fills in).

use crate::at::{items_mut, set_default};
use serde_json::{Value, json};

/// Three hours.
const CLIENT_IP_SECONDS: i64 = 10_800;

/// Fills in a Service. Idempotent.
pub(super) fn default_service(service: &mut Value) {
    let Some(spec) = service.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    set_default(spec, "sessionAffinity", "None");
    match spec["sessionAffinity"].as_str() {
        Some("ClientIP") if spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].is_null() => {
            spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": CLIENT_IP_SECONDS}});
        }
        Some("None") => remove(spec, "sessionAffinityConfig"),
        _ => {}
    }
    set_default(spec, "type", "ClusterIP");
    for port in items_mut(spec, "ports") {
        set_default(port, "protocol", "TCP");
        let number = port["port"].clone();
        let is_unset = match &port["targetPort"] {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            other => other == 0,
        };
        if is_unset && port.is_object() {
            port["targetPort"] = number;
        }
    }
    let service_type = spec["type"].as_str().unwrap_or("").to_owned();
    if matches!(service_type.as_str(), "NodePort" | "LoadBalancer") {
        set_default(spec, "externalTrafficPolicy", "Cluster");
    }
    if service_type == "LoadBalancer" {
        set_default(spec, "allocateLoadBalancerNodePorts", true);
    }
    if service_type == "ExternalName" {
        return default_addresses(spec);
    }
    set_default(spec, "internalTrafficPolicy", "Cluster");
    default_addresses(spec);
    let is_six = spec["clusterIP"].as_str().is_some_and(|address| address.contains(':'));
    set_default(spec, "ipFamilies", json!([if is_six { "IPv6" } else { "IPv4" }]));
    set_default(spec, "ipFamilyPolicy", "SingleStack");
}

/// The first address stands in two fields.
fn default_addresses(spec: &mut Value) {
    let first = spec["clusterIPs"][0].as_str().unwrap_or("").to_owned();
    let single = spec["clusterIP"].as_str().unwrap_or("").to_owned();
    if first.is_empty() && !single.is_empty() {
        spec["clusterIPs"] = json!([single]);
    } else if single.is_empty() && !first.is_empty() {
        spec["clusterIP"] = first.into();
    }
}

fn remove(spec: &mut Value, field: &str) {
    if let Value::Object(fields) = spec {
        fields.shift_remove(field);
    }
}
