//! Garbage collection: what depends on an owner that is gone goes too. Follows the metadata of every kind that can be listed,
//! watched and deleted; `graph` decides.
//!
//! The API server answers a DELETE by the propagation policy: background removes the owner at once, foreground and orphan
//! leave it with a finalizer that is taken off here when its dependents are gone or cut loose.

pub mod graph;

use crate::Context;
use crate::engine::apply::{Metadata, Target, gone_is_fine};
use crate::engine::cache::{Cache, Entry};
use crate::engine::queue::{Next, Outcome, Queue};
use futures::future::{join, join_all};
use graph::{FOREGROUND, Graph, Node, ORPHAN, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kinds::Scope;
use kube::api::PropagationPolicy;
use kube::core::ApiResource;
use kube::{Api, Error};
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;

impl Entry for Node {}

/// A kind that objects of which may own or be owned.
#[derive(Debug, Clone)]
pub struct Collected {
    /// How it is asked for.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// The kinds to follow. Events are left out: they live by the clock.
fn collected_kinds() -> Vec<Collected> {
    deletable_kinds().into_iter().filter(|kind| kind.resource.kind != "Event").collect()
}

/// Every kind whose objects can be listed, watched and deleted, each under one of its names only.
pub fn deletable_kinds() -> Vec<Collected> {
    let can = |verbs: &[&str]| ["list", "watch", "delete"].iter().all(|verb| verbs.contains(verb));
    kinds::KINDS
        .iter()
        .map(|kind| kind.names())
        // The same Events as those of the core group.
        .filter(|names| can(names.verbs) && names.group != "events.k8s.io")
        .map(|names| Collected {
            resource: ApiResource {
                group: names.group.into(),
                version: names.version.into(),
                api_version: match names.group {
                    "" => names.version.into(),
                    group => format!("{group}/{}", names.version),
                },
                kind: names.kind.into(),
                plural: names.plural.into(),
            },
            namespaced: names.scope == Scope::Namespaced,
        })
        .collect()
}

struct Collector {
    context: Context,
    kinds: Vec<Collected>,
    graph: Mutex<Graph>,
}

/// Returns what runs garbage collection. `tell_gone` hears of every object that goes: its kind and namespace.
pub fn start<F>(context: &Context, tell_gone: F) -> impl Future<Output = ()> + use<F>
where
    F: Fn(&Collected, &str) + Send + Sync + 'static,
{
    let tell_gone = Arc::new(tell_gone);
    let collector = Arc::new(Collector { context: context.clone(), kinds: collected_kinds(), graph: Mutex::default() });
    let queue: Queue<String> = Queue::default();
    let caches: Vec<Cache<Node>> = collector.kinds.iter().map(|_| Cache::default()).collect();
    for (kind, cache) in caches.iter().enumerate() {
        let (collector, queue, tell_gone) = (Arc::downgrade(&collector), queue.clone(), tell_gone.clone());
        cache.on_change(move |change| {
            let Some(collector) = collector.upgrade() else { return };
            if change.new.is_none() {
                tell_gone(&collector.kinds[kind], &change.key.namespace);
            }
            let mut graph = collector.graph.lock();
            let mut concerned = Vec::new();
            match (&change.old, &change.new) {
                (Some(old), Some(new)) if old == new => return,
                // The same name again, but another object.
                (Some(old), Some(new)) if old.uid != new.uid => concerned.extend(graph.remove(&old.uid)),
                (Some(old), None) => concerned.extend(graph.remove(&old.uid)),
                _ => {}
            }
            if let Some(new) = &change.new {
                concerned.extend(graph.put((**new).clone()));
            }
            concerned.into_iter().for_each(|uid| queue.add(uid));
        });
    }
    async move {
        let follow = join_all(caches.iter().enumerate().map(|(kind, cache)| {
            let resource = &collector.kinds[kind].resource;
            let api = Api::<Metadata>::all_with(collector.context.client.clone(), resource);
            cache.clone().run(api, move |_, object| Node::of(kind, &object.metadata))
        }));
        let work = async {
            join_all(caches.iter().map(Cache::is_filled)).await;
            queue
                .work(|uid, _| {
                    let collector = collector.clone();
                    async move { collector.look_at(&uid).await }
                })
                .await;
        };
        join(follow, work).await;
    }
}

impl Collector {
    async fn look_at(&self, uid: &str) -> Outcome {
        let (node, verdict) = {
            let graph = self.graph.lock();
            let Some(node) = graph.get(uid) else { return Ok(Next::WhenAdded) };
            (node.clone(), graph.verdict(uid))
        };
        match verdict {
            Verdict::Keep => {}
            Verdict::Delete { waits_below } => self.delete(&node, waits_below).await?,
            Verdict::DeleteIfOwnersGone { suspects, waits_below } => {
                // A cache may lag behind another: an owner made a moment ago is not gone.
                for owner in &suspects {
                    if self.exists(owner, &node.key.namespace).await? {
                        return Ok(Next::After(std::time::Duration::from_secs(1)));
                    }
                }
                self.delete(&node, waits_below).await?;
            }
            Verdict::CutLoose { dependents } => {
                for dependent in dependents {
                    let dependent = self.graph.lock().get(&dependent).cloned();
                    if let Some(dependent) = dependent {
                        let patch = json!({"metadata": {
                            "uid": dependent.uid,
                            "ownerReferences": [{"$patch": "delete", "uid": uid}],
                        }});
                        gone_is_fine(self.target(&dependent).merge(&dependent.key.name, &patch).await)?;
                    }
                }
                self.take_off(&node, ORPHAN).await?;
            }
            Verdict::LetGo => self.take_off(&node, FOREGROUND).await?,
        }
        Ok(Next::WhenAdded)
    }

    fn target(&self, node: &Node) -> Target<'_> {
        Target::of_kind(&self.context.client, &self.kinds[node.kind].resource, &node.key.namespace)
    }

    async fn delete(&self, node: &Node, waits_below: bool) -> kube::Result<()> {
        let policy = match (waits_below, node.orphan) {
            (_, true) => PropagationPolicy::Orphan,
            (true, false) if node.foreground => PropagationPolicy::Foreground,
            _ => PropagationPolicy::Background,
        };
        self.target(node).delete(&node.key.name, &node.uid, policy).await
    }

    async fn take_off(&self, node: &Node, finalizer: &str) -> kube::Result<()> {
        let patch = json!({"metadata": {"uid": node.uid, "$deleteFromPrimitiveList/finalizers": [finalizer]}});
        gone_is_fine(self.target(node).merge(&node.key.name, &patch).await).map(drop)
    }

    /// Asks the server whether the very owner that a reference names exists. One of a kind that is not served counts as existing:
    /// nothing is deleted on a guess.
    async fn exists(&self, owner: &OwnerReference, namespace: &str) -> kube::Result<bool> {
        let kind = self
            .kinds
            .iter()
            .find(|kind| kind.resource.kind == owner.kind && kind.resource.api_version == owner.api_version);
        let Some(kind) = kind else { return Ok(true) };
        let target =
            Target::of_kind(&self.context.client, &kind.resource, if kind.namespaced { namespace } else { "" });
        match target.get(&owner.name).await {
            Ok(found) => Ok(found.uid.as_deref() == Some(owner.uid.as_str())),
            Err(Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }
}
