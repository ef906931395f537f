//! What happens to a CronJob in its life, by the dice.

use crate::dice::Dice;
use crate::ledger::{Ledger, Tally};
use crate::model::{Job, Model};
use crate::oracle::{Cursor, Schedule};
use jiff::Timestamp;
use kinds::cronjob::Former;
use kinds::cronjob::facts::{ChildFacts, CronJobFacts, Policy};
use kinds::cronjob::template::job_name;
use kinds::cronjob::ticks::effective;

/// The first of January 2026.
const BEGIN: i64 = 1_767_225_600;
const TEN_YEARS: i64 = 10 * 365 * 86_400;
/// Instants in the part of ten years that an ordinary run looks at.
const INSTANTS: i64 = 40;

/// Runs after which an ordinary life ends: some schedules have all their instants on a few days.
const MOST: u64 = 60;

/// One CronJob's life.
pub fn live(seed: u64, whole: bool) -> Tally {
    let mut dice = Dice::new(seed);
    let schedule = Schedule::random(&mut dice);
    let (begin, period) = begin(&mut dice, &schedule, whole);
    let span = if whole { TEN_YEARS } else { (period * INSTANTS).min(BEGIN + TEN_YEARS - begin) };
    let cronjob = cronjob(&mut dice, &schedule, "uid-1", Timestamp::from_second(begin).unwrap(), period);
    let longest = dice.between(0, period * 5 / 2);
    let tells = std::env::var_os("SEED").is_some();
    let mut model = Model::new(dice, begin, cronjob, schedule, (longest, period), tells);
    // A panic anywhere below names the seed.
    let guard = Guard(seed);
    model.work();
    let mut next_trouble = begin + model.dice.between(1, 2 * period);
    while model.time < begin + span && (whole || model.tally.n_ran < MOST) {
        if next_trouble <= model.time {
            trouble(&mut model, period);
            next_trouble = model.time + model.dice.between(1, 4 * period);
        }
        model.end_jobs();
        model.work();
        let next = next_event(&model, next_trouble);
        model.time = next.max(model.time + 1);
        if model.back_at.is_some_and(|back| back <= model.time) {
            model.back_at = None;
        }
    }
    finish(&mut model);
    drop(guard);
    model.tally.seconds = model.time - begin;
    model.tally
}

struct Guard(u64);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("SEED={} shows it", self.0);
        }
    }
}

/// A moment of the ten years, and how far apart instants lie there.
fn begin(dice: &mut Dice, schedule: &Schedule, whole: bool) -> (i64, i64) {
    let begin = if whole { BEGIN } else { BEGIN + dice.below(TEN_YEARS - 86_400) };
    (begin, period_of(schedule, Timestamp::from_second(begin).unwrap()))
}

/// How far apart its next instants lie, in seconds.
fn period_of(schedule: &Schedule, from: Timestamp) -> i64 {
    let mut cursor = Cursor::new(schedule.clone(), from);
    let fifth = (0..5).filter_map(|_| cursor.next()).last();
    let period = fifth.map_or(86_400, |fifth| (fifth.as_second() - from.as_second()) / 5);
    period.clamp(1, TEN_YEARS / 50)
}

fn cronjob(dice: &mut Dice, schedule: &Schedule, uid: &str, created_at: Timestamp, period: i64) -> CronJobFacts {
    CronJobFacts {
        namespace: "n".into(),
        name: "tick".into(),
        uid: uid.into(),
        resource_version: "1".into(),
        created_at,
        deleted: false,
        schedule: schedule.text(),
        time_zone: schedule.zone().map(Into::into),
        policy: dice.pick(&[Policy::Allow, Policy::Forbid, Policy::Forbid, Policy::Replace]),
        suspended: dice.per_mille(100),
        starting_deadline_seconds: deadline(dice, period),
        successful_limit: dice.pick(&[None, Some(0), Some(1), Some(3)]),
        failed_limit: dice.pick(&[None, Some(0), Some(1), Some(3)]),
        job_template: "{}".into(),
        active: Vec::new(),
        last_schedule: None,
        last_successful: None,
        accounted_until: None,
        scheduled_before: Vec::new(),
    }
}

fn deadline(dice: &mut Dice, period: i64) -> Option<i64> {
    dice.per_mille(400).then(|| dice.between(0, 3 * period))
}

/// When something happens next: a Job ends, the controller wakes up, comes back, tries again, or there is trouble.
fn next_event(model: &Model, next_trouble: i64) -> i64 {
    let ends = model.jobs.iter().filter(|job| job.facts.end.is_none()).map(|job| job.ends_at);
    let is_up = model.back_at.is_none();
    let wake = model.wake_at.filter(|_| is_up).map(|at| at.as_second() - model.ahead);
    let others = [model.back_at, wake, model.retry_at.filter(|_| is_up)];
    ends.chain(others.into_iter().flatten()).chain([next_trouble]).min().unwrap()
}

fn trouble(model: &mut Model, period: i64) {
    match model.dice.below(14) {
        0 => model.die(),
        1 | 2 => {
            model.cronjob.suspended = !model.cronjob.suspended;
            model.touch();
            model.tally.count("suspended or resumed");
            model.tell(|| format!("suspended: {}", model.cronjob.suspended));
        }
        3 => edit(model, period),
        4 => {
            model.cronjob.policy = model.dice.pick(&[Policy::Allow, Policy::Forbid, Policy::Replace]);
            model.cronjob.starting_deadline_seconds = deadline(&mut model.dice, period);
            model.touch();
        }
        5 | 6 => step_clock(model, period),
        7 | 8 => {
            if let Some(job) = model.jobs.first().map(|job| job.facts.uid.clone()) {
                model.tell(|| format!("{job} is deleted by hand"));
                model.delete(&job);
                model.tally.count("deleted by hand");
            }
        }
        9 => by_hand(model),
        10 => recreate(model, period),
        11 => model.touch(),
        12 => take_name(model),
        _ => {
            // Edited twice before anybody looks.
            edit(model, period);
            edit(model, period);
        }
    }
}

/// Another schedule.
pub fn edit(model: &mut Model, period: i64) {
    let old = effective(&model.cronjob.schedule, model.cronjob.time_zone.as_deref());
    // A schedule of minutes in a life of years would take as long.
    let now = model.second();
    let schedules = std::iter::repeat_with(|| Schedule::random(&mut model.dice));
    let fits = |schedule: &Schedule| period <= 10 * period_of(schedule, now);
    model.schedule = schedules.take(1_000).find(fits).unwrap_or(Schedule::Every { seconds: period });
    model.cronjob.schedule = model.schedule.text();
    model.cronjob.time_zone = model.schedule.zone().map(Into::into);
    // As the server does in the write of the edit.
    let is_same = old == effective(&model.cronjob.schedule, model.cronjob.time_zone.as_deref());
    if !is_same {
        let (until, suspended) = (model.second(), model.cronjob.suspended);
        model.cronjob.scheduled_before.push(Former { schedule: old, until, suspended });
        model.ledger.edited(model.schedule.clone(), until);
    }
    model.touch();
    model.tally.count("edited");
    model.tell(|| format!("now scheduled {}", model.schedule.text()));
}

fn step_clock(model: &mut Model, period: i64) {
    let far = model.dice.pick(&[2, 3_600, period, 3 * period, 10 * period]);
    let step = model.dice.between(-far, far);
    model.ahead += step;
    model.tally.count(if step < 0 { "set back" } else { "set forward" });
    model.tell(|| format!("the clock is set by {step} s"));
}

/// `kubectl create job --from`.
fn by_hand(model: &mut Model) {
    let uid = model.uid();
    let facts = ChildFacts { name: format!("by-hand-{uid}"), uid, ..plain(model) };
    let ends_at = model.time + model.longest;
    model.jobs.push(Job { facts, ends_at, is_brief: false, is_cron_made: false });
    model.tally.count("made by hand");
}

/// Somebody takes the name of the next instant's Job, perhaps even as a Job of the CronJob.
fn take_name(model: &mut Model) {
    let Some(tick) = model.wake_at else { return };
    let uid = model.uid();
    let name = job_name("tick", tick, matches!(model.schedule, Schedule::Every { seconds } if seconds < 60));
    if model.jobs.iter().any(|job| job.facts.name == name) {
        return;
    }
    let is_own = model.dice.per_mille(500);
    let cronjob = if is_own { model.cronjob.uid.clone() } else { "another".into() };
    let facts = ChildFacts { name, uid, cronjob, tick: None, ..plain(model) };
    let ends_at = model.time + 2 * model.longest;
    model.jobs.push(Job { facts, ends_at, is_brief: true, is_cron_made: false });
}

/// A Job that has just begun.
fn plain(model: &Model) -> ChildFacts {
    ChildFacts {
        name: String::new(),
        uid: String::new(),
        cronjob: model.cronjob.uid.clone(),
        tracked: false,
        deleted: false,
        end: None,
        started_at: Some(model.second()),
        completed_at: None,
        tick: None,
    }
}

/// Deleted and created again under its name; what the old one leaves is deleted, sometimes only later.
fn recreate(model: &mut Model, period: i64) {
    let uid = model.uid();
    let created_at = model.second();
    let old =
        std::mem::replace(&mut model.cronjob, cronjob(&mut model.dice, &model.schedule, &uid, created_at, period));
    model.ledger = Ledger::new(model.schedule.clone(), created_at);
    model.queued = None;
    model.tally.count("recreated");
    model.tell(|| format!("{} is created anew as {uid}", old.uid));
    if model.dice.per_mille(700) {
        let left: Vec<String> = model.jobs.iter().map(|job| job.facts.uid.clone()).collect();
        left.iter().for_each(|uid| model.delete(uid));
    }
}

/// Without further trouble everything gets its outcome.
fn finish(model: &mut Model) {
    model.tell(|| "no more trouble".into());
    (model.troubles, model.back_at) = (0, None);
    model.cronjob.suspended = false;
    model.cronjob.policy = Policy::Allow;
    model.touch();
    let foreign: Vec<String> = model
        .jobs
        .iter()
        .map(|job| &job.facts)
        .filter(|facts| facts.cronjob != model.cronjob.uid)
        .map(|facts| facts.uid.clone())
        .collect();
    foreign.iter().for_each(|uid| model.delete(uid));
    model.time += model.longest + 1;
    model.end_jobs();
    model.work();
    model.ledger.close(model.now());
    assert!(model.jobs.iter().all(|job| !job.facts.tracked), "finalizers are left");
    let limits = [(model.cronjob.successful_limit, "successful"), (model.cronjob.failed_limit, "failed")];
    for (limit, which) in limits {
        let is_of =
            |job: &&Job| job.facts.end.is_some_and(|end| (end.as_str() == "Complete") == (which == "successful"));
        let n = model.jobs.iter().filter(is_of).count();
        assert!(limit.is_none_or(|limit| n <= usize::try_from(limit).unwrap()), "{n} {which} Jobs are left");
    }
}
