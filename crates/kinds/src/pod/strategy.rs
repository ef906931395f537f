//! What the server itself writes into a pod, and what deleting one means (reference §6.7, §6.8).

use crate::kind::{Deletion, Part};
use crate::strategy;
use meta::object;
use meta::quantity::Quantity;
use serde_json::{Value, json};

const DEFAULT_GRACE_SECONDS: i64 = 30;

pub(super) fn prepare_create(pod: &mut Value) {
    strategy::begin(pod);
    let status = json!({"phase": "Pending", "qosClass": qos_class(&pod["spec"])});
    object::as_map(pod).insert("status".to_owned(), status);
    if pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
        let gated = json!({"type": "PodScheduled", "status": "False", "lastProbeTime": null, "lastTransitionTime": null,
            "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"});
        pod["status"]["conditions"] = json!([gated]);
    }
}

pub(super) fn prepare_update(pod: &mut Value, old: &Value, part: Part) {
    strategy::keep(pod, old, part);
    if part == Part::Status {
        // Who owns a pod is not the agent's business.
        let owners = &old["metadata"]["ownerReferences"];
        if !owners.is_null() {
            object::metadata(pod).insert("ownerReferences".to_owned(), owners.clone());
        }
        let status = object::map(pod, "status");
        if status.get("qosClass").is_none_or(Value::is_null) {
            status.insert("qosClass".to_owned(), old["status"]["qosClass"].clone());
        }
    }
}

/// A pod that no node has yet, or that has ended, needs no grace. (That a later DELETE only shortens is the server's.)
pub(super) fn deletion(pod: &Value, grace_seconds: Option<i64>) -> Deletion {
    let spec_seconds = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    let asked = grace_seconds.or(spec_seconds).unwrap_or(DEFAULT_GRACE_SECONDS);
    // A negative period means at once, but politely (K:pkg/registry/core/pod/strategy.go).
    let asked = if asked < 0 { 1 } else { asked };
    let is_unscheduled = pod["spec"]["nodeName"].as_str().unwrap_or("").is_empty();
    let has_ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if is_unscheduled || has_ended || asked == 0 {
        return Deletion::Now;
    }
    Deletion::Graceful { grace_seconds: asked }
}

/// Guaranteed: every container's cpu and memory limits are set and equal its requests. BestEffort: nothing is set.
/// Burstable: the rest.
pub fn qos_class(pod_spec: &Value) -> &'static str {
    let containers =
        || ["containers", "initContainers"].into_iter().filter_map(|list| pod_spec[list].as_array()).flatten();
    let quantity = |container: &Value, kind: &str, resource: &str| -> Option<Quantity> {
        let text = container["resources"][kind][resource].as_str()?;
        text.parse().ok().filter(|quantity: &Quantity| !quantity.is_zero())
    };
    let asks_for_nothing = |container: &Value| {
        ["cpu", "memory"].into_iter().all(|resource| {
            quantity(container, "requests", resource).is_none() && quantity(container, "limits", resource).is_none()
        })
    };
    let is_guaranteed = |container: &Value| {
        ["cpu", "memory"].into_iter().all(|resource| {
            let limit = quantity(container, "limits", resource);
            let request = quantity(container, "requests", resource);
            limit.is_some() && (request.is_none() || request == limit)
        })
    };
    match () {
        () if containers().all(asks_for_nothing) => "BestEffort",
        () if containers().all(is_guaranteed) => "Guaranteed",
        () => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::pod::Pod;
    use crate::testing::created;

    #[test]
    fn a_new_pod_is_pending_with_its_class() {
        let pod =
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Failed"}});
        let pod = created(&Pod, &pod);
        assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
        assert_eq!(pod["metadata"]["generation"], 1);
    }

    #[test]
    fn the_class_follows_from_requests_and_limits() {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        for (resources, expect) in [
            (json!([{}]), "BestEffort"),
            (json!([{"requests": {"cpu": "0"}}]), "BestEffort"),
            (json!([{"requests": {"cpu": "1"}}]), "Burstable"),
            (json!([{"limits": {"cpu": "1"}}]), "Burstable"),
            (json!([{"limits": both}]), "Guaranteed"),
            (json!([{"limits": both, "requests": {"cpu": "1000m", "memory": "1024Mi"}}]), "Guaranteed"),
            (json!([{"limits": both, "requests": {"cpu": "500m", "memory": "1Gi"}}]), "Burstable"),
            (json!([{"limits": both}, {}]), "Burstable"),
        ] {
            let containers: Vec<Value> =
                resources.as_array().unwrap().iter().map(|resources| json!({ "resources": resources })).collect();
            assert_eq!(qos_class(&json!({ "containers": containers })), expect, "for {resources}");
        }
    }

    #[test]
    fn deleting_gives_running_pods_time() {
        let pod = |rest: Value| {
            let mut pod = json!({"metadata": {}, "spec": {"nodeName": "box", "terminationGracePeriodSeconds": 10}});
            meta::object::as_map(&mut pod).extend(rest.as_object().unwrap().clone());
            pod
        };
        let graceful = |grace_seconds| Deletion::Graceful { grace_seconds };
        for (pod, asked, expect) in [
            (pod(json!({})), None, graceful(10)),
            (pod(json!({})), Some(3), graceful(3)),
            (pod(json!({})), Some(60), graceful(60)),
            (pod(json!({})), Some(0), Deletion::Now),
            (pod(json!({"spec": {"nodeName": "box"}})), None, graceful(30)),
            (pod(json!({"spec": {}})), Some(60), Deletion::Now),
            (pod(json!({"status": {"phase": "Failed"}})), None, Deletion::Now),
            (pod(json!({"status": {"phase": "Succeeded"}})), Some(5), Deletion::Now),
            (pod(json!({"status": {"phase": "Running"}})), Some(5), graceful(5)),
            (pod(json!({})), Some(-5), graceful(1)),
        ] {
            assert_eq!(Pod.deletion(&pod, asked), expect, "{pod} asked {asked:?}");
        }
    }

    #[test]
    fn a_status_write_keeps_owners_class_and_spec() {
        let old = json!({"metadata": {"ownerReferences": [{"name": "j"}], "generation": 1}, "spec": {"nodeName": "box"},
            "status": {"phase": "Pending", "qosClass": "Burstable"}});
        let mut new = json!({"metadata": {}, "spec": {}, "status": {"phase": "Running"}});
        Pod.prepare_update(&mut new, &old, Part::Status);
        assert_eq!(new["metadata"]["ownerReferences"], json!([{"name": "j"}]));
        assert_eq!(new["status"], json!({"phase": "Running", "qosClass": "Burstable"}));
        assert_eq!(new["spec"], json!({"nodeName": "box"}));
    }
}
