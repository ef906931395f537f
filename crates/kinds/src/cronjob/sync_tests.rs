//! Decisions about CronJobs: what is due, what holds it back, what is accounted for, and what is found after a crash.

use super::*;
use crate::cronjob::draft::{Settlement, StatusWrite};
use crate::cronjob::facts::End;
use crate::cronjob::testing::cronjob;
use serde_json::json;

/// An instant of the first of January 2026, the day on which `cronjob` was created at midnight.
fn at(time: &str) -> Timestamp {
    format!("2026-01-01T{time}Z").parse().unwrap()
}

fn hourly(spec: serde_json::Value) -> CronJobFacts {
    cronjob("0 * * * *", spec)
}

/// The Job made for an instant, recorded and running.
fn child(tick: Timestamp) -> ChildFacts {
    let name = job_name("tick", tick, false);
    ChildFacts {
        uid: format!("uid-{name}"),
        name,
        cronjob: "u".into(),
        tracked: false,
        deleted: false,
        end: None,
        started_at: Some(tick),
        completed_at: None,
        tick: Some(tick),
    }
}

fn ended(tick: Timestamp, end: End) -> ChildFacts {
    let completed_at = (end == End::Complete).then_some(tick);
    ChildFacts { end: Some(end), completed_at, ..child(tick) }
}

/// The CronJob as it stands once these Jobs of it are listed as active.
fn with_active(mut cronjob: CronJobFacts, children: &[&ChildFacts]) -> CronJobFacts {
    cronjob.active = children.iter().map(|child| child.reference("n")).collect();
    cronjob.last_schedule = children.iter().filter_map(|child| child.tick).max();
    cronjob
}

/// Decides, and settles as if everything had worked.
fn decide_at(now: &str, cronjob: &CronJobFacts, children: &[&ChildFacts], memory: &Memory) -> (Plan2, Settlement) {
    let plan = sync(cronjob, children, memory, &TimeZone::UTC, at(now));
    let made = plan.run.as_ref().map_or(Made::Nothing, |run| {
        Made::Created(JobRef { name: run.name.clone(), uid: format!("uid-{}", run.name) }, None)
    });
    let seen = Plan2 {
        deletions: plan.deletions.iter().map(|job| job.name.clone()).collect(),
        run: plan.run.as_ref().map(|run| run.tick),
    };
    let settlement = plan.then.settle(plan.run, Done { left: BTreeSet::new(), made });
    (seen, settlement)
}

/// The work of a plan.
#[derive(Debug, PartialEq)]
struct Plan2 {
    deletions: Vec<String>,
    run: Option<Timestamp>,
}

/// What became of instants, in words.
fn outcomes(settlement: &Settlement) -> Vec<String> {
    let time = |at: Timestamp| at.strftime("%H:%M").to_string();
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Ran(tick) => format!("{} ran", time(*tick)),
        Outcome::Skipped(Span { first, last, n: 1 }, reason) if first == last => {
            format!("{} {}", time(*first), reason.as_str())
        }
        Outcome::Skipped(span, reason) => {
            format!("{}-{} x{} {}", time(span.first), time(span.last), span.n, reason.as_str())
        }
    };
    settlement.outcomes.iter().map(outcome).collect()
}

fn events(settlement: &Settlement) -> Vec<String> {
    settlement.events.iter().map(|event| format!("{} {}", event.reason, event.message)).collect()
}

fn reasons(settlement: &Settlement) -> Vec<&str> {
    settlement.events.iter().map(|event| event.reason).collect()
}

#[track_caller]
fn written(settlement: &Settlement) -> &StatusWrite {
    settlement.write.as_ref().expect("there is something to write")
}

#[test]
fn nothing_is_due_before_the_first_instant() {
    let (work, settled) = decide_at("00:59:59", &hourly(json!({})), &[], &Memory::default());
    assert_eq!(work, Plan2 { deletions: vec![], run: None });
    assert_eq!((settled.write, settled.wake_at), (None, Some(at("01:00:00"))));
}

#[test]
fn a_job_is_made_at_the_instant_recorded_and_then_freed() {
    let (work, settled) = decide_at("01:00:00", &hourly(json!({})), &[], &Memory::default());
    assert_eq!(work.run, Some(at("01:00:00")));
    let write = written(&settled);
    assert_eq!(write.last_schedule, Some(at("01:00:00")));
    assert_eq!(write.accounted_until, Some(at("01:00:00")));
    assert_eq!(write.active[0].name.as_deref(), Some("tick-29453820"));
    assert_eq!(settled.untrack[0].name, "tick-29453820");
    assert_eq!(settled.wake_at, Some(at("02:00:00")));
    assert_eq!(outcomes(&settled), ["01:00 ran"]);
}

#[test]
fn after_a_downtime_only_the_newest_runs_and_the_others_are_accounted_for() {
    let (work, settled) = decide_at("05:30:00", &hourly(json!({})), &[], &Memory::default());
    assert_eq!(work.run, Some(at("05:00:00")));
    assert_eq!(outcomes(&settled), ["01:00-04:00 x4 downtime", "05:00 ran"]);
    let told = "SkippedRuns Skipped 4 runs due from 2026-01-01T01:00:00Z to 2026-01-01T04:00:00Z: kiln was not running or did not get to it, or the clock was set forward";
    assert_eq!(events(&settled), [told]);
    assert_eq!(written(&settled).accounted_until, Some(at("05:00:00")));
}

#[test]
fn more_than_a_hundred_missed_instants_are_told_of_but_the_newest_runs() {
    let every_minute = cronjob("* * * * *", json!({}));
    let (work, settled) = decide_at("01:41:00", &every_minute, &[], &Memory::default());
    assert_eq!(work.run, Some(at("01:41:00")));
    assert_eq!(reasons(&settled), ["TooManyMissedTimes", "SkippedRuns"]);
    let (_, settled) = decide_at("01:40:00", &every_minute, &[], &Memory::default());
    assert_eq!(reasons(&settled), ["SkippedRuns"]);
    let with_deadline = cronjob("* * * * *", json!({"startingDeadlineSeconds": 600}));
    let (_, settled) = decide_at("05:00:00", &with_deadline, &[], &Memory::default());
    assert_eq!(reasons(&settled), ["SkippedRuns"], "only what could still start counts");
    let running = child(at("00:01:00"));
    let forbid = with_active(cronjob("* * * * *", json!({"concurrencyPolicy": "Forbid"})), &[&running]);
    let (_, settled) = decide_at("03:00:00", &forbid, &[&running], &Memory::default());
    assert_eq!(reasons(&settled), ["TooManyMissedTimes", "JobAlreadyActive", "SkippedRuns"]);
    let mut years = cronjob("* * * * *", json!({}));
    years.created_at = "2025-01-01T00:00:00Z".parse().unwrap();
    let (work, settled) = decide_at("03:00:00", &years, &[], &Memory::default());
    assert_eq!((work.run, reasons(&settled)), (None, vec!["TooManyMissedTimes", "SkippedRuns"]));
}

#[test]
fn a_job_that_was_made_but_not_recorded_is_recorded_not_made_again() {
    let made = ChildFacts { tracked: true, ..child(at("01:00:00")) };
    let (work, settled) = decide_at("02:10:00", &hourly(json!({})), &[&made], &Memory::default());
    assert_eq!(work.run, None, "the next one is made when this one stands");
    assert_eq!(outcomes(&settled), ["01:00 ran"]);
    assert_eq!(written(&settled).active, [made.reference("n")]);
    assert_eq!(settled.untrack, [JobRef::of(&made)]);
    assert_eq!(reasons(&settled), [""; 0]);
}

#[test]
fn a_job_that_ended_or_is_deleted_before_it_was_recorded_ran_all_the_same() {
    let done = ChildFacts { tracked: true, deleted: true, ..ended(at("03:00:00"), End::Complete) };
    let (work, settled) = decide_at("03:00:10", &hourly(json!({})), &[&done], &Memory::default());
    assert_eq!(work.run, None);
    assert_eq!(outcomes(&settled), ["01:00-02:00 x2 downtime", "03:00 ran"]);
    assert!(written(&settled).active.is_empty());
    assert_eq!(settled.untrack, [JobRef::of(&done)]);
}

#[test]
fn a_recorded_job_loses_its_finalizer_without_another_write() {
    let made = ChildFacts { tracked: true, ..child(at("01:00:00")) };
    let mut stands = with_active(hourly(json!({})), &[&made]);
    stands.accounted_until = Some(at("01:00:00"));
    let (_, settled) = decide_at("01:00:01", &stands, &[&made], &Memory::default());
    assert_eq!((settled.write, settled.untrack), (None, vec![JobRef::of(&made)]));
}

#[test]
fn what_somebody_wrote_into_a_job_decides_nothing() {
    let made =
        ChildFacts { tracked: true, tick: Some("9999-01-01T00:00:00Z".parse().unwrap()), ..child(at("01:00:00")) };
    let (work, settled) = decide_at("02:00:00", &hourly(json!({})), &[&made], &Memory::default());
    assert_eq!(work.run, Some(at("02:00:00")));
    assert_eq!(settled.untrack.len(), 2);
}

#[test]
fn a_clock_set_back_makes_nothing_due_again() {
    let mut stands = hourly(json!({}));
    stands.last_schedule = Some(at("05:00:00"));
    let (work, settled) = decide_at("04:30:00", &stands, &[], &Memory::default());
    assert_eq!((work.run, settled.wake_at), (None, Some(at("06:00:00"))));
    assert_eq!(reasons(&settled), [""; 0]);
    let (work, settled) = decide_at("01:00:00", &stands, &[], &Memory::default());
    assert_eq!(work.run, None);
    assert_eq!(reasons(&settled), ["ClockBehind"]);
    let (_, settled) = decide_at("01:00:00", &stands, &[], &settled.memory);
    assert_eq!(reasons(&settled), [""; 0], "told once");
}

#[test]
fn what_is_remembered_outweighs_what_a_cache_or_a_writer_shows() {
    let memory = Memory { uid: "u".into(), accounted: Some(at("02:00:00")), ..Memory::default() };
    let (work, settled) = decide_at("02:00:01", &hourly(json!({})), &[], &memory);
    assert_eq!(work.run, None);
    assert_eq!(written(&settled).accounted_until, Some(at("02:00:00")), "what was taken away is put back");
    let of_another = Memory { uid: "before".into(), ..memory };
    let (work, _) = decide_at("02:00:01", &hourly(json!({})), &[], &of_another);
    assert_eq!(work.run, Some(at("02:00:00")));
}

#[test]
fn forbid_holds_the_newest_back_until_the_job_before_has_ended() {
    let running = child(at("01:00:00"));
    let forbid = with_active(hourly(json!({"concurrencyPolicy": "Forbid"})), &[&running]);
    let (work, settled) = decide_at("02:00:00", &forbid, &[&running], &Memory::default());
    assert_eq!((work.run, &settled.write), (None, &None), "it may yet run");
    assert_eq!(reasons(&settled), ["JobAlreadyActive"]);
    assert_eq!(settled.wake_at, Some(at("03:00:00")));
    let (_, again) = decide_at("02:00:01", &forbid, &[&running], &settled.memory);
    assert_eq!(reasons(&again), [""; 0], "told once");

    let (_, overtaken) = decide_at("03:00:00", &forbid, &[&running], &settled.memory);
    assert_eq!(outcomes(&overtaken), ["02:00 forbid"]);
    assert_eq!(written(&overtaken).accounted_until, Some(at("02:00:00")), "03:00 may yet run");
    assert_eq!(written(&overtaken).last_schedule, Some(at("01:00:00")));
    assert_eq!(reasons(&overtaken), ["JobAlreadyActive", "SkippedRuns"]);

    let mut stands = forbid.clone();
    stands.accounted_until = Some(at("02:00:00"));
    let done = ended(at("01:00:00"), End::Complete);
    let (work, late) = decide_at("03:20:00", &stands, &[&done], &overtaken.memory);
    assert_eq!(work.run, Some(at("03:00:00")));
    assert_eq!(outcomes(&late), ["03:00 ran"]);
    assert_eq!(reasons(&late), ["SawCompletedJob"]);
}

#[test]
fn what_forbid_held_back_past_its_deadline_was_skipped_for_forbid() {
    let running = child(at("01:00:00"));
    let spec = json!({"concurrencyPolicy": "Forbid", "startingDeadlineSeconds": 300});
    let forbid = with_active(hourly(spec), &[&running]);
    let (_, held) = decide_at("02:00:00", &forbid, &[&running], &Memory::default());
    assert_eq!(held.wake_at, Some(at("02:05:00")));
    let (_, skipped) = decide_at("02:05:00", &forbid, &[&running], &held.memory);
    assert_eq!(outcomes(&skipped), ["02:00 forbid"]);
    assert_eq!(skipped.wake_at, Some(at("03:00:00")));
    let told = "MissSchedule Missed scheduled time to start a job: Thu, 01 Jan 2026 02:00:00 +0000";
    assert_eq!(events(&skipped)[0], told);
}

#[test]
fn replace_deletes_what_runs_and_makes_the_new_job() {
    let running = child(at("01:00:00"));
    let replace = with_active(hourly(json!({"concurrencyPolicy": "Replace"})), &[&running]);
    let (work, settled) = decide_at("02:00:00", &replace, &[&running], &Memory::default());
    assert_eq!(work, Plan2 { deletions: vec![running.name.clone()], run: Some(at("02:00:00")) });
    let names: Vec<_> = written(&settled).active.iter().map(|entry| entry.name.clone().unwrap()).collect();
    assert_eq!(names, [job_name("tick", at("02:00:00"), false)]);

    let plan = sync(&replace, &[&running], &Memory::default(), &TimeZone::UTC, at("02:00:00"));
    let left = BTreeSet::from([running.uid.clone()]);
    assert_eq!(plan.must_go, left);
    let settled = plan.then.settle(plan.run, Done { left, made: Made::Failed });
    assert_eq!(settled.write, None, "what could not be deleted stays active");
}

#[test]
fn suspension_holds_back_and_resuming_starts_the_newest() {
    let suspended = hourly(json!({"suspend": true}));
    let (work, settled) = decide_at("04:30:00", &suspended, &[], &Memory::default());
    assert_eq!((work.run, &settled.write, settled.wake_at), (None, &None, None));
    let (work, resumed) = decide_at("04:31:00", &hourly(json!({})), &[], &settled.memory);
    assert_eq!(work.run, Some(at("04:00:00")));
    assert_eq!(outcomes(&resumed), ["01:00-03:00 x3 suspended", "04:00 ran"]);
    assert!(!resumed.memory.suspended);
    let (work, late) = decide_at("04:31:00", &hourly(json!({"startingDeadlineSeconds": 60})), &[], &settled.memory);
    assert_eq!(work.run, None);
    assert_eq!(outcomes(&late), ["01:00-04:00 x4 suspended"]);
}

#[test]
fn a_deadline_of_what_nobody_could_start_is_told() {
    let (work, settled) =
        decide_at("03:01:00", &hourly(json!({"startingDeadlineSeconds": 60})), &[], &Memory::default());
    assert_eq!(work.run, None);
    assert_eq!(outcomes(&settled), ["01:00-02:00 x2 downtime", "03:00 deadline"]);
    assert_eq!(reasons(&settled), ["MissSchedule", "SkippedRuns", "SkippedRuns"]);
    let (work, _) = decide_at("03:00:59", &hourly(json!({"startingDeadlineSeconds": 60})), &[], &Memory::default());
    assert_eq!(work.run, Some(at("03:00:00")));
}

#[test]
fn what_the_server_refuses_is_tried_again_until_the_next_instant() {
    let plan = sync(&hourly(json!({})), &[], &Memory::default(), &TimeZone::UTC, at("01:00:00"));
    let refused = plan.then.settle(plan.run, Done { left: BTreeSet::new(), made: Made::Failed });
    assert_eq!((&refused.write, refused.wake_at), (&None, Some(at("02:00:00"))));
    let (work, again) = decide_at("01:00:01", &hourly(json!({})), &[], &refused.memory);
    assert_eq!((work.run, outcomes(&again)), (Some(at("01:00:00")), vec!["01:00 ran".to_owned()]));
    let (_, next) = decide_at("02:00:00", &hourly(json!({})), &[], &refused.memory);
    assert_eq!(outcomes(&next), ["01:00 failed", "02:00 ran"]);
}

#[test]
fn a_job_that_may_have_been_made_is_asked_for_again_before_anything_else() {
    let unsure = |cronjob: &CronJobFacts, now: &str| {
        let plan = sync(cronjob, &[], &Memory::default(), &TimeZone::UTC, at(now));
        plan.then.settle(plan.run, Done { left: BTreeSet::new(), made: Made::Unsure })
    };
    let first = unsure(&hourly(json!({})), "02:00:00");
    assert_eq!(outcomes(&first), ["01:00 downtime"]);
    let mut stands = hourly(json!({"suspend": true}));
    stands.accounted_until = written(&first).accounted_until;
    // Neither a newer instant nor a suspension comes before it.
    let (work, made) = decide_at("03:00:00", &stands, &[], &first.memory);
    assert_eq!((work.run, outcomes(&made)), (Some(at("02:00:00")), vec!["02:00 ran".to_owned()]));
    assert_eq!(made.memory.unsure, None);
    // The write of the first decision failed.
    let mut only_doubt = Memory::default();
    only_doubt.doubt("u", first.memory.unsure.clone().unwrap());
    let (work, made) = decide_at("03:00:00", &hourly(json!({})), &[], &only_doubt);
    assert_eq!((work.run, outcomes(&made)), (Some(at("02:00:00")), vec!["01:00 downtime".into(), "02:00 ran".into()]));
    // Refused this time, the first one may still come.
    let plan = sync(&stands, &[], &first.memory, &TimeZone::UTC, at("03:00:00"));
    let refused = plan.then.settle(plan.run, Done { left: BTreeSet::new(), made: Made::Failed });
    assert_eq!((&refused.memory.unsure, &refused.write), (&first.memory.unsure, &None));
    // The last of a schedule that is no more.
    let edited = edited("30 * * * *", "02:00:20", json!({}));
    let last = unsure(&edited, "02:00:20");
    assert_eq!((outcomes(&last), &last.write), (vec![], &None));
    let (work, made) = decide_at("02:40:00", &edited, &[], &last.memory);
    assert_eq!((work.run, outcomes(&made)), (Some(at("02:00:00")), vec!["02:00 ran".to_owned()]));
}

#[test]
fn edits_follow_each_other_whatever_the_clock_shows() {
    // The clock was ahead at the first edit, and right again at the second.
    let mut twice = edited("45 * * * *", "09:00:00", json!({}));
    twice.scheduled_before.push(former("15 * * * *", "01:30:00"));
    let (ran, all, end) = settle_all("02:50:00", &twice, &Memory::default());
    assert_eq!((ran, all), (vec![at("02:45:00")], vec!["01:45 downtime".into(), "02:45 ran".to_owned()]));
    assert_eq!(end.scheduled_before, []);
}

#[test]
fn the_history_keeps_the_newest() {
    let hours = ["01:00:00", "02:00:00", "03:00:00", "04:00:00"].map(at);
    let mut children: Vec<ChildFacts> = hours.iter().map(|hour| ended(*hour, End::Complete)).collect();
    children.extend(hours.iter().map(|hour| ChildFacts { name: format!("f{hour}"), ..ended(*hour, End::Failed) }));
    let children: Vec<&ChildFacts> = children.iter().rev().collect();
    let mut stands = hourly(json!({"successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 3}));
    stands.last_schedule = Some(hours[3]);
    let (work, settled) = decide_at("04:10:00", &stands, &children, &Memory::default());
    let name = |hour: Timestamp| job_name("tick", hour, false);
    assert_eq!(work.deletions, [name(hours[0]), name(hours[1]), format!("f{}", hours[0])]);
    assert_eq!(written(&settled).last_successful, Some(hours[3]));
}

#[test]
fn jobs_made_by_hand_are_told_once_and_block_nothing() {
    let by_hand = ChildFacts { name: "manual".into(), tick: None, ..child(at("01:00:00")) };
    let forbid = hourly(json!({"concurrencyPolicy": "Forbid"}));
    let (work, settled) = decide_at("01:00:00", &forbid, &[&by_hand], &Memory::default());
    assert_eq!(work.run, Some(at("01:00:00")));
    assert_eq!(events(&settled), ["UnexpectedJob Saw a job that the controller did not create or forgot: manual"]);
    let (_, settled) = decide_at("01:00:01", &forbid, &[&by_hand], &settled.memory);
    assert_eq!(reasons(&settled), [""; 0]);
}

#[test]
fn jobs_that_went_missing_leave_the_list() {
    let gone = child(at("01:00:00"));
    let stands = with_active(hourly(json!({})), &[&gone]);
    let (_, settled) = decide_at("01:10:00", &stands, &[], &Memory::default());
    assert!(written(&settled).active.is_empty());
    assert_eq!(events(&settled), [format!("MissingJob Active job went missing: {}", gone.name)]);
}

#[test]
fn what_cannot_be_scheduled_is_told_and_nothing_happens() {
    let wrong = |schedule: &str, spec: serde_json::Value| {
        let (work, settled) = decide_at("05:00:00", &cronjob(schedule, spec), &[], &Memory::default());
        assert_eq!((work.run, &settled.write, settled.wake_at), (None, &None, None));
        events(&settled)
    };
    assert_eq!(
        wrong("59 23 31 2 *", json!({})),
        [
            "InvalidSchedule invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second"
        ]
    );
    assert_eq!(
        wrong("0 * * * *", json!({"timeZone": "Mars/X"})),
        ["UnknownTimeZone invalid timeZone: \"Mars/X\": unknown time zone Mars/X"]
    );
    assert_eq!(
        wrong("nonsense", json!({})),
        ["UnparseableSchedule unparseable schedule: \"nonsense\" : expected exactly 5 fields, found 1: [nonsense]"]
    );
    for odd in ["", "TZ=", "TZ=Mars/X * * * * *", "@every", "\u{0}", "* * * * * *"] {
        assert_eq!(wrong(odd, json!({})).last().unwrap().split(' ').next(), Some("UnparseableSchedule"), "{odd:?}");
    }
}

#[test]
fn a_zone_in_the_schedule_works_and_is_told_to_be_unsupported() {
    let zoned = cronjob("TZ=America/New_York 0 3 * * *", json!({}));
    let (work, settled) = decide_at("08:00:00", &zoned, &[], &Memory::default());
    assert_eq!(work.run, Some(at("08:00:00")));
    assert_eq!(
        events(&settled),
        [
            "UnsupportedSchedule CRON_TZ or TZ used in schedule \"TZ=America/New_York 0 3 * * *\" is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
        ]
    );
}

/// Edited at a moment, when `0 * * * *` had come to this schedule.
fn edited(schedule: &str, until: &str, spec: serde_json::Value) -> CronJobFacts {
    let mut edited = cronjob(schedule, spec);
    edited.scheduled_before = vec![former("0 * * * *", until)];
    edited.last_schedule = Some(at("01:00:00"));
    edited
}

fn former(schedule: &str, until: &str) -> Former {
    Former { schedule: schedule.into(), until: at(until), suspended: false }
}

/// Decides until nothing is left to be written, the clock standing still; what ran, and all outcomes.
fn settle_all(now: &str, cronjob: &CronJobFacts, memory: &Memory) -> (Vec<Timestamp>, Vec<String>, CronJobFacts) {
    let (mut cronjob, mut memory) = (cronjob.clone(), memory.clone());
    let (mut ran, mut all) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let (work, settled) = decide_at(now, &cronjob, &[], &memory);
        ran.extend(work.run);
        all.extend(outcomes(&settled));
        let Some(write) = settled.write else { return (ran, all, cronjob) };
        cronjob.active = Vec::new();
        (cronjob.last_schedule, memory) = (write.last_schedule, settled.memory);
        cronjob.accounted_until = write.accounted_until.or(cronjob.accounted_until);
        cronjob.scheduled_before = write.scheduled_before.unwrap_or(cronjob.scheduled_before);
    }
    panic!("it never comes to rest");
}

#[test]
fn an_edited_schedule_counts_from_the_edit_and_the_old_one_until_then() {
    // Nothing of the old one is due; 01:30 lies before the edit and is none of the new one's.
    let (work, line) = decide_at("01:40:20", &edited("30 * * * *", "01:40:20", json!({})), &[], &Memory::default());
    assert_eq!((work.run, outcomes(&line)), (None, vec![]));
    assert_eq!(written(&line).accounted_until, Some(at("01:40:20")));
    assert_eq!(written(&line).scheduled_before, Some(vec![]));
    // What was due and held back by nothing runs.
    let late = edited("30 * * * *", "02:00:00", json!({}));
    let (work, settled) = decide_at("02:00:00", &late, &[], &Memory::default());
    assert_eq!((work.run, &written(&settled).scheduled_before), (Some(at("02:00:00")), &None));
    // What was held back does not, as its schedule is no more.
    let running = child(at("01:00:00"));
    let mut forbid = edited("30 * * * *", "02:10:00", json!({"concurrencyPolicy": "Forbid"}));
    forbid.active = vec![running.reference("n")];
    let (work, dropped) = decide_at("02:10:00", &forbid, &[&running], &Memory::default());
    assert_eq!((work.run, outcomes(&dropped)), (None, vec!["02:00 forbid".to_owned()]));
    assert_eq!(written(&dropped).accounted_until, Some(at("02:10:00")));
    let suspended = edited("30 * * * *", "03:10:00", json!({"suspend": true}));
    let (work, dropped) = decide_at("03:10:00", &suspended, &[], &Memory::default());
    assert_eq!((work.run, outcomes(&dropped)), (None, vec!["02:00 downtime".to_owned(), "03:00 suspended".to_owned()]));
    assert_eq!(written(&dropped).scheduled_before, Some(vec![]));
}

#[test]
fn the_moment_of_an_edit_counts_not_that_at_which_somebody_looks() {
    // The server died right after the edit at 01:40 and is back at 05:10.
    let (ran, all, end) = settle_all("05:10:00", &edited("30 * * * *", "01:40:00", json!({})), &Memory::default());
    assert_eq!((ran, all), (vec![at("04:30:00")], vec!["02:30-03:30 x2 downtime".into(), "04:30 ran".to_owned()]));
    assert_eq!(end.scheduled_before, []);
    // At 02:20 nothing had started the run of 02:00: it is overtaken by the 04:30 of the new schedule.
    let (ran, all, _) = settle_all("05:10:00", &edited("30 * * * *", "02:20:00", json!({})), &Memory::default());
    assert_eq!(ran, [at("04:30:00")]);
    assert_eq!(all, ["02:00 downtime", "02:30-03:30 x2 downtime", "04:30 ran"]);
    // Looked at a moment after a tick of the new schedule, made right before it.
    let (ran, ..) = settle_all("01:30:01", &edited("30 * * * *", "01:29:59", json!({})), &Memory::default());
    assert_eq!(ran, [at("01:30:00")]);
    // The clock was ahead when it was edited.
    let (ran, all, end) = settle_all("02:10:00", &edited("30 * * * *", "09:00:00", json!({})), &Memory::default());
    assert_eq!((ran, all), (vec![at("02:00:00")], vec!["02:00 ran".to_owned()]));
    assert_eq!((end.accounted_until, end.scheduled_before), (Some(at("02:10:00")), vec![]));
}

#[test]
fn each_of_several_edits_has_its_time() {
    let mut twice = edited("15 * * * *", "01:40:00", json!({}));
    twice.scheduled_before.push(former("30 * * * *", "03:40:00"));
    twice.scheduled_before.push(former("nonsense", "03:45:00"));
    let (ran, all, end) = settle_all("05:10:00", &twice, &Memory::default());
    assert_eq!(ran, [at("04:15:00")]);
    assert_eq!(all, ["02:30-03:30 x2 downtime", "04:15 ran"]);
    assert_eq!(end.scheduled_before, []);
    // A Job that was made under the first, of which nobody knows yet.
    let made = ChildFacts { tracked: true, ..child(at("02:00:00")) };
    let mut died = twice.clone();
    died.scheduled_before[0].until = at("02:00:10");
    let (work, settled) = decide_at("05:10:00", &died, &[&made], &Memory::default());
    assert_eq!((work.run, outcomes(&settled)), (None, vec!["02:00 ran".to_owned()]));
    assert_eq!(written(&settled).scheduled_before, None);
}

#[test]
fn an_edit_that_lifts_what_held_an_instant_back_does_not_start_it() {
    let decided = |spec: serde_json::Value, memory: &Memory, suspended: bool| {
        let mut edited = edited("0 12 * * *", "02:00:20", spec);
        edited.scheduled_before[0].suspended = suspended;
        let (work, settled) = decide_at("02:00:20", &edited, &[], memory);
        assert_eq!(written(&settled).scheduled_before, Some(vec![]));
        (work.run, outcomes(&settled))
    };
    let uid = cronjob("0 12 * * *", json!({})).uid;
    let memory = Memory { uid: uid.clone(), suspended: true, ..Memory::default() };
    assert_eq!(decided(json!({"suspend": false}), &memory, true), (None, vec!["02:00 suspended".to_owned()]));
    let nothing = Memory::default();
    assert_eq!(decided(json!({}), &nothing, true), (None, vec!["02:00 suspended".to_owned()]), "after a restart");
    let held = Memory { uid, held: Some(Held { tick: at("02:00:00"), by: Reason::Forbid }), ..Memory::default() };
    let allow = json!({"concurrencyPolicy": "Allow"});
    assert_eq!(decided(allow, &held, false), (None, vec!["02:00 forbid".to_owned()]));
}

#[test]
fn an_edit_comes_into_force_while_jobs_are_refused() {
    let edited = edited("0 3 * * *", "02:00:20", json!({}));
    let plan = sync(&edited, &[], &Memory::default(), &TimeZone::UTC, at("02:00:30"));
    assert_eq!(plan.run.as_ref().map(|run| run.tick), Some(at("02:00:00")));
    let refused = plan.then.settle(plan.run, Done { left: BTreeSet::new(), made: Made::Failed });
    assert_eq!(outcomes(&refused), ["02:00 failed"]);
    assert_eq!(written(&refused).accounted_until, Some(at("02:00:20")));
    assert_eq!(written(&refused).scheduled_before, Some(vec![]));
}

#[test]
fn a_cronjob_that_goes_frees_its_jobs_and_makes_none() {
    let made = ChildFacts { tracked: true, tick: None, ..child(at("01:00:00")) };
    let mut going = hourly(json!({}));
    going.deleted = true;
    let (work, settled) = decide_at("02:00:00", &going, &[&made], &Memory::default());
    assert_eq!((work.run, settled.wake_at), (None, None));
    assert_eq!(settled.untrack, [JobRef::of(&made)]);
}

#[test]
fn schedules_under_a_minute_count_from_the_creation_and_name_jobs_by_the_second() {
    let often = cronjob("@every 20s", json!({}));
    let plan = sync(&often, &[], &Memory::default(), &TimeZone::UTC, at("00:00:45"));
    assert_eq!(plan.run, Some(Run { tick: at("00:00:40"), name: "tick-1767225640".into() }));
    let (_, settled) = decide_at("00:00:45", &often, &[], &Memory::default());
    assert_eq!(outcomes(&settled), ["00:00 downtime", "00:00 ran"]);
    assert_eq!(settled.wake_at, Some(at("00:01:00")));
}

#[test]
fn a_century_of_missed_instants_is_counted_in_bounded_steps() {
    let mut memory = Memory::default();
    let mut old = cronjob("*/2 * * * *", json!({}));
    old.created_at = "2025-01-01T00:00:00Z".parse().unwrap();
    let mut n = 0;
    for step in 1.. {
        let (work, settled) = decide_at("00:00:00", &old, &[], &memory);
        n += settled
            .outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Skipped(span, _) => span.n,
                Outcome::Ran(_) => 1,
            })
            .sum::<u64>();
        (old.accounted_until, memory) = (written(&settled).accounted_until, settled.memory);
        if work.run.is_some() {
            assert_eq!(step, 3);
            break;
        }
    }
    assert_eq!(n, 365 * 24 * 30);
}
