//! An eviction is a delete that says why (K:pkg/registry/core/pod/storage/eviction.go). There are no
//! PodDisruptionBudgets here, so nothing keeps a pod from it.

use super::condition::{self, Condition};
use serde_json::Value;

/// Notes in the pod's status that it is evicted.
pub fn mark(pod: &mut Value, now: &str) {
    condition::set(
        pod,
        Condition {
            condition_type: "DisruptionTarget",
            status: "True",
            reason: "EvictionByEvictionAPI",
            message: "Eviction API: evicting",
        },
        now,
    );
}
