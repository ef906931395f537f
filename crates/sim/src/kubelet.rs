//! A fake kubelet: takes pods through their phases by what their first container's command says.
//!
//! | command | what happens |
//! |---|---|
//! | `succeed N` | exits 0 after N seconds |
//! | `fail N CODE` | exits CODE after N seconds |
//! | `sleep` | runs until stopped, then exits 143 at once |
//! | `lucky N PERCENT` | exits 0 or 1 after up to N seconds, by the dice |

use crate::chance::Chance;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use meta::clock::Clock;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The only node's name.
pub const NODE: &str = "node-1";

/// Registers the node and runs what is bound to it, until dropped.
pub async fn run(client: Client, clock: Arc<dyn Clock>, chance: Arc<Chance>) {
    register(&client).await;
    let mut events = std::pin::pin!(watcher::watcher(Api::<Pod>::all(client.clone()), watcher::Config::default()));
    let mut pods: HashMap<String, watch::Sender<bool>> = HashMap::new();
    while let Some(event) = events.next().await {
        let Ok(Event::Apply(pod) | Event::InitApply(pod)) = event else { continue };
        let is_ours = pod.spec.as_ref().is_some_and(|spec| spec.node_name.as_deref() == Some(NODE));
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        if !is_ours || matches!(phase.as_str(), "Succeeded" | "Failed") {
            continue;
        }
        let stop = pod.metadata.deletion_timestamp.is_some();
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let told = pods.entry(uid).or_insert_with(|| {
            let stopped = watch::Sender::new(false);
            let worker = Worker { client: client.clone(), clock: clock.clone(), chance: chance.clone(), pod };
            tokio::spawn(worker.run(stopped.subscribe()));
            stopped
        });
        told.send_if_modified(|stopped| std::mem::replace(stopped, stop) != stop);
    }
}

async fn register(client: &Client) {
    let nodes = Api::<Node>::all(client.clone());
    let node = json!({"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}});
    let node: Node = serde_json::from_value(node).expect("a literal");
    // A second start finds it registered.
    let _ = nodes.create(&PostParams::default(), &node).await;
    let status = json!({"status": {"allocatable": {"cpu": "64", "memory": "64Gi", "pods": "2000"}}});
    nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(status)).await.expect("the node takes its status");
}

struct Worker {
    client: Client,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    pod: Pod,
}

enum End {
    Exited(i64),
    Stopped,
}

impl Worker {
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let spec = self.pod.spec.as_ref().expect("pods have a spec");
        let restarts_in_place = spec.restart_policy.as_deref() == Some("OnFailure");
        let command = spec.containers.first().and_then(|container| container.command.clone()).unwrap_or_default();
        let mut restarts = 0;
        loop {
            let started = Time(self.clock.now());
            let running = json!({"running": {"startedAt": started}});
            self.tell("Running", restarts, running, true).await;
            let end = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => End::Stopped,
                code = self.execute(&command) => End::Exited(code),
            };
            let code = match end {
                End::Exited(code) => code,
                End::Stopped => 143,
            };
            let finished = json!({"terminated": {"exitCode": code, "startedAt": started, "finishedAt": Time(self.clock.now()),
                "reason": if code == 0 { "Completed" } else { "Error" }}});
            if matches!(end, End::Exited(1..)) && restarts_in_place {
                restarts += 1;
                continue;
            }
            self.tell(if code == 0 { "Succeeded" } else { "Failed" }, restarts, finished, false).await;
            break;
        }
        let _ = stopped.wait_for(|stopped| *stopped).await;
        let uid = self.pod.metadata.uid.clone();
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::default()
        };
        let _ = self.api().delete(self.name(), &now).await;
    }

    async fn execute(&self, command: &[String]) -> i64 {
        let number = |i: usize| command.get(i).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        match command.first().map(String::as_str) {
            Some("succeed") => {
                tokio::time::sleep(Duration::from_secs(number(1))).await;
                0
            }
            Some("fail") => {
                tokio::time::sleep(Duration::from_secs(number(1))).await;
                number(2).max(1) as i64
            }
            Some("lucky") => {
                let (millis, luck) = (self.chance.below(number(1) * 1_000), self.chance.below(100));
                tokio::time::sleep(Duration::from_millis(millis)).await;
                i64::from(number(2) <= luck)
            }
            _ => std::future::pending().await,
        }
    }

    fn name(&self) -> &str {
        self.pod.metadata.name.as_deref().unwrap_or_default()
    }

    fn api(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), self.pod.metadata.namespace.as_deref().unwrap_or_default())
    }

    async fn tell(&self, phase: &str, restarts: i32, state: Value, ready: bool) {
        let container = &self.pod.spec.as_ref().expect("pods have a spec").containers[0];
        let is_true = if ready { "True" } else { "False" };
        let status = json!({
            "metadata": {"uid": self.pod.metadata.uid},
            "status": {
                "phase": phase,
                "conditions": [{"type": "Ready", "status": is_true, "lastTransitionTime": Time(self.clock.now())}],
                "containerStatuses": [{
                    "name": container.name, "image": container.image, "imageID": "", "ready": ready,
                    "restartCount": restarts, "state": state,
                }],
            },
        });
        // The pod may be gone already: nothing to tell then.
        let _ = self.api().patch_status(self.name(), &PatchParams::default(), &Patch::Strategic(status)).await;
    }
}
