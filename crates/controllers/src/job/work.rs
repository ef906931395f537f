//! The writes of the Job controller: pods made, deleted, adopted, released; finalizers; status.

use super::Controller;
use crate::engine::Key;
use crate::engine::apply::{self, Target, gone_is_fine, has_cause, is_conflict, side_by_side, text};
use crate::engine::expectations::Written;
use crate::engine::queue::{BoxError, Next, Outcome};
use crate::world::PodEntry;
use futures::future::join_all;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use kinds::job::TRACKING_FINALIZER;
use kinds::job::claim::Claims;
use kinds::job::events;
use kinds::job::sync::{Done, PodRef, PodWork, slow_start};
use kinds::job::template::{NewPod, controller_reference, new_pod};
use kube::api::PropagationPolicy;
use kube::{Api, Error};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tracing::warn;

/// A patch that takes the tracking finalizer off exactly this pod.
pub fn without_finalizer(uid: &str) -> Value {
    json!({"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [TRACKING_FINALIZER]}})
}

/// What becomes of the tracking finalizer of a pod that is deleted.
enum Finalizer<'a> {
    /// It goes first, and the pod does not count: only if the pod still has the version by which that was decided, by uid. It
    /// may have ended since, and then it does count.
    Goes(HashMap<&'a str, &'a str>),
    /// It stays until the pod is counted.
    Stays,
}

impl Controller {
    fn pods<'a>(&'a self, key: &Key, written: &'a Written) -> Target<'a> {
        Target::of::<Pod>(&self.context.client, &key.namespace).seen_by(self.world.pods.seen(), written)
    }

    /// Does the work, decided upon by `owned`, and tells how it went; the second is what to try again for.
    pub(super) async fn work_on_pods(
        &self,
        key: &Key,
        job: &Job,
        work: PodWork,
        owned: &[Arc<PodEntry>],
        written: &Written,
    ) -> (Done, Option<String>) {
        match work {
            PodWork::Nothing => (Done::Whole, None),
            PodWork::Create(which) => self.create(key, job, &which, written).await,
            PodWork::Stop(pods) => {
                let versions = owned.iter().map(|pod| (pod.facts.uid.as_str(), pod.version.as_str()));
                self.delete(key, job, &pods, Finalizer::Goes(versions.collect()), written).await
            }
            PodWork::Kill(pods) => self.delete(key, job, &pods, Finalizer::Stays, written).await,
        }
    }

    async fn create(&self, key: &Key, job: &Job, which: &[NewPod], written: &Written) -> (Done, Option<String>) {
        let pods = self.pods(key, written);
        let mut left = which.iter();
        let mut n_created = 0;
        let (mut trouble, mut is_unsure) = (None, false);
        for batch in slow_start(which.len()) {
            let batch: Vec<Pod> = left.by_ref().take(batch).map(|which| new_pod(job, *which)).collect();
            let answers = join_all(batch.iter().map(|pod| pods.create(pod))).await;
            for answer in answers {
                match answer {
                    Ok(pod) => {
                        n_created += 1;
                        self.tell(job, events::created(pod.name.as_deref().unwrap_or_default()));
                    }
                    // Every further creation would fail as well, and nobody has to hear of it.
                    Err(Error::Api(status)) if has_cause(&status, "NamespaceTerminating") => {
                        return (Done::Part((0..n_created).collect()), None);
                    }
                    Err(error) => {
                        self.tell(job, events::create_failed(&text(&error)));
                        is_unsure |= apply::is_unsure(&error);
                        trouble = Some(text(&error));
                    }
                }
            }
            if is_unsure && let Err(error) = pods.expect_what_stands(&own_pods(job)).await {
                warn!(job = %key, %error, "cannot tell whether pods were made");
            }
            if trouble.is_some() {
                return (Done::Part((0..n_created).collect()), trouble);
            }
        }
        (Done::Whole, None)
    }

    async fn delete(
        &self,
        key: &Key,
        job: &Job,
        doomed: &[PodRef],
        finalizer: Finalizer<'_>,
        written: &Written,
    ) -> (Done, Option<String>) {
        let pods = self.pods(key, written);
        let requests = doomed.iter().map(|pod| async {
            if let Finalizer::Goes(versions) = &finalizer {
                let mut patch = without_finalizer(&pod.uid);
                patch["metadata"]["resourceVersion"] = versions.get(pod.uid.as_str()).copied().into();
                match pods.merge(&pod.name, &patch).await {
                    Err(Error::Api(status)) if status.code == 404 => return Ok(()),
                    answer => answer?,
                };
            }
            pods.delete(&pod.name, &pod.uid, PropagationPolicy::Background).await
        });
        let answers = side_by_side(requests.collect()).await;
        let mut gone = Vec::new();
        let mut trouble = None;
        for (position, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(()) => {
                    gone.push(position);
                    self.tell(job, events::deleted(&doomed[position].name));
                }
                // It is another pod than the one that was to go: to be decided upon anew, and nothing to tell anybody.
                Err(Error::Api(status)) if is_conflict(&status) => trouble = Some(status.message),
                Err(error) => {
                    self.tell(job, events::delete_failed(&text(&error)));
                    trouble = Some(text(&error));
                }
            }
        }
        match trouble {
            None => (Done::Whole, None),
            Some(trouble) => (Done::Part(gone), Some(trouble)),
        }
    }

    /// Takes the finalizers off pods that the status has just listed.
    pub(super) async fn untrack(&self, key: &Key, counted: &[PodRef], written: &Written) -> Result<(), BoxError> {
        let pods = self.pods(key, written);
        let requests = counted.iter().map(|pod| untrack_pod(&pods, pod));
        let answers = side_by_side(requests.collect()).await;
        answers.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(error.into()))
    }

    /// `false`: the Job has been written by somebody else, or is gone.
    pub(super) async fn write_status(
        &self,
        key: &Key,
        job: &Job,
        status: &JobStatus,
        written: &Written,
    ) -> Result<bool, BoxError> {
        let jobs = Target::of::<Job>(&self.context.client, &key.namespace).seen_by(self.world.jobs.seen(), written);
        let patch = json!({
            "metadata": {"uid": job.metadata.uid, "resourceVersion": job.metadata.resource_version},
            "status": whole(status)?,
        });
        match jobs.replace_status(&key.name, &patch).await {
            Ok(_) => Ok(true),
            Err(Error::Api(status)) if status.code == 404 || is_conflict(&status) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Adopts and releases pods, then waits to see them where they belong.
    pub(super) async fn apply_claims(&self, key: &Key, job: &Job, claims: Claims, written: &Written) -> Outcome {
        let pods = self.pods(key, written);
        for pod in &claims.release {
            let patch = json!({"metadata": {
                "uid": pod.uid,
                "ownerReferences": [{"$patch": "delete", "uid": job.metadata.uid}],
                "$deleteFromPrimitiveList/finalizers": [TRACKING_FINALIZER],
            }});
            gone_is_fine(pods.merge(&pod.name, &patch).await)?;
        }
        if claims.adopt.is_empty() {
            return Ok(Next::WhenAdded);
        }
        // The cache may lag behind; a Job that is gone must not leave pods that nobody counts.
        let fresh = Api::<Job>::namespaced(self.context.client.clone(), &key.namespace).get_opt(&key.name).await?;
        let may_adopt = fresh
            .is_some_and(|fresh| fresh.metadata.uid == job.metadata.uid && fresh.metadata.deletion_timestamp.is_none());
        if may_adopt {
            for pod in &claims.adopt {
                let patch = json!({"metadata": {
                    "uid": pod.uid,
                    "ownerReferences": [controller_reference(job)],
                    "finalizers": [TRACKING_FINALIZER],
                }});
                gone_is_fine(pods.merge(&pod.name, &patch).await)?;
            }
        }
        Ok(Next::WhenAdded)
    }
}

/// The label selector of the pods that a Job has made.
fn own_pods(job: &Job) -> String {
    let selector = job.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let labels = selector.and_then(|selector| selector.match_labels.as_ref());
    let pairs = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

async fn untrack_pod(pods: &Target<'_>, pod: &PodRef) -> kube::Result<()> {
    gone_is_fine(pods.merge(&pod.name, &without_finalizer(&pod.uid)).await).map(drop)
}

/// The status as a merge patch that leaves nothing of an older one: fields that are not set become null.
fn whole(status: &JobStatus) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(status)?;
    let uncounted = &mut value["uncountedTerminatedPods"];
    if uncounted.is_object() {
        null_if_absent(uncounted, &["succeeded", "failed"]);
    }
    null_if_absent(
        &mut value,
        &[
            "active",
            "succeeded",
            "failed",
            "ready",
            "terminating",
            "completedIndexes",
            "failedIndexes",
            "startTime",
            "completionTime",
            "conditions",
        ],
    );
    Ok(value)
}

fn null_if_absent(object: &mut Value, fields: &[&str]) {
    for field in fields {
        if object.get(field).is_none() {
            object[*field] = Value::Null;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_status_may_have_had_is_taken_away() {
        let all = serde_json::json!({
            "active": 1, "succeeded": 1, "failed": 1, "ready": 1, "terminating": 1, "startTime": "2026-01-01T00:00:00Z",
            "completionTime": "2026-01-01T00:00:00Z", "completedIndexes": "1", "failedIndexes": "2", "conditions": [],
            "uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["b"]},
        });
        let patch = whole(&JobStatus::default()).unwrap();
        for field in all.as_object().unwrap().keys().filter(|field| *field != "uncountedTerminatedPods") {
            assert_eq!(patch.get(field), Some(&Value::Null), "{field}");
        }
    }
}
