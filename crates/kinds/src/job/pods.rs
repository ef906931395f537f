//! The few facts of a pod that a Job's fate hangs on: some hundred bytes instead of the pod's kilobytes, so that a
//! controller can remember a hundred thousand of them.

use crate::job::{INDEX, INDEX_FAILURES, INDEX_IGNORED_FAILURES, TRACKING_FINALIZER};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// `status.phase`. The order is the one in which surplus pods go: what has done least goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing runs yet.
    Pending,
    /// Its node is out of reach.
    Unknown,
    /// Something runs, or will again.
    Running,
    /// Everything exited 0.
    Succeeded,
    /// Something did not, and nothing runs any more.
    Failed,
}

impl Phase {
    /// Succeeded or Failed: the pod will never run again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }
}

/// How often an index has been tried in vain before this pod, as the pod's annotations carry it on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexFailures {
    /// Count towards backoffLimitPerIndex.
    pub counted: u32,
    /// Do not, by the pod failure policy.
    pub ignored: u32,
}

impl IndexFailures {
    /// Both together: what the back-off goes by.
    pub fn all(self) -> u32 {
        self.counted.saturating_add(self.ignored)
    }
}

/// How a failed pod ended: what pod failure policies look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Name and exit code of each container that has ended, app containers before init containers.
    pub exit_codes: Vec<(String, i32)>,
    /// Type and status of each condition.
    pub conditions: Vec<(String, String)>,
}

/// What a Job's decision looks at in a pod. Made by `PodFacts::of`.
#[derive(Debug, Clone, PartialEq)]
pub struct PodFacts {
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
    /// metadata.labels, which the Job's selector is about.
    pub labels: BTreeMap<String, String>,
    /// uid of the owner that controls the pod.
    pub controller_uid: Option<String>,
    /// Carries the finalizer `batch.kubernetes.io/job-tracking`: not yet counted in the Job's status. Pods that are controlled
    /// by something else than a Job are none of a Job's business, finalizer or not.
    pub tracked: bool,
    /// Has a deletionTimestamp.
    pub deleted: bool,
    /// status.phase
    pub phase: Phase,
    /// Bound to a node.
    pub assigned: bool,
    /// Since when the Ready condition is True.
    pub ready_since: Option<Timestamp>,
    /// Restarts of all init and app containers.
    pub restarts: i64,
    /// metadata.creationTimestamp
    pub created_at: Timestamp,
    /// When the pod finished, or the nearest thing to it; only of use once it did.
    pub finished_at: Timestamp,
    /// The completion index, by annotation, as labels can be taken for a selector's sake.
    pub index: Option<u32>,
    /// What went before at this index.
    pub index_failures: IndexFailures,
    /// Only of a failed pod: nobody asks how the others ended.
    pub end: Option<Box<End>>,
}

impl PodFacts {
    /// Reads the facts off a pod.
    pub fn of(pod: &Pod) -> Self {
        let meta = &pod.metadata;
        let empty = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&empty);
        let phase = match status.phase.as_deref() {
            Some("Running") => Phase::Running,
            Some("Succeeded") => Phase::Succeeded,
            Some("Failed") => Phase::Failed,
            Some("Unknown") => Phase::Unknown,
            _ => Phase::Pending,
        };
        let ready = status.conditions.iter().flatten().find(|c| c.type_ == "Ready");
        let created_at = meta.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        let restarts = status
            .init_container_statuses
            .iter()
            .chain(&status.container_statuses)
            .flatten()
            .map(|container| i64::from(container.restart_count))
            .sum();
        let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        let may_be_a_jobs = controller.is_none_or(|owner| owner.api_version == "batch/v1" && owner.kind == "Job");
        let has_finalizer = meta.finalizers.iter().flatten().any(|finalizer| finalizer == TRACKING_FINALIZER);
        Self {
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            labels: meta.labels.clone().unwrap_or_default(),
            controller_uid: controller.map(|owner| owner.uid.clone()),
            tracked: has_finalizer && may_be_a_jobs,
            deleted: meta.deletion_timestamp.is_some(),
            phase,
            assigned: pod
                .spec
                .as_ref()
                .is_some_and(|spec| spec.node_name.as_ref().is_some_and(|node| !node.is_empty())),
            ready_since: ready
                .filter(|c| c.status == "True")
                .map(|c| c.last_transition_time.as_ref().map_or(created_at, |time| time.0)),
            restarts,
            created_at,
            finished_at: finished_at(pod, status).unwrap_or(created_at),
            index: annotation(pod, INDEX),
            index_failures: IndexFailures {
                counted: annotation(pod, INDEX_FAILURES).unwrap_or(0),
                ignored: annotation(pod, INDEX_IGNORED_FAILURES).unwrap_or(0),
            },
            end: (phase == Phase::Failed).then(|| Box::new(end(status))),
        }
    }

    /// Still to be waited for: neither terminal nor being deleted.
    pub fn is_active(&self) -> bool {
        !self.phase.is_terminal() && !self.deleted
    }

    /// Ended, and counted or never to be: no decision hangs on it any more.
    pub fn is_settled(&self) -> bool {
        self.phase.is_terminal() && !self.tracked
    }

    /// Being deleted and not yet terminal: may still run.
    pub fn is_terminating(&self) -> bool {
        !self.phase.is_terminal() && self.deleted
    }
}

fn annotation(pod: &Pod, name: &str) -> Option<u32> {
    pod.metadata.annotations.as_ref()?.get(name)?.parse().ok()
}

fn end(status: &PodStatus) -> End {
    let containers = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    let exit_codes = containers.filter_map(|container| {
        let ended = container.state.as_ref()?.terminated.as_ref()?;
        Some((container.name.clone(), ended.exit_code))
    });
    let conditions = status.conditions.iter().flatten().map(|found| (found.type_.clone(), found.status.clone()));
    End { exit_codes: exit_codes.collect(), conditions: conditions.collect() }
}

/// The newest container's finish, else when the pod stopped being ready, else when its deletion was asked for.
fn finished_at(pod: &Pod, status: &PodStatus) -> Option<Timestamp> {
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let finishes: Option<Vec<Timestamp>> = containers
        .iter()
        .map(|container| Some(container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0))
        .collect();
    if let Some(newest) = finishes.and_then(|finishes| finishes.into_iter().max()) {
        return Some(newest);
    }
    let not_ready = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "Ready" && c.status == "False")
        .and_then(|c| c.last_transition_time.as_ref());
    if let Some(time) = not_ready {
        return Some(time.0);
    }
    let gone = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds.unwrap_or(0));
    Some(gone.checked_sub(grace).unwrap_or(gone))
}

/// Which of two active pods goes first when there are too many: unassigned, then Pending before Unknown before Running,
/// not ready before ready, newly ready before long ready, often restarted, new (K:pkg/controller ActivePods).
pub fn deletion_order(a: &PodFacts, b: &PodFacts) -> Ordering {
    a.assigned
        .cmp(&b.assigned)
        .then(a.phase.cmp(&b.phase))
        .then(a.ready_since.is_some().cmp(&b.ready_since.is_some()))
        .then(b.ready_since.cmp(&a.ready_since))
        .then(b.restarts.cmp(&a.restarts))
        .then(b.created_at.cmp(&a.created_at))
        .then(a.name.cmp(&b.name))
}

#[cfg(test)]
#[path = "pods_tests.rs"]
mod tests;
