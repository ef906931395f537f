//! CronJobs for tests.

use crate::cronjob::facts::CronJobFacts;
use serde_json::{Value, json};

/// `n/tick`, uid `u`, created at the first moment of 2026, with these fields of its spec.
pub fn cronjob(schedule: &str, spec: Value) -> CronJobFacts {
    let mut object = json!({
        "metadata": {"name": "tick", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": {}}}},
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    CronJobFacts::of(serde_json::from_value(object).unwrap())
}
