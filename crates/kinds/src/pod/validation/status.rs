//! Rules for what a pod's status may say, and how it may go on (K: ValidatePodStatusUpdate).

use super::network::check_ip;
use crate::at::{At, IMMUTABLE, is_same};
use meta::field::FieldError;
use meta::names;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Every mistake in the status that `pod` brings to `old`.
pub(in crate::pod) fn check(pod: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let (status, old_status) = (At::root(pod).field("status"), &old["status"]);
    for condition in status.field("conditions").items() {
        let kind = condition.field("type").text();
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            // The path is Kubernetes' own.
            let path = condition.path.replacen("status.", "metadata.", 1) + ".Type";
            let wrong = names::qualified_name_errors(kind);
            errors.extend(wrong.iter().map(|detail| FieldError::invalid(&path, kind, detail)));
        }
    }
    let nominated = status.field("nominatedNodeName");
    if nominated.value != &old_status["nominatedNodeName"] {
        nominated.check_optional_rule(names::dns_subdomain_errors, errors);
    }
    let class = status.field("qosClass");
    if !is_same(class.value, &old_status["qosClass"]) {
        errors.push(class.invalid_text(IMMUTABLE));
    }
    for list in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
        check_transitions(&status.field(list), &old_status[list], &old["spec"], errors);
    }
    check_addresses(&status.field("podIPs"), errors);
    check_host_addresses(&status, errors);
}

/// What has ended and may not be restarted does not run again.
fn check_transitions(statuses: &At<'_>, old: &Value, spec: &Value, errors: &mut Vec<FieldError>) {
    let is_ephemeral = statuses.path.ends_with("ephemeralContainerStatuses");
    let restart_policy = if is_ephemeral { "Never" } else { spec["restartPolicy"].as_str().unwrap_or("") };
    if restart_policy == "Always" {
        return;
    }
    for (index, old) in old.as_array().into_iter().flatten().enumerate() {
        let ended = &old["state"]["terminated"];
        let may_restart = restart_policy == "OnFailure" && ended["exitCode"].as_i64().unwrap_or(0) != 0;
        if ended.is_null() || may_restart || has_restart_policy(spec, &old["name"]) {
            continue;
        }
        let runs_again =
            |new: &At<'_>| new.field("name").value == &old["name"] && !new.fields(&["state", "terminated"]).is_set();
        if statuses.items().any(|new| runs_again(&new)) {
            let path = format!("{}[{index}].state", statuses.path);
            errors.push(FieldError::forbidden(path, "may not be transitioned to non-terminated state"));
        }
    }
}

/// Sidecars, and containers with a policy of their own.
fn has_restart_policy(spec: &Value, name: &Value) -> bool {
    let lists = ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
    lists.into_iter().any(|container| &container["name"] == name && !container["restartPolicy"].is_null())
}

/// At most one address of each family.
fn check_addresses(ips: &At<'_>, errors: &mut Vec<FieldError>) {
    for item in ips.items() {
        check_ip(&At { path: item.path.clone(), ..item.field("ip") }, errors);
    }
    if ips.len() < 2 {
        return;
    }
    let parsed: Vec<IpAddr> = ips.items().filter_map(|item| item.field("ip").text().parse().ok()).collect();
    let is_dual = parsed.iter().any(IpAddr::is_ipv4) && parsed.iter().any(IpAddr::is_ipv6);
    if !is_dual || ips.len() > 2 {
        errors.push(ips.invalid("may specify no more than one IP for each IP family"));
    }
    let mut seen = BTreeSet::new();
    for item in ips.items() {
        if !seen.insert(item.field("ip").text()) {
            errors.push(FieldError::duplicate(&item.path, item.value.clone()));
        }
    }
}

fn check_host_addresses(status: &At<'_>, errors: &mut Vec<FieldError>) {
    let ips = status.field("hostIPs");
    let Some(first) = ips.items().next().map(|item| item.field("ip")) else { return };
    if status.field("hostIP").text() != first.text() {
        errors.push(first.invalid_text("must be equal to `hostIP`"));
    }
    check_addresses(&ips, errors);
}
