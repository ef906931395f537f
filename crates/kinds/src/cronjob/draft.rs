//! What is to be written of a decision: the status, the accounts, the finalizers, the events.

use crate::cronjob::active::Active;
use crate::cronjob::due::Held;
use crate::cronjob::edits::Former;
use crate::cronjob::events::{self, CronJobEvent};
use crate::cronjob::facts::{ChildFacts, CronJobFacts, job_reference};
use crate::cronjob::outcome::{Outcome, Reason, Span};
use crate::cronjob::sync::{Done, JobRef, Made, Memory, Run};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use std::collections::BTreeSet;

/// Troubles that are remembered of one CronJob.
const MAX_TROUBLES: usize = 16;

/// A status in the making.
#[derive(Debug)]
pub struct Draft {
    namespace: String,
    shown: Shown,
    /// Tracked Jobs, with the instants they were made for.
    tracked: Vec<(JobRef, Option<Timestamp>)>,
    is_deleted: bool,
    pub(super) active: Vec<ObjectReference>,
    last_schedule: Option<Timestamp>,
    last_successful: Option<Timestamp>,
    /// Every instant until then has its outcome.
    pub(super) accounted: Timestamp,
    outcomes: Vec<Outcome>,
    /// Schedules that are no more, but not done with.
    former: Vec<Former>,
    /// One of them is.
    line_is_drawn: bool,
    /// What is to run is the last of a schedule that is no more, until then: if its Job is refused it is not tried again.
    pub(super) last_chance: Option<Timestamp>,
    /// Taken off the active list, for they are to be deleted.
    pub(super) replaced: Vec<(JobRef, ObjectReference)>,
    pub(super) events: Vec<CronJobEvent>,
    pub(super) memory: Memory,
    pub(super) wake_at: Option<Timestamp>,
}

/// What stands already.
#[derive(Debug)]
struct Shown {
    active: Vec<ObjectReference>,
    last_schedule: Option<Timestamp>,
    last_successful: Option<Timestamp>,
    accounted_until: Option<Timestamp>,
}

/// One write of the CronJob's status with its annotations.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusWrite {
    /// status.active
    pub active: Vec<ObjectReference>,
    /// status.lastScheduleTime
    pub last_schedule: Option<Timestamp>,
    /// status.lastSuccessfulTime
    pub last_successful: Option<Timestamp>,
    /// The annotation, if it changes.
    pub accounted_until: Option<Timestamp>,
    /// The annotation with former schedules, if it changes: those that are not done with.
    pub scheduled_before: Option<Vec<Former>>,
}

/// What is to be written, in the order of the fields.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The new status, if it differs.
    pub write: Option<StatusWrite>,
    /// Lose their finalizer once the status stands.
    pub untrack: Vec<JobRef>,
    /// Told once the status stands.
    pub events: Vec<CronJobEvent>,
    /// What became of instants, once the status stands.
    pub outcomes: Vec<Outcome>,
    /// Handed to the next decision, once the status stands.
    pub memory: Memory,
    /// When to decide again even if nothing happens.
    pub wake_at: Option<Timestamp>,
}

impl Draft {
    pub(super) fn new(
        cronjob: &CronJobFacts,
        active: Active,
        children: &[&ChildFacts],
        mut memory: Memory,
        accounted: Timestamp,
    ) -> Self {
        memory.unexpected = active.unexpected;
        let tracked = children.iter().filter(|child| child.tracked);
        // One that somebody has written another instant into is as good as without one.
        let tick = |child: &ChildFacts| {
            child.tick.filter(|tick| super::template::is_name_of(&child.name, &cronjob.name, *tick))
        };
        Self {
            namespace: cronjob.namespace.clone(),
            shown: Shown {
                active: cronjob.active.clone(),
                last_schedule: cronjob.last_schedule,
                last_successful: cronjob.last_successful,
                accounted_until: cronjob.accounted_until,
            },
            tracked: tracked.map(|child| (JobRef::of(child), tick(child))).collect(),
            is_deleted: cronjob.deleted,
            active: active.list,
            last_schedule: cronjob.last_schedule,
            last_successful: active.last_successful,
            accounted,
            outcomes: Vec::new(),
            former: cronjob.scheduled_before.clone(),
            line_is_drawn: false,
            last_chance: None,
            replaced: Vec::new(),
            events: active.events,
            memory,
            wake_at: None,
        }
    }

    /// Tells of something wrong, but of the same only once.
    pub(super) fn trouble(&mut self, event: CronJobEvent) {
        if MAX_TROUBLES <= self.memory.troubles.len() {
            self.memory.troubles.clear();
        }
        if self.memory.troubles.insert(event.message.clone()) {
            self.events.push(event);
        }
    }

    /// These instants have their outcomes now, and with them every one until `until`.
    pub(super) fn account(&mut self, outcomes: Vec<Outcome>, until: Option<Timestamp>) {
        for outcome in outcomes {
            // Neighbours that were skipped for the same are one range.
            match (self.outcomes.last_mut(), outcome) {
                (Some(Outcome::Skipped(span, reason)), Outcome::Skipped(next, same)) if *reason == same => {
                    *span = Span { first: span.first, last: next.last, n: span.n + next.n };
                }
                _ => self.outcomes.push(outcome),
            }
        }
        self.accounted = until.map_or(self.accounted, |until| until.max(self.accounted));
        if self.memory.held.is_some_and(|held| held.tick <= self.accounted) {
            self.memory.held = None;
        }
        if self.memory.unsure.as_ref().is_some_and(|run| run.tick <= self.accounted) {
            self.memory.unsure = None;
        }
    }

    /// The Job of an instant was made.
    pub(super) fn ran(&mut self, tick: Timestamp, job: JobRef, runs: bool) {
        self.account(vec![Outcome::Ran(tick)], Some(tick));
        self.last_schedule = self.last_schedule.max(Some(tick));
        let is_listed = self.active.iter().any(|entry| entry.uid.as_ref() == Some(&job.uid));
        if runs && !is_listed {
            self.active.push(job_reference(&self.namespace, &job.name, &job.uid, None));
        }
    }

    /// Takes every Job off the active list, for they are to be deleted; returns their uids.
    pub(super) fn replace(&mut self) -> BTreeSet<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let entries = std::mem::take(&mut self.active).into_iter();
        let job = |entry: &ObjectReference| JobRef { name: text(&entry.name), uid: text(&entry.uid) };
        self.replaced = entries.map(|entry| (job(&entry), entry)).collect();
        self.replaced.iter().map(|(job, _)| job.uid.clone()).collect()
    }

    /// The oldest of the former schedules is done with: the instants of the next one count from `line`.
    pub(super) fn draw_line(&mut self, line: Timestamp) {
        let line = Timestamp::from_second(line.as_second()).unwrap_or(line);
        self.former.drain(..self.former.len().min(1));
        self.accounted = self.accounted.max(line);
        self.line_is_drawn = true;
        self.memory.held = None;
        self.memory.suspended = false;
        self.memory.troubles.clear();
    }

    /// Told how the work went, says what is written.
    pub fn settle(mut self, run: Option<Run>, done: Done) -> Settlement {
        let Done { left, made } = done;
        let stay = self.replaced.drain(..).filter(|(job, _)| left.contains(&job.uid));
        self.active.extend(stay.map(|(_, entry)| entry));
        if let Some(run) = run {
            match made {
                Made::Created(job, resource_version) => {
                    self.ran(run.tick, job.clone(), true);
                    if let Some(entry) = self.active.last_mut() {
                        entry.resource_version = resource_version;
                    }
                    self.tracked.push((job, Some(run.tick)));
                }
                Made::Existed(job, runs) => {
                    self.ran(run.tick, job.clone(), runs);
                    if self.tracked.iter().all(|(tracked, _)| *tracked != job) {
                        self.tracked.push((job, Some(run.tick)));
                    }
                }
                Made::Unsure => self.memory.unsure = Some(run),
                // Refused the second time: the first may still wait its turn.
                Made::Failed if self.memory.unsure.is_some() => {}
                Made::Failed | Made::NamespaceGoes | Made::Nothing => {
                    self.memory.held = Some(Held { tick: run.tick, by: Reason::Failed });
                    if let Some(line) = self.last_chance {
                        self.account(vec![Outcome::Skipped(Span::one(run.tick), Reason::Failed)], Some(run.tick));
                        self.draw_line(line);
                    }
                }
            }
        }
        let write = self.write();
        if write.is_some() && (!self.outcomes.is_empty() || self.line_is_drawn) {
            self.memory.accounted = Some(self.accounted);
        }
        let is_recorded = |tick: &Option<Timestamp>| tick.is_none_or(|tick| tick <= self.accounted);
        let untrack = self.tracked.iter().filter(|(_, tick)| self.is_deleted || is_recorded(tick));
        let untrack = untrack.map(|(job, _)| job.clone()).collect();
        let skips = self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Skipped(span, reason) => Some(events::skipped(*reason, *span)),
            Outcome::Ran(_) => None,
        });
        self.events.extend(skips);
        Settlement {
            write,
            untrack,
            events: self.events,
            outcomes: self.outcomes,
            memory: self.memory,
            wake_at: self.wake_at,
        }
    }

    fn write(&self) -> Option<StatusWrite> {
        let Shown { active, last_schedule, last_successful, accounted_until } = &self.shown;
        // Somebody may have taken the annotation away; what is remembered of it is put back.
        let is_known = !self.outcomes.is_empty() || self.line_is_drawn || self.memory.accounted.is_some();
        let accounted = Some(self.accounted).filter(|accounted| is_known && *accounted_until != Some(*accounted));
        let is_same = *active == self.active
            && *last_schedule == self.last_schedule
            && *last_successful == self.last_successful
            && accounted.is_none()
            && !self.line_is_drawn;
        (!is_same).then(|| StatusWrite {
            active: self.active.clone(),
            last_schedule: self.last_schedule,
            last_successful: self.last_successful,
            accounted_until: accounted,
            scheduled_before: self.line_is_drawn.then(|| self.former.clone()),
        })
    }
}
