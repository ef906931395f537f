//! What an object uses of a quota, and which objects a quota counts (K:pkg/quota/v1/evaluator/core).

use crate::limit_range::quantities;
use crate::pod::qos_class;
use crate::pod::requests::{Amounts, add, pod_total};
use jiff::{SignedDuration, Timestamp};
use meta::object;
use meta::quantity::Quantity;
use meta::status::GroupResource;
use serde_json::{Map, Value};

/// Quotas on cpu and memory make every container say how much it wants; a mistake that Kubernetes keeps for those two.
const MUST_BE_SAID: [&str; 6] = ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

const PODS: GroupResource<'_> = GroupResource { group: "", resource: "pods" };
const CLAIMS: GroupResource<'_> = GroupResource { group: "", resource: "persistentvolumeclaims" };
const SERVICES: GroupResource<'_> = GroupResource { group: "", resource: "services" };

/// What is between a class and what is counted of it.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// Which of a quota's resources count objects of this kind.
pub fn counts(what: GroupResource<'_>, resource: &str) -> bool {
    if resource.strip_prefix("count/") == Some(what.to_string().as_str()) {
        return true;
    }
    match what {
        PODS => counts_pods(resource),
        CLAIMS => {
            let plain = resource.split_once(OF_CLASS).map_or(resource, |(_, plain)| plain);
            matches!(plain, "persistentvolumeclaims" | "requests.storage")
        }
        SERVICES => matches!(resource, "services" | "services.nodeports" | "services.loadbalancers"),
        GroupResource { group: "", resource: plural } => {
            plural == resource
                && matches!(plural, "configmaps" | "secrets" | "resourcequotas" | "replicationcontrollers")
        }
        _ => false,
    }
}

fn counts_pods(resource: &str) -> bool {
    let is_plain = matches!(
        resource,
        "pods"
            | "cpu"
            | "memory"
            | "ephemeral-storage"
            | "requests.cpu"
            | "requests.memory"
            | "requests.ephemeral-storage"
            | "limits.cpu"
            | "limits.memory"
            | "limits.ephemeral-storage"
    );
    let is_huge = resource.starts_with("hugepages-") || resource.starts_with("requests.hugepages-");
    // `requests.example.com/gpu`
    let is_extended = resource.starts_with("requests.") && resource.contains('/') && !resource.contains(OF_CLASS);
    is_plain || is_huge || is_extended
}

/// Whether a quota counts this object: it limits something of its kind, and the object is in all its scopes.
pub fn matches(quota: &Value, hard: &Map<String, Value>, what: GroupResource<'_>, object: &Value) -> bool {
    hard.keys().any(|resource| counts(what, resource)) && is_in_scopes(quota, what, object)
}

fn is_in_scopes(quota: &Value, what: GroupResource<'_>, object: &Value) -> bool {
    let scopes = quota["spec"]["scopes"].as_array().into_iter().flatten();
    let expressions = quota["spec"]["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten();
    scopes
        .filter_map(Value::as_str)
        .map(|scope| (scope, "Exists", &Value::Null))
        .chain(expressions.map(|one| {
            let text = |field: &str| one[field].as_str().unwrap_or("");
            (text("scopeName"), text("operator"), &one["values"])
        }))
        .all(|(scope, operator, values)| match what {
            PODS => pod_is_in(scope, operator, values, object),
            CLAIMS if scope == "VolumeAttributesClass" => {
                let class = object["spec"]["volumeAttributesClassName"].as_str().unwrap_or("");
                is_selected(operator, values, class)
            }
            // Nothing else has scopes.
            _ => false,
        })
}

fn pod_is_in(scope: &str, operator: &str, values: &Value, pod: &Value) -> bool {
    let spec = &pod["spec"];
    let has_deadline = spec["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| 0 <= seconds);
    let is_best_effort = || qos_class(spec) == "BestEffort";
    match scope {
        "Terminating" => has_deadline,
        "NotTerminating" => !has_deadline,
        "BestEffort" => is_best_effort(),
        "NotBestEffort" => !is_best_effort(),
        "PriorityClass" => is_selected(operator, values, spec["priorityClassName"].as_str().unwrap_or("")),
        "CrossNamespacePodAffinity" => looks_into_other_namespaces(spec),
        _ => false,
    }
}

fn is_selected(operator: &str, values: &Value, class: &str) -> bool {
    let is_listed = || values.as_array().into_iter().flatten().any(|value| value == class);
    match operator {
        "Exists" => !class.is_empty(),
        "DoesNotExist" => class.is_empty(),
        "In" => !class.is_empty() && is_listed(),
        "NotIn" => class.is_empty() || !is_listed(),
        _ => false,
    }
}

fn looks_into_other_namespaces(spec: &Value) -> bool {
    let other = |term: &Value| {
        term["namespaces"].as_array().is_some_and(|names| !names.is_empty()) || term["namespaceSelector"].is_object()
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|side| {
        let side = &spec["affinity"][side];
        let list = |field: &str| side[field].as_array().into_iter().flatten();
        list("requiredDuringSchedulingIgnoredDuringExecution").any(other)
            || list("preferredDuringSchedulingIgnoredDuringExecution").any(|term| other(&term["podAffinityTerm"]))
    })
}

/// What one object uses, of everything that a quota may limit.
pub fn of(what: GroupResource<'_>, object: &Value, now: Timestamp) -> Amounts {
    let one = || count(1);
    let mut used = Amounts::from([(format!("count/{what}"), one())]);
    match what {
        PODS if is_charged(object, now) => add(&mut used, &of_running(&object["spec"])),
        PODS => {}
        CLAIMS => add(&mut used, &of_claim(object)),
        SERVICES => add(&mut used, &of_service(&object["spec"])),
        GroupResource { group: "", resource } => drop(used.insert(resource.to_owned(), one())),
        GroupResource { .. } => {}
    }
    used
}

/// A pod that has ended, or that should long be gone, holds no room (K: QuotaV1Pod).
fn is_charged(pod: &Value, now: Timestamp) -> bool {
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return false;
    }
    let grace = pod["metadata"]["deletionGracePeriodSeconds"].as_i64();
    let deleted_at = object::text(pod, "deletionTimestamp").parse::<Timestamp>();
    match (deleted_at, grace) {
        // The timestamp holds the grace already; Kubernetes grants it twice.
        (Ok(at), Some(grace)) => at.checked_add(SignedDuration::from_secs(grace)).is_ok_and(|deadline| now <= deadline),
        _ => true,
    }
}

fn of_running(spec: &Value) -> Amounts {
    let mut used = of_lists(&pod_total(spec, "requests"), &pod_total(spec, "limits"));
    used.insert("pods".into(), count(1));
    used
}

/// Requests count under two names, limits under one.
fn of_lists(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut used = Amounts::new();
    for (resource, amount) in requests {
        let is_plain = matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage");
        let is_huge = resource.starts_with("hugepages-");
        if is_plain || is_huge {
            used.insert(resource.clone(), *amount);
        }
        if is_plain || is_huge || resource.contains('/') {
            used.insert(format!("requests.{resource}"), *amount);
        }
    }
    for (resource, amount) in limits {
        if matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(format!("limits.{resource}"), *amount);
        }
    }
    used
}

fn of_claim(claim: &Value) -> Amounts {
    let mut used = Amounts::from([("persistentvolumeclaims".to_owned(), count(1))]);
    let storage = |list: &Value| list["storage"].as_str().and_then(|text| text.parse::<Quantity>().ok());
    let asked = storage(&claim["spec"]["resources"]["requests"]);
    // What is being made larger counts at its larger size.
    let storage = asked.max(storage(&claim["status"]["allocatedResources"]).filter(|_| asked.is_some()));
    if let Some(storage) = storage {
        used.insert("requests.storage".to_owned(), storage);
    }
    let old_class = claim["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].as_str();
    if let Some(class) = old_class.or(claim["spec"]["storageClassName"].as_str()).filter(|class| !class.is_empty()) {
        let of_class: Vec<_> =
            used.iter().map(|(name, amount)| (format!("{class}{OF_CLASS}{name}"), *amount)).collect();
        used.extend(of_class);
    }
    used
}

fn of_service(spec: &Value) -> Amounts {
    let mut used = Amounts::from([("services".to_owned(), count(1))]);
    let n_ports = spec["ports"].as_array().map_or(0, Vec::len) as i64;
    match spec["type"].as_str() {
        Some("NodePort") => drop(used.insert("services.nodeports".to_owned(), count(n_ports))),
        Some("LoadBalancer") => {
            let takes_ports = spec["allocateLoadBalancerNodePorts"] != false;
            used.insert("services.nodeports".to_owned(), count(if takes_ports { n_ports } else { 0 }));
            used.insert("services.loadbalancers".to_owned(), count(1));
        }
        _ => {}
    }
    used
}

/// What of a quota's cpu and memory some container does not say: `cpu for: a,b; limits.memory for: b`.
pub fn unsaid(hard: &Map<String, Value>, pod: &Value) -> Option<String> {
    let mut texts = Vec::new();
    for resource in MUST_BE_SAID.into_iter().filter(|resource| hard.contains_key(*resource)) {
        let list = |field: &str| pod["spec"][field].as_array().into_iter().flatten();
        let mut silent: Vec<&str> = list("containers")
            .chain(list("initContainers"))
            .filter(|container| {
                let amounts = |list: &str| crate::pod::requests::amounts(&container["resources"][list]);
                !of_lists(&amounts("requests"), &amounts("limits")).contains_key(resource)
            })
            .map(|container| container["name"].as_str().unwrap_or(""))
            .collect();
        silent.sort_unstable();
        silent.dedup();
        if !silent.is_empty() {
            texts.push(format!("{resource} for: {}", silent.join(",")));
        }
    }
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// A quota's status, counted anew from everything in its namespace that it may count.
pub fn status<'a>(
    quota: &Value,
    objects: impl IntoIterator<Item = (GroupResource<'a>, &'a Value)>,
    now: Timestamp,
) -> Value {
    let hard = quota["spec"]["hard"].as_object().cloned().unwrap_or_default();
    let mut used: Amounts = hard.keys().map(|resource| (resource.clone(), Quantity::ZERO)).collect();
    for (what, object) in objects {
        if !matches(quota, &hard, what, object) {
            continue;
        }
        for (resource, amount) in of(what, object, now) {
            if let Some(sum) = used.get_mut(&resource) {
                *sum = *sum + amount;
            }
        }
    }
    let used: Map<String, Value> = used.into_iter().map(|(name, amount)| (name, amount.canonical().into())).collect();
    let mut status = serde_json::json!({});
    if !hard.is_empty() {
        let hard: Map<String, Value> =
            quantities(&quota["spec"]["hard"]).into_iter().map(|(k, v)| (k.to_owned(), v.canonical().into())).collect();
        status = serde_json::json!({"hard": hard, "used": used});
    }
    status
}

fn count(n: i64) -> Quantity {
    n.to_string().parse().unwrap_or(Quantity::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::now;
    use serde_json::json;

    const JOBS: GroupResource<'_> = GroupResource { group: "batch", resource: "jobs" };
    const SECRETS: GroupResource<'_> = GroupResource { group: "", resource: "secrets" };

    fn pod(rest: Value) -> Value {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c",
            "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "200m"}}}]}});
        object::as_map(&mut pod["spec"]).extend(rest.as_object().unwrap().clone());
        pod
    }

    #[track_caller]
    fn check_status(spec: Value, objects: &[(GroupResource<'_>, Value)], expect: Value) {
        let quota = json!({"spec": spec});
        let status = status(&quota, objects.iter().map(|(what, object)| (*what, object)), now());
        assert_eq!(status["used"], expect);
        assert_eq!(status["hard"], quota["spec"]["hard"]);
    }

    #[test]
    fn objects_are_counted_by_name_and_by_kind() {
        check_status(
            json!({"hard": {"pods": "9", "count/pods": "9", "count/jobs.batch": "9", "secrets": "9", "configmaps": "9"}}),
            &[
                (PODS, pod(json!({}))),
                (PODS, json!({"status": {"phase": "Failed"}})),
                (JOBS, json!({})),
                (SECRETS, json!({})),
            ],
            json!({"configmaps": "0", "count/jobs.batch": "1", "count/pods": "2", "pods": "1", "secrets": "1"}),
        );
    }

    #[test]
    fn what_pods_ask_for_counts_while_they_live() {
        check_status(
            json!({"hard": {"cpu": "1", "requests.cpu": "1", "limits.cpu": "1", "requests.memory": "4Gi", "limits.memory": "1Gi"}}),
            &[
                (PODS, pod(json!({}))),
                (PODS, pod(json!({}))),
                (PODS, json!({"spec": pod(json!({}))["spec"], "status": {"phase": "Succeeded"}})),
                (
                    PODS,
                    json!({"spec": pod(json!({}))["spec"], "metadata": {"deletionGracePeriodSeconds": 30, "deletionTimestamp": "2025-12-31T00:00:00Z"}}),
                ),
            ],
            json!({"cpu": "200m", "limits.cpu": "400m", "limits.memory": "0", "requests.cpu": "200m", "requests.memory": "2Gi"}),
        );
    }

    #[test]
    fn scopes_choose_pods() {
        let best_effort =
            json!({"spec": {"containers": [{"name": "c"}], "activeDeadlineSeconds": 5, "priorityClassName": "high"}});
        let pods = [(PODS, pod(json!({}))), (PODS, best_effort), (SECRETS, json!({}))];
        for (scope, expect) in
            [("BestEffort", 1), ("NotBestEffort", 1), ("Terminating", 1), ("NotTerminating", 1), ("PriorityClass", 1)]
        {
            let spec = json!({"hard": {"pods": "9"}, "scopes": [scope]});
            check_status(spec, &pods, json!({"pods": expect.to_string()}));
        }
        for (operator, values, expect) in [
            ("In", json!(["high"]), 1),
            ("In", json!(["low"]), 0),
            ("NotIn", json!(["high"]), 1),
            ("NotIn", json!(["low"]), 2),
            ("DoesNotExist", json!([]), 1),
        ] {
            let selector =
                json!({"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": values}]});
            check_status(
                json!({"hard": {"pods": "9", "secrets": "9"}, "scopeSelector": selector}),
                &pods,
                json!({"pods": expect.to_string(), "secrets": "0"}),
            );
        }
    }

    #[test]
    fn claims_count_in_all_and_by_class() {
        let claim = |class: Option<&str>| json!({"spec": {"storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}}});
        check_status(
            json!({"hard": {"persistentvolumeclaims": "9", "requests.storage": "9Gi",
                "gold.storageclass.storage.k8s.io/requests.storage": "9Gi",
                "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "9"}}),
            &[(CLAIMS, claim(Some("gold"))), (CLAIMS, claim(None))],
            json!({"gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
                "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
                "persistentvolumeclaims": "2", "requests.storage": "2Gi"}),
        );
    }

    #[test]
    fn services_count_their_ports() {
        let service = |kind: &str| json!({"spec": {"type": kind, "ports": [{}, {}]}});
        check_status(
            json!({"hard": {"services": "9", "services.nodeports": "9", "services.loadbalancers": "9"}}),
            &[(SERVICES, service("ClusterIP")), (SERVICES, service("NodePort")), (SERVICES, service("LoadBalancer"))],
            json!({"services": "3", "services.loadbalancers": "1", "services.nodeports": "4"}),
        );
    }

    #[test]
    fn who_says_nothing_is_named() {
        let hard = json!({"limits.cpu": "1", "requests.memory": "1", "limits.ephemeral-storage": "1"});
        let pod =
            json!({"spec": {"containers": [{"name": "b"}, {"name": "a", "resources": {"requests": {"memory": "1"}}}]}});
        let text = unsaid(hard.as_object().unwrap(), &pod);
        assert_eq!(text.as_deref(), Some("limits.cpu for: a,b; requests.memory for: b"));
        let pod = json!({"spec": {"containers": [{"name": "a", "resources": {"requests": {"memory": "1"}, "limits": {"cpu": "1"}}}]}});
        assert_eq!(unsaid(hard.as_object().unwrap(), &pod), None);
    }
}
