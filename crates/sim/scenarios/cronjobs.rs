//! CronJobs as the guide uses them, and what happens to their instants.

use crate::check;
use serde_json::json;
use sim::World;

#[test]
fn a_job_every_minute() {
    check(
        "a_job_every_minute",
        &World::run(40, async |world: &mut World| {
            world.create_cronjob("tick", "* * * * *", json!({"successfulJobsHistoryLimit": 1}), "succeed 5").await;
            world.pass(190).await;
        }),
    );
}

#[test]
fn forbid_skips_what_another_instant_overtakes_and_starts_the_newest_late() {
    check(
        "forbid_skips_what_another_instant_overtakes_and_starts_the_newest_late",
        &World::run(41, async |world: &mut World| {
            let spec = json!({"concurrencyPolicy": "Forbid"});
            world.create_cronjob("tick", "* * * * *", spec, "succeed 150").await;
            world.pass(215).await;
        }),
    );
}

#[test]
fn replace_deletes_the_job_before() {
    check(
        "replace_deletes_the_job_before",
        &World::run(42, async |world: &mut World| {
            world.create_cronjob("tick", "* * * * *", json!({"concurrencyPolicy": "Replace"}), "sleep").await;
            world.pass(125).await;
        }),
    );
}

#[test]
fn a_suspended_cronjob_starts_its_newest_missed_run_when_it_is_resumed() {
    check(
        "a_suspended_cronjob_starts_its_newest_missed_run_when_it_is_resumed",
        &World::run(43, async |world: &mut World| {
            world.create_cronjob("tick", "* * * * *", json!({}), "succeed 1").await;
            world.pass(70).await;
            world.patch_cronjob("tick", json!({"suspend": true})).await;
            world.pass(200).await;
            world.patch_cronjob("tick", json!({"suspend": false})).await;
            world.pass(5).await;
        }),
    );
}
