//! Requests and limits: what a container and its pod may use, the pod's QoS class, and who dies first when memory runs out.

use super::plan::Role;
use crate::runtime::Resources;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

type List = BTreeMap<String, Quantity>;

/// A quantity in whole units (bytes), rounded up; none if absent or malformed (the API server has checked it).
fn units(list: Option<&List>, resource: &str) -> Option<u64> {
    let quantity: meta::quantity::Quantity = list?.get(resource)?.0.parse().ok()?;
    u64::try_from(quantity.value()).ok()
}

/// A quantity in thousandths.
fn thousandths(list: Option<&List>, resource: &str) -> Option<u64> {
    let quantity: meta::quantity::Quantity = list?.get(resource)?.0.parse().ok()?;
    u64::try_from(quantity.milli_value()).ok()
}

/// What a container requests and is limited to. A limit of zero limits nothing; a missing request is the limit.
pub fn of_container(container: &Container) -> Resources {
    let resources = container.resources.as_ref();
    let limits = resources.and_then(|resources| resources.limits.as_ref());
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let cpu_limit_milli = thousandths(limits, "cpu").filter(|milli| 0 < *milli);
    Resources {
        cpu_request_milli: thousandths(requests, "cpu").or(cpu_limit_milli),
        cpu_limit_milli,
        memory_limit_bytes: units(limits, "memory").filter(|bytes| 0 < *bytes),
        pids_limit: None,
    }
}

/// The pod as a whole: the sum of its containers and sidecars, or its greediest init container with the sidecars before it if that is
/// more (KEP-753), and what its RuntimeClass costs. It is limited only where every container is.
pub fn of_pod(spec: &PodSpec) -> Resources {
    let apps: Vec<Resources> = spec.containers.iter().map(of_container).collect();
    let inits: Vec<(Role, Resources)> =
        super::init_containers(spec).iter().map(|init| (Role::of_init(init), of_container(init))).collect();
    let most = |amount: &dyn Fn(&Resources) -> Option<u64>| {
        let (mut sidecars, mut most) = (0_u64, 0_u64);
        for (role, resources) in &inits {
            let with_it = sidecars.saturating_add(amount(resources)?);
            most = most.max(with_it);
            if *role == Role::Sidecar {
                sidecars = with_it;
            }
        }
        let apps = apps.iter().try_fold(sidecars, |sum, app| Some(sum.saturating_add(amount(app)?)))?;
        Some(most.max(apps))
    };
    let limit = |field: fn(&Resources) -> Option<u64>| most(&field);
    let request = |field: fn(&Resources) -> Option<u64>| most(&|resources| Some(field(resources).unwrap_or(0)));
    let (cpu, memory) = (thousandths(spec.overhead.as_ref(), "cpu"), units(spec.overhead.as_ref(), "memory"));
    let and = |overhead: Option<u64>| move |amount: u64| amount.saturating_add(overhead.unwrap_or(0));
    Resources {
        cpu_request_milli: request(|resources| resources.cpu_request_milli)
            .map(and(cpu))
            .filter(|request| 0 < *request),
        cpu_limit_milli: limit(|resources| resources.cpu_limit_milli).map(and(cpu)),
        memory_limit_bytes: limit(|resources| resources.memory_limit_bytes).map(and(memory)),
        pids_limit: None,
    }
}

/// `status.qosClass`.
pub fn qos_class(spec: &PodSpec) -> &'static str {
    let compute = |list: Option<&List>, resource: &str| thousandths(list, resource).filter(|amount| 0 < *amount);
    let mut is_guaranteed = true;
    let mut asks_nothing = true;
    for container in super::all_containers(spec) {
        let resources = container.resources.as_ref();
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        for resource in ["cpu", "memory"] {
            let limit = compute(limits, resource);
            let request = compute(requests, resource).or(limit);
            asks_nothing &= limit.is_none() && request.is_none();
            is_guaranteed &= limit.is_some() && request == limit;
        }
    }
    match (asks_nothing, is_guaranteed) {
        (true, _) => "BestEffort",
        (false, true) => "Guaranteed",
        (false, false) => "Burstable",
    }
}

/// How readily the kernel kills a container when the machine is out of memory (K:pkg/kubelet/qos/policy.go).
pub fn oom_score_adj(spec: &PodSpec, container: &Container, machine_memory_bytes: u64) -> i32 {
    match qos_class(spec) {
        "Guaranteed" => return -997,
        "BestEffort" => return 1000,
        _ => {}
    }
    let resources = container.resources.as_ref();
    let request = resources
        .and_then(|resources| units(resources.requests.as_ref(), "memory"))
        .or_else(|| resources.and_then(|resources| units(resources.limits.as_ref(), "memory")))
        .unwrap_or(0);
    let share = u128::from(request) * 1000 / u128::from(machine_memory_bytes.max(1));
    let score = 1000 - i32::try_from(share.min(1000)).unwrap_or(1000);
    score.clamp(2, 999)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(containers: Value) -> PodSpec {
        serde_json::from_value(json!({"containers": containers})).unwrap()
    }

    #[test]
    fn qos_classes() {
        let class = |resources: Value| qos_class(&spec(json!([{"name": "a", "resources": resources}])));
        assert_eq!(class(json!({})), "BestEffort");
        assert_eq!(class(json!({"limits": {"cpu": "0"}})), "BestEffort");
        assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}})), "Guaranteed");
        assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}})), "Burstable");
        assert_eq!(class(json!({"requests": {"cpu": "1m"}})), "Burstable");
    }

    #[test]
    fn a_pod_is_limited_only_where_all_its_containers_are() {
        let pod = of_pod(&spec(json!([
            {"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}},
            {"name": "b", "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "64Mi"}}},
        ])));
        assert_eq!(pod.memory_limit_bytes, Some(128 << 20));
        assert_eq!(pod.cpu_limit_milli, None);
        assert_eq!(pod.cpu_request_milli, Some(750));
    }

    #[test]
    fn the_greedier_a_burstable_container_the_safer_it_is() {
        let score = |requests: Value| {
            let spec = spec(json!([{"name": "a", "resources": {"requests": requests}}]));
            oom_score_adj(&spec, &spec.containers[0], 1 << 30)
        };
        assert_eq!(score(json!({})), 1000);
        assert_eq!(score(json!({"cpu": "1"})), 999);
        assert_eq!(score(json!({"memory": "256Mi"})), 750);
        assert_eq!(score(json!({"memory": "2Gi"})), 2);
    }

    #[test]
    fn sidecars_count_with_whatever_runs_beside_them() {
        let container = |policy: Option<&str>, cpu: &str| json!({"name": "c", "restartPolicy": policy, "resources": {"limits": {"cpu": cpu}}});
        let of = |inits: Value, apps: Value| {
            let spec = serde_json::from_value(json!({"initContainers": inits, "containers": apps})).unwrap();
            of_pod(&spec).cpu_limit_milli
        };
        let (sidecar, init) = (container(Some("Always"), "1"), |cpu| container(None, cpu));
        for (inits, apps, expect) in [
            (json!([sidecar]), json!([init("2")]), Some(3000)),
            (json!([sidecar, init("4")]), json!([init("2")]), Some(5000)),
            (json!([init("4"), sidecar]), json!([init("2")]), Some(4000)),
            (json!([{"name": "c", "restartPolicy": "Always"}]), json!([init("2")]), None),
        ] {
            assert_eq!(of(inits.clone(), apps), expect, "{inits}");
        }
    }
}
