//! A thousand CronJobs of all policies over ten years, on an in-memory model of the store and the clock: the controller dies around
//! any write, the clock is set forward and back, schedules are edited, others write in between, Jobs are deleted by hand, by
//! history and by their time to live. Whatever happens, no instant has two Jobs and every instant has exactly one outcome.
//!
//! The model jumps from event to event. An ordinary run gives each CronJob a part of the ten years that holds some sixty of its instants;
//! `CRON_YEARS=10` gives all of them all ten years (half an hour without optimisation). `SEED=n` runs the CronJob with that seed, and tells what happened to it.
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "the seed of a run is told by the environment")]

mod dice;
mod ledger;
mod model;
mod oracle;
mod storm;

use ledger::Tally;

/// CronJobs of an ordinary run.
const CRONJOBS: u64 = 1_000;

#[test]
fn no_instant_runs_twice_and_none_gets_lost_in_ten_years() {
    let whole = std::env::var("CRON_YEARS").is_ok_and(|years| years == "10");
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(0..CRONJOBS, |seed: u64| seed..seed + 1);
    let mut tally = Tally::default();
    for seed in seeds {
        tally.add(&storm::live(seed, whole));
    }
    println!("{tally}");
    assert!(seed.is_some() || tally.all_happened(), "something never happened: {tally}");
}
