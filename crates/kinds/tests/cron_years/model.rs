//! One CronJob with its Jobs in a store that never lies, a controller that dies around its writes, and a clock that is set.

use crate::dice::Dice;
use crate::ledger::{Ledger, Tally};
use crate::oracle::Schedule;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kinds::cronjob::Settlement;
use kinds::cronjob::facts::{ChildFacts, CronJobFacts, End, Policy};
use kinds::cronjob::outcome::Outcome;
use kinds::cronjob::sync::{Done, JobRef, Made, Memory, Plan, Run, sync};
use std::collections::BTreeSet;

/// A stored Job.
#[derive(Debug, Clone)]
pub struct Job {
    pub facts: ChildFacts,
    /// When it will end, by the time that nobody sets.
    pub ends_at: i64,
    /// Goes as soon as it has ended.
    pub is_brief: bool,
    pub is_cron_made: bool,
}

pub struct Model {
    pub dice: Dice,
    /// Seconds that nobody sets.
    pub time: i64,
    /// What the wall clock is ahead by.
    pub ahead: i64,
    pub cronjob: CronJobFacts,
    pub schedule: Schedule,
    pub jobs: Vec<Job>,
    memory: Memory,
    /// A Job that the store has yet to make.
    pub queued: Option<Run>,
    /// When the controller is back, if it is down.
    pub back_at: Option<i64>,
    /// When the controller looks again, by the wall clock.
    pub wake_at: Option<Timestamp>,
    /// When it tries again what failed.
    pub retry_at: Option<i64>,
    pub ledger: Ledger,
    pub tally: Tally,
    n_uids: u64,
    /// How often in a thousand writes the controller dies before or after, others write in between, the server refuses.
    pub troubles: i64,
    /// How long Jobs run at most.
    pub longest: i64,
    /// How far apart instants lie, about.
    pub period: i64,
    pub tells: bool,
}

/// The controller died.
struct Died;

impl Model {
    pub fn new(
        mut dice: Dice,
        time: i64,
        cronjob: CronJobFacts,
        schedule: Schedule,
        (longest, period): (i64, i64),
        tells: bool,
    ) -> Self {
        let ledger = Ledger::new(schedule.clone(), cronjob.created_at);
        let troubles = dice.pick(&[0, 10, 30, 100]);
        let (memory, tally) = (Memory::default(), Tally::default());
        let (ahead, jobs) = (0, Vec::new());
        let (back_at, wake_at, retry_at, n_uids) = (None, None, None, 1);
        Self {
            dice,
            time,
            ahead,
            cronjob,
            schedule,
            jobs,
            memory,
            queued: None,
            back_at,
            wake_at,
            retry_at,
            ledger,
            tally,
            n_uids,
            troubles,
            longest,
            period,
            tells,
        }
    }

    pub fn now(&self) -> Timestamp {
        // A real clock seldom shows a whole second.
        Timestamp::new(self.time + self.ahead, 300_000_000).unwrap()
    }

    pub fn second(&self) -> Timestamp {
        Timestamp::from_second(self.time + self.ahead).unwrap()
    }

    pub fn uid(&mut self) -> String {
        self.n_uids += 1;
        format!("uid-{}", self.n_uids)
    }

    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{} (+{}) {}", self.second(), self.ahead, what());
        }
    }

    /// Somebody writes the CronJob.
    pub fn touch(&mut self) {
        let version: u64 = self.cronjob.resource_version.parse().unwrap();
        self.cronjob.resource_version = (version + 1).to_string();
    }

    /// Deletes a Job as the API does: one with a finalizer stays for now.
    pub fn delete(&mut self, uid: &str) {
        for job in self.jobs.iter_mut().filter(|job| job.facts.uid == uid) {
            job.facts.deleted = true;
        }
        self.jobs.retain(|job| !job.facts.deleted || job.facts.tracked);
    }

    /// Lets the controller do all it finds to do.
    pub fn work(&mut self) {
        for _ in 0..200 {
            if self.back_at.is_some() {
                return;
            }
            match self.reconcile() {
                Ok(false) => return,
                Ok(true) => {}
                Err(Died) => self.die(),
            }
        }
        panic!("the controller never comes to rest");
    }

    pub fn die(&mut self) {
        self.tally.count("crash");
        self.memory = Memory::default();
        self.queued = None;
        (self.wake_at, self.retry_at) = (None, None);
        let longest = self.dice.pick(&[0, 0, 1, 5, 60, self.longest, 3 * self.longest]);
        let down = self.dice.between(0, longest);
        self.tell(|| format!("the controller dies, to be back in {down} s"));
        self.back_at = Some(self.time + down);
    }

    /// A write of the controller: it may die before or after.
    fn write<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> Result<T, Died> {
        if self.dice.per_mille(self.troubles) {
            return Err(Died);
        }
        // One write after the other.
        if let Some(run) = self.queued.take() {
            self.create(&run, true);
        }
        let answer = write(self);
        if self.dice.per_mille(self.troubles) {
            return Err(Died);
        }
        Ok(answer)
    }

    /// One decision, obeyed as the shell obeys it; whether anything was written.
    fn reconcile(&mut self) -> Result<bool, Died> {
        self.free_strays()?;
        let seen = self.cronjob.clone();
        let children: Vec<ChildFacts> = self.jobs.iter().map(|job| job.facts.clone()).collect();
        let children: Vec<&ChildFacts> = children.iter().filter(|child| child.cronjob == seen.uid).collect();
        self.ledger.looked(self.second());
        let plan = sync(&seen, &children, &self.memory, &TimeZone::UTC, self.now());
        let was_found = |child: &&&ChildFacts| child.tracked && plan.run.is_none();
        if children.iter().any(|child| was_found(&child)) && self.memory == Memory::default() {
            self.tally.count("found unrecorded");
        }
        let has_work = plan.run.is_some() || !plan.deletions.is_empty();
        let done = self.obey(&plan)?;
        let has_failed = plan.run.is_some() && matches!(done.made, Made::Failed | Made::Unsure);
        if let Some(run) = plan.run.as_ref().filter(|_| done.made == Made::Unsure) {
            self.memory.doubt(&seen.uid, run.clone());
            self.tally.count("unsure");
        }
        let settlement = plan.then.settle(plan.run, done);
        if self.dice.per_mille(self.troubles) {
            if self.dice.per_mille(300) {
                crate::storm::edit(self, self.period)
            } else {
                self.touch()
            }
            self.tally.count("conflict");
        }
        let has_writes = settlement.write.is_some() || !settlement.untrack.is_empty();
        if settlement.write.is_some() && !self.write(|model| model.record(&seen, &settlement))? {
            self.retry_at = Some(self.time + 1);
            return Ok(true);
        }
        self.memory = settlement.memory;
        self.wake_at = settlement.wake_at;
        for job in &settlement.untrack {
            self.write(|model| model.untrack(&job.uid))?;
        }
        self.retry_at = has_failed.then_some(self.time + 1 + self.longest / 20);
        Ok((has_work || has_writes) && !has_failed)
    }

    fn free_strays(&mut self) -> Result<(), Died> {
        let is_stray = |job: &&Job| job.facts.tracked && job.facts.cronjob != self.cronjob.uid;
        let strays: Vec<String> = self.jobs.iter().filter(is_stray).map(|job| job.facts.uid.clone()).collect();
        for uid in strays {
            self.write(|model| model.untrack(&uid))?;
        }
        Ok(())
    }

    fn untrack(&mut self, uid: &str) {
        for job in self.jobs.iter_mut().filter(|job| job.facts.uid == uid) {
            job.facts.tracked = false;
        }
        self.jobs.retain(|job| !job.facts.deleted || job.facts.tracked);
    }

    fn obey(&mut self, plan: &Plan) -> Result<Done, Died> {
        let mut left = BTreeSet::new();
        for job in &plan.deletions {
            if self.dice.per_mille(self.troubles) {
                left.insert(job.uid.clone());
                continue;
            }
            self.write(|model| model.delete(&job.uid))?;
        }
        let Some(run) = &plan.run else { return Ok(Done { left, made: Made::Nothing }) };
        if !plan.must_go.is_disjoint(&left) || self.dice.per_mille(self.troubles) {
            return Ok(Done { left, made: Made::Failed });
        }
        if self.dice.per_mille(self.troubles) {
            // No answer: it never came there, or waits its turn.
            self.queued = self.dice.per_mille(500).then(|| run.clone());
            return Ok(Done { left, made: Made::Unsure });
        }
        let made = self.write(|model| model.create(run, model.memory.unsure.as_ref() == Some(run)))?;
        Ok(Done { left, made })
    }

    /// `is_late`: it was asked for before.
    fn create(&mut self, run: &Run, is_late: bool) -> Made {
        if let Some(job) = self.jobs.iter().find(|job| job.facts.name == run.name) {
            let is_own = job.facts.cronjob == self.cronjob.uid;
            self.tally.count("name taken");
            if !is_own {
                return Made::Failed;
            }
            self.ledger.found(run.tick);
            return Made::Existed(JobRef::of(&job.facts), job.facts.end.is_none());
        }
        let uid = self.uid();
        if is_late {
            self.ledger.made_late(run.tick, &uid);
        } else {
            self.check_rules(run);
            self.ledger.made(run.tick, &uid);
        }
        if !self.cronjob.scheduled_before.is_empty() {
            self.tally.count("last of a former");
        }
        self.tell(|| format!("made {}", run.name));
        let facts = ChildFacts {
            name: run.name.clone(),
            uid,
            cronjob: self.cronjob.uid.clone(),
            tracked: true,
            deleted: false,
            end: None,
            started_at: Some(self.second()),
            completed_at: None,
            tick: Some(run.tick),
        };
        let made = Made::Created(JobRef::of(&facts), None);
        let ends_at = self.time + self.dice.between(0, self.longest);
        let is_brief = self.dice.per_mille(100);
        self.jobs.push(Job { facts, ends_at, is_brief, is_cron_made: true });
        made
    }

    /// What must be true when a Job is made.
    fn check_rules(&self, run: &Run) {
        assert!(!self.cronjob.suspended, "{} runs though suspended", run.name);
        let running = self.jobs.iter().filter(|job| {
            job.is_cron_made && job.facts.cronjob == self.cronjob.uid && job.facts.end.is_none() && !job.facts.deleted
        });
        if self.cronjob.policy != Policy::Allow {
            let running: Vec<_> = running.map(|job| &job.facts.name).collect();
            assert!(running.is_empty(), "{} runs beside {running:?}", run.name);
        }
        if let Some(seconds) = self.cronjob.starting_deadline_seconds {
            let late = self.now().duration_since(run.tick).as_secs();
            assert!(late < seconds, "{} is {late} s late, {seconds} are allowed", run.name);
        }
    }

    /// The status write: `false` if somebody else has written since.
    fn record(&mut self, seen: &CronJobFacts, settlement: &Settlement) -> bool {
        let is_same = seen.resource_version == self.cronjob.resource_version && seen.uid == self.cronjob.uid;
        let Some(write) = settlement.write.as_ref().filter(|_| is_same) else { return false };
        for outcome in &settlement.outcomes {
            self.tell(|| format!("{outcome:?}"));
            self.ledger.outcome(outcome);
            self.tally.outcome(outcome);
            if let Outcome::Ran(tick) = outcome {
                assert!(Some(*tick) <= write.last_schedule);
            }
        }
        self.cronjob.active = write.active.clone();
        self.cronjob.last_schedule = write.last_schedule;
        self.cronjob.last_successful = write.last_successful;
        if let Some(until) = write.accounted_until {
            assert!(self.cronjob.accounted_until <= Some(until), "accounts fall");
            self.cronjob.accounted_until = Some(until);
        }
        if let Some(former) = &write.scheduled_before {
            assert_eq!(*former, self.cronjob.scheduled_before[1..], "one after the other");
            self.cronjob.scheduled_before.remove(0);
            self.ledger.line();
        }
        self.touch();
        true
    }

    /// Jobs whose time has come end.
    pub fn end_jobs(&mut self) {
        let (time, second) = (self.time, self.second());
        let mut brief = Vec::new();
        for job in self.jobs.iter_mut().filter(|job| job.facts.end.is_none() && job.ends_at <= time) {
            let end = if self.dice.per_mille(800) { End::Complete } else { End::Failed };
            job.facts.end = Some(end);
            job.facts.completed_at = (end == End::Complete).then_some(second);
            if job.is_brief {
                brief.push(job.facts.uid.clone());
            }
        }
        for uid in brief {
            self.delete(&uid);
        }
    }
}
