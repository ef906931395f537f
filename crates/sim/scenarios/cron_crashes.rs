//! The controllers are killed before and after each of their writes in turn, and started again a second later: every instant of a
//! CronJob still has one Job, and nothing is left half done. Then days in which anything happens at random; `SEED=n` runs one.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::{Value, json};
use sim::{Fuse, When, World};
use std::collections::BTreeSet;
use std::time::Duration;

/// What is run around each write: until a while after the second minute.
const SECONDS: u64 = 140;

/// Lives through two instants with this fuse; returns the writes of the controllers that held it.
fn live(spec: &Value, command: &str, fuse: &Fuse, expect: &[&str]) {
    World::run(50, async |world: &mut World| {
        world.restart_controllers_with(fuse);
        world.create_cronjob("tick", "* * * * *", spec.clone(), command).await;
        let mut restarted = false;
        for _ in 0..SECONDS * 2 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if world.controllers_are_dead() && !restarted {
                restarted = true;
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.restart_controllers(u64::MAX);
            }
        }
        let cronjob = &world.objects("/batch/cronjobs/")[0];
        assert_eq!(world.ticks("tick"), expect, "{fuse:?}: {cronjob:#}");
        assert_eq!(cronjob["status"]["lastScheduleTime"], *expect.last().unwrap(), "{fuse:?}");
        let running: Vec<String> =
            world.objects("/batch/jobs/").iter().filter(|job| !is_finished(job)).map(name).collect();
        let active: Vec<String> = cronjob["status"]["active"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(active, running, "{fuse:?}");
        for job in world.objects("/batch/jobs/") {
            assert!(job["metadata"]["finalizers"].is_null(), "{fuse:?}: {}", job["metadata"]);
        }
    });
}

fn name(job: &Value) -> String {
    job["metadata"]["name"].as_str().unwrap().to_owned()
}

fn is_finished(job: &Value) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| matches!(condition["type"].as_str(), Some("Complete" | "Failed")))
}

/// Dies around every write there is.
fn around_every_write(spec: Value, command: &str, expect: &[&str]) {
    let counting = Fuse::never();
    live(&spec, command, &counting, expect);
    let n_writes = counting.n_writes();
    assert!(8 < n_writes, "{n_writes} writes are too few for two runs");
    for n in 0..n_writes {
        for when in [When::Before, When::After] {
            live(&spec, command, &Fuse::at(n, when), expect);
        }
    }
    println!("{n_writes} writes, died before and after each");
}

const BOTH: [&str; 2] = ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"];

#[test]
fn jobs_that_are_gone_at_once_are_not_made_again() {
    let spec = json!({"jobTemplate": {"spec": {"ttlSecondsAfterFinished": 0}}});
    around_every_write(spec, "succeed 0", &BOTH);
}

#[test]
fn jobs_that_history_deletes_are_not_made_again() {
    let spec = json!({"successfulJobsHistoryLimit": 0, "failedJobsHistoryLimit": 0, "concurrencyPolicy": "Forbid"});
    around_every_write(spec, "succeed 3", &BOTH);
}

#[test]
fn jobs_are_replaced_once() {
    around_every_write(json!({"concurrencyPolicy": "Replace"}), "sleep", &BOTH);
}

/// An ordinary run; `HOURS=n` runs longer.
const HOURS: u64 = 24;

#[test]
fn days_of_deaths_edits_and_clocks_that_are_set() {
    let seeds = match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 300..301,
    };
    for seed in seeds {
        println!("SEED={seed}");
        World::run(seed, async |world: &mut World| days(world).await);
    }
}

async fn days(world: &mut World) {
    let all = [
        ("allow", "0 * * * *", json!({}), "succeed 600"),
        ("forbid", "*/20 * * * *", json!({"concurrencyPolicy": "Forbid"}), "lucky 3000 80"),
        ("replace", "15,45 */2 * * *", json!({"concurrencyPolicy": "Replace"}), "sleep"),
        ("brief", "@every 25m", json!({"jobTemplate": {"spec": {"ttlSecondsAfterFinished": 0}}}), "succeed 0"),
        ("late", "10 * * * *", json!({"startingDeadlineSeconds": 120, "timeZone": "America/New_York"}), "succeed 5"),
    ];
    for (name, schedule, spec, command) in all.clone() {
        world.create_cronjob(name, schedule, spec, command).await;
    }
    let hours = std::env::var("HOURS").ok().and_then(|hours| hours.parse().ok()).unwrap_or(HOURS);
    let end = hours * 3_600;
    let mut passed = 0;
    let mut n_deaths = 0;
    let mut calm = Calm::new(world.now());
    while passed < end {
        let pause = 1 + world.chance.below(3_600);
        passed += pause;
        world.pass(pause).await;
        calm.check(world);
        let cronjob = all[usize::try_from(world.chance.below(5)).unwrap()].0;
        match world.chance.below(8) {
            0..=2 => {
                let n_steps = 1 + world.chance.below(600);
                world.restart_controllers(n_steps);
                calm.begin(world.now());
            }
            3 => {
                let suspend = world.chance.below(2) == 0;
                world.patch_cronjob(cronjob, json!({"suspend": suspend})).await;
                calm.suspend(cronjob, suspend);
                calm.begin(world.now());
            }
            4 => {
                let seconds = i64::try_from(world.chance.below(7_200)).unwrap() - 3_000;
                world.set_clock(SignedDuration::from_secs(seconds));
                calm.begin(world.now());
            }
            5 => {
                let minute = world.chance.below(60);
                calm.allow_minute = i8::try_from(minute).unwrap();
                calm.begin(world.now());
                world.patch_cronjob("allow", json!({"schedule": format!("{minute} * * * *")})).await;
            }
            6 => {
                let jobs = world.objects("/batch/jobs/");
                if let Some(job) = jobs.first() {
                    let policy = DeleteParams {
                        propagation_policy: Some(PropagationPolicy::Background),
                        ..DeleteParams::default()
                    };
                    world.jobs().delete(&name(job), &policy).await.unwrap();
                }
            }
            _ => {}
        }
        if world.controllers_are_dead() {
            n_deaths += 1;
            let down = world.chance.below(4) * world.chance.below(2_000);
            passed += down;
            world.pass(down).await;
            let n_steps = 200 + world.chance.below(2_000);
            world.restart_controllers(n_steps);
            calm.begin(world.now());
        }
    }
    world.restart_controllers(u64::MAX);
    for (name, ..) in all {
        world.patch_cronjob(name, json!({"suspend": false})).await;
        calm.suspend(name, false);
    }
    calm.begin(world.now());
    // Longer than any of them has to wait, also for a clock that was set back.
    world.pass(6 * 3_600).await;
    assert!(0 < n_deaths, "nobody died");
    calm.check(world);
    println!("{} runs were looked for in calm times", calm.n_runs);
    assert!(0 < calm.n_runs, "it was never calm");
    for cronjob in world.objects("/batch/cronjobs/") {
        check_accounts(world, &cronjob);
    }
}

/// Times in which nothing happens that could cost a run: each instant of a CronJob that allows has its Job, and at once.
struct Calm {
    since: Timestamp,
    /// The latest that the clock ever showed: up to there instants may have had their outcomes.
    highest: Timestamp,
    allow_minute: i8,
    suspended: BTreeSet<&'static str>,
    n_runs: usize,
}

impl Calm {
    fn new(now: Timestamp) -> Self {
        Self { since: now, highest: now, allow_minute: 0, suspended: BTreeSet::new(), n_runs: 0 }
    }

    fn begin(&mut self, now: Timestamp) {
        self.since = now;
    }

    fn suspend(&mut self, name: &'static str, suspend: bool) {
        if suspend {
            self.suspended.insert(name)
        } else {
            self.suspended.remove(name)
        };
    }

    fn check(&mut self, world: &World) {
        let now = world.now();
        let from = self.since.max(self.highest);
        self.highest = self.highest.max(now);
        if world.controllers_are_dead() {
            return;
        }
        for (name, minute) in [("allow", self.allow_minute), ("late", 10)] {
            if self.suspended.contains(name) {
                continue;
            }
            // Told in the CronJob's zone.
            let ticks: BTreeSet<Timestamp> = world.ticks(name).iter().map(|tick| tick.parse().unwrap()).collect();
            let first = from.as_second() / 60 + 1;
            let due = (first..=(now.as_second() - 5) / 60).map(|minutes| Timestamp::from_second(minutes * 60).unwrap());
            for due in due.filter(|due| due.to_zoned(TimeZone::UTC).minute() == minute) {
                assert!(ticks.contains(&due), "{name} did not run at {due}, and it is {now}");
                self.n_runs += 1;
            }
        }
    }
}

/// What was due long enough ago is accounted for.
fn check_accounts(world: &World, cronjob: &Value) {
    let until = cronjob["metadata"]["annotations"]["kiln.dev/accounted-until"].as_str().unwrap();
    let until: Timestamp = until.parse().unwrap();
    let behind = world.now().duration_since(until);
    // The longest pause between two instants is two and a half hours; one instant may be held back.
    assert!(behind < SignedDuration::from_hours(4), "{behind:#} behind: {cronjob:#}");
    assert!(cronjob["metadata"]["annotations"]["kiln.dev/scheduled-before"].is_null());
}
