//! Which pods are a Job's own: adopts loose pods that match its selector, releases owned ones that no longer do, and finds
//! pods that carry the tracking finalizer though nobody will count them.

use crate::job::pods::PodFacts;
use crate::job::sync::{PodRef, is_finished, is_managed_elsewhere};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

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
    let selector = job.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let (Some(selector), Some(uid)) = (selector, job.metadata.uid.as_deref()) else { return claims };
    if is_finished(job) || is_managed_elsewhere(job) {
        return claims;
    }
    for pod in pods {
        let matches = selects(selector, pod);
        match pod.controller_uid.as_deref() {
            Some(owner) if owner == uid && !matches && !job_deleted => claims.release.push(PodRef::of(pod)),
            None if matches && !job_deleted && !pod.deleted => claims.adopt.push(PodRef::of(pod)),
            _ => {}
        }
    }
    claims
}

/// Whether a pod's tracking finalizer has lost its purpose: no live, unfinished Job controls the pod.
/// `controller` is the Job that the pod's controller reference names by uid, if it exists.
pub fn is_stray(pod: &PodFacts, controller: Option<&Job>) -> bool {
    let awaited = controller.is_some_and(|job| is_managed_elsewhere(job) || !is_finished(job));
    pod.tracked && !awaited
}

/// An empty selector selects nothing here: a Job never owns every pod of its namespace.
fn selects(selector: &LabelSelector, pod: &PodFacts) -> bool {
    let labels = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    let anything = selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty());
    if anything && expressions.is_empty() {
        return false;
    }
    let values_match = |key: &str, values: &Option<Vec<String>>| {
        pod.labels.get(key).is_some_and(|value| values.iter().flatten().any(|wanted| wanted == value))
    };
    labels.into_iter().all(|(key, value)| pod.labels.get(key) == Some(value))
        && expressions.iter().all(|term| match term.operator.as_str() {
            "In" => values_match(&term.key, &term.values),
            "NotIn" => !values_match(&term.key, &term.values),
            "Exists" => pod.labels.contains_key(&term.key),
            "DoesNotExist" => !pod.labels.contains_key(&term.key),
            _ => false,
        })
}
