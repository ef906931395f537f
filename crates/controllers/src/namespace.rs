//! Empties a namespace that is being deleted, then lets it go; gives every other one its `default` ServiceAccount.

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine, side_by_side};
use crate::engine::cache::{Cache, Entry};
use crate::engine::queue::{Next, Outcome, Queue};
use crate::gc::{Collected, deletable_kinds};
use futures::future::join;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::PropagationPolicy;
use kube::{Api, Error};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The finalizer in `spec.finalizers` that this controller takes off.
const FINALIZER: &str = "kubernetes";
/// Pods take their grace period to go; until then the namespace is looked through again this often.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

struct NamespaceEntry {
    deleted: bool,
    finalizers: Vec<String>,
}

impl Entry for NamespaceEntry {}

struct Controller {
    context: Context,
    namespaces: Cache<NamespaceEntry>,
    kinds: Vec<Collected>,
}

/// Returns what runs the controller.
pub fn start(context: &Context) -> impl Future<Output = ()> + use<> {
    let controller = Arc::new(Controller {
        context: context.clone(),
        namespaces: Cache::default(),
        kinds: deletable_kinds().into_iter().filter(|kind| kind.namespaced).collect(),
    });
    let queue: Queue<Key> = Queue::default();
    let adder = queue.clone();
    controller.namespaces.on_change(move |change| {
        if change.new.is_some() {
            adder.add(change.key.clone());
        }
    });
    async move {
        let api = Api::<Namespace>::all(controller.context.client.clone());
        let follow = controller.namespaces.clone().run(api, |_, namespace| NamespaceEntry {
            deleted: namespace.metadata.deletion_timestamp.is_some(),
            finalizers: namespace.spec.and_then(|spec| spec.finalizers).unwrap_or_default(),
        });
        let work = queue.work(|key, _| {
            let controller = controller.clone();
            async move {
                let Some(namespace) = controller.namespaces.get(&key) else { return Ok(Next::WhenAdded) };
                match namespace.deleted {
                    true => controller.empty(&key.name, &namespace).await,
                    false => controller.furnish(&key.name).await,
                }
            }
        });
        join(follow, work).await;
    }
}

impl Controller {
    async fn furnish(&self, namespace: &str) -> Outcome {
        let accounts = Target::of::<ServiceAccount>(&self.context.client, namespace);
        if accounts.get("default").await.is_ok() {
            return Ok(Next::WhenAdded);
        }
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}});
        match accounts.create(&account).await {
            // It exists, or the namespace is going away meanwhile.
            Err(Error::Api(status)) if matches!(status.code, 403 | 404 | 409) => Ok(Next::WhenAdded),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(Next::WhenAdded),
        }
    }

    async fn empty(&self, name: &str, namespace: &NamespaceEntry) -> Outcome {
        if !namespace.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(Next::WhenAdded);
        }
        let mut n_left = 0;
        for kind in &self.kinds {
            let target = Target::of_kind(&self.context.client, &kind.resource, name);
            let objects = target.list().await?;
            n_left += objects.len();
            let doomed: Vec<(String, String)> = objects
                .into_iter()
                .filter(|object| object.deletion_timestamp.is_none())
                .filter_map(|object| Some((object.name?, object.uid?)))
                .collect();
            let requests =
                doomed.iter().map(|(name, uid)| target.delete(name, uid, PropagationPolicy::Background)).collect();
            let answers = side_by_side(requests).await;
            answers.into_iter().collect::<kube::Result<Vec<()>>>()?;
        }
        if 0 < n_left {
            return Ok(Next::After(LOOK_AGAIN));
        }
        let finalizers: Vec<&String> =
            namespace.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        let body = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name},
            "spec": {"finalizers": finalizers},
        });
        let namespaces = Target::of::<Namespace>(&self.context.client, "");
        gone_is_fine(namespaces.replace_in(name, "finalize", &body).await)?;
        Ok(Next::WhenAdded)
    }
}
