//! What pods and containers ask for where they only say what they may use at most.

use crate::pod::requests;
use crate::pod::validation::is_pod_resource;
use meta::object;
use meta::quantity::Quantity;
use serde_json::{Map, Value};

/// Quantities finer than a thousandth are rounded up to it.
pub(super) fn round_up(list: &mut Value) {
    let Value::Object(list) = list else { return };
    for value in list.values_mut() {
        let Some(quantity) = value.as_str().and_then(|text| text.parse::<Quantity>().ok()) else { continue };
        let rounded = quantity.rounded_up_to_milli();
        if rounded != quantity {
            *value = rounded.canonical().into();
        }
    }
}

/// Pods (not templates): whoever names a limit asks for as much. So does the pod as a whole (KEP-2837).
pub(super) fn default_requests(spec: &mut Value) {
    for list in ["containers", "initContainers"] {
        for container in crate::at::items_mut(spec, list) {
            request_what_is_limited(container);
        }
    }
    let of_pod = |list: &str| spec["resources"][list].as_object().cloned().unwrap_or_default();
    let (mut limits, mut requests) = (of_pod("limits"), of_pod("requests"));
    if limits.is_empty() && requests.is_empty() {
        return;
    }
    default_huge_page_limits(spec, &mut limits, &requests);
    default_pod_requests(spec, &limits, &mut requests);
    default_pod_limits(spec, &mut limits, &requests);
    let resources = object::map(spec, "resources");
    for (name, list) in [("limits", limits), ("requests", requests)] {
        if !list.is_empty() {
            resources.insert(name.to_owned(), Value::Object(list));
        }
    }
}

fn request_what_is_limited(container: &mut Value) {
    let Some(resources) = container.get_mut("resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    if limits.is_empty() {
        return;
    }
    let requests = object::map(resources, "requests");
    for (resource, limit) in limits {
        requests.entry(resource).or_insert(limit);
    }
}

/// Huge pages are limited by what the containers are limited to, unless the pod asks for them itself.
fn default_huge_page_limits(spec: &Value, limits: &mut Map<String, Value>, requests: &Map<String, Value>) {
    for (resource, limit) in requests::containers_total(spec, "limits") {
        if resource.starts_with("hugepages-") && !requests.contains_key(&resource) {
            limits.entry(resource).or_insert_with(|| limit.canonical().into());
        }
    }
}

/// A pod that is limited asks for what its containers ask for, or else for its limit.
fn default_pod_requests(spec: &Value, limits: &Map<String, Value>, requests: &mut Map<String, Value>) {
    if limits.is_empty() {
        return;
    }
    for (resource, wanted) in requests::containers_total(spec, "requests") {
        if matches!(resource.as_str(), "cpu" | "memory") {
            requests.entry(resource).or_insert_with(|| wanted.canonical().into());
        }
    }
    for (resource, limit) in limits.iter().filter(|(resource, _)| is_pod_resource(resource)) {
        requests.entry(resource.clone()).or_insert_with(|| limit.clone());
    }
}

/// A pod that only asks is limited where all its containers are.
fn default_pod_limits(spec: &Value, limits: &mut Map<String, Value>, requests: &Map<String, Value>) {
    if !limits.is_empty() || requests.is_empty() {
        return;
    }
    let containers = || ["containers", "initContainers"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
    for (resource, limit) in requests::containers_total(spec, "limits") {
        let all_are_limited = containers().all(|container| !container["resources"]["limits"][&resource].is_null());
        if matches!(resource.as_str(), "cpu" | "memory") && all_are_limited {
            limits.insert(resource, limit.canonical().into());
        }
    }
}
