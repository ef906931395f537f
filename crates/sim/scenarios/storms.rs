//! Random Jobs in bad weather, hands that meddle, and controllers and agents that die in the middle of what they do: the invariants must
//! hold at every step. `SEED=n` runs one seed, `SEEDS=n` so many; what a broken invariant prints can be pasted here as a test.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams, PropagationPolicy};
use serde_json::{Value, json};
use sim::{Damage, World};
use std::ops::AddAssign;
use std::time::Duration;

/// Seeds of an ordinary run.
const SEEDS: u64 = 6;

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("SEED") {
        Some(seed) => vec![seed],
        None => (100..100 + number("SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

/// A single storm need not have everything in it.
fn is_one_seed() -> bool {
    seeds().len() == 1
}

/// What the storms of a run did.
#[derive(Debug, Default)]
struct Toll {
    agents_died: u32,
    controllers_died: u32,
    servers_died: u64,
    meddled: u32,
    refused: u64,
    unheard: u64,
    conflicts: u64,
}

impl AddAssign<Damage> for Toll {
    fn add_assign(&mut self, damage: Damage) {
        self.refused += damage.refused;
        self.unheard += damage.unheard;
        self.conflicts += damage.conflicts;
    }
}

/// Runs a storm for each seed. What goes wrong names the seed; `World::run(SEED, async |world| …)` is the test to write for it.
#[track_caller]
fn run(storm: impl AsyncFn(&mut World, &mut Toll)) -> Toll {
    let mut toll = Toll::default();
    let seeds = seeds();
    let mut n_steps = 0;
    for seed in &seeds {
        let text = World::run(*seed, async |world: &mut World| {
            storm(world, &mut toll).await;
            toll.servers_died += world.n_api_servers_died();
            toll += world.weather.damage();
            // Whatever dies and lags: nobody asks for what the server finds invalid.
            assert_eq!(world.weather.damage().invalid, 0, "seed {seed}");
        });
        n_steps += text.lines().count();
    }
    println!("{} seeds, {n_steps} changes seen: {toll:?}", seeds.len());
    toll
}

#[test]
fn random_jobs_with_dying_controllers_and_agents_end_right() {
    let toll = run(async |world, toll| {
        let jobs = plain_jobs(world).await;
        rage(world, toll, 25, async |_| ()).await;
        clear_up(world, &jobs).await;
    });
    assert!(is_one_seed() || (0 < toll.agents_died && 0 < toll.controllers_died), "{toll:?}");
}

#[test]
fn jobs_of_every_kind_end_right_whatever_happens_to_them() {
    let toll = run(async |world, toll| {
        let jobs = jobs_of_every_kind(world).await;
        world.weather.set(10, 300);
        let mut n_meddled = 0;
        rage(world, toll, 20, async |world| n_meddled += u32::from(meddle(world).await)).await;
        toll.meddled += n_meddled;
        world.weather.set(0, 0);
        calm_down(world).await;
        clear_up(world, &jobs).await;
    });
    let died = 0 < toll.controllers_died && 0 < toll.servers_died;
    let suffered = 0 < toll.meddled && 0 < toll.refused && 0 < toll.unheard && 0 < toll.conflicts;
    assert!(is_one_seed() || (died && suffered), "{toll:?}");
}

async fn plain_jobs(world: &World) -> Vec<String> {
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
    (0..4).map(|n| format!("job-{n}")).collect()
}

/// One of each thing that a Job can do, with random numbers.
async fn jobs_of_every_kind(world: &World) -> Vec<String> {
    let dice = |below: u64| world.chance.below(below);
    let policies = || if dice(2) == 0 { "Failed" } else { "TerminatingOrFailed" };
    let (size, others) = (2 + dice(6), 1 + dice(5));
    let failure_rule =
        |action: &str, code: u64| json!({"action": action, "onExitCodes": {"operator": "In", "values": [code]}});
    let disrupted = json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]});
    let jobs = [
        ("queue", json!({"parallelism": 1 + dice(4), "backoffLimit": 3 + dice(4)}), "lucky 20 80"),
        (
            "per-index",
            json!({"completionMode": "Indexed", "completions": size, "parallelism": others, "backoffLimitPerIndex": dice(3),
            "podReplacementPolicy": policies()}),
            "lucky 15 70",
        ),
        (
            "max-failed",
            json!({"completionMode": "Indexed", "completions": size, "parallelism": others, "backoffLimitPerIndex": dice(2),
            "maxFailedIndexes": dice(3)}),
            "lucky 15 60",
        ),
        (
            "elastic",
            json!({"completionMode": "Indexed", "completions": size, "parallelism": size, "backoffLimit": 20}),
            "lucky 30 90",
        ),
        (
            "leader",
            json!({"completionMode": "Indexed", "completions": size, "parallelism": size, "backoffLimit": 10,
            "successPolicy": {"rules": [{"succeededIndexes": "0"}, {"succeededCount": 1 + dice(2)}]}}),
            "lucky 60 80",
        ),
        (
            "policy",
            json!({"completions": 2 + dice(4), "parallelism": 2, "backoffLimit": 4, "podFailurePolicy": {"rules":
            [disrupted.clone(), failure_rule(if dice(2) == 0 { "FailJob" } else { "Count" }, 1)]}}),
            "lucky 20 80",
        ),
        (
            "fail-index",
            json!({"completionMode": "Indexed", "completions": size, "parallelism": others, "backoffLimitPerIndex": 3,
            "podFailurePolicy": {"rules": [disrupted, failure_rule("FailIndex", 1)]}}),
            "lucky 20 80",
        ),
        (
            "replaced",
            json!({"completions": 2 + dice(4), "parallelism": 3, "backoffLimit": 8, "podReplacementPolicy": policies()}),
            "lucky 20 80",
        ),
        (
            "in-place",
            json!({"completions": 3, "parallelism": 2, "backoffLimit": dice(6), "restartPolicy": "OnFailure"}),
            "lucky 10 80",
        ),
        (
            "held",
            json!({"completions": 3, "parallelism": 2, "suspend": true, "activeDeadlineSeconds": 200}),
            "lucky 20 90",
        ),
        ("short-lived", json!({"completions": 2, "ttlSecondsAfterFinished": dice(30)}), "lucky 10 90"),
        ("doomed-0", json!({"completions": 6, "parallelism": 3, "backoffLimit": 10}), "lucky 40 80"),
        ("doomed-1", json!({"completions": 6, "parallelism": 3, "backoffLimit": 10}), "lucky 40 80"),
        (
            "doomed-2",
            json!({"completionMode": "Indexed", "completions": 6, "parallelism": 3, "backoffLimitPerIndex": 2}),
            "lucky 40 80",
        ),
    ];
    let names = jobs.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    for (name, spec, command) in jobs {
        world.create_job(name, spec, command).await;
    }
    names
}

/// Lets time pass while controllers, agent and API server die at random steps and `each_time` something else happens.
async fn rage(world: &mut World, toll: &mut Toll, n_times: u32, mut each_time: impl AsyncFnMut(&World)) {
    for _ in 0..n_times {
        toll.controllers_died += u32::from(world.controllers_are_dead());
        let n_steps = 1 + world.chance.below(400);
        world.restart_controllers(n_steps);
        toll.agents_died += u32::from(world.agent_is_dead());
        if world.agent_is_dead() || world.chance.below(3) == 0 {
            let n_steps = 1 + world.chance.below(40);
            world.restart_agent(n_steps).await;
        }
        if world.chance.below(2) == 0 {
            world.restart_api_server_after(world.chance.below(300));
        }
        each_time(world).await;
        for _ in 0..world.chance.below(40) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if world.controllers_are_dead() {
                break;
            }
        }
    }
}

/// Does something to a Job or to a pod that it may not expect. Says whether the server took it.
async fn meddle(world: &World) -> bool {
    let dice = |below: u64| world.chance.below(below);
    let pods: Api<Pod> = Api::default_namespaced(world.client.clone());
    let names: Vec<String> = match pods.list(&ListParams::default()).await {
        Ok(list) => list.items.into_iter().filter_map(|pod| pod.metadata.name).collect(),
        Err(_) => return false,
    };
    let pod = names.get(usize::try_from(dice(names.len().max(1) as u64)).unwrap_or(0)).cloned();
    let size = 1 + dice(8);
    let (job, spec) = match (dice(12), pod) {
        (0, Some(pod)) => return pods.delete(&pod, &DeleteParams::default()).await.is_ok(),
        // As if its node had lost it.
        (1, Some(pod)) => return pods.delete(&pod, &DeleteParams::default().grace_period(0)).await.is_ok(),
        (2 | 3, Some(pod)) => return pods.evict(&pod, &EvictParams::default()).await.is_ok(),
        (4, _) => ("elastic", json!({"completions": size, "parallelism": size})),
        (5, _) => ("replaced", json!({"completions": size, "parallelism": 1 + dice(4)})),
        (6, _) => ("per-index", json!({"parallelism": dice(5)})),
        (7, _) => ("queue", json!({"suspend": dice(2) == 0})),
        (8, _) => ("held", json!({"template": {"metadata": {"annotations": {"try": size.to_string()}}}})),
        (9, _) => {
            let of = [PropagationPolicy::Background, PropagationPolicy::Foreground, PropagationPolicy::Orphan];
            let n = dice(3);
            let policy = of[usize::try_from(dice(3)).unwrap_or(0)].clone();
            let parameters = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
            return world.jobs().delete(&format!("doomed-{n}"), &parameters).await.is_ok();
        }
        (_, _) => ("held", json!({"suspend": dice(2) == 0})),
    };
    patch(world, job, &spec).await
}

async fn patch(world: &World, job: &str, spec: &Value) -> bool {
    let patch = Patch::Merge(json!({"spec": spec}));
    world.jobs().patch(job, &PatchParams::default(), &patch).await.is_ok()
}

/// Whatever was held back may go on.
async fn calm_down(world: &World) {
    for job in ["queue", "held"] {
        patch(world, job, &json!({"suspend": false})).await;
    }
    patch(world, "per-index", &json!({"parallelism": 4})).await;
}

/// Everything comes to its end, and nothing is left of it.
async fn clear_up(world: &mut World, jobs: &[String]) {
    world.restart_api_server_after(u64::MAX);
    world.restart_controllers(u64::MAX);
    world.restart_agent(u64::MAX).await;
    let may_be_gone = |name: &&String| *name == "short-lived" || name.starts_with("doomed");
    for name in jobs.iter().filter(|name| !may_be_gone(name)) {
        world.finished(name).await;
    }
    let propagation = [PropagationPolicy::Background, PropagationPolicy::Foreground];
    for (name, propagation) in jobs.iter().zip(propagation.iter().cycle()) {
        let parameters = DeleteParams { propagation_policy: Some(propagation.clone()), ..DeleteParams::default() };
        let _ = world.jobs().delete(name, &parameters).await;
    }
    world.pass(120).await;
    let pods: Api<Pod> = Api::default_namespaced(world.client.clone());
    for orphan in world.objects("/core/pods/") {
        assert!(orphan["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty), "{orphan:#}");
        let _ = pods.delete(orphan["metadata"]["name"].as_str().unwrap(), &DeleteParams::default()).await;
    }
    world.pass(120).await;
    assert!(world.objects("/batch/jobs/").is_empty());
    assert!(world.objects("/core/pods/").is_empty());
    assert_eq!(world.left_on_the_node(), Vec::<String>::new());
}

#[test]
fn a_storm_repeats() {
    let storm = |seed: u64| {
        World::run(seed, async |world: &mut World| {
            let jobs = jobs_of_every_kind(world).await;
            world.weather.set(10, 300);
            rage(world, &mut Toll::default(), 8, async |world| {
                meddle(world).await;
            })
            .await;
            world.weather.set(0, 0);
            calm_down(world).await;
            clear_up(world, &jobs).await;
        })
    };
    let seed = seeds()[0];
    assert_eq!(storm(seed), storm(seed), "seed {seed}");
}

#[test]
fn a_hundred_and_fifty_pods_fifteen_at_a_time() {
    let text = World::run(77, async |world: &mut World| {
        world.create_job("big", json!({"parallelism": 15, "completions": 150}), "lucky 3 100").await;
        world.finished("big").await;
    });
    assert!(text.contains("Complete=True"), "{text}");
}
