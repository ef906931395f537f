//! The world's only node: the shipped agent on a runtime that plays programs, chosen by the words of a container's command.
//!
//! | command | what happens |
//! |---|---|
//! | `succeed N` | exits 0 after N seconds |
//! | `fail N CODE` | exits CODE after N seconds |
//! | `sleep` | runs until stopped, then exits 143 at once |
//! | `deaf` | runs until killed, which takes the pod's whole grace |
//! | `lucky N PERCENT` | exits 0 or 1 after up to N seconds, by the dice |

use crate::chance::Chance;
use agent::runtime::Container;
use agent::runtime::fake::{Act, FakeImages, FakeRuntime, OnStop, Script};
use agent::{Agent, Config};
use kube::Client;
use meta::clock::Clock;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The only node's name.
pub const NODE: &str = "node-1";

/// Longer than any scenario.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// What outlives the agent: containers with their supervisors, and the disk.
pub struct Node {
    /// Plays the containers.
    pub runtime: FakeRuntime,
    disk: TempDir,
}

impl Node {
    /// One on which nothing has ever run.
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Self {
        let runtime = FakeRuntime::new(clock, move |_, container| program(&chance, container));
        Self { runtime, disk: tempfile::tempdir().expect("the machine has room for a few small files") }
    }

    /// An agent for this node, not yet running.
    pub fn agent(&self, client: Client, clock: Arc<dyn Clock>) -> Arc<Agent> {
        Agent::new(Config {
            client,
            clock,
            runtime: Arc::new(self.runtime.clone()),
            handlers: agent::runtime::Handlers::default(),
            network: Arc::new(agent::network::Alone),
            dns: None,
            api_address: None,
            images: Arc::new(FakeImages::default()),
            node_name: NODE.into(),
            state_dir: self.disk.path().join("agent"),
            log_dir: self.disk.path().join("logs"),
            volume_dir: self.disk.path().join("volumes"),
            seccomp_dir: self.disk.path().join("seccomp"),
            pod_max_pids: None,
            pods_die_with_server: false,
        })
    }

    /// The directories of volumes.
    pub fn volumes(&self) -> Vec<String> {
        entries(&self.disk.path().join("volumes"))
    }

    /// Sandboxes, and the directories and logs of pods: what has to be gone when the pods are.
    pub fn left(&self) -> Vec<String> {
        let sandboxes = self.runtime.sandboxes().into_iter().map(|uid| format!("sandbox {uid}"));
        let dirs = [self.disk.path().join("agent/pods"), self.disk.path().join("logs")];
        sandboxes.chain(dirs.iter().flat_map(|dir| entries(dir))).collect()
    }
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| entry.path().display().to_string()).collect()
}

fn program(chance: &Chance, container: &Container) -> Script {
    let words = container.spec.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default();
    let number = |i: usize| words.get(i).and_then(|word| word.parse::<u32>().ok()).unwrap_or(0);
    let seconds = Duration::from_secs(number(1).into());
    match words.first().map(String::as_str) {
        Some("succeed") => Script::exit_after(seconds, 0),
        Some("fail") => Script::exit_after(seconds, i32::from(number(2).clamp(1, 255) as u8)),
        Some("lucky") => {
            let millis = chance.below(u64::from(number(1)) * 1_000);
            let luck = chance.below(100);
            Script::exit_after(Duration::from_millis(millis), i32::from(u64::from(number(2)) <= luck))
        }
        // `indexed SECONDS CODE…`: each index has a code, the last stands for all beyond; a second later for each index.
        Some("indexed") => {
            let index: usize =
                variable(container, "JOB_COMPLETION_INDEX").and_then(|text| text.parse().ok()).unwrap_or(0);
            let code = number((2 + index).min(words.len().saturating_sub(1)));
            let delay = Duration::from_secs(index.try_into().unwrap_or(0));
            Script::exit_after(seconds + delay, i32::from(code.min(255) as u8))
        }
        Some("deaf") => Script::Run { acts: vec![Act::Sleep(FOR_EVER)], on_stop: OnStop::Ignore },
        _ => Script::of(vec![Act::Sleep(FOR_EVER)]),
    }
}

fn variable<'a>(container: &'a Container, name: &str) -> Option<&'a str> {
    let environment = container.spec.process().as_ref()?.env().as_ref()?;
    environment.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
