//! Random Jobs, and controllers and agents that die in the middle of what they do: the invariants must hold at every step.
//! `SEED=n` runs one seed, and says more.

use kube::api::DeleteParams;
use serde_json::json;
use sim::World;
use std::time::Duration;

/// Seeds of an ordinary run.
const SEEDS: u64 = 6;

fn seeds() -> Vec<u64> {
    match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => (100..100 + SEEDS).collect(),
    }
}

#[test]
fn random_jobs_with_dying_controllers_and_agents_end_right() {
    let mut n_agents_died = 0;
    for seed in seeds() {
        let text = World::run(seed, async |world: &mut World| n_agents_died += storm(world).await);
        assert!(!text.is_empty(), "seed {seed}");
    }
    assert!(0 < n_agents_died, "no agent has died");
}

/// Returns how many agents died of themselves.
async fn storm(world: &mut World) -> u32 {
    let mut n_agents_died = 0;
    for n in 0..3 {
        let parallelism = 1 + world.chance.below(5);
        let completions = world.chance.below(9);
        let backoff_limit = world.chance.below(6);
        let luck = 50 + world.chance.below(51);
        let restart_policy = if world.chance.below(3) == 0 { "OnFailure" } else { "Never" };
        let spec = json!({
            "parallelism": parallelism, "completions": completions,
            "backoffLimit": backoff_limit, "restartPolicy": restart_policy,
        });
        world.create_job(&format!("job-{n}"), spec, &format!("lucky 20 {luck}")).await;
    }
    let deadline = 10 + world.chance.below(60);
    let spec = json!({"parallelism": 2, "completions": 2, "activeDeadlineSeconds": deadline});
    world.create_job("job-3", spec, "deaf").await;
    for _ in 0..25 {
        let n_steps = 1 + world.chance.below(400);
        world.restart_controllers(n_steps);
        n_agents_died += u32::from(world.agent_is_dead());
        if world.agent_is_dead() || world.chance.below(3) == 0 {
            let n_steps = 1 + world.chance.below(40);
            world.restart_agent(n_steps).await;
        }
        for _ in 0..world.chance.below(40) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if world.controllers_are_dead() {
                break;
            }
        }
    }
    world.restart_controllers(u64::MAX);
    world.restart_agent(u64::MAX).await;
    let names = (0..4).map(|n| format!("job-{n}"));
    for name in names.clone() {
        world.finished(&name).await;
    }
    for name in names {
        world.delete_job(&name, DeleteParams::background()).await;
    }
    world.pass(120).await;
    assert!(world.objects("/core/pods/").is_empty());
    assert_eq!(world.left_on_the_node(), Vec::<String>::new());
    n_agents_died
}

#[test]
fn a_hundred_and_fifty_pods_fifteen_at_a_time() {
    let text = World::run(77, async |world: &mut World| {
        world.create_job("big", json!({"parallelism": 15, "completions": 150}), "lucky 3 100").await;
        world.finished("big").await;
    });
    assert!(text.contains("Complete=True"), "{text}");
}
