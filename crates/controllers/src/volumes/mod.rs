//! Binds claims to volumes and releases them. `kinds::volumes` decides; this looks up, writes and tells. It never sees a
//! disk: the volumes of the class `standard` are made and removed by the agent, as by any provisioner.

mod ephemeral;

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, is_conflict};
use crate::engine::cache::{Cache, Entry};
use crate::engine::expectations::Written;
use crate::engine::queue::{BoxError, Next, Outcome, Queue};
use crate::events::{About, Recorder};
use crate::world::{UNBOUND, World, of_claim};
use futures::future::join;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use kinds::correlate::Subject;
use kinds::volumes::claims::{self, Around};
use kinds::volumes::reclaim::{self, Decision};
use kinds::volumes::steps::{COMPONENT, Step, Told};
use kube::api::ListParams;
use kube::{Api, Error};
use meta::object;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Somebody else wrote what was decided on: by then the caches have caught up.
const AFTER_A_RACE: Duration = Duration::from_secs(1);

/// Objects of which the last event is remembered; then all are forgotten, and some are told once more.
const MOST_TOLD: usize = 10_000;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Item {
    Claim(Key),
    Volume(Key),
    /// A pod with ephemeral volumes.
    Pod(Key),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Claim(key) => write!(f, "claim {key}"),
            Item::Volume(key) => write!(f, "volume {key}"),
            Item::Pod(key) => write!(f, "pod {key}"),
        }
    }
}

/// The node's labels.
#[derive(PartialEq)]
struct NodeEntry(BTreeMap<String, String>);

impl Entry for NodeEntry {}

struct Controller {
    context: Context,
    world: World,
    nodes: Cache<NodeEntry>,
    recorder: Recorder,
    queue: Queue<Item>,
    /// What was told last of each object, by its uid: it is not told again until something else was.
    told: Mutex<HashMap<String, Told>>,
}

/// Sets the controller up (to be done before the world runs) and returns what runs it.
pub fn start(context: &Context, world: &World, recorder: &Recorder) -> impl Future<Output = ()> + use<> {
    let queue = Queue::default();
    let nodes = Cache::default();
    follow(world, &nodes, &queue);
    let controller = Arc::new(Controller {
        context: context.clone(),
        world: world.clone(),
        nodes,
        recorder: recorder.clone(),
        queue: queue.clone(),
        told: Mutex::default(),
    });
    async move {
        let api = Api::<Node>::all(controller.context.client.clone());
        let follow_nodes =
            controller.nodes.clone().run(api, |_, node| NodeEntry(node.metadata.labels.unwrap_or_default()));
        let work = async {
            controller.world.volumes_are_filled().await;
            queue
                .work(|item, written| {
                    let controller = controller.clone();
                    async move {
                        match item {
                            Item::Claim(key) => controller.sync_claim(&key, &written).await,
                            Item::Volume(key) => controller.sync_volume(&key, &written).await,
                            Item::Pod(key) => controller.make_claims(&key, &written).await,
                        }
                    }
                })
                .await;
        };
        join(follow_nodes, work).await;
    }
}

/// What changes brings the keys back that it may matter to.
fn follow(world: &World, nodes: &Cache<NodeEntry>, queue: &Queue<Item>) {
    let add_unbound = |queue: &Queue<Item>| {
        let (claims, queue) = (world.claims.clone(), queue.clone());
        move || claims.group(UNBOUND).into_iter().for_each(|(key, _)| queue.add(Item::Claim(key)))
    };
    let (volumes, adder) = (world.volumes.clone(), queue.clone());
    world.claims.on_change(move |change| {
        adder.add(Item::Claim(change.key.clone()));
        let named = volumes.group(&of_claim(&change.key.namespace, &change.key.name));
        named.into_iter().for_each(|(key, _)| adder.add(Item::Volume(key)));
    });
    let (adder, unbound) = (queue.clone(), add_unbound(queue));
    world.volumes.on_change(move |change| {
        adder.add(Item::Volume(change.key.clone()));
        let named = [&change.old, &change.new].into_iter().flatten().filter_map(|volume| volume.claim());
        named.for_each(|claim| adder.add(Item::Claim(claim)));
        // Anybody may take it; others are one claim's.
        if change.new.as_ref().is_some_and(|volume| volume.0["status"]["phase"] == "Available") {
            unbound();
        }
    });
    let unbound = add_unbound(queue);
    world.classes.on_change(move |_| unbound());
    let unbound = add_unbound(queue);
    nodes.on_change(move |change| {
        if change.old != change.new {
            unbound();
        }
    });
    let adder = queue.clone();
    world.pods.on_change(move |change| {
        for pod in [&change.old, &change.new].into_iter().flatten() {
            for claim in &pod.claims {
                let key = Key { namespace: change.key.namespace.clone(), name: claim.name.clone() };
                adder.add(Item::Claim(key));
            }
        }
        if change.new.as_ref().is_some_and(|pod| pod.claims.iter().any(|claim| claim.is_ephemeral)) {
            adder.add(Item::Pod(change.key.clone()));
        }
    });
}

impl Controller {
    async fn sync_claim(&self, key: &Key, written: &Written) -> Outcome {
        let Some(claim) = self.world.claims.get(key) else { return Ok(Next::WhenAdded) };
        let claim = &claim.0;
        let users = self.world.pods.group(&of_claim(&key.namespace, &key.name));
        let is_used = users.iter().any(|(_, pod)| pod.facts.assigned);
        if let Some(step) = claims::release(claim, is_used) {
            // Pods may have come that the cache has not seen: taking the claim from under one would lose its data.
            if self.is_used_by_now(key).await? {
                return Ok(Next::After(AFTER_A_RACE));
            }
            return self.obey(&[step], Some(claim), None, written).await;
        }
        let mut volumes = self.world.volumes.all();
        volumes.sort_by(|(a, _), (b, _)| a.cmp(b));
        let volumes: Vec<&Value> = volumes.iter().map(|(_, volume)| &volume.0).collect();
        let nodes = self.nodes.all();
        let node = nodes.iter().min_by(|(a, _), (b, _)| a.cmp(b));
        let around = Around {
            volumes: &volumes,
            classes: &self.world.classes(),
            has_consumer: users.iter().any(|(_, pod)| !pod.facts.deleted && !pod.facts.phase.is_terminal()),
            node: node.map(|(key, node)| (key.name.as_str(), &node.0)),
            now: self.context.clock.now(),
        };
        let steps = claims::sync(claim, around);
        self.obey(&steps, Some(claim), None, written).await
    }

    async fn sync_volume(&self, key: &Key, written: &Written) -> Outcome {
        let Some(volume) = self.world.volumes.get(key) else { return Ok(Next::WhenAdded) };
        let claim = volume.claim().and_then(|claim| self.world.claims.get(&claim));
        let claim = claim.as_ref().map(|claim| &claim.0);
        let now = self.context.clock.now();
        match reclaim::sync(&volume.0, claim, now) {
            Decision::Write(steps) => self.obey(&steps, claim, Some(&volume.0), written).await,
            Decision::WriteIfClaimIsGone(steps) => {
                if steps.is_empty() {
                    return Ok(Next::WhenAdded);
                }
                if self.claim_is_there(&volume.0).await? {
                    return Ok(Next::After(AFTER_A_RACE));
                }
                self.obey(&steps, claim, Some(&volume.0), written).await
            }
            Decision::LookAtClaim => {
                volume.claim().into_iter().for_each(|claim| self.queue.add(Item::Claim(claim)));
                Ok(Next::WhenAdded)
            }
        }
    }

    /// Asks the API server, not the cache.
    async fn is_used_by_now(&self, key: &Key) -> Result<bool, BoxError> {
        let pods = Api::<Pod>::namespaced(self.context.client.clone(), &key.namespace);
        let pods = pods.list(&ListParams::default()).await?;
        let uses = |pod: &Pod| {
            let spec = pod.spec.as_ref();
            let has_node = spec.and_then(|spec| spec.node_name.as_ref()).is_some_and(|node| !node.is_empty());
            has_node && crate::world::ClaimUse::of(pod).iter().any(|claim| claim.name == key.name)
        };
        Ok(pods.items.iter().any(uses))
    }

    /// Asks the API server, not the cache, for the very claim that a volume names.
    async fn claim_is_there(&self, volume: &Value) -> Result<bool, BoxError> {
        let reference = &volume["spec"]["claimRef"];
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let claims = Target::of::<PersistentVolumeClaim>(&self.context.client, text("namespace"));
        match claims.get(text("name")).await {
            Ok(claim) => Ok(claim.uid.as_deref() == Some(text("uid"))),
            Err(Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the steps one after the other. When one meets an object that is gone or was changed, the rest is void.
    async fn obey(&self, steps: &[Step], claim: Option<&Value>, volume: Option<&Value>, written: &Written) -> Outcome {
        let namespace = claim.map_or("", object::namespace);
        let claim_name = claim.map_or("", object::name);
        let claims = Target::of::<PersistentVolumeClaim>(&self.context.client, namespace)
            .seen_by(self.world.claims.seen(), written);
        let volumes =
            Target::of::<PersistentVolume>(&self.context.client, "").seen_by(self.world.volumes.seen(), written);
        for step in steps {
            let answer = match step {
                Step::PatchClaim(patch) => claims.merge(claim_name, patch).await,
                Step::ClaimStatus(patch) => claims.merge_in(claim_name, "status", patch).await,
                Step::PatchVolume { name, patch } => volumes.merge(name, patch).await,
                Step::VolumeStatus { name, patch } => volumes.merge_in(name, "status", patch).await,
                Step::TellClaim(told) => {
                    claim.into_iter().for_each(|claim| self.tell(claim, "PersistentVolumeClaim", told));
                    continue;
                }
                Step::TellVolume(told) => {
                    volume.into_iter().for_each(|volume| self.tell(volume, "PersistentVolume", told));
                    continue;
                }
            };
            match answer {
                Ok(_) => {}
                Err(Error::Api(status)) if status.code == 404 || is_conflict(&status) => {
                    return Ok(Next::After(AFTER_A_RACE));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Next::WhenAdded)
    }

    fn tell(&self, object: &Value, kind: &str, told: &Told) {
        let mut all = self.told.lock();
        if MOST_TOLD < all.len() {
            all.clear();
        }
        let before = all.insert(object::uid(object).to_owned(), told.clone());
        drop(all);
        if before.as_ref() == Some(told) {
            return;
        }
        let about = About::new(COMPONENT, "").subject(Subject {
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: object::namespace(object).into(),
            name: object::name(object).into(),
            uid: object::uid(object).into(),
            resource_version: object::text(object, "resourceVersion").into(),
            field_path: String::new(),
        });
        self.recorder.tell(match told.is_warning {
            false => about.normal(told.reason, told.message.clone()),
            true => about.warning(told.reason, told.message.clone()),
        });
    }
}
