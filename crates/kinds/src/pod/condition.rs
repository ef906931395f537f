//! Conditions of a pod that the API server itself sets (K:pkg/api/v1/pod UpdatePodCondition).

use meta::object;
use serde_json::{Value, json};

/// One condition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition<'a> {
    pub condition_type: &'a str,
    pub status: &'a str,
    /// Empty when there is nothing to say; so is the message.
    pub reason: &'a str,
    pub message: &'a str,
}

/// Sets it. The time is that of the last change of its status.
pub(super) fn set(pod: &mut Value, condition: Condition<'_>, now: &str) {
    let status = object::map(pod, "status");
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else { return };
    let place = conditions.iter().position(|one| one["type"] == condition.condition_type);
    let since = place
        .map(|place| &conditions[place])
        .filter(|old| old["status"] == condition.status)
        .and_then(|old| old["lastTransitionTime"].as_str())
        .unwrap_or(now)
        .to_owned();
    let mut new = json!({
        "type": condition.condition_type,
        "status": condition.status,
        "lastProbeTime": null,
        "lastTransitionTime": since,
    });
    for (field, text) in [("reason", condition.reason), ("message", condition.message)] {
        if !text.is_empty() {
            new[field] = text.into();
        }
    }
    match place {
        Some(place) => conditions[place] = new,
        None => conditions.push(new),
    }
}

/// The pod has got its node: PodScheduled=True, and no other node is being made ready for it.
pub fn set_scheduled(pod: &mut Value, now: &str) {
    set(pod, Condition { condition_type: "PodScheduled", status: "True", reason: "", message: "" }, now);
    object::map(pod, "status").shift_remove("nominatedNodeName");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_place_and_its_time_while_its_status_stays() {
        let mut pod = json!({"status": {"nominatedNodeName": "box", "conditions": [
            {"type": "PodScheduled", "status": "False", "lastTransitionTime": "then", "reason": "Unschedulable"}, {"type": "Ready"}]}});
        set_scheduled(&mut pod, "now");
        let expect =
            json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": "now"});
        assert_eq!(pod["status"], json!({"conditions": [expect, {"type": "Ready"}]}));
        set_scheduled(&mut pod, "later");
        assert_eq!(pod["status"]["conditions"][0]["lastTransitionTime"], "now");
        super::super::eviction::mark(&mut pod, "later");
        assert_eq!(pod["status"]["conditions"][2]["reason"], "EvictionByEvictionAPI");
    }
}
