//! Binds pods to the one node, as long as they fit. `fit` decides; this keeps the sums and writes.

pub mod fit;

mod claims;

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine, text};
use crate::engine::cache::{Cache, Entry};
use crate::engine::expectations::Written;
use crate::engine::queue::{Next, Outcome, Queue};
use crate::events::{About, Recorder};
use crate::world::{World, of_claim};
use fit::{Place, Placing, Requested, Verdict, schedule};
use k8s_openapi::api::core::v1::{Node, Pod};
use kinds::correlate::Subject;
use kube::Api;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The field manager of what the scheduler writes.
pub(crate) const MANAGER: &str = "kube-scheduler";

impl Entry for Place {}

/// What runs on the node, by pod uid, and its sum.
#[derive(Default)]
struct Ledger {
    pods: HashMap<String, Requested>,
    used: Requested,
    /// Pods that did not fit: looked at again when something frees up.
    refused: BTreeSet<Key>,
}

impl Ledger {
    fn enter(&mut self, uid: &str, requested: Requested) {
        self.strike(uid);
        self.used += requested;
        self.pods.insert(uid.into(), requested);
    }

    fn strike(&mut self, uid: &str) -> bool {
        let Some(requested) = self.pods.remove(uid) else { return false };
        self.used -= requested;
        true
    }
}

struct Scheduler {
    context: Context,
    world: World,
    nodes: Cache<Place>,
    ledger: Mutex<Ledger>,
    recorder: Recorder,
}

/// Sets the scheduler up (to be done before the world runs) and returns what runs it.
pub fn start(context: &Context, world: &World, recorder: &Recorder) -> impl Future<Output = ()> + use<> {
    let scheduler = Arc::new(Scheduler {
        context: context.clone(),
        world: world.clone(),
        nodes: Cache::default(),
        ledger: Mutex::default(),
        recorder: recorder.clone(),
    });
    let queue = Queue::default();
    scheduler.follow_pods(&queue);
    scheduler.follow_nodes(&queue);
    scheduler.follow_volumes(&queue);
    async move {
        let nodes =
            scheduler.nodes.clone().run(Api::<Node>::all(scheduler.context.client.clone()), |_, node| Place::of(&node));
        let work = async {
            scheduler.world.is_filled().await;
            scheduler.world.volumes_are_filled().await;
            scheduler.nodes.is_filled().await;
            queue
                .work(|key, written| {
                    let scheduler = scheduler.clone();
                    async move { scheduler.place(&key, &written).await }
                })
                .await;
        };
        futures::future::join(nodes, work).await;
    }
}

impl Scheduler {
    fn follow_pods(self: &Arc<Self>, queue: &Queue<Key>) {
        let (this, queue) = (Arc::downgrade(self), queue.clone());
        self.world.pods.on_change(move |change| {
            let Some(this) = this.upgrade() else { return };
            let mut ledger = this.ledger.lock();
            let freed = match (&change.new, &change.old) {
                (Some(pod), _) if pod.facts.phase.is_terminal() => ledger.strike(&pod.facts.uid),
                (Some(pod), _) if pod.facts.assigned => {
                    ledger.enter(&pod.facts.uid, pod.requested);
                    false
                }
                (Some(pod), _) => {
                    if pod.placing.is_some() {
                        queue.add(change.key.clone());
                    }
                    false
                }
                (None, Some(old)) => ledger.strike(&old.facts.uid),
                (None, None) => false,
            };
            if freed {
                std::mem::take(&mut ledger.refused).into_iter().for_each(|key| queue.add(key));
            }
        });
    }

    fn follow_nodes(self: &Arc<Self>, queue: &Queue<Key>) {
        let (this, queue) = (Arc::downgrade(self), queue.clone());
        self.nodes.on_change(move |change| {
            let Some(this) = this.upgrade() else { return };
            if change.old != change.new {
                let refused = std::mem::take(&mut this.ledger.lock().refused);
                refused.into_iter().for_each(|key| queue.add(key));
            }
        });
    }

    /// What a refused pod waits for may have come: pods that name the claim are looked at again, and all when a class changes.
    fn follow_volumes(self: &Arc<Self>, queue: &Queue<Key>) {
        let look_again = |queue: &Queue<Key>| {
            let (this, queue) = (Arc::downgrade(self), queue.clone());
            move |claim: &Key| {
                let Some(this) = this.upgrade() else { return };
                let users = this.world.pods.group(&of_claim(&claim.namespace, &claim.name));
                let mut ledger = this.ledger.lock();
                let waiting = users.into_iter().map(|(key, _)| key).filter(|key| ledger.refused.remove(key));
                waiting.for_each(|key| queue.add(key));
            }
        };
        let claims = look_again(queue);
        self.world.claims.on_change(move |change| claims(&change.key));
        let volumes = look_again(queue);
        self.world.volumes.on_change(move |change| {
            let named = [&change.old, &change.new].into_iter().flatten().filter_map(|volume| volume.claim());
            named.for_each(|claim| volumes(&claim));
        });
        let (this, queue) = (Arc::downgrade(self), queue.clone());
        self.world.classes.on_change(move |_| {
            let Some(this) = this.upgrade() else { return };
            let refused = std::mem::take(&mut this.ledger.lock().refused);
            refused.into_iter().for_each(|key| queue.add(key));
        });
    }

    async fn place(&self, key: &Key, written: &Written) -> Outcome {
        let Some(pod) = self.world.pods.get(key) else { return Ok(Next::WhenAdded) };
        let Some(placing) = &pod.placing else { return Ok(Next::WhenAdded) };
        let node = self.nodes.all().into_iter().map(|(_, node)| node).min_by(|a, b| a.name.cmp(&b.name));
        let verdict = {
            let mut ledger = self.ledger.lock();
            // Under the ledger's lock: a claim that changes now finds the pod among the refused.
            let is_placed = |uid: &str| ledger.pods.contains_key(uid);
            let verdict = match node.as_deref().map(|node| claims::verdict(&self.world, key, &pod, node, is_placed)) {
                Some(claims::Verdict::Waiting) => {
                    ledger.refused.insert(key.clone());
                    return Ok(Next::WhenAdded);
                }
                Some(claims::Verdict::Unschedulable(message)) => Verdict::Unschedulable { message },
                Some(claims::Verdict::Ready) | None => schedule(placing, pod.requested, node.as_deref(), ledger.used),
            };
            match &verdict {
                Verdict::Bind { .. } => ledger.enter(&pod.facts.uid, pod.requested),
                Verdict::Unschedulable { .. } => drop(ledger.refused.insert(key.clone())),
            }
            verdict
        };
        let pods = Target::of::<Pod>(&self.context.client, &key.namespace)
            .seen_by(self.world.pods.seen(), written)
            .managed_by(MANAGER);
        let about = About::new("default-scheduler", "default-scheduler").subject(Subject {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: pod.facts.uid.clone(),
            ..Default::default()
        });
        match verdict {
            Verdict::Bind { node } => {
                let binding = json!({
                    "apiVersion": "v1", "kind": "Binding",
                    "metadata": {"name": key.name, "namespace": key.namespace, "uid": pod.facts.uid},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": node},
                });
                if let Err(error) = pods.create_in(&key.name, "binding", &binding).await {
                    self.ledger.lock().strike(&pod.facts.uid);
                    return match gone_is_fine(Err::<(), _>(error)) {
                        Ok(()) => Ok(Next::WhenAdded),
                        Err(error) => Err(error.into()),
                    };
                }
                let message = format!("Successfully assigned {key} to {node}");
                self.recorder.tell(about.action("Binding").normal("Scheduled", message));
            }
            Verdict::Unschedulable { message } if placing.refused.as_ref() == Some(&message) => {}
            Verdict::Unschedulable { message } => {
                let condition = self.refusal(placing, &message);
                let patch = json!({"status": {"conditions": [condition]}});
                if let Err(error) = gone_is_fine(pods.merge_in(&key.name, "status", &patch).await) {
                    return Err(text(&error).into());
                }
                self.recorder.tell(about.action("Scheduling").warning("FailedScheduling", message));
            }
        }
        Ok(Next::WhenAdded)
    }

    fn refusal(&self, placing: &Placing, message: &str) -> serde_json::Value {
        let since = placing.refused_at.unwrap_or_else(|| self.context.clock.now());
        json!({
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(since),
        })
    }
}
