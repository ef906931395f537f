//! When a finished Job is removed (spec.ttlSecondsAfterFinished; K:pkg/controller/ttlafterfinished).

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;

/// The instant from which the Job may go; `None` while it is unfinished, is going already, or is to stay.
pub fn expires_at(job: &Job) -> Option<Timestamp> {
    let ttl = job.spec.as_ref()?.ttl_seconds_after_finished?;
    if job.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    let ended = |kind: &str| conditions.iter().find(|found| found.type_ == kind && found.status == "True");
    let finished = ended("Complete").or_else(|| ended("Failed"))?;
    let finished_at = finished.last_transition_time.as_ref()?.0;
    Some(finished_at.checked_add(SignedDuration::from_secs(ttl.into())).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_finished_job_expires_its_ttl_after_its_last_condition() {
        let job = |ttl: serde_json::Value, kind: &str, status: &str, deleted: bool| -> Job {
            let mut job = json!({
                "metadata": {"name": "j"},
                "spec": {"template": {}, "ttlSecondsAfterFinished": ttl},
                "status": {"conditions": [{"type": kind, "status": status, "lastTransitionTime": "2026-01-01T00:00:10Z"}]},
            });
            if deleted {
                job["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:11Z".into();
            }
            serde_json::from_value(job).unwrap()
        };
        for (job, expect) in [
            (job(json!(5), "Complete", "True", false), Some("2026-01-01T00:00:15Z")),
            (job(json!(0), "Failed", "True", false), Some("2026-01-01T00:00:10Z")),
            (job(json!(null), "Failed", "True", false), None),
            (job(json!(5), "FailureTarget", "True", false), None),
            (job(json!(5), "Complete", "False", false), None),
            (job(json!(5), "Complete", "True", true), None),
        ] {
            assert_eq!(expires_at(&job), expect.map(|text| text.parse().unwrap()));
        }
    }
}
