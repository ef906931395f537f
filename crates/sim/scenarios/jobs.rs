//! Jobs as the guide uses them, second by second.

use crate::check;
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::json;
use sim::World;

#[test]
fn one_pod_completes() {
    check(
        "one_pod_completes",
        &World::run(1, async |world: &mut World| {
            world.create_job("pi", json!({}), "succeed 4").await;
            world.finished("pi").await;
        }),
    );
}

#[test]
fn a_running_job_is_made_parallel() {
    check(
        "a_running_job_is_made_parallel",
        &World::run(2, async |world: &mut World| {
            world.create_job("parallel-job", json!({}), "succeed 10").await;
            world.pass(3).await;
            world.patch_job("parallel-job", json!({"parallelism": 3, "completions": 5})).await;
            world.finished("parallel-job").await;
        }),
    );
}

#[test]
fn failures_back_off_to_the_second_until_the_limit() {
    check(
        "failures_back_off_to_the_second_until_the_limit",
        &World::run(3, async |world: &mut World| {
            world.create_job("broken", json!({"backoffLimit": 4}), "fail 1 3").await;
            world.finished("broken").await;
        }),
    );
}

#[test]
fn a_deadline_kills_what_runs() {
    check(
        "a_deadline_kills_what_runs",
        &World::run(4, async |world: &mut World| {
            world
                .create_job("slow", json!({"activeDeadlineSeconds": 30, "parallelism": 2, "completions": 2}), "sleep")
                .await;
            world.finished("slow").await;
        }),
    );
}

#[test]
fn who_does_not_listen_is_killed_after_the_grace_even_by_another_agent() {
    let text = World::run(10, async |world: &mut World| {
        world.create_job("deaf", json!({}), "deaf").await;
        world.pass(5).await;
        world.delete_job("deaf", DeleteParams::background()).await;
        world.pass(10).await;
        world.note("the agent is killed and started again");
        world.restart_agent(u64::MAX).await;
        world.pass(60).await;
        assert_eq!(world.left_on_the_node(), Vec::<String>::new());
    });
    check("who_does_not_listen_is_killed_after_the_grace_even_by_another_agent", &text);
}

#[test]
fn what_ends_while_the_agent_is_down_counts_once_it_is_back() {
    check(
        "what_ends_while_the_agent_is_down_counts_once_it_is_back",
        &World::run(11, async |world: &mut World| {
            world.create_job("alone", json!({"backoffLimit": 1}), "fail 10 7").await;
            world.pass(5).await;
            world.note("the agent is killed");
            world.restart_agent(0).await;
            world.pass(20).await;
            world.note("and started again");
            world.restart_agent(u64::MAX).await;
            world.finished("alone").await;
        }),
    );
}

#[test]
fn suspended_and_resumed() {
    check(
        "suspended_and_resumed",
        &World::run(5, async |world: &mut World| {
            world
                .create_job(
                    "nightly",
                    json!({"parallelism": 2, "completions": 2, "activeDeadlineSeconds": 60}),
                    "succeed 20",
                )
                .await;
            world.pass(5).await;
            world.patch_job("nightly", json!({"suspend": true})).await;
            world.pass(300).await;
            world.patch_job("nightly", json!({"suspend": false})).await;
            world.finished("nightly").await;
        }),
    );
}

#[test]
fn restarts_in_place_until_the_limit() {
    check(
        "restarts_in_place_until_the_limit",
        &World::run(6, async |world: &mut World| {
            world.create_job("stubborn", json!({"backoffLimit": 3, "restartPolicy": "OnFailure"}), "fail 5 1").await;
            world.finished("stubborn").await;
        }),
    );
}

#[test]
fn a_work_queue_lets_the_others_finish() {
    check(
        "a_work_queue_lets_the_others_finish",
        &World::run(7, async |world: &mut World| {
            world.create_job("queue", json!({"parallelism": 3}), "lucky 30 100").await;
            world.finished("queue").await;
        }),
    );
}

#[test]
fn a_deleted_job_takes_its_pods_along() {
    let text = World::run(8, async |world: &mut World| {
        world.create_job("doomed", json!({"parallelism": 2, "completions": 2}), "sleep").await;
        world.pass(5).await;
        world.delete_job("doomed", DeleteParams::background()).await;
        world.pass(60).await;
        assert!(world.objects("/core/pods/").is_empty());
    });
    check("a_deleted_job_takes_its_pods_along", &text);
}

#[test]
fn cascade_orphan_leaves_the_pods_and_foreground_waits_for_them() {
    let text = World::run(9, async |world: &mut World| {
        world.create_job("left", json!({}), "sleep").await;
        world.create_job("waits", json!({}), "sleep").await;
        world.pass(5).await;
        world.delete_job("left", policy(PropagationPolicy::Orphan)).await;
        world.delete_job("waits", policy(PropagationPolicy::Foreground)).await;
        world.pass(60).await;
        let jobs = world.objects("/batch/jobs/");
        assert!(jobs.is_empty(), "{jobs:#?}");
        let pods = world.objects("/core/pods/");
        assert_eq!(pods.len(), 1, "{pods:?}");
        assert!(pods[0]["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty));
        assert!(pods[0]["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty));
    });
    check("cascade_orphan_leaves_the_pods_and_foreground_waits_for_them", &text);
}

fn policy(policy: PropagationPolicy) -> DeleteParams {
    DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() }
}
