//! Which pods are a Job's own: adopts loose pods that match its selector, releases owned ones that no longer do, and finds
//! pods that carry the tracking finalizer though nobody will count them.

use crate::job::pods::PodFacts;
use crate::job::sync::{PodRef, is_finished, is_managed_elsewhere};
use k8s_openapi::api::batch::v1::Job;
use meta::selector::LabelSelector;

/// Changes of ownership to be made before the Job is looked at again.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    /// Get the owner reference and the finalizer. The shell first reads the Job again from the server: a Job that is gone or
    /// being deleted adopts nothing.
    pub adopt: Vec<PodRef>,
    /// Lose the owner reference and the finalizer.
    pub release: Vec<PodRef>,
}

impl Claims {
    /// Every pod is where it belongs.
    pub fn is_empty(&self) -> bool {
        self.adopt.is_empty() && self.release.is_empty()
    }
}

/// Looks at the pods the Job controls and at pods of its namespace that nobody controls.
pub fn claim(job: &Job, pods: &[&PodFacts]) -> Claims {
    let mut claims = Claims::default();
    let job_deleted = job.metadata.deletion_timestamp.is_some();
    let (Some(selector), Some(uid)) = (selector_of(job), job.metadata.uid.as_deref()) else { return claims };
    if is_finished(job) || is_managed_elsewhere(job) {
        return claims;
    }
    for pod in pods {
        let matches = selector.matches(|key| pod.labels.get(key).map(String::as_str));
        match pod.controller_uid.as_deref() {
            Some(owner) if owner == uid && !matches && !job_deleted => claims.release.push(PodRef::of(pod)),
            None if matches && !job_deleted && !pod.deleted => claims.adopt.push(PodRef::of(pod)),
            _ => {}
        }
    }
    claims
}

/// Whether somebody still counts the Job's pods: this controller until the Job is finished, another one for as long as it
/// likes. The tracking finalizer of a pod whose controller is no such Job has lost its purpose.
pub fn awaits_pods(job: &Job) -> bool {
    is_managed_elsewhere(job) || !is_finished(job)
}

/// `None` leaves every pod where it is. An empty selector, which only `manualSelector` allows, selects every pod.
fn selector_of(job: &Job) -> Option<LabelSelector> {
    let selector = job.spec.as_ref()?.selector.as_ref()?;
    LabelSelector::from_json(&serde_json::to_value(selector).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::pods::Phase;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    const BY_LABEL: &str = r#"{"matchLabels": {"app": "j"}}"#;

    /// `NAME OWNER LABEL…`, where the owner is `own`, `other` or `loose` and a label `KEY=VALUE`; `deleted` is being deleted.
    fn pod(text: &str) -> PodFacts {
        let words: Vec<&str> = text.split_whitespace().collect();
        PodFacts {
            name: words[0].into(),
            uid: format!("uid-{}", words[0]),
            labels: words.iter().filter_map(|word| word.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect(),
            controller_uid: match words[1] {
                "own" => Some("job-uid".into()),
                "other" => Some("other-uid".into()),
                _ => None,
            },
            tracked: true,
            deleted: words.contains(&"deleted"),
            phase: Phase::Running,
            assigned: true,
            ready_since: None,
            restarts: 0,
            created_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            index: None,
            index_failures: Default::default(),
            end: None,
        }
    }

    /// A Job with this selector and whatever else is merged over it.
    fn job(selector: &str, more: Value) -> Job {
        let selector: Value = serde_json::from_str(selector).unwrap();
        let mut job =
            json!({"metadata": {"name": "j", "uid": "job-uid"}, "spec": {"selector": selector, "template": {}}});
        for (part, fields) in more.as_object().unwrap() {
            for (field, value) in fields.as_object().unwrap() {
                job[part][field] = value.clone();
            }
        }
        serde_json::from_value(job).unwrap()
    }

    #[track_caller]
    fn check(what: &str, job: &Job, pods: &str, expect: &str) {
        let pods: Vec<PodFacts> = pods.split(", ").map(pod).collect();
        let claims = claim(job, &pods.iter().collect::<Vec<_>>());
        let names =
            |verb: &str, pods: &[PodRef]| pods.iter().map(|pod| format!("{verb} {}", pod.name)).collect::<Vec<_>>();
        let all: Vec<String> = [names("adopt", &claims.adopt), names("release", &claims.release)].concat();
        assert_eq!(all.join(", "), expect, "{what}");
        assert_eq!(claims.is_empty(), expect.is_empty(), "{what}");
    }

    #[test]
    fn loose_pods_that_match_are_adopted_and_own_ones_that_do_not_released() {
        let plain = job(BY_LABEL, json!({}));
        check("a loose pod that matches", &plain, "a loose app=j", "adopt a");
        check("one that does not", &plain, "a loose app=k, b loose", "");
        check("one that is going away", &plain, "a loose app=j deleted", "");
        check("an own pod that matches", &plain, "a own app=j more=yes", "");
        check("one that lost its label", &plain, "a own, b own app=k", "release a, release b");
        check("one that lost it while going away", &plain, "a own deleted", "release a");
        check("another's pod, whatever its labels", &plain, "a other app=j, b other", "");
        check("everything at once", &plain, "a own, b loose app=j, c own app=j, d other app=j", "adopt b, release a");
    }

    #[test]
    fn some_jobs_claim_nothing() {
        let pods = "a own, b loose app=j";
        let deleted = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        check("one being deleted", &job(BY_LABEL, deleted), pods, "");
        for kind in ["Complete", "Failed"] {
            let finished = json!({"status": {"conditions": [{"type": kind, "status": "True"}]}});
            check("a finished one", &job(BY_LABEL, finished), pods, "");
        }
        let elsewhere = json!({"spec": {"managedBy": "example.com/queue"}});
        check("one of another controller", &job(BY_LABEL, elsewhere), pods, "");
        let ours = json!({"spec": {"managedBy": "kubernetes.io/job-controller"}});
        check("one that names this controller", &job(BY_LABEL, ours), pods, "adopt b, release a");
        check("one without a selector", &job("null", json!({})), pods, "");
        let unreadable = r#"{"matchExpressions": [{"key": "app", "operator": "Near", "values": ["j"]}]}"#;
        check("one whose selector means nothing", &job(unreadable, json!({})), pods, "");
    }

    #[test]
    fn selectors_mean_what_they_mean_elsewhere() {
        let term = |operator: &str, values: &str| {
            format!(r#"{{"matchExpressions": [{{"key": "app", "operator": "{operator}", "values": {values}}}]}}"#)
        };
        let pods = "a loose app=j, b loose app=k, c loose";
        for (selector, expect) in [
            ("{}".to_owned(), "adopt a, adopt b, adopt c"),
            (term("In", r#"["i", "j"]"#), "adopt a"),
            (term("NotIn", r#"["i", "j"]"#), "adopt b, adopt c"),
            (term("Exists", "[]"), "adopt a, adopt b"),
            (term("DoesNotExist", "[]"), "adopt c"),
        ] {
            check(&selector, &job(&selector, json!({})), pods, expect);
        }
        check("a Job that selects everything keeps its own pods", &job("{}", json!({})), "a own, b own app=j", "");
    }

    #[test]
    fn pods_are_counted_until_the_job_is_finished_and_another_controllers_always() {
        let finished = json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}});
        let elsewhere = json!({"spec": {"managedBy": "example.com/queue"},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]}});
        for (what, more, awaits) in
            [("live", json!({}), true), ("finished", finished, false), ("another controller's", elsewhere, true)]
        {
            assert_eq!(awaits_pods(&job(BY_LABEL, more)), awaits, "{what}");
        }
    }
}
