use super::super::worker::tests::World;
use super::*;
use crate::runtime::fake::Script;
use serde_json::{Value, json};

#[test]
fn a_pod_that_is_over_needs_no_worker_unless_something_is_left_to_do() {
    let pod = |phase: &str, grace: Option<i64>| -> Pod {
        let deleted = grace.map(|_| "1970-01-01T00:00:30Z");
        serde_json::from_value(json!({
            "metadata": {"deletionTimestamp": deleted, "deletionGracePeriodSeconds": grace},
            "status": {"phase": phase}}))
        .unwrap()
    };
    for (phase, grace, has_sandbox, expect) in [
        ("Pending", None, false, true),
        ("Running", Some(0), false, true),
        ("Succeeded", None, false, false),
        ("Succeeded", None, true, true),
        ("Failed", Some(30), false, true),
        ("Failed", Some(0), false, false),
    ] {
        let needed = needs_worker(&pod(phase, grace), has_sandbox);
        assert_eq!(needed, expect, "{phase} {grace:?} {has_sandbox}");
    }
}

#[test]
fn the_watch_is_retried_ever_more_slowly() {
    let mut retry = Retry::default();
    let waits: Vec<u128> = retry.by_ref().take(9).map(|wait| wait.as_millis()).collect();
    assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    retry.reset();
    assert_eq!(retry.next(), Some(Duration::from_millis(50)));
}

fn world() -> World {
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "demo"}]});
    World::without_worker(spec, |_, _| Script::exit_after(Duration::from_secs(5), 0))
}

/// The pod as the API server has it, changed.
fn pod(world: &World, change: impl FnOnce(&mut Value)) -> Pod {
    let mut pod = world.api.pod.lock().clone();
    change(&mut pod);
    serde_json::from_value(pod).unwrap()
}

fn same(_: &mut Value) {}

impl Dispatcher {
    async fn until_worker_ends(&mut self) {
        let ended = self.tasks.join_next_with_id().await.unwrap();
        self.worker_ended(ended);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_watch_says_late_does_not_bring_an_ended_pod_back() {
    let world = world();
    let mut dispatcher = Dispatcher::new(world.context()).await;
    let before = pod(&world, same);
    dispatcher.take(Event::Apply(before.clone()));
    assert_eq!(dispatcher.workers.len(), 1);
    dispatcher.until_worker_ends().await;
    let n_written = world.api.statuses.lock().len();

    let running = pod(&world, |pod| pod["status"]["phase"] = json!("Running"));
    dispatcher.take(Event::Apply(before));
    dispatcher.take(Event::Apply(running));
    dispatcher.take(Event::Apply(pod(&world, same)));
    assert_eq!(dispatcher.workers.len(), 0);
    assert_eq!(world.api.statuses.lock().len(), n_written);
    assert_eq!(world.runtime.started().len(), 1);
    assert!(dispatcher.over.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_finalizers_hold_after_its_deletion_is_let_alone() {
    let world = world();
    let mut dispatcher = Dispatcher::new(world.context()).await;
    let deleted = |pod: &mut Value| {
        pod["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:00:30Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    };
    dispatcher.take(Event::Apply(pod(&world, deleted)));
    dispatcher.until_worker_ends().await;
    assert_eq!(world.api.deletions.lock().len(), 1);
    dispatcher.take(Event::Apply(pod(&world, deleted)));
    assert_eq!(dispatcher.workers.len(), 0);
    dispatcher.take(Event::Delete(pod(&world, deleted)));
    assert!(dispatcher.over.is_empty());
}

#[tokio::test(start_paused = true)]
async fn sandboxes_directories_and_logs_without_a_pod_are_removed() {
    let world = world();
    let context = world.context();
    let mut dispatcher = Dispatcher::new(context.clone()).await;
    dispatcher.take(Event::Apply(pod(&world, same)));
    while world.runtime.sandboxes().is_empty() || world.runtime.started().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    dispatcher.tasks.shutdown().await;
    drop(dispatcher);
    let logs = world.dir.path().join("logs");
    let stray = world.dir.path().join("agent/pods/stray");
    std::fs::create_dir_all(&stray).unwrap();
    assert!(logs.join("ns_p_u").exists());

    let mut dispatcher = Dispatcher::new(context).await;
    assert_eq!(dispatcher.recovered.len(), 1);
    dispatcher.take(Event::Init);
    dispatcher.take(Event::InitDone);
    while !world.runtime.sandboxes().is_empty() || logs.join("ns_p_u").exists() || stray.exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(dispatcher.workers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pods_that_die_with_the_server_are_gone_when_it_ends_and_others_run_on() {
    for dies in [true, false] {
        let world = world();
        let mut dispatcher = Dispatcher::new(world.context()).await;
        dispatcher.take(Event::Apply(pod(&world, same)));
        while world.runtime.started().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The server says so at its end, however it began.
        dispatcher.context.pods_end.store(dies, Ordering::Release);
        dispatcher.end().await;
        assert_eq!(world.runtime.sandboxes().is_empty(), dies);
    }
}
