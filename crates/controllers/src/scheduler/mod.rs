//! Binds pods to nodes. `waiting` knows whose turn it is, `fit` decides; this keeps the board and writes.

pub mod board;
mod claims;
pub mod filter;
pub mod fit;
pub mod requested;
mod waiting;
pub mod wish;

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine, side_by_side};
use crate::engine::cache::{Cache, Entry};
use crate::engine::expectations::Written;
use crate::engine::queue::{Next, Outcome, Queue};
use crate::events::{About, Recorder};
use crate::world::{PodEntry, World, of_claim};
use board::{Board, Peer, Place};
use filter::Candidate;
use fit::{Preemption, Verdict, schedule};
use futures::future::join3;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kinds::correlate::Subject;
use kube::Api;
use kube::api::PropagationPolicy;
use parking_lot::Mutex;
use serde_json::json;
use std::cmp::Reverse;
use std::sync::Arc;
use waiting::{Turn, Waiting, class};
use wish::Labels;

/// The field manager of what the scheduler writes.
pub(crate) const MANAGER: &str = "kube-scheduler";

/// Pods decided on before their writes are sent.
const BATCH: usize = 64;

impl Entry for Arc<Place> {}

struct NamespaceLabels(Labels);

impl Entry for NamespaceLabels {}

#[derive(Default)]
struct State {
    board: Board,
    waiting: Waiting,
}

struct Scheduler {
    context: Context,
    world: World,
    nodes: Cache<Arc<Place>>,
    namespaces: Cache<NamespaceLabels>,
    state: Mutex<State>,
    recorder: Recorder,
}

/// Sets the scheduler up (to be done before the world runs) and returns what runs it.
pub fn start(context: &Context, world: &World, recorder: &Recorder) -> impl Future<Output = ()> + use<> {
    let scheduler = Arc::new(Scheduler {
        context: context.clone(),
        world: world.clone(),
        nodes: Cache::default(),
        namespaces: Cache::default(),
        state: Mutex::default(),
        recorder: recorder.clone(),
    });
    let queue = Queue::default();
    scheduler.follow_pods(&queue);
    scheduler.follow_surroundings(&queue);
    async move {
        let client = scheduler.context.client.clone();
        let nodes = Api::<Node>::all(client.clone());
        let nodes = scheduler.nodes.clone().run(nodes, |_, node| Arc::new(Place::of(&node)));
        let namespaces = scheduler.namespaces.clone().run(Api::<Namespace>::all(client), |_, namespace| {
            NamespaceLabels(namespace.metadata.labels.unwrap_or_default())
        });
        let work = async {
            scheduler.world.is_filled().await;
            scheduler.world.volumes_are_filled().await;
            scheduler.nodes.is_filled().await;
            scheduler.namespaces.is_filled().await;
            queue
                .work(|_, written| {
                    let scheduler = scheduler.clone();
                    async move { scheduler.pass(&written).await }
                })
                .await;
        };
        join3(nodes, namespaces, work).await;
    }
}

/// The queue's only key: one look at everybody whose turn it is.
const PASS: &str = "pass";

/// A decision about one pod, to be written.
struct Order {
    key: Key,
    pod: Arc<PodEntry>,
    verdict: Verdict,
}

impl Scheduler {
    fn follow_pods(self: &Arc<Self>, queue: &Queue<&'static str>) {
        let (this, queue) = (Arc::downgrade(self), queue.clone());
        self.world.pods.on_change(move |change| {
            let Some(this) = this.upgrade() else { return };
            let mut state = this.state.lock();
            let has_news = match (&change.new, &change.old) {
                (Some(pod), _) if pod.facts.phase.is_terminal() => state.board.strike(&pod.facts.uid),
                (Some(pod), old) if pod.facts.assigned => {
                    let is_known = state.board.has(&pod.facts.uid);
                    let is_same = old.as_ref().is_some_and(|old| {
                        (&old.facts.labels, old.facts.deleted) == (&pod.facts.labels, pod.facts.deleted)
                    });
                    state.board.enter(peer(&change.key, pod));
                    // Company may have come for whoever looks for it.
                    !(is_known && is_same)
                }
                (Some(pod), old) => {
                    let had = old.as_ref().filter(|old| old.facts.uid == pod.facts.uid && old.placing.is_some());
                    let is_same =
                        had.is_some_and(|old| (&old.wish, &old.facts.labels) == (&pod.wish, &pod.facts.labels));
                    match &pod.placing {
                        Some(_) if is_same => {}
                        Some(_) => state.waiting.add(turn(&change.key, pod)),
                        None => state.board.forget_nomination(&pod.facts.uid),
                    }
                    if let Some(node) = pod.placing.as_ref().and_then(|placing| placing.nominated.as_ref()) {
                        let promised = Peer { node: node.clone(), ..peer(&change.key, pod) };
                        state.board.nominate(promised);
                    }
                    if state.waiting.has_active() {
                        queue.add(PASS);
                    }
                    false
                }
                (None, Some(old)) => state.board.strike(&old.facts.uid),
                (None, None) => false,
            };
            if has_news {
                state.waiting.wake();
                queue.add(PASS);
            }
        });
    }

    fn follow_surroundings(self: &Arc<Self>, queue: &Queue<&'static str>) {
        let (this, again) = (Arc::downgrade(self), queue.clone());
        self.nodes.on_change(move |change| {
            let Some(this) = this.upgrade() else { return };
            let mut state = this.state.lock();
            match &change.new {
                Some(node) => drop(state.board.nodes.insert(change.key.name.clone(), (**node).clone())),
                None => drop(state.board.nodes.remove(&change.key.name)),
            }
            if change.old != change.new {
                state.waiting.wake();
                again.add(PASS);
            }
        });
        let (this, again) = (Arc::downgrade(self), queue.clone());
        self.namespaces.on_change(move |change| {
            let Some(this) = this.upgrade() else { return };
            let mut state = this.state.lock();
            let labels = |entry: &Option<Arc<NamespaceLabels>>| entry.as_ref().map(|entry| entry.0.clone());
            let (old, new) = (labels(&change.old), labels(&change.new));
            if old == new {
                return;
            }
            match new {
                Some(labels) => drop(state.board.namespaces.insert(change.key.name.clone(), labels)),
                None => drop(state.board.namespaces.remove(&change.key.name)),
            }
            state.waiting.wake();
            again.add(PASS);
        });
        // What a refused pod waits for may have come: pods that name the claim are looked at again, and all when a class changes.
        let look_again = || {
            let (this, again) = (Arc::downgrade(self), queue.clone());
            move |claim: &Key| {
                let Some(this) = this.upgrade() else { return };
                let users = this.world.pods.group(&of_claim(&claim.namespace, &claim.name));
                let mut state = this.state.lock();
                for (key, pod) in users {
                    if state.waiting.wake_one(&turn(&key, &pod)) {
                        again.add(PASS);
                    }
                }
            }
        };
        let claims = look_again();
        self.world.claims.on_change(move |change| claims(&change.key));
        let volumes = look_again();
        self.world.volumes.on_change(move |change| {
            let named = [&change.old, &change.new].into_iter().flatten().filter_map(|volume| volume.claim());
            named.for_each(|claim| volumes(&claim));
        });
        let (this, again) = (Arc::downgrade(self), queue.clone());
        self.world.classes.on_change(move |_| {
            let Some(this) = this.upgrade() else { return };
            let mut state = this.state.lock();
            state.waiting.wake();
            again.add(PASS);
        });
    }

    /// Decides for everybody whose turn it is, and writes what was decided.
    async fn pass(&self, written: &Written) -> Outcome {
        let mut trouble = None;
        loop {
            let orders = self.decide();
            if orders.is_empty() {
                break;
            }
            let writes = orders.iter().map(|order| self.obey(order, written)).collect();
            for (order, answer) in orders.iter().zip(side_by_side(writes).await) {
                if let Err(error) = answer {
                    // The pod's turn comes again, after the queue's back-off.
                    self.state.lock().waiting.add(turn(&order.key, &order.pod));
                    trouble = Some(error);
                }
            }
            if trouble.is_some() {
                break;
            }
        }
        trouble.map_or(Ok(Next::WhenAdded), Err)
    }

    fn decide(&self) -> Vec<Order> {
        let mut state = self.state.lock();
        let mut orders = Vec::new();
        while orders.len() < BATCH {
            let Some(turn) = state.waiting.next() else { break };
            let key = turn.2.clone();
            let Some(pod) = self.world.pods.get(&key) else { continue };
            let Some(placing) = &pod.placing else { continue };
            if state.board.has(&pod.facts.uid) {
                // Bound a moment ago; the cache has not heard of it.
                continue;
            }
            let candidate = Candidate {
                key: &key,
                uid: &pod.facts.uid,
                labels: &pod.facts.labels,
                requested: &pod.requested,
                wish: &pod.wish,
                nominated: placing.nominated.as_deref(),
            };
            let verdict = schedule(&candidate, &state.board, |node| {
                claims::readiness(&self.world, &key, &pod, node, |uid| state.board.has(uid))
            });
            match &verdict {
                Verdict::Bind { node } => {
                    let peer = candidate.on(node);
                    state.board.enter(peer);
                }
                Verdict::Wait => state.waiting.refuse(turn, &class(&pod.wish, &pod.requested)),
                Verdict::Unschedulable { preemption, message } => {
                    match preemption {
                        Some(preemption) => {
                            let peer = candidate.on(&preemption.node);
                            state.board.nominate(peer);
                        }
                        None => state.board.forget_nomination(&pod.facts.uid),
                    }
                    let class = class(&pod.wish, &pod.requested);
                    state.waiting.refuse(turn, &class);
                    let is_known = preemption.is_none() && placing.is_refused_for(message, None);
                    let stands_alone = pod.claims.is_empty() && pod.wish.minds_no_company();
                    if is_known && stands_alone && placing.nominated.is_none() && !state.board.has_objectors() {
                        state.waiting.shut(&class);
                    }
                }
            }
            if !matches!(verdict, Verdict::Wait) {
                orders.push(Order { key, pod, verdict });
            }
        }
        orders
    }

    async fn obey(&self, order: &Order, written: &Written) -> Result<(), crate::engine::queue::BoxError> {
        let (key, pod) = (&order.key, &order.pod);
        let pods = Target::of::<Pod>(&self.context.client, &key.namespace)
            .seen_by(self.world.pods.seen(), written)
            .managed_by(MANAGER);
        match &order.verdict {
            Verdict::Wait => {}
            Verdict::Bind { node } => {
                let binding = json!({
                    "apiVersion": "v1", "kind": "Binding",
                    "metadata": {"name": key.name, "namespace": key.namespace, "uid": pod.facts.uid},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": node},
                });
                if let Err(error) = pods.create_in(&key.name, "binding", &binding).await {
                    self.state.lock().board.strike(&pod.facts.uid);
                    return Ok(gone_is_fine(Err::<(), _>(error))?);
                }
                let message = format!("Successfully assigned {key} to {node}");
                self.recorder.tell(about(key, &pod.facts.uid).action("Binding").normal("Scheduled", message));
            }
            Verdict::Unschedulable { message, preemption } => {
                self.refuse(order, message, preemption.as_ref(), &pods).await?;
                if let Some(preemption) = preemption {
                    self.make_room(pod, preemption, written).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes down why a pod has no node, unless that is known.
    async fn refuse(
        &self,
        order: &Order,
        message: &str,
        preemption: Option<&Preemption>,
        pods: &Target<'_>,
    ) -> kube::Result<()> {
        let Some(placing) = &order.pod.placing else { return Ok(()) };
        let nominated = preemption.map(|preemption| preemption.node.as_str());
        if placing.is_refused_for(message, nominated) {
            return Ok(());
        }
        let is_said = placing.refused.as_deref() == Some(message);
        let since = placing.refused_at.unwrap_or_else(|| self.context.clock.now());
        let condition = json!({
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": Time(since),
        });
        let patch = json!({"status": {"conditions": [condition], "nominatedNodeName": nominated}});
        gone_is_fine(pods.merge_in(&order.key.name, "status", &patch).await)?;
        if !is_said {
            let about = about(&order.key, &order.pod.facts.uid).action("Scheduling");
            self.recorder.tell(about.warning("FailedScheduling", message));
        }
        Ok(())
    }

    /// Makes pods leave for one that matters more (K:pkg/scheduler/framework/preemption prepareCandidate).
    async fn make_room(&self, pod: &PodEntry, preemption: &Preemption, written: &Written) -> kube::Result<()> {
        for victim in preemption.victims.iter().filter(|victim| !victim.deleted) {
            let pods = Target::of::<Pod>(&self.context.client, &victim.key.namespace)
                .seen_by(self.world.pods.seen(), written)
                .managed_by(MANAGER);
            let condition = json!({
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "PreemptionByScheduler",
                "message": "default-scheduler: preempting to accommodate a higher priority pod",
                "lastTransitionTime": Time(self.context.clock.now()),
            });
            let patch = json!({"metadata": {"uid": victim.uid}, "status": {"conditions": [condition]}});
            gone_is_fine(pods.merge_in(&victim.key.name, "status", &patch).await)?;
            pods.delete(&victim.key.name, &victim.uid, PropagationPolicy::Background).await?;
            let message = format!("Preempted by pod {} on node {}", pod.facts.uid, preemption.node);
            self.recorder.tell(about(&victim.key, &victim.uid).action("Preempting").normal("Preempted", message));
        }
        Ok(())
    }
}

fn turn(key: &Key, pod: &PodEntry) -> Turn {
    (Reverse(pod.wish.priority), pod.facts.created_at, key.clone())
}

fn peer(key: &Key, pod: &PodEntry) -> Peer {
    Peer {
        key: key.clone(),
        uid: pod.facts.uid.clone(),
        node: pod.node.clone(),
        labels: pod.facts.labels.clone(),
        requested: pod.requested.clone(),
        wish: pod.wish.clone(),
        started_at: pod.started_at,
        deleted: pod.facts.deleted,
    }
}

fn about(key: &Key, uid: &str) -> About {
    About::new("default-scheduler", "default-scheduler").subject(Subject {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        uid: uid.into(),
        ..Default::default()
    })
}
