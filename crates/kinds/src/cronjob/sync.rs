//! Decides what a CronJob needs next. Reads nothing, writes nothing, waits for nothing.
//!
//! ```text
//! cronjob, its jobs, now ── sync ──▶ Plan.deletions   history, and what is replaced
//!                                    Plan.run         the Job of the newest instant that is due
//!                                    Plan.then ── settle(how that went) ──▶ Settlement
//!                                                    status   lists the Job and accounts for the instants, in one write
//!                                                    untrack  finalizers go once it stands
//!                                                    events   are told once it stands
//! ```
//! Every due instant gets one outcome, Ran or Skipped, in time's order: the annotation `accounted-until` says up to where
//! (`status.lastScheduleTime` says so too). The Job of an instant is made before the instant is recorded, and carries a
//! finalizer until it is. Whatever dies in between, the Job is found by the next decision: no instant gets a second one, and
//! none gets lost. The names of Jobs are made from the instants, so that not even a decision on what is long past makes two.
//!
//! Only the newest instant may run. What holds it back (Forbid, suspension, the server's refusal) may yet go away; a
//! newer instant, its deadline or an edit of the schedule turns it into a skipped one.

use crate::cronjob::active::Active;
use crate::cronjob::draft::Draft;
use crate::cronjob::due::{Due, Held, due, overtaken};
use crate::cronjob::edits::Former;
use crate::cronjob::events;
use crate::cronjob::facts::{ChildFacts, CronJobFacts, Policy};
use crate::cronjob::history;
use crate::cronjob::outcome::{Outcome, Reason, Span};
use crate::cronjob::template::{is_name_of, job_name};
use crate::cronjob::ticks::{NoTicks, Ticks};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Missed instants beyond which somebody is told (K:pkg/controller/cronjob/utils.go).
const MANY_MISSED: u64 = 100;
/// The clock may run this far behind what is accounted for before somebody is told.
const BEHIND: SignedDuration = SignedDuration::from_hours(1);

/// Names one Job, not just any Job of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRef {
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
}

impl JobRef {
    /// The reference to a Job.
    pub fn of(child: &ChildFacts) -> Self {
        Self { name: child.name.clone(), uid: child.uid.clone() }
    }
}

/// What the decisions remember of a CronJob. Nothing hangs on it but how often and how precisely something is told, and that a
/// cache that lags cannot make what was recorded due again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Of which CronJob.
    pub uid: String,
    /// What was recorded last.
    pub accounted: Option<Timestamp>,
    /// What holds the newest instant back.
    pub held: Option<Held>,
    /// It was suspended when it was last looked at, so that is why nothing happened since.
    pub suspended: bool,
    /// Uids of Jobs that were told to be unexpected.
    pub unexpected: BTreeSet<String>,
    /// What was told to be wrong with it, which is told once.
    pub troubles: BTreeSet<String>,
    /// A Job that may or may not have been made: the server did not say.
    pub unsure: Option<Run>,
}

impl Memory {
    /// Remembers a Job that may have been made, whatever becomes of the rest of the decision.
    pub fn doubt(&mut self, uid: &str, run: Run) {
        if self.uid != uid {
            *self = Self { uid: uid.to_owned(), ..Self::default() };
        }
        self.unsure = Some(run);
    }
}

/// A Job to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The instant.
    pub tick: Timestamp,
    /// The Job's name.
    pub name: String,
}

/// First the work on Jobs, then what follows from how it went.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug)]
pub struct Plan {
    /// Deleted first, with propagation Background.
    pub deletions: Vec<JobRef>,
    /// Made next, but not if a Job of `must_go` is still there.
    pub run: Option<Run>,
    /// Those of `deletions` that have to be gone before the Job is made.
    pub must_go: BTreeSet<String>,
    /// Told how the work went, says what is written: `Draft::settle`.
    pub then: Draft,
}

/// How the work went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Uids of Jobs that could not be deleted.
    pub left: BTreeSet<String>,
    /// What became of the Job to be made.
    pub made: Made,
}

/// What became of the Job to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// Nothing was to be made.
    Nothing,
    /// It was made, at this resource version.
    Created(JobRef, Option<String>),
    /// It was there already, and is this CronJob's; `true`: it runs.
    Existed(JobRef, bool),
    /// It could not be made, perhaps because what it replaces could not be deleted.
    Failed,
    /// It may have been made, or may yet be: the server did not answer in time, or not what.
    Unsure,
    /// Its namespace is going away: nothing to tell, nothing to try again.
    NamespaceGoes,
}

/// Decides on a CronJob, given the Jobs that it controls. `local` is the zone of schedules without one.
pub fn sync(
    cronjob: &CronJobFacts,
    children: &[&ChildFacts],
    memory: &Memory,
    local: &TimeZone,
    now: Timestamp,
) -> Plan {
    let memory = match memory.uid == cronjob.uid {
        true => memory.clone(),
        false => Memory { uid: cronjob.uid.clone(), ..Memory::default() },
    };
    let accounted = [cronjob.accounted_until, cronjob.last_schedule, memory.accounted];
    let accounted = accounted.into_iter().flatten().fold(cronjob.created_at, Timestamp::max);
    let unrecorded = unrecorded(cronjob, children, accounted);
    let active = Active::review(cronjob, children, unrecorded, &memory.unexpected);
    let deletions = history::surplus(cronjob, children);
    let mut draft = Draft::new(cronjob, active, children, memory, accounted);
    // An edit makes a new beginning of what was told.
    if cronjob.scheduled_before.is_empty() && accounted.duration_since(now) > BEHIND {
        draft.trouble(events::clock_behind(accounted));
    }
    let mut plan = Plan { deletions, run: None, must_go: BTreeSet::new(), then: draft };
    if let Some(child) = unrecorded {
        record(&mut plan.then, cronjob, child, local);
        return plan;
    }
    if cronjob.deleted {
        return plan;
    }
    if let Some(run) = plan.then.memory.unsure.clone().filter(|run| accounted < run.tick) {
        // Asked for again, the server makes it or says that it is there: what it had not done when it did not answer, it may yet do.
        // Until that is known nothing else is decided on.
        plan.run = Some(run).filter(|run| account_before(&mut plan.then, cronjob, run.tick, local));
        return plan;
    }
    if let Some(former) = cronjob.scheduled_before.first() {
        conclude(&mut plan, cronjob, former, local, now);
        return plan;
    }
    if let Some(ticks) = ticks(cronjob, local, &mut plan.then) {
        go_on(&mut plan, cronjob, &ticks, now);
    }
    plan
}

/// A Job that was made, but whose instant is not recorded: somebody died or was overtaken in between.
fn unrecorded<'a>(cronjob: &CronJobFacts, children: &[&'a ChildFacts], accounted: Timestamp) -> Option<&'a ChildFacts> {
    let is_unrecorded =
        |child: &&&ChildFacts| child.tick.is_some_and(|tick| accounted < tick && is_made_for(child, cronjob, tick));
    children.iter().filter(is_unrecorded).min_by_key(|child| child.tick).copied()
}

/// Whether the finalizer is ours to count on: one who writes another instant into a Job does not write its name.
fn is_made_for(child: &ChildFacts, cronjob: &CronJobFacts, tick: Timestamp) -> bool {
    child.tracked && is_name_of(&child.name, &cronjob.name, tick)
}

fn record(draft: &mut Draft, cronjob: &CronJobFacts, child: &ChildFacts, local: &TimeZone) {
    let Some(tick) = child.tick else { return };
    if account_before(draft, cronjob, tick, local) {
        draft.ran(tick, JobRef::of(child), child.end.is_none());
    }
}

/// Gives the instants before one that has its Job their outcomes; `false`: there are so many that more decisions are needed.
fn account_before(draft: &mut Draft, cronjob: &CronJobFacts, tick: Timestamp, local: &TimeZone) -> bool {
    // No Job is made by a schedule before those it follows are done with. One of a schedule that was edited the moment before
    // counts for that, whatever the clock showed at the edit.
    let ticks = match cronjob.scheduled_before.first() {
        Some(former) => former.ticks(local),
        None => cronjob.ticks(local),
    };
    let Ok(ticks) = ticks else { return true };
    let (outcomes, counted) = overtaken(&ticks, draft.accounted, tick, draft.memory.held, draft.otherwise());
    draft.account(outcomes, counted.last);
    counted.is_whole
}

/// The CronJob's instants, unless it is suspended or something is wrong with it, of which is told once.
fn ticks(cronjob: &CronJobFacts, local: &TimeZone, draft: &mut Draft) -> Option<Ticks> {
    let ticks = cronjob.ticks(local);
    if let Err(NoTicks::UnknownZone(zone)) = &ticks {
        draft.trouble(events::unknown_zone(zone));
        return None;
    }
    if cronjob.suspended {
        draft.memory.suspended = true;
        return None;
    }
    if cronjob.schedule.contains("TZ") {
        draft.trouble(events::unsupported(&cronjob.schedule));
    }
    match ticks {
        Ok(ticks) => Some(ticks),
        Err(NoTicks::UnknownZone(zone)) => {
            draft.trouble(events::unknown_zone(&zone));
            None
        }
        Err(NoTicks::Unparseable(error)) => {
            draft.trouble(events::unparseable(&cronjob.schedule, &error));
            None
        }
    }
}

fn go_on(plan: &mut Plan, cronjob: &CronJobFacts, ticks: &Ticks, now: Timestamp) {
    match plan.then.due(ticks, now) {
        Some(due) => decide(plan, cronjob, ticks, due, now, Ends::WithTheNext),
        None => {
            plan.then.memory.suspended = false;
            plan.then.wake_at = ticks.next_after(plan.then.accounted);
            if plan.then.wake_at.is_none() {
                plan.then.trouble(events::impossible(&cronjob.schedule));
            }
        }
    }
}

/// Gives the instants of a schedule that is no more their outcomes. What follows it is looked at once that is written.
fn conclude(plan: &mut Plan, cronjob: &CronJobFacts, former: &Former, local: &TimeZone, now: Timestamp) {
    let line = end_of(&cronjob.scheduled_before, now);
    plan.then.memory.suspended |= former.suspended;
    // What the schedule cannot be read from had no instants.
    match former.ticks(local).ok().and_then(|ticks| Some((plan.then.due(&ticks, line)?, ticks))) {
        Some((due, ticks)) => {
            let is_overtaken = is_overtaken(cronjob, line, local, now);
            decide(plan, cronjob, &ticks, due, now, Ends::At { line, is_overtaken });
        }
        None => plan.then.draw_line(line),
    }
}

/// When the first of these ended: an edit lies in the past, and before the edits that followed it, whatever the clock showed then.
fn end_of(former: &[Former], now: Timestamp) -> Timestamp {
    former.iter().map(|former| former.until).fold(now, Timestamp::min)
}

/// Whether an instant is due of a schedule that follows the oldest of the former ones.
fn is_overtaken(cronjob: &CronJobFacts, line: Timestamp, local: &TimeZone, now: Timestamp) -> bool {
    let all = &cronjob.scheduled_before;
    let later = all.iter().enumerate().skip(1);
    let later = later.map(|(n, former)| (former.ticks(local), end_of(&all[n..], now)));
    let mut from = line;
    later.chain([(cronjob.ticks(local), now)]).any(|(ticks, until)| {
        let next = ticks.ok().and_then(|ticks| ticks.next_after(from));
        from = from.max(until);
        next.is_some_and(|next| next <= until)
    })
}

/// How long an instant that is held back may still run.
#[derive(Clone, Copy)]
enum Ends {
    /// Its schedule is no more.
    At {
        /// The moment of the edit.
        line: Timestamp,
        /// An instant of a schedule that follows is due.
        is_overtaken: bool,
    },
    /// Until the next one is due.
    WithTheNext,
}

impl Ends {
    fn line(self) -> Option<Timestamp> {
        match self {
            Ends::At { line, .. } => Some(line),
            Ends::WithTheNext => None,
        }
    }
}

/// Decides on what is due.
fn decide(plan: &mut Plan, cronjob: &CronJobFacts, ticks: &Ticks, due: Due, now: Timestamp, ends: Ends) {
    let draft = &mut plan.then;
    let n_missed = due.n_overtaken() + 1;
    let otherwise = draft.otherwise();
    draft.account(due.overtaken, due.overtaken_until);
    if !cronjob.suspended && MANY_MISSED < n_missed_in_time(cronjob, ticks, n_missed, now) {
        draft.events.push(events::too_many_missed());
    }
    // Without: the count goes on in the next decision, which the write of this one brings about.
    let Some(tick) = due.newest else { return };
    let deadline = cronjob.starting_deadline_seconds.map(|seconds| later(tick, seconds));
    let held = draft.memory.held.filter(|held| held.tick == tick).map(|held| held.by);
    draft.memory.suspended = cronjob.suspended;
    draft.wake_at = ticks.next_after(tick);
    let was_held_back = held.is_some() || otherwise == Reason::Suspended;
    let is_overtaken = matches!(ends, Ends::At { is_overtaken: true, .. });
    if is_overtaken || ends.line().is_some() && was_held_back {
        // The edit that has ended its schedule may have lifted what held it back; that is for the new one.
        draft.skip(tick, held.unwrap_or(otherwise));
    } else if deadline.is_some_and(|deadline| deadline <= now) {
        draft.events.push(events::missed(tick));
        let otherwise = if otherwise == Reason::Suspended { otherwise } else { Reason::Deadline };
        draft.skip(tick, held.unwrap_or(otherwise));
    } else if cronjob.suspended {
        draft.skip(tick, Reason::Suspended);
    } else if cronjob.policy == Policy::Forbid && !draft.active.is_empty() {
        if held != Some(Reason::Forbid) {
            draft.events.push(events::already_active());
        }
        draft.memory.held = Some(Held { tick, by: Reason::Forbid });
        draft.wake_at = [draft.wake_at, deadline].into_iter().flatten().min();
        if ends.line().is_some() {
            draft.skip(tick, Reason::Forbid);
        }
    } else {
        if cronjob.policy == Policy::Replace {
            plan.must_go = draft.replace();
            plan.deletions.extend(draft.replaced.iter().map(|(job, _)| job.clone()));
        }
        plan.run = Some(Run { tick, name: job_name(&cronjob.name, tick, ticks.is_under_a_minute()) });
        plan.then.last_chance = ends.line();
        return;
    }
    if let Some(line) = ends.line() {
        draft.draw_line(line);
        draft.wake_at = None;
    }
}

/// The missed instants that could still have been started.
fn n_missed_in_time(cronjob: &CronJobFacts, ticks: &Ticks, n_missed: u64, now: Timestamp) -> u64 {
    let Some(seconds) = cronjob.starting_deadline_seconds else { return n_missed };
    let from = later(now, -seconds);
    n_missed.min(ticks.count(from, later(now, 1), MANY_MISSED + 1).0)
}

/// So many seconds later, or at the end of time.
fn later(at: Timestamp, seconds: i64) -> Timestamp {
    let end = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(end)
}

impl Draft {
    /// What is due after what is accounted for.
    fn due(&self, ticks: &Ticks, now: Timestamp) -> Option<Due> {
        due(ticks, self.accounted, now, self.memory.held, self.otherwise())
    }

    /// Why instants were overtaken of which nothing else is known.
    fn otherwise(&self) -> Reason {
        if self.memory.suspended { Reason::Suspended } else { Reason::Downtime }
    }

    fn skip(&mut self, tick: Timestamp, reason: Reason) {
        self.account(vec![Outcome::Skipped(Span::one(tick), reason)], Some(tick));
    }
}

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
