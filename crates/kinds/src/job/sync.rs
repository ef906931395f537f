//! Decides what a Job needs next. Reads nothing, writes nothing, waits for nothing.
//!
//! ```text
//! job, pods, now ── sync ──▶ Plan.work   create, stop or kill pods
//!                            Plan.then ── settle(how that went) ──▶ Settlement
//!                                                                    status   is written first: lists uids of ended pods
//!                                                                    untrack  their finalizers go once it stands
//!                                                                    events   are told once it stands
//! ```
//! A pod's end is counted in two steps, so that no crash counts it twice or not at all: its uid is listed in
//! `status.uncountedTerminatedPods`, then its finalizer goes, and a later decision that sees the finalizer gone moves the
//! uid into the counter. A Job ends in two steps as well: FailureTarget or SuccessCriteriaMet, and Failed or Complete once
//! nothing is left to count and no pod may still run. The shell applies one decision, waits until it sees its own writes,
//! and asks again. (K:pkg/controller/job/job_controller.go)

use crate::job::accounting::{Accounting, condition};
use crate::job::backoff::Backoff;
use crate::job::events::{self, JobEvent};
use crate::job::pods::{PodFacts, deletion_order};
use crate::job::template::NewPod;
use crate::job::wanted::Wanted;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobStatus};

/// Pods created or deleted by one decision.
pub const MAX_PODS_PER_SYNC: usize = 500;
/// Uids in `uncountedTerminatedPods`, so that the status stays under 20 KB.
pub const MAX_UNCOUNTED: usize = 500;

/// What to do about a Job.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every decision is a plan, and none is kept")]
pub enum Decision<'a> {
    /// It is finished, or `spec.managedBy` names another controller.
    LeaveAlone,
    /// It asks for what this controller does not know.
    Refuse(JobEvent),
    /// It needs this.
    Act(Plan<'a>),
}

/// First the work on pods, then what follows from how it went.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Done first.
    pub work: PodWork,
    /// Told how the work went, says what is written.
    pub then: Accounting<'a>,
}

/// What is done to pods in one decision: deletions win over creations.
#[derive(Debug, Clone, PartialEq)]
pub enum PodWork {
    /// The pods are as they should be, or something is waited for.
    Nothing,
    /// In batches, see `slow_start`.
    Create(Vec<NewPod>),
    /// Deletes surplus pods, each after its finalizer: they do not count as failed.
    Stop(Vec<PodRef>),
    /// Deletes what still runs of a Job that ends; the finalizers stay until the pods are counted.
    Kill(Vec<PodRef>),
}

/// Names one pod, not just any pod of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
}

impl PodRef {
    /// The reference to a pod.
    pub fn of(pod: &PodFacts) -> Self {
        Self { name: pod.name.clone(), uid: pod.uid.clone() }
    }
}

/// How the work on pods went.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// All of it.
    Whole,
    /// The positions in the work's list (or any distinct numbers, for creations) that succeeded.
    Part(Vec<usize>),
}

/// What is to be written, in the order of the fields.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The new status, if it differs.
    pub status: Option<JobStatus>,
    /// Lose their tracking finalizer once the status stands.
    pub untrack: Vec<PodRef>,
    /// Told once the status stands.
    pub events: Vec<JobEvent>,
    /// Handed to the next decision, once the status stands.
    pub backoff: Backoff,
    /// When to decide again even if nothing happens.
    pub wake_at: Option<Timestamp>,
}

/// Sizes of the batches in which `n` pods are created: 1, 2, 4 …; the next one only when the last had no error, as
/// many creations would likely fail for one reason.
pub fn slow_start(n: usize) -> impl Iterator<Item = usize> {
    let mut left = n;
    let mut size = 1;
    std::iter::from_fn(move || {
        let batch = size.min(left);
        left -= batch;
        size *= 2;
        (0 < batch).then_some(batch)
    })
}

/// Complete or Failed.
pub fn is_finished(job: &Job) -> bool {
    condition(job, "Complete").or_else(|| condition(job, "Failed")).is_some()
}

/// Another controller's Job: neither it nor its pods' finalizers are touched.
pub fn is_managed_elsewhere(job: &Job) -> bool {
    let manager = job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref());
    manager.is_some_and(|manager| manager != "kubernetes.io/job-controller")
}

/// Decides on a Job, given the pods it controls. `backoff` is what the last settlement returned, `None` when memory was lost.
/// Settled pods may be left out if there is memory: only lost memory is made up from them.
/// Takes time in proportion to the pods given (and n log n of those that are surplus).
pub fn sync<'a>(job: &'a Job, pods: &'a [&'a PodFacts], backoff: Option<Backoff>, now: Timestamp) -> Decision<'a> {
    let Some(spec) = &job.spec else { return Decision::LeaveAlone };
    if is_finished(job) || is_managed_elsewhere(job) {
        return Decision::LeaveAlone;
    }
    if spec.completion_mode.as_deref().is_some_and(|mode| !matches!(mode, "NonIndexed" | "Indexed")) {
        return Decision::Refuse(events::unknown_completion_mode());
    }
    let accounting = Accounting::new(job, Wanted::of(job, spec), pods, backoff, now);
    let (work, wait) = match &accounting.finish {
        Some(_) => (kill(&accounting), None),
        None if job.metadata.deletion_timestamp.is_some() => (PodWork::Nothing, None),
        None => manage(&accounting),
    };
    Decision::Act(Plan { then: accounting.with(&work, wait), work })
}

fn kill(accounting: &Accounting<'_>) -> PodWork {
    let pods: Vec<PodRef> = accounting.active().map(PodRef::of).collect();
    if pods.is_empty() { PodWork::Nothing } else { PodWork::Kill(pods) }
}

/// Brings the active pods to what is wanted; the second is when pods that are held back may be created.
fn manage(accounting: &Accounting<'_>) -> (PodWork, Option<Timestamp>) {
    let mut surplus = surplus(accounting);
    if !surplus.is_empty() {
        surplus.truncate(MAX_PODS_PER_SYNC);
        return (PodWork::Stop(surplus.into_iter().map(PodRef::of).collect()), None);
    }
    let n_to_create = usize::try_from(accounting.n_to_create()).unwrap_or(0).min(MAX_PODS_PER_SYNC);
    if accounting.wanted.suspended || n_to_create == 0 {
        return (PodWork::Nothing, None);
    }
    let waits_as_a_whole = accounting.wanted.limit_per_index.is_none();
    let until = accounting.backoff.until().filter(|until| waits_as_a_whole && accounting.now < *until);
    if until.is_some() {
        return (PodWork::Nothing, until);
    }
    let (pods, wait) = match &accounting.indexed {
        Some(indexed) => indexed.next(n_to_create, &accounting.wanted, accounting.pods, accounting.now),
        None => (vec![NewPod::default(); n_to_create], None),
    };
    let work = if pods.is_empty() { PodWork::Nothing } else { PodWork::Create(pods) };
    (work, wait)
}

/// The active pods that are too many, those to go first in front.
fn surplus<'a>(accounting: &Accounting<'a>) -> Vec<&'a PodFacts> {
    let mut active: Vec<&PodFacts> = accounting.active().collect();
    let n_surplus = match accounting.wanted.suspended {
        true => active.len(),
        false => usize::try_from(-accounting.n_missing()).unwrap_or(0),
    };
    if let Some(indexed) = &accounting.indexed {
        return indexed.surplus(active, n_surplus);
    }
    if 0 < n_surplus {
        active.sort_by(|a, b| deletion_order(a, b));
    }
    active.truncate(n_surplus);
    active
}

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
