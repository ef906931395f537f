//! CronJobs as the guide uses them, and what happens to their instants.

use crate::check;
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::DeleteParams;
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

#[test]
fn an_edited_schedule_counts_from_the_edit() {
    check(
        "an_edited_schedule_counts_from_the_edit",
        &World::run(44, async |world: &mut World| {
            world.create_cronjob("tick", "* * * * *", json!({"suspend": true}), "succeed 1").await;
            world.pass(150).await;
            // What was held back under the old schedule is skipped with it; the new one's 00:02:25 lies before the edit.
            world.patch_cronjob("tick", json!({"schedule": "@every 25s"})).await;
            world.patch_cronjob("tick", json!({"suspend": false})).await;
            world.pass(30).await;
            world.patch_cronjob("tick", json!({"schedule": "0 12 * * *", "timeZone": "Asia/Kolkata"})).await;
            world.pass(7 * 3_600).await;
        }),
    );
}

#[test]
fn a_clock_that_is_set_starts_nothing_twice_and_nothing_late() {
    check(
        "a_clock_that_is_set_starts_nothing_twice_and_nothing_late",
        &World::run(45, async |world: &mut World| {
            world.create_cronjob("hourly", "0 * * * *", json!({}), "succeed 1").await;
            world.pass(10).await;
            // As a laptop that slept: the newest starts at once.
            world.set_clock(SignedDuration::from_mins(200));
            world.pass(10).await;
            // 03:00 comes again, and is not started again.
            world.set_clock(SignedDuration::from_mins(-50));
            world.pass(50 * 60).await;
            world.set_clock(SignedDuration::from_mins(-150));
            world.pass(60).await;
        }),
    );
}

#[test]
fn a_job_made_by_hand_is_unexpected_and_blocks_nothing() {
    check(
        "a_job_made_by_hand_is_unexpected_and_blocks_nothing",
        &World::run(46, async |world: &mut World| {
            world.create_cronjob("tick", "* * * * *", json!({"concurrencyPolicy": "Forbid"}), "succeed 1").await;
            let uid = world.objects("/batch/cronjobs/")[0]["metadata"]["uid"].clone();
            // As `kubectl create job manual --from=cronjob/tick` does.
            let manual = json!({"metadata": {"name": "manual", "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": uid, "controller": true}]},
                "spec": {"template": {"spec": {"restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "fake", "command": ["succeed", "65"]}]}}}});
            crate::machine::create::<Job>(world, "default", manual).await;
            world.pass(70).await;
            assert_eq!(world.objects("/batch/jobs/")[0]["metadata"]["labels"]["cronjob-name"], "tick");
        }),
    );
}

#[test]
fn a_refused_job_is_tried_again_until_the_next_instant() {
    check(
        "a_refused_job_is_tried_again_until_the_next_instant",
        &World::run(47, async |world: &mut World| {
            let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}});
            crate::machine::create::<ResourceQuota>(world, "default", quota).await;
            world.create_cronjob("tick", "* * * * *", json!({}), "succeed 1").await;
            world.pass(150).await;
            let quotas: Api<ResourceQuota> = Api::default_namespaced(world.client.clone());
            world.note("the quota goes");
            quotas.delete("none", &DeleteParams::default()).await.unwrap();
            world.pass(65).await;
        }),
    );
}

#[test]
fn a_deleted_cronjob_takes_its_jobs_along_and_its_namesake_starts_anew() {
    check(
        "a_deleted_cronjob_takes_its_jobs_along_and_its_namesake_starts_anew",
        &World::run(48, async |world: &mut World| {
            world.create_cronjob("tick", "* * * * *", json!({}), "sleep").await;
            world.pass(70).await;
            world.note("deleted and created again");
            world.cronjobs().delete("tick", &DeleteParams::background()).await.unwrap();
            world.create_cronjob("tick", "* * * * *", json!({}), "sleep").await;
            // The minute comes again, for another CronJob.
            world.set_clock(SignedDuration::from_secs(-30));
            world.pass(120).await;
        }),
    );
}
