//! Indexed Jobs, failure and success policies, limits per index, time to live: each feature once, second by second.

use crate::check;
use serde_json::{Value, json};
use sim::World;

/// Records what happens to one Job until it is finished.
#[track_caller]
fn run(name: &str, seed: u64, spec: Value, command: &str) {
    let text = World::run(seed, async |world: &mut World| {
        world.create_job("work", spec, command).await;
        world.finished("work").await;
    });
    check(name, &text);
}

#[test]
fn indexed_pods_are_made_lowest_index_first() {
    let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 2});
    run("indexed_pods_are_made_lowest_index_first", 30, spec, "indexed 3 0");
}

#[test]
fn a_failure_policy_stops_the_job_at_exit_code_42() {
    let rules = json!([
        {"action": "FailJob", "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
    ]);
    let spec = json!({"completions": 3, "parallelism": 2, "backoffLimit": 6, "podFailurePolicy": {"rules": rules}});
    run("a_failure_policy_stops_the_job_at_exit_code_42", 31, spec, "fail 4 42");
}

#[test]
fn an_index_that_fails_is_tried_again_and_spares_the_others() {
    let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 1});
    run("an_index_that_fails_is_tried_again_and_spares_the_others", 32, spec, "indexed 2 0 1 0");
}

#[test]
fn too_many_failed_indexes_end_the_job() {
    let spec = json!({
        "completionMode": "Indexed", "completions": 6, "parallelism": 6, "backoffLimitPerIndex": 0, "maxFailedIndexes": 1,
    });
    run("too_many_failed_indexes_end_the_job", 33, spec, "indexed 2 0 1 1 0 0 0");
}

#[test]
fn fail_index_does_not_wait_for_the_limit() {
    let rules = json!([{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [9]}}]);
    let spec = json!({
        "completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 5,
        "podFailurePolicy": {"rules": rules},
    });
    run("fail_index_does_not_wait_for_the_limit", 34, spec, "indexed 2 9 0");
}

#[test]
fn the_leader_ends_the_job() {
    let spec = json!({
        "completionMode": "Indexed", "completions": 3, "parallelism": 3,
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    });
    run("the_leader_ends_the_job", 35, spec, "indexed 3 0 1 1");
}

#[test]
fn an_indexed_job_is_made_smaller_and_larger() {
    let text = World::run(36, async |world: &mut World| {
        let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 4});
        world.create_job("work", spec, "indexed 10 0").await;
        world.pass(3).await;
        world.patch_job("work", json!({"completions": 2, "parallelism": 2})).await;
        world.pass(3).await;
        world.patch_job("work", json!({"completions": 3, "parallelism": 3})).await;
        world.finished("work").await;
    });
    check("an_indexed_job_is_made_smaller_and_larger", &text);
}

#[test]
fn a_smaller_job_forgets_what_it_did_beyond_its_end() {
    let text = World::run(38, async |world: &mut World| {
        let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimit": 2});
        world.create_job("work", spec, "indexed 2 1 0 0").await;
        world.pass(5).await;
        let status = |world: &World| world.objects("/batch/jobs/")[0]["status"].clone();
        assert_eq!(status(world)["completedIndexes"], "1,2");
        world.patch_job("work", json!({"completions": 1, "parallelism": 1})).await;
        world.pass(1).await;
        let now = status(world);
        assert!(now["completedIndexes"].is_null() && now["succeeded"].is_null(), "{now:#}");
        world.finished("work").await;
    });
    check("a_smaller_job_forgets_what_it_did_beyond_its_end", &text);
}

#[test]
fn a_finished_job_goes_when_its_time_is_over() {
    let text = World::run(37, async |world: &mut World| {
        world.create_job("work", json!({"ttlSecondsAfterFinished": 30}), "succeed 2").await;
        world.finished("work").await;
        world.pass(10).await;
        world.patch_job("work", json!({"ttlSecondsAfterFinished": 20})).await;
        world.pass(8).await;
        assert_eq!(world.objects("/batch/jobs/").len(), 1);
        world.pass(4).await;
        assert!(world.objects("/batch/jobs/").is_empty() && world.objects("/core/pods/").is_empty());
    });
    check("a_finished_job_goes_when_its_time_is_over", &text);
}
