//! What has to be true of one CronJob's instants, and what happened in all.

use crate::oracle::{Cursor, Schedule};
use jiff::Timestamp;
use kinds::cronjob::outcome::{Outcome, Reason, Span};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// The schedule became another.
struct Edit {
    at: Timestamp,
    /// The newest instant that had a Job by then.
    made: Timestamp,
    schedule: Schedule,
}

/// One CronJob, from its creation to its end.
pub struct Ledger {
    cursor: Cursor,
    /// Edits to come into force: from when on which schedule counts.
    edits: VecDeque<Edit>,
    /// What the clock showed when the controller looked last.
    looked: Timestamp,
    /// Until then instants have outcomes.
    done: Timestamp,
    /// The Jobs ever made, by instant.
    made: BTreeMap<Timestamp, String>,
    found: BTreeSet<Timestamp>,
    ran: BTreeSet<Timestamp>,
}

impl Ledger {
    pub fn new(schedule: Schedule, created_at: Timestamp) -> Self {
        let (made, found, ran) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (edits, looked, done) = (VecDeque::new(), created_at, created_at);
        Self { cursor: Cursor::new(schedule, created_at), edits, looked, done, made, found, ran }
    }

    /// The schedule is another from now on.
    pub fn edited(&mut self, schedule: Schedule, now: Timestamp) {
        // An edit follows those before it, whatever the clock shows.
        self.edits.iter_mut().for_each(|edit| edit.at = edit.at.min(now));
        let made = self.made.keys().next_back().copied().unwrap_or(Timestamp::MIN);
        self.edits.push_back(Edit { at: now, made, schedule });
    }

    /// The controller reads the clock.
    pub fn looked(&mut self, now: Timestamp) {
        self.looked = now;
    }

    /// When the schedule whose turn it is ended: with its edit, which lies in the past whatever the clock showed then, but not before an
    /// instant that had its Job by then.
    fn end(&self) -> Option<Timestamp> {
        let edit = self.edits.front()?;
        Some(edit.at.min(self.looked).max(self.done).max(edit.made))
    }

    /// Whether another instant after this one is due, of whichever schedule it is the time.
    fn is_overtaken(&self, tick: Timestamp) -> bool {
        let mut cursor = self.cursor.clone();
        while cursor.peek().is_some_and(|next| next <= tick) {
            cursor.next();
        }
        let mut from = tick;
        for Edit { at, made, schedule } in &self.edits {
            let end = (*at).min(self.looked).max(*made).max(from);
            if cursor.peek().is_some_and(|next| next <= end) {
                return true;
            }
            (cursor, from) = (Cursor::new(schedule.clone(), end), end);
        }
        cursor.peek().is_some_and(|next| next <= self.looked)
    }

    fn next(&mut self) -> Option<Timestamp> {
        let next = self.cursor.next()?;
        assert!(
            self.end().is_none_or(|end| next <= end),
            "{next} is none of a schedule that ended at {:?}",
            self.end()
        );
        self.done = next;
        Some(next)
    }

    /// A Job came to be.
    pub fn made(&mut self, tick: Timestamp, uid: &str) {
        assert!(!self.is_overtaken(tick), "a Job for {tick}, but a newer instant is due");
        assert!(self.end().is_none_or(|end| tick <= end), "a Job for {tick} of a schedule that is no more");
        self.made_late(tick, uid);
    }

    /// A Job came to be that was asked for before.
    pub fn made_late(&mut self, tick: Timestamp, uid: &str) {
        if let Some(edit) = self.edits.front_mut() {
            edit.made = edit.made.max(tick);
        }
        let before = self.made.insert(tick, uid.to_owned());
        assert_eq!(before, None, "a second Job for {tick}");
    }

    /// A Job of the CronJob's, made by hand, bears the name of the instant's: it may stand for it, if it is still there when the
    /// instant is recorded.
    pub fn found(&mut self, tick: Timestamp) {
        self.found.insert(tick);
    }

    /// An instant is told to have an outcome: it must be the next one of the schedule, and only an instant that has a Job ran.
    pub fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Ran(tick) => {
                assert_eq!(self.next(), Some(*tick), "ran out of order");
                let has_job = self.made.contains_key(tick) || self.found.contains(tick);
                assert!(has_job, "{tick} is said to have run, but no Job was made");
                self.ran.insert(*tick);
            }
            Outcome::Skipped(Span { first, last, n }, reason) => {
                let is_passed = self.is_overtaken(*last) || self.made.keys().next_back() > Some(last);
                assert!(is_passed || *reason != Reason::Downtime, "{last} could have run");
                let ticks: Vec<Option<Timestamp>> = (0..*n).map(|_| self.next()).collect();
                assert_eq!(ticks.first(), Some(&Some(*first)), "{reason:?} begins elsewhere");
                assert_eq!(ticks.last(), Some(&Some(*last)), "{reason:?} ends elsewhere");
                for tick in ticks.into_iter().flatten() {
                    assert!(!self.made.contains_key(&tick), "{tick} was skipped for {reason:?}, but has a Job");
                }
            }
        }
    }

    /// The schedule whose turn it is is done with: nothing of it may be left.
    pub fn line(&mut self) {
        let end = self.end().expect("nothing was edited");
        let left = self.cursor.peek();
        assert!(left.is_none_or(|next| end < next), "{left:?} lies before the edit at {end} and has no outcome");
        let Edit { schedule, .. } = self.edits.pop_front().unwrap();
        (self.cursor, self.done) = (Cursor::new(schedule, end), end);
    }

    /// Everything until `now` must have its outcome.
    pub fn close(&mut self, now: Timestamp) {
        assert!(self.edits.is_empty(), "an edit has not come into force");
        let open = self.cursor.peek();
        assert!(open.is_none_or(|open| now < open), "at {now} the instant {open:?} has no outcome");
        let made: BTreeSet<Timestamp> = self.made.keys().copied().collect();
        let is_found = |tick: &&Timestamp| made.contains(tick) || !self.found.contains(tick);
        let ran: BTreeSet<Timestamp> = self.ran.iter().filter(is_found).copied().collect();
        assert_eq!(made, ran, "Jobs and what is said to have run differ");
    }
}

/// What happened.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub n_ran: u64,
    pub skipped: BTreeMap<&'static str, u64>,
    pub happened: BTreeMap<&'static str, u64>,
    pub seconds: i64,
}

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    pub fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Ran(_) => self.n_ran += 1,
            Outcome::Skipped(span, reason) => *self.skipped.entry(reason.as_str()).or_default() += span.n,
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.n_ran += other.n_ran;
        self.seconds += other.seconds;
        for (key, n) in &other.skipped {
            *self.skipped.entry(key).or_default() += n;
        }
        for (key, n) in &other.happened {
            *self.happened.entry(key).or_default() += n;
        }
    }

    pub fn all_happened(&self) -> bool {
        use Reason::{Deadline, Downtime, Failed, Forbid, Suspended};
        let reasons = [Forbid, Suspended, Deadline, Downtime, Failed];
        reasons.iter().all(|reason| self.skipped.contains_key(reason.as_str()))
            && [
                "crash",
                "found unrecorded",
                "name taken",
                "last of a former",
                "unsure",
                "conflict",
                "set back",
                "recreated",
                "edited",
            ]
            .iter()
            .all(|what| self.happened.contains_key(what))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let years = self.seconds / (365 * 86_400);
        write!(f, "{years} years of CronJobs: {} ran; skipped: {:?}; {:?}", self.n_ran, self.skipped, self.happened)
    }
}
