//! Taints a node that takes no pods, and makes pods leave that do not tolerate a node's `NoExecute` taints
//! (K:pkg/controller/nodelifecycle, K:pkg/controller/tainteviction).

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine};
use crate::engine::cache::{Cache, Entry};
use crate::engine::queue::{Next, Outcome, Queue};
use crate::events::{About, Recorder};
use crate::scheduler::filter::{UNSCHEDULABLE, is_tolerated, tolerates};
use crate::world::World;
use futures::future::join;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kinds::correlate::Subject;
use kube::Api;
use kube::api::PropagationPolicy;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const REASON: &str = "DeletionByTaintManager";
const MESSAGE: &str = "Taint manager: deleting due to NoExecute taint";

#[derive(PartialEq)]
struct NodeEntry {
    unschedulable: bool,
    taints: Vec<Taint>,
    version: String,
}

impl Entry for NodeEntry {}

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Work {
    Node(String),
    Pod(Key),
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Work::Node(name) => write!(f, "node {name}"),
            Work::Pod(key) => write!(f, "pod {key}"),
        }
    }
}

struct Controller {
    context: Context,
    world: World,
    nodes: Cache<NodeEntry>,
    recorder: Recorder,
}

/// Returns what runs the controller.
pub fn start(context: &Context, world: &World, recorder: &Recorder) -> impl Future<Output = ()> + use<> {
    let controller = Arc::new(Controller {
        context: context.clone(),
        world: world.clone(),
        nodes: Cache::default(),
        recorder: recorder.clone(),
    });
    let queue: Queue<Work> = Queue::default();
    let (adder, pods) = (queue.clone(), world.pods.clone());
    controller.nodes.on_change(move |change| {
        if change.new.is_none() || change.old == change.new {
            return;
        }
        adder.add(Work::Node(change.key.name.clone()));
        let has_executed = |entry: &Option<Arc<NodeEntry>>| {
            entry.as_ref().is_some_and(|entry| entry.taints.iter().any(|taint| taint.effect == "NoExecute"))
        };
        if has_executed(&change.new) || has_executed(&change.old) {
            let there = pods.all().into_iter().filter(|(_, pod)| pod.node == change.key.name);
            there.for_each(|(key, _)| adder.add(Work::Pod(key)));
        }
    });
    let (adder, nodes) = (queue.clone(), controller.nodes.clone());
    world.pods.on_change(move |change| {
        let Some(pod) = &change.new else { return };
        let has_moved = change.old.as_ref().is_none_or(|old| (&old.node, &old.wish) != (&pod.node, &pod.wish));
        let node = nodes.get(&Key { namespace: String::new(), name: pod.node.clone() });
        if has_moved && node.is_some_and(|node| node.taints.iter().any(|taint| taint.effect == "NoExecute")) {
            adder.add(Work::Pod(change.key.clone()));
        }
    });
    async move {
        let api = Api::<Node>::all(controller.context.client.clone());
        let follow = controller.nodes.clone().run(api, |_, node| {
            let spec = node.spec.unwrap_or_default();
            NodeEntry {
                unschedulable: spec.unschedulable.unwrap_or(false),
                taints: spec.taints.unwrap_or_default(),
                version: node.metadata.resource_version.unwrap_or_default(),
            }
        });
        let work = async {
            controller.world.is_filled().await;
            queue
                .work(|work, _| {
                    let controller = controller.clone();
                    async move {
                        match work {
                            Work::Node(name) => controller.taint(&name).await,
                            Work::Pod(key) => controller.evict(&key).await,
                        }
                    }
                })
                .await;
        };
        join(follow, work).await;
    }
}

impl Controller {
    /// `kubectl cordon` sets a field; the scheduler of another cluster may look for the taint.
    async fn taint(&self, name: &str) -> Outcome {
        let Some(node) = self.nodes.get(&Key { namespace: String::new(), name: name.into() }) else {
            return Ok(Next::WhenAdded);
        };
        let Some(taints) = cordoned(node.unschedulable, &node.taints, self.context.clock.now()) else {
            return Ok(Next::WhenAdded);
        };
        let patch = json!({"metadata": {"resourceVersion": node.version}, "spec": {"taints": taints}});
        let nodes = Target::of::<Node>(&self.context.client, "");
        gone_is_fine(nodes.replace(name, &patch).await)?;
        Ok(Next::WhenAdded)
    }

    async fn evict(&self, key: &Key) -> Outcome {
        let Some(pod) = self.world.pods.get(key) else { return Ok(Next::WhenAdded) };
        if pod.facts.deleted || pod.facts.phase.is_terminal() {
            return Ok(Next::WhenAdded);
        }
        let node = self.nodes.get(&Key { namespace: String::new(), name: pod.node.clone() });
        let Some(node) = node else { return Ok(Next::WhenAdded) };
        let now = self.context.clock.now();
        match stay(&node.taints, &pod.wish.tolerations, now) {
            Stay::ForEver => return Ok(Next::WhenAdded),
            Stay::Until(end) if now < end => {
                let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
                return Ok(Next::After(left));
            }
            Stay::Until(_) => {}
        }
        let pods = Target::of::<Pod>(&self.context.client, &key.namespace);
        let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": REASON, "message": MESSAGE,
            "lastTransitionTime": Time(now)});
        let patch = json!({"metadata": {"uid": pod.facts.uid}, "status": {"conditions": [condition]}});
        gone_is_fine(pods.merge_in(&key.name, "status", &patch).await)?;
        let about = About::new("taint-eviction-controller", "").subject(Subject {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: pod.facts.uid.clone(),
            ..Default::default()
        });
        self.recorder.tell(about.normal("TaintManagerEviction", format!("Marking for deletion Pod {key}")));
        pods.delete(&key.name, &pod.facts.uid, PropagationPolicy::Background).await?;
        Ok(Next::WhenAdded)
    }
}

/// The taints of a node that has been cordoned or opened again; `None` when they are right.
fn cordoned(unschedulable: bool, taints: &[Taint], now: Timestamp) -> Option<Vec<Value>> {
    let is_cordon = |taint: &Taint| taint.key == UNSCHEDULABLE && taint.effect == "NoSchedule";
    if unschedulable == taints.iter().any(is_cordon) {
        return None;
    }
    let others = taints.iter().filter(|taint| !is_cordon(taint));
    let mut wanted: Vec<Value> = others.filter_map(|taint| serde_json::to_value(taint).ok()).collect();
    if unschedulable {
        wanted.push(json!({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": Time(now)}));
    }
    Some(wanted)
}

/// How long a pod stays on a node.
#[derive(Debug, PartialEq)]
enum Stay {
    ForEver,
    Until(Timestamp),
}

/// Every `NoExecute` taint has to be tolerated; the shortest toleration counts, from when its taint was put on.
fn stay(taints: &[Taint], tolerations: &[Toleration], now: Timestamp) -> Stay {
    let mut end: Option<Timestamp> = None;
    for taint in taints.iter().filter(|taint| taint.effect == "NoExecute") {
        if !is_tolerated(taint, tolerations) {
            return Stay::Until(now);
        }
        let seconds = tolerations
            .iter()
            .filter(|toleration| tolerates(toleration, taint))
            .filter_map(|toleration| toleration.toleration_seconds)
            .min();
        if let Some(seconds) = seconds {
            let since = taint.time_added.as_ref().map_or(now, |time| time.0);
            let until = since.checked_add(SignedDuration::from_secs(seconds.max(0))).unwrap_or(now);
            end = Some(end.map_or(until, |end| end.min(until)));
        }
    }
    end.map_or(Stay::ForEver, Stay::Until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(value: Value) -> Taint {
        serde_json::from_value(value).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_cordoned_node_is_tainted_and_an_open_one_is_not() {
        let other = taint(json!({"key": "a", "effect": "NoSchedule"}));
        let cordon = taint(json!({"key": UNSCHEDULABLE, "effect": "NoSchedule"}));
        assert_eq!(cordoned(false, std::slice::from_ref(&other), at(0)), None);
        assert_eq!(cordoned(true, &[other.clone(), cordon.clone()], at(0)), None);
        let added = cordoned(true, std::slice::from_ref(&other), at(0)).unwrap();
        assert_eq!(
            added[1],
            json!({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": "1970-01-01T00:00:00Z"})
        );
        let left = cordoned(false, &[cordon, other], at(0)).unwrap();
        assert_eq!(left, [json!({"key": "a", "effect": "NoSchedule"})]);
    }

    #[test]
    fn pods_stay_as_long_as_they_tolerate_every_taint() {
        let taints = [
            taint(json!({"key": "a", "effect": "NoExecute", "timeAdded": "1970-01-01T00:00:10Z"})),
            taint(json!({"key": "b", "effect": "NoSchedule"})),
        ];
        for (tolerations, expect) in [
            (json!([]), Stay::Until(at(60))),
            (json!([{"key": "b", "operator": "Exists"}]), Stay::Until(at(60))),
            (json!([{"key": "a", "operator": "Exists"}]), Stay::ForEver),
            (
                json!([{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]),
                Stay::Until(at(310)),
            ),
            (
                json!([{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                    {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}]),
                Stay::Until(at(15)),
            ),
        ] {
            let read: Vec<Toleration> = serde_json::from_value(tolerations.clone()).unwrap();
            assert_eq!(stay(&taints, &read, at(60)), expect, "{tolerations}");
        }
        assert_eq!(stay(&[], &[], at(60)), Stay::ForEver);
    }
}
