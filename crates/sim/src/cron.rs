//! What must hold of CronJobs at every moment: no instant has two Jobs, and what is told to be accounted for stays so.

use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashMap;

/// Remembers every Job that was ever made for an instant.
#[derive(Debug, Default)]
pub struct CronLedger {
    /// By CronJob uid and instant: the Job's uid. Jobs tell the instant in their CronJob's zone.
    jobs: HashMap<(String, Timestamp), String>,
    /// By CronJob uid: up to where it was accounted.
    accounted: HashMap<String, String>,
}

impl CronLedger {
    /// Looks at the Jobs and CronJobs that changed; returns what is wrong.
    pub fn look_at<'a>(
        &mut self,
        jobs: impl Iterator<Item = &'a Value>,
        cronjobs: impl Iterator<Item = &'a Value>,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for job in jobs {
            let metadata = &job["metadata"];
            let tick = &metadata["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
            let owner = metadata["ownerReferences"][0]["uid"].as_str();
            let instant = tick.as_str().and_then(|tick| tick.parse().ok());
            let (Some(instant), Some(owner), Some(uid)) = (instant, owner, metadata["uid"].as_str()) else {
                continue;
            };
            let first = self.jobs.entry((owner.into(), instant)).or_insert_with(|| uid.into());
            if first != uid {
                wrong.push(format!("{} is the second job for {tick}", metadata["name"]));
            }
        }
        for cronjob in cronjobs {
            let metadata = &cronjob["metadata"];
            let until = metadata["annotations"]["kiln.dev/accounted-until"].as_str().unwrap_or_default();
            let before = self.accounted.entry(metadata["uid"].as_str().unwrap_or_default().into()).or_default();
            // Somebody may take the annotation away; it is put back.
            if !until.is_empty() {
                if until < before.as_str() {
                    wrong.push(format!("{} was accounted until {before}, now until {until}", metadata["name"]));
                }
                *before = until.into();
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn second_jobs_and_accounts_that_fall_are_noticed() {
        let job = |uid: &str, tick: &str| {
            json!({"metadata": {"name": uid, "uid": uid, "ownerReferences": [{"uid": "c"}],
                "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": tick}}})
        };
        let cronjob =
            |until: &str| json!({"metadata": {"uid": "c", "annotations": {"kiln.dev/accounted-until": until}}});
        let mut ledger = CronLedger::default();
        let mut n_wrong = |job: &Value, cronjob: &Value| ledger.look_at([job].into_iter(), [cronjob].into_iter()).len();
        assert_eq!(n_wrong(&job("a", "2026-01-01T00:00:00Z"), &cronjob("2026-01-01T00:00:00Z")), 0);
        assert_eq!(n_wrong(&job("a", "2026-01-01T00:00:00Z"), &cronjob("2026-01-01T00:01:00Z")), 0);
        assert_eq!(n_wrong(&job("b", "2026-01-01T00:01:00Z"), &cronjob("2026-01-01T00:00:00Z")), 1);
        assert_eq!(n_wrong(&job("c", "2026-01-01T01:01:00+01:00"), &cronjob("2026-01-01T00:01:00Z")), 1);
    }
}
