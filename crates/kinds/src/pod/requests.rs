//! What a pod asks for as a whole, and may use at most (K:component-helpers/resource PodRequests, PodLimits).

use meta::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeMap;

/// Amounts by resource.
pub type Amounts = BTreeMap<String, Quantity>;

/// The larger of what the containers have together and of what any init container has while it runs; sidecars run beside
/// both. `list` is `requests` or `limits`. Without the RuntimeClass's overhead.
pub fn containers_total(pod_spec: &Value, list: &str) -> Amounts {
    let containers = |field: &str| pod_spec[field].as_array().into_iter().flatten();
    let mut total = Amounts::new();
    for container in containers("containers") {
        add(&mut total, &amounts(&container["resources"][list]));
    }
    let (mut sidecars, mut largest) = (Amounts::new(), Amounts::new());
    for container in containers("initContainers") {
        let own = amounts(&container["resources"][list]);
        if container["restartPolicy"] == "Always" {
            add(&mut total, &own);
            add(&mut sidecars, &own);
            raise(&mut largest, &sidecars);
            continue;
        }
        let mut during = sidecars.clone();
        add(&mut during, &own);
        raise(&mut largest, &during);
    }
    raise(&mut total, &largest);
    total
}

/// The same with the overhead; of limits only where there is one.
pub fn pod_total(pod_spec: &Value, list: &str) -> Amounts {
    let mut total = containers_total(pod_spec, list);
    for (resource, overhead) in amounts(&pod_spec["overhead"]) {
        match list {
            "limits" if !total.contains_key(&resource) => {}
            _ => add(&mut total, &Amounts::from([(resource, overhead)])),
        }
    }
    total
}

/// A resource list; what is no quantity is left out.
pub(crate) fn amounts(list: &Value) -> Amounts {
    let entries = list.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.parse().ok()?))).collect()
}

/// Adds each amount of `more`.
pub(crate) fn add(total: &mut Amounts, more: &Amounts) {
    for (resource, amount) in more {
        total.entry(resource.clone()).and_modify(|sum| *sum = *sum + *amount).or_insert(*amount);
    }
}

fn raise(total: &mut Amounts, other: &Amounts) {
    for (resource, amount) in other {
        total.entry(resource.clone()).and_modify(|most| *most = (*most).max(*amount)).or_insert(*amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn init_containers_count_at_their_largest_and_sidecars_throughout() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = container("50m");
        sidecar["restartPolicy"] = "Always".into();
        for (spec, expect) in [
            (json!({"containers": [container("100m"), container("200m")]}), "300m"),
            (json!({"containers": [container("100m")], "initContainers": [container("1")]}), "1"),
            (json!({"containers": [container("100m")], "initContainers": [sidecar, container("120m")]}), "170m"),
            (json!({"containers": [container("100m")], "initContainers": [container("120m"), sidecar]}), "150m"),
            (json!({"containers": [container("100m")], "overhead": {"cpu": "10m"}}), "110m"),
        ] {
            assert_eq!(pod_total(&spec, "requests")["cpu"].canonical(), expect, "for {spec}");
        }
        assert!(pod_total(&json!({"overhead": {"cpu": "1"}}), "limits").is_empty());
    }
}
