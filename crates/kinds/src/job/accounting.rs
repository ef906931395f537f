//! Counts what became of a Job's pods and writes its status: the half of a decision that waits to hear how the work on pods
//! went.

use crate::job::backoff::Backoff;
use crate::job::events::{self, JobEvent};
use crate::job::indexed::Indexed;
use crate::job::pods::{Phase, PodFacts};
use crate::job::sync::{Done, MAX_UNCOUNTED, PodRef, PodWork, Settlement};
use crate::job::wanted::Wanted;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus, UncountedTerminatedPods};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::borrow::Cow;
use std::collections::HashSet;

/// How a Job ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finish {
    success: bool,
    reason: Cow<'static, str>,
    message: Cow<'static, str>,
}

impl Finish {
    const REACHED: Self = Self::fixed(true, "CompletionsReached", "Reached expected number of succeeded pods");
    const PAST_LIMIT: Self = Self::fixed(false, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    const PAST_DEADLINE: Self = Self::fixed(false, "DeadlineExceeded", "Job was active longer than specified deadline");
    const TOO_MANY_INDEXES: Self = Self::fixed(
        false,
        "MaxFailedIndexesExceeded",
        "Job has exceeded the specified maximal number of failed indexes",
    );
    const FAILED_INDEXES: Self = Self::fixed(false, "FailedIndexes", "Job has failed indexes");

    const fn fixed(success: bool, reason: &'static str, message: &'static str) -> Self {
        Self { success, reason: Cow::Borrowed(reason), message: Cow::Borrowed(message) }
    }

    /// The first step was taken by an earlier decision.
    fn begun(success: bool, condition: &JobCondition) -> Self {
        Self {
            success,
            reason: condition.reason.clone().unwrap_or_default().into(),
            message: condition.message.clone().unwrap_or_default().into(),
        }
    }

    fn first_step(&self) -> &'static str {
        if self.success { "SuccessCriteriaMet" } else { "FailureTarget" }
    }

    fn second_step(&self) -> &'static str {
        if self.success { "Complete" } else { "Failed" }
    }
}

/// The part of a decision that waits to hear how the work on pods went.
#[derive(Debug)]
pub struct Accounting<'a> {
    job: &'a Job,
    pub(super) wanted: Wanted<'a>,
    pub(super) pods: &'a [&'a PodFacts],
    pub(super) now: Timestamp,
    pub(super) indexed: Option<Indexed<'a>>,
    n_succeeded: i64,
    /// Known before any work on pods; reaching the completions is only known after it.
    pub(super) finish: Option<Finish>,
    pub(super) backoff: Backoff,
    start_time: Option<Timestamp>,
    waits_for_backoff: Option<Timestamp>,
    n_creating: usize,
    deleting: Vec<(String, bool)>,
    untracked_by_work: bool,
}

impl<'a> Accounting<'a> {
    pub(super) fn new(
        job: &'a Job,
        wanted: Wanted<'a>,
        pods: &'a [&'a PodFacts],
        backoff: Option<Backoff>,
        now: Timestamp,
    ) -> Self {
        // Statuses hold whole seconds.
        let start_time = match job.status.as_ref().and_then(|status| status.start_time.as_ref()) {
            Some(time) => Some(time.0),
            None => (!wanted.suspended).then(|| whole_seconds(now)),
        };
        let status = job.status.as_ref();
        let completions = wanted.completions.map_or(0, |completions| u32::try_from(completions).unwrap_or(0));
        let indexed = wanted.is_indexed.then(|| Indexed::of(&wanted, completions, status, pods));
        let uncounted = Uncounted::of(job);
        let is_new = |pod: &PodFacts| pod.tracked && !uncounted.lists(&pod.uid);
        // A pod beyond the completions, which may have been lowered, neither fails the Job nor holds it back.
        let counts = |pod: &PodFacts| indexed.as_ref().is_none_or(|indexed| indexed.valid(pod).is_some());
        let newly = |ended: &dyn Fn(&PodFacts) -> bool| -> Vec<&PodFacts> {
            pods.iter().copied().filter(|pod| is_new(pod) && counts(pod) && ended(pod)).collect()
        };
        let newly_succeeded = newly(&|pod| pod.phase == Phase::Succeeded);
        let newly_failed = newly(&|pod| wanted.counts_as_failed(pod));
        let n_counted = i64::from(status.and_then(|s| s.succeeded).unwrap_or(0))
            + (uncounted.succeeded.len() + newly_succeeded.len()) as i64;
        let n_succeeded = indexed.as_ref().map_or(n_counted, Indexed::n_succeeded);
        let n_new_failures = newly_failed.iter().filter(|pod| !wanted.is_ignored(pod)).count();
        let n_failed =
            i64::from(status.and_then(|s| s.failed).unwrap_or(0)) + (uncounted.failed.len() + n_new_failures) as i64;
        let known = pods.iter().copied().filter(|pod| !is_new(pod) && counts(pod));
        let backoff =
            backoff.unwrap_or_else(|| Backoff::from_finished_pods(known)).after(&newly_succeeded, &newly_failed);
        let finish = finish_before_work(job, &wanted, indexed.as_ref(), pods, n_failed, start_time, now);
        Self {
            job,
            wanted,
            pods,
            now,
            indexed,
            n_succeeded,
            finish,
            backoff,
            start_time,
            waits_for_backoff: None,
            n_creating: 0,
            deleting: Vec::new(),
            untracked_by_work: false,
        }
    }

    pub(super) fn active(&self) -> impl Iterator<Item = &'a PodFacts> {
        self.pods.iter().filter(|pod| pod.is_active()).copied()
    }

    /// How many more pods the Job should have now; below zero: how many fewer.
    pub(super) fn n_missing(&self) -> i64 {
        let n_active = self.active().count() as i64;
        let n_wanted = match self.wanted.completions {
            Some(completions) => self.wanted.parallelism.min(completions - self.n_succeeded).max(0),
            // Once a pod of a work queue succeeded, the others end by themselves and none is replaced.
            None if 0 < self.n_succeeded => n_active,
            None => self.wanted.parallelism,
        };
        n_wanted - n_active
    }

    fn n_terminating(&self) -> i64 {
        self.pods.iter().filter(|pod| pod.is_terminating()).count() as i64
    }

    pub(super) fn n_to_create(&self) -> i64 {
        let still_held = if self.wanted.replaces_only_failed { self.n_terminating() } else { 0 };
        self.n_missing() - still_held
    }

    /// `wait`: when pods that are still held back may be created.
    pub(super) fn with(mut self, work: &PodWork, wait: Option<Timestamp>) -> Self {
        self.waits_for_backoff = wait;
        match work {
            PodWork::Nothing => {}
            PodWork::Create(pods) => self.n_creating = pods.len(),
            PodWork::Stop(pods) | PodWork::Kill(pods) => {
                self.untracked_by_work = matches!(work, PodWork::Stop(_));
                let ready: HashSet<&str> =
                    self.active().filter(|pod| pod.ready_since.is_some()).map(|pod| pod.uid.as_str()).collect();
                self.deleting = pods.iter().map(|pod| (pod.uid.clone(), ready.contains(pod.uid.as_str()))).collect();
            }
        }
        self
    }

    /// Decides what is written, now that it is known how the work on pods went.
    pub fn settle(mut self, done: Done) -> Settlement {
        let whole = done == Done::Whole;
        if let Done::Part(succeeded) = &done {
            self.n_creating = self.n_creating.min(succeeded.len());
            let kept: HashSet<usize> = succeeded.iter().copied().collect();
            let mut position = 0..;
            self.deleting.retain(|_| position.next().is_some_and(|i| kept.contains(&i)));
        }
        let n_deleted = self.deleting.len() as i64;
        let n_deleted_ready = self.deleting.iter().filter(|(_, ready)| *ready).count() as i64;
        // Also during a back-off the pods that still run: a 0 beside a ready pod is refused (kubernetes/kubernetes#139457).
        let n_active = self.active().count() as i64 + self.n_creating as i64 - n_deleted;
        let n_ready = self.active().filter(|pod| pod.ready_since.is_some()).count() as i64 - n_deleted_ready;
        let n_terminating = self.n_terminating() + n_deleted;

        // A Job whose pods could not all be deleted is not declared anything yet: the next attempt will.
        let begun = self.finish.take();
        let reached = begun.is_none() && n_active == 0 && self.wanted.is_reached(self.n_succeeded);
        let finish = begun.clone().filter(|_| whole).or_else(|| reached.then_some(Finish::REACHED));

        let old = self.job.status.clone().unwrap_or_default();
        let mut status = old.clone();
        let mut events = Vec::new();
        status.start_time = self.start_time.map(Time);
        if begun.is_none() && finish.is_none() && self.job.metadata.deletion_timestamp.is_none() {
            self.note_suspension(&mut status, &mut events);
        }
        status.active = Some(n_active as i32).filter(|n| *n != 0);
        status.ready = Some(n_ready as i32);
        status.terminating = Some(n_terminating as i32);
        let untrack = self.count(&mut status, finish.as_ref());
        if let Some(finish) = &finish {
            let nothing_left = untrack.is_empty() && n_active == 0 && n_terminating == 0;
            self.take_step(finish, nothing_left, &mut status, &mut events);
        }
        let deadline = self.deadline().filter(|_| finish.is_none());
        Settlement {
            status: changed(status, old),
            untrack,
            events,
            backoff: self.backoff,
            wake_at: [deadline, self.waits_for_backoff].into_iter().flatten().min(),
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let (start, limit) = (self.start_time?, self.wanted.active_deadline?);
        let deadline = start.checked_add(limit).unwrap_or(Timestamp::MAX);
        (!self.wanted.suspended).then_some(deadline)
    }

    fn note_suspension(&self, status: &mut JobStatus, events: &mut Vec<JobEvent>) {
        let conditions = status.conditions.get_or_insert_default();
        if self.wanted.suspended {
            if set_condition(conditions, "Suspended", true, "JobSuspended", "Job suspended", self.now) {
                status.start_time = None;
                events.push(events::suspended());
            }
        } else if set_condition(conditions, "Suspended", false, "JobResumed", "Job resumed", self.now) {
            // A resumed Job restarts its deadline clock: activeDeadlineSeconds counts continuous activity.
            status.start_time = Some(Time(whole_seconds(self.now)));
            events.push(events::resumed());
        }
    }

    /// Moves uids whose finalizer is gone into the counters, lists newly ended pods, and returns whose finalizer may go.
    fn count(&self, status: &mut JobStatus, finish: Option<&Finish>) -> Vec<PodRef> {
        let stopped: HashSet<&str> = match self.untracked_by_work {
            true => self.deleting.iter().map(|(uid, _)| uid.as_str()).collect(),
            false => HashSet::new(),
        };
        let tracked: Vec<&PodFacts> =
            self.pods.iter().filter(|pod| pod.tracked && !stopped.contains(pod.uid.as_str())).copied().collect();
        let tracked_uids: HashSet<&str> = tracked.iter().map(|pod| pod.uid.as_str()).collect();
        let mut uncounted = Uncounted::of(self.job);
        let n_succeeded = uncounted.succeeded.len();
        uncounted.succeeded.retain(|uid| tracked_uids.contains(uid.as_str()));
        let n_failed = uncounted.failed.len();
        uncounted.failed.retain(|uid| tracked_uids.contains(uid.as_str()));
        add(&mut status.succeeded, n_succeeded - uncounted.succeeded.len());
        add(&mut status.failed, n_failed - uncounted.failed.len());

        let listed: HashSet<String> = uncounted.succeeded.iter().chain(&uncounted.failed).cloned().collect();
        let job_deleted = self.job.metadata.deletion_timestamp.is_some();
        let fails = finish.is_some_and(|finish| !finish.success);
        let (mut untrack, mut n_new_indexes) = (Vec::new(), 0);
        for pod in tracked {
            let succeeded = pod.phase == Phase::Succeeded;
            let failed = self.wanted.counts_as_failed(pod);
            let is_held = self.indexed.as_ref().is_some_and(|indexed| indexed.holds(pod));
            let may_go = job_deleted || finish.is_some() || succeeded || (failed && !is_held);
            if !may_go {
                continue;
            }
            if MAX_UNCOUNTED <= n_new_indexes + uncounted.succeeded.len() + uncounted.failed.len()
                && !listed.contains(&pod.uid)
            {
                continue;
            }
            untrack.push(PodRef::of(pod));
            if listed.contains(&pod.uid) {
                continue;
            }
            match &self.indexed {
                // The index itself says that it is counted; pods without one that counts are not counted at all.
                Some(indexed) if succeeded => {
                    n_new_indexes +=
                        usize::from(indexed.valid(pod).is_some_and(|index| !indexed.counted.contains(index)));
                }
                None if succeeded => uncounted.succeeded.push(pod.uid.clone()),
                Some(indexed) if indexed.valid(pod).is_none() => {}
                // What a failing Job still had running counts as failed.
                _ if (failed || fails) && !self.wanted.is_ignored(pod) => uncounted.failed.push(pod.uid.clone()),
                _ => {}
            }
        }
        status.uncounted_terminated_pods = Some(uncounted.into_status());
        if let Some(indexed) = &self.indexed {
            status.succeeded = i32::try_from(indexed.n_succeeded()).ok().filter(|n| *n != 0);
            status.completed_indexes = Some(indexed.succeeded.to_string()).filter(|text| !text.is_empty());
            status.failed_indexes = indexed.failed.as_ref().map(ToString::to_string);
        }
        untrack
    }

    /// Takes the first step of the end, or the second when the first stands and nothing is left to wait for.
    fn take_step(&self, finish: &Finish, nothing_left: bool, status: &mut JobStatus, events: &mut Vec<JobEvent>) {
        let conditions = status.conditions.get_or_insert_default();
        let (reason, message) = (&*finish.reason, &*finish.message);
        if condition(self.job, finish.first_step()).is_none() {
            set_condition(conditions, finish.first_step(), true, reason, message, self.now);
            return;
        }
        if !nothing_left {
            return;
        }
        set_condition(conditions, finish.second_step(), true, reason, message, self.now);
        // One that ends while it is suspended has lost its start, and the server takes no end without one, but where
        // nothing was wanted.
        if !(self.wanted.suspended && self.wanted.completions == Some(0)) {
            status.start_time.get_or_insert(Time(whole_seconds(self.now)));
        }
        if !finish.success {
            events.push(events::failed(reason, message));
            return;
        }
        status.completion_time = Some(Time(whole_seconds(self.now)));
        let n_succeeded = i64::from(status.succeeded.unwrap_or(0));
        if self.wanted.completions.is_some_and(|completions| completions < n_succeeded) {
            events.push(events::too_many_succeeded());
        }
        events.push(events::completed());
    }
}

/// The ends that do not depend on what is done to pods now, in the order in which they are looked for.
fn finish_before_work(
    job: &Job,
    wanted: &Wanted<'_>,
    indexed: Option<&Indexed<'_>>,
    pods: &[&PodFacts],
    n_failed: i64,
    start_time: Option<Timestamp>,
    now: Timestamp,
) -> Option<Finish> {
    if let Some(begun) = condition(job, "SuccessCriteriaMet") {
        return Some(Finish::begun(true, begun));
    }
    if let Some(begun) = condition(job, "FailureTarget") {
        return Some(Finish::begun(false, begun));
    }
    if let Some(text) = wanted.fails_job(pods) {
        return Some(Finish { success: false, reason: "PodFailurePolicy".into(), message: text.into() });
    }
    if wanted.backoff_limit < n_failed || restarted_too_often(wanted, pods) {
        return Some(Finish::PAST_LIMIT);
    }
    let active_for = start_time.map(|start| now.duration_since(start)).filter(|_| !wanted.suspended);
    if wanted.active_deadline.zip(active_for).is_some_and(|(limit, active)| limit <= active) {
        return Some(Finish::PAST_DEADLINE);
    }
    let indexed = indexed?;
    if wanted.max_failed_indexes.is_some_and(|limit| limit < indexed.n_failed()) {
        return Some(Finish::TOO_MANY_INDEXES);
    }
    if indexed.have_ended_badly() {
        return Some(Finish::FAILED_INDEXES);
    }
    let rule = indexed.met_rule(wanted)?;
    let message = format!("Matched rules at index {rule}");
    Some(Finish { success: true, reason: "SuccessPolicy".into(), message: message.into() })
}

/// Under restartPolicy OnFailure containers restart in place; the restarts of all pods together are bounded.
fn restarted_too_often(wanted: &Wanted<'_>, pods: &[&PodFacts]) -> bool {
    let may_run = |pod: &&&PodFacts| matches!(pod.phase, Phase::Pending | Phase::Running);
    let n_restarts: i64 = pods.iter().filter(may_run).map(|pod| pod.restarts).sum();
    wanted.restarts_in_place && wanted.backoff_limit.max(1) <= n_restarts
}

/// `status.uncountedTerminatedPods` without its Options.
#[derive(Debug, Default)]
struct Uncounted {
    succeeded: Vec<String>,
    failed: Vec<String>,
    all: HashSet<String>,
}

impl Uncounted {
    fn of(job: &Job) -> Self {
        let Some(listed) = job.status.as_ref().and_then(|s| s.uncounted_terminated_pods.clone()) else {
            return Self::default();
        };
        let (succeeded, failed) = (listed.succeeded.unwrap_or_default(), listed.failed.unwrap_or_default());
        let all = succeeded.iter().chain(&failed).cloned().collect();
        Self { succeeded, failed, all }
    }

    fn lists(&self, uid: &str) -> bool {
        self.all.contains(uid)
    }

    fn into_status(self) -> UncountedTerminatedPods {
        let list = |uids: Vec<String>| Some(uids).filter(|uids| !uids.is_empty());
        UncountedTerminatedPods { succeeded: list(self.succeeded), failed: list(self.failed) }
    }
}

/// The condition of this type, if it is True.
pub(super) fn condition<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")
}

/// Sets a condition and tells whether that changed anything. One that was never True is not set to False.
fn set_condition(
    conditions: &mut Vec<JobCondition>,
    kind: &str,
    holds: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let time = Some(Time(whole_seconds(now)));
    let new = JobCondition {
        type_: kind.into(),
        status: if holds { "True" } else { "False" }.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_probe_time: time.clone(),
        last_transition_time: time,
    };
    match conditions.iter_mut().find(|condition| condition.type_ == kind) {
        Some(old) if old.status == new.status && old.reason == new.reason && old.message == new.message => false,
        Some(old) => {
            *old = new;
            true
        }
        None if holds => {
            conditions.push(new);
            true
        }
        None => false,
    }
}

fn add(counter: &mut Option<i32>, n: usize) {
    if 0 < n {
        *counter = Some(counter.unwrap_or(0).saturating_add(n as i32));
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).expect("cutting the fraction keeps a timestamp in range")
}

/// The new status, if it says anything else than the old one.
fn changed(new: JobStatus, old: JobStatus) -> Option<JobStatus> {
    let new = normal_form(new);
    (new != normal_form(old)).then_some(new)
}

/// A status read back may spell "nothing" in other ways than one just made.
fn normal_form(mut status: JobStatus) -> JobStatus {
    for counter in [&mut status.active, &mut status.succeeded, &mut status.failed] {
        *counter = counter.filter(|n| *n != 0);
    }
    status.completed_indexes = status.completed_indexes.filter(|text| !text.is_empty());
    status.conditions = status.conditions.filter(|conditions| !conditions.is_empty());
    if let Some(listed) = &mut status.uncounted_terminated_pods {
        listed.succeeded = listed.succeeded.take().filter(|uids| !uids.is_empty());
        listed.failed = listed.failed.take().filter(|uids| !uids.is_empty());
    }
    status
}
