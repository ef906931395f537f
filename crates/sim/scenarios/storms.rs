//! Random Jobs, and controllers that die in the middle of what they do: the invariants must hold at every step.
//! `SEED=n` runs one seed, and says more.

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
fn random_jobs_with_dying_controllers_end_right() {
    for seed in seeds() {
        let text = World::run(seed, async |world: &mut World| {
            for n in 0..3 {
                let parallelism = 1 + world.chance.below(5);
                let completions = world.chance.below(9);
                let backoff_limit = world.chance.below(6);
                let luck = 50 + world.chance.below(51);
                let spec =
                    json!({"parallelism": parallelism, "completions": completions, "backoffLimit": backoff_limit});
                world.create_job(&format!("job-{n}"), spec, &format!("lucky 20 {luck}")).await;
            }
            for _ in 0..25 {
                let n_steps = 1 + world.chance.below(400);
                world.restart_controllers(n_steps);
                for _ in 0..world.chance.below(40) {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    if world.controllers_are_dead() {
                        break;
                    }
                }
            }
            world.restart_controllers(u64::MAX);
            for n in 0..3 {
                world.finished(&format!("job-{n}")).await;
            }
        });
        assert!(!text.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_hundred_and_fifty_pods_fifteen_at_a_time() {
    let text = World::run(77, async |world: &mut World| {
        world.create_job("big", json!({"parallelism": 15, "completions": 150}), "lucky 3 100").await;
        world.finished("big").await;
    });
    assert!(text.contains("Complete=True"), "{text}");
}
