//! A pod's description. Pure.

use serde_json::Value;

use super::page::{Page, View, instant, items, text_or};
use super::{containers, template, volumes};

/// As kubectl's.
pub fn describe(page: &mut Page, pod: &Value, view: &View) {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    page.field("Name", meta::object::name(pod));
    page.field("Namespace", meta::object::namespace(pod));
    page.field_if("Priority", &spec["priority"]);
    page.field_if("Priority Class Name", &spec["priorityClassName"]);
    page.field_if("Runtime Class Name", &spec["runtimeClassName"]);
    page.field_if("Service Account", &spec["serviceAccountName"]);
    match spec["nodeName"].as_str() {
        None | Some("") => page.field("Node", "<none>"),
        Some(node) => page.field("Node", format!("{node}/{}", text_or(&status["hostIP"], ""))),
    }
    if status["startTime"].is_string() {
        page.field("Start Time", view.time(&status["startTime"]));
    }
    page.labels("Labels", &pod["metadata"]["labels"]);
    page.annotations("Annotations", &pod["metadata"]["annotations"]);
    standing(page, pod, view);
    page.field_if("SeccompProfile", &spec["securityContext"]["seccompProfile"]["type"]);
    page.field("IP", text_or(&status["podIP"], ""));
    match items(&status["podIPs"]).next() {
        None => page.field("IPs", "<none>"),
        Some(_) => {
            page.line("IPs:");
            items(&status["podIPs"]).for_each(|ip| page.field("  IP", text_or(&ip["ip"], "")));
        }
    }
    page.controlled_by(pod);
    page.field_if("NominatedNodeName", &status["nominatedNodeName"]);
    for (name, list, statuses) in [
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    ] {
        if items(&spec[list]).next().is_some() {
            page.line(format!("{name}:"));
            containers::of_pod(page, &spec[list], &status[statuses], pod, view);
        }
    }
    conditions(page, status);
    volumes::describe(page, &spec["volumes"], "");
    page.field_if("QoS Class", &status["qosClass"]);
    page.labels("Node-Selectors", &spec["nodeSelector"]);
    template::tolerations(page, spec, "");
    template::spread(page, spec, "");
}

fn standing(page: &mut Page, pod: &Value, view: &View) {
    let status = &pod["status"];
    match instant(&pod["metadata"]["deletionTimestamp"]) {
        Some(until) if status["reason"] != "NodeLost" => {
            // The timestamp says when its time is over; a pod that still has some is not late.
            let lasts = meta::duration::human(view.now.duration_since(until));
            page.field("Status", format!("Terminating (lasts {lasts})"));
            page.field(
                "Termination Grace Period",
                format!("{}s", text_or(&pod["metadata"]["deletionGracePeriodSeconds"], "0")),
            );
        }
        _ => page.field("Status", text_or(&status["phase"], "")),
    }
    page.field_if("Reason", &status["reason"]);
    page.field_if("Message", &status["message"]);
}

fn conditions(page: &mut Page, status: &Value) {
    if items(&status["conditions"]).next().is_none() {
        return;
    }
    page.line("Conditions:\n  Type\tStatus");
    for condition in items(&status["conditions"]) {
        page.line(format!("  {} \t{} ", text_or(&condition["type"], ""), text_or(&condition["status"], "")));
    }
}
