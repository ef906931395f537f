//! Clears away pods that nobody else does (K:pkg/controller/podgc): ended ones beyond a number, those whose node is gone, and
//! those on their way out that never had a node. Other pods belong to the agent.

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine, side_by_side};
use crate::engine::cache::{Cache, Entry};
use crate::world::{PodEntry, World};
use futures::future::join;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kinds::job::pods::Phase;
use kube::Api;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// How often it looks: `gcCheckPeriod`.
const EVERY: Duration = Duration::from_secs(20);
/// Ended pods that are kept: `--terminated-pod-gc-threshold`.
const KEPT: usize = 12_500;
/// A node that is gone may come back: `quarantineTime`.
const QUARANTINE: Duration = Duration::from_secs(40);

struct Known;

impl Entry for Known {}

/// Returns what runs the controller.
pub fn start(context: &Context, world: &World) -> impl Future<Output = ()> + use<> {
    let (context, world) = (context.clone(), world.clone());
    let nodes: Cache<Known> = Cache::default();
    async move {
        let follow = nodes.clone().run(Api::<Node>::all(context.client.clone()), |_, _| Known);
        let work = async {
            world.is_filled().await;
            nodes.is_filled().await;
            let mut missing: HashMap<String, Timestamp> = HashMap::new();
            loop {
                let pods = world.pods.all();
                let known: HashSet<String> = nodes.all().into_iter().map(|(key, _)| key.name).collect();
                let lost = lost_nodes(&pods, &known, &mut missing, context.clock.now());
                let doomed = doomed(&pods, &lost);
                let writes = doomed.iter().map(|(key, pod, why)| remove(&context, key, pod, *why)).collect();
                for answer in side_by_side(writes).await {
                    if let Err(error) = answer {
                        warn!(%error, "failed to clear a pod away");
                    }
                }
                tokio::time::sleep(EVERY).await;
            }
        };
        join(follow, work).await;
    }
}

/// Why a pod goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    TooMany,
    NodeIsGone,
    NeverScheduled,
}

/// Nodes that pods name and that have not been there for a while, asked again just now.
fn lost_nodes(
    pods: &[(Key, Arc<PodEntry>)],
    known: &HashSet<String>,
    missing: &mut HashMap<String, Timestamp>,
    now: Timestamp,
) -> HashSet<String> {
    let named: HashSet<&String> = pods.iter().map(|(_, pod)| &pod.node).filter(|node| !node.is_empty()).collect();
    missing.retain(|node, _| named.contains(node) && !known.contains(node));
    for node in named.into_iter().filter(|node| !known.contains(*node)) {
        missing.entry(node.clone()).or_insert(now);
    }
    let is_lost = |since: &Timestamp| QUARANTINE <= Duration::try_from(now.duration_since(*since)).unwrap_or_default();
    missing.iter().filter(|(_, since)| is_lost(since)).map(|(node, _)| node.clone()).collect()
}

fn doomed(pods: &[(Key, Arc<PodEntry>)], lost: &HashSet<String>) -> Vec<(Key, Arc<PodEntry>, Why)> {
    let mut ended: Vec<&(Key, Arc<PodEntry>)> = pods.iter().filter(|(_, pod)| pod.facts.phase.is_terminal()).collect();
    // The oldest go first.
    ended.sort_by(|(a_key, a), (b_key, b)| a.facts.created_at.cmp(&b.facts.created_at).then(a_key.cmp(b_key)));
    let n_excess = ended.len().saturating_sub(KEPT);
    let excess = ended.into_iter().take(n_excess).map(|(key, pod)| (key.clone(), pod.clone(), Why::TooMany));
    let mut all: Vec<_> = excess.collect();
    for (key, pod) in pods {
        if lost.contains(&pod.node) {
            all.push((key.clone(), pod.clone(), Why::NodeIsGone));
        } else if pod.node.is_empty() && pod.facts.deleted {
            all.push((key.clone(), pod.clone(), Why::NeverScheduled));
        }
    }
    all.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    all.dedup_by(|(a, ..), (b, ..)| a == b);
    all
}

/// A pod that did not end is failed first, so that whoever counts it knows; then it goes without grace.
async fn remove(context: &Context, key: &Key, pod: &PodEntry, why: Why) -> kube::Result<()> {
    let pods = Target::of::<Pod>(&context.client, &key.namespace);
    let has_ended = matches!(pod.facts.phase, Phase::Succeeded | Phase::Failed);
    if !has_ended {
        let mut status = json!({"phase": "Failed"});
        if why == Why::NodeIsGone {
            status["conditions"] = json!([{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
                "message": "PodGC: node no longer exists", "lastTransitionTime": Time(context.clock.now())}]);
        }
        let patch = json!({"metadata": {"uid": pod.facts.uid}, "status": status});
        gone_is_fine(pods.merge_in(&key.name, "status", &patch).await)?;
    }
    pods.delete_now(&key.name, &pod.facts.uid).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(n: usize, node: &str, phase: &str, deleted: bool) -> (Key, Arc<PodEntry>) {
        let name = format!("p{n:05}");
        let created = Timestamp::from_second(n as i64).unwrap().to_string();
        let deleted = deleted.then_some("2026-01-01T00:00:00Z");
        let object: Pod = serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "n", "uid": name, "creationTimestamp": created, "deletionTimestamp": deleted},
            "spec": {"nodeName": node, "containers": []}, "status": {"phase": phase}}))
        .unwrap();
        (Key::of(&object.metadata), Arc::new(PodEntry::of(&object)))
    }

    fn shown(doomed: &[(Key, Arc<PodEntry>, Why)]) -> Vec<(String, Why)> {
        doomed.iter().map(|(key, _, why)| (key.name.clone(), *why)).collect()
    }

    #[test]
    fn what_nobody_else_clears_away_goes() {
        let pods = [
            pod(0, "box", "Running", false),
            pod(1, "box", "Running", true),
            pod(2, "", "Pending", false),
            pod(3, "", "Pending", true),
            pod(4, "gone", "Running", false),
            pod(5, "gone", "Succeeded", false),
            pod(6, "box", "Failed", false),
        ];
        let lost = HashSet::from(["gone".to_owned()]);
        assert_eq!(
            shown(&doomed(&pods, &lost)),
            [
                ("p00003".into(), Why::NeverScheduled),
                ("p00004".into(), Why::NodeIsGone),
                ("p00005".into(), Why::NodeIsGone)
            ]
        );
    }

    #[test]
    fn of_too_many_ended_pods_the_oldest_go() {
        let pods: Vec<_> = (0..KEPT + 2).rev().map(|n| pod(n, "box", "Succeeded", false)).collect();
        let doomed = doomed(&pods, &HashSet::new());
        assert_eq!(shown(&doomed), [("p00000".into(), Why::TooMany), ("p00001".into(), Why::TooMany)]);
    }

    #[test]
    fn a_node_is_lost_after_forty_seconds() {
        let pods = [pod(0, "gone", "Running", false), pod(1, "box", "Running", false)];
        let known = HashSet::from(["box".to_owned()]);
        let mut missing = HashMap::new();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let lost = |missing: &mut _, known: &_, seconds| lost_nodes(&pods, known, missing, at(seconds)).len();
        assert_eq!(lost(&mut missing, &known, 0), 0);
        assert_eq!(lost(&mut missing, &known, 39), 0);
        assert_eq!(lost(&mut missing, &known, 40), 1);
        let both = HashSet::from(["box".to_owned(), "gone".to_owned()]);
        assert_eq!(lost(&mut missing, &both, 50), 0);
        assert_eq!(lost(&mut missing, &known, 60), 0, "it starts anew");
    }
}
