//! Counts what namespaces use of their ResourceQuotas: when a quota is new or changed, and when something that it counts
//! goes. What comes is charged by the API server as it is stored (K:pkg/controller/resourcequota).

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine};
use crate::engine::cache::{Cache, Entry};
use crate::engine::queue::{Next, Outcome, Queue};
use crate::gc::{Collected, deletable_kinds};
use crate::world::World;
use futures::future::join;
use k8s_openapi::api::core::v1::ResourceQuota;
use kinds::resource_quota::usage;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::{Api, ResourceExt};
use meta::status::GroupResource;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What goes together is counted together.
const GATHER: Duration = Duration::from_millis(20);

/// A quota, as far as it has to be known when something goes.
struct QuotaEntry {
    /// The keys of `spec.hard`.
    limited: Vec<String>,
    /// Whether the status says what the spec does.
    spec: Value,
    stated: Value,
}

impl Entry for QuotaEntry {
    fn groups(&self, key: &Key) -> Vec<String> {
        vec![key.namespace.clone()]
    }
}

/// Tells the controller what went.
#[derive(Clone)]
pub struct Gone {
    quotas: Cache<QuotaEntry>,
    queue: Queue<Key>,
}

impl Gone {
    /// Something of this resource in this namespace went, or uses less.
    pub fn tell(&self, resource: &ApiResource, namespace: &str) {
        let what = GroupResource { group: &resource.group, resource: &resource.plural };
        for (key, quota) in self.quotas.group(namespace) {
            if quota.limited.iter().any(|limited| usage::counts(what, limited)) {
                self.queue.add_after(key, GATHER);
            }
        }
    }
}

struct Controller {
    context: Context,
    kinds: Vec<Collected>,
}

/// Returns what runs the controller, and a handle to tell it what went.
pub fn start(context: &Context, world: &World) -> (impl Future<Output = ()> + use<>, Gone) {
    let gone = Gone { quotas: Cache::default(), queue: Queue::default() };
    let queue = gone.queue.clone();
    gone.quotas.on_change(move |change| {
        let Some(new) = &change.new else { return };
        let is_stale = new.spec != new.stated;
        let is_other = change.old.as_ref().is_none_or(|old| old.spec != new.spec);
        if is_stale || is_other {
            queue.add(change.key.clone());
        }
    });
    let controller = Arc::new(Controller {
        context: context.clone(),
        kinds: deletable_kinds().into_iter().filter(|kind| kind.namespaced).collect(),
    });
    // A pod that has ended is there, but uses nothing.
    let pods = controller.kinds.iter().find(|kind| kind.resource.kind == "Pod").map(|kind| kind.resource.clone());
    let ended = gone.clone();
    world.pods.on_change(move |change| {
        let was_running = change.old.as_ref().is_some_and(|old| !old.facts.phase.is_terminal());
        let has_ended = change.new.as_ref().is_some_and(|new| new.facts.phase.is_terminal());
        if let Some(pods) = pods.as_ref().filter(|_| was_running && has_ended) {
            ended.tell(pods, &change.key.namespace);
        }
    });
    let (quotas, queue) = (gone.quotas.clone(), gone.queue.clone());
    let run = async move {
        let api = Api::<ResourceQuota>::all(controller.context.client.clone());
        let follow = quotas.run(api, |_, quota| {
            let quota = serde_json::to_value(&quota).unwrap_or_default();
            QuotaEntry {
                limited: quota["spec"]["hard"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect(),
                spec: quota["spec"]["hard"].clone(),
                stated: quota["status"]["hard"].clone(),
            }
        });
        let work = queue.work(|key, _| {
            let controller = controller.clone();
            async move { controller.count(&key).await }
        });
        join(follow, work).await;
    };
    (run, gone)
}

impl Controller {
    /// Counts anew. The quota is read first: whoever is charged between the reading and the writing makes the writing fail,
    /// and it is counted again.
    async fn count(&self, key: &Key) -> Outcome {
        let quotas = Api::<ResourceQuota>::namespaced(self.context.client.clone(), &key.namespace);
        let Some(quota) = quotas.get_opt(&key.name).await? else { return Ok(Next::WhenAdded) };
        let version = quota.resource_version().unwrap_or_default();
        let quota = serde_json::to_value(&quota)?;
        let hard: Vec<&String> = quota["spec"]["hard"].as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let mut objects: Vec<(GroupResource<'_>, Value)> = Vec::new();
        for kind in &self.kinds {
            let what = GroupResource { group: &kind.resource.group, resource: &kind.resource.plural };
            if !hard.iter().any(|resource| usage::counts(what, resource)) {
                continue;
            }
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.context.client.clone(), &key.namespace, &kind.resource);
            for object in api.list(&ListParams::default()).await? {
                objects.push((what, serde_json::to_value(&object)?));
            }
        }
        let status =
            usage::status(&quota, objects.iter().map(|(what, object)| (*what, object)), self.context.clock.now());
        if status == quota["status"] {
            return Ok(Next::WhenAdded);
        }
        let target = Target::of::<ResourceQuota>(&self.context.client, &key.namespace);
        let mut quota = quota.clone();
        quota["status"] = status;
        quota["metadata"] = json!({"name": key.name, "namespace": key.namespace, "resourceVersion": version});
        quota["apiVersion"] = "v1".into();
        quota["kind"] = "ResourceQuota".into();
        match target.replace_in(&key.name, "status", &quota).await {
            Err(kube::Error::Api(status)) if crate::engine::apply::is_conflict(&status) => Ok(Next::After(GATHER)),
            other => {
                gone_is_fine(other)?;
                Ok(Next::WhenAdded)
            }
        }
    }
}
