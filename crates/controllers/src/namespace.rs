//! Empties a namespace that is being deleted, then lets it go.

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine, side_by_side};
use crate::engine::cache::{Cache, Entry};
use crate::engine::queue::{Next, Outcome, Queue};
use crate::gc::{Collected, deletable_kinds};
use futures::future::join;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::PropagationPolicy;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
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
    /// What was last written of each namespace that is being emptied.
    told: Mutex<HashMap<String, Vec<Told>>>,
}

/// Returns what runs the controller.
pub fn start(context: &Context) -> impl Future<Output = ()> + use<> {
    let controller = Arc::new(Controller {
        context: context.clone(),
        namespaces: Cache::default(),
        kinds: deletable_kinds().into_iter().filter(|kind| kind.namespaced).collect(),
        told: Mutex::default(),
    });
    let queue: Queue<Key> = Queue::default();
    let adder = queue.clone();
    let emptied = Arc::downgrade(&controller);
    controller.namespaces.on_change(move |change| match (&change.new, emptied.upgrade()) {
        (Some(_), _) => adder.add(change.key.clone()),
        (None, Some(controller)) => drop(controller.told.lock().remove(&change.key.name)),
        (None, None) => {}
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
                    false => Ok(Next::WhenAdded),
                }
            }
        });
        join(follow, work).await;
    }
}

impl Controller {
    async fn empty(&self, name: &str, namespace: &NamespaceEntry) -> Outcome {
        if !namespace.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(Next::WhenAdded);
        }
        let (pods, others): (Vec<&Collected>, Vec<&Collected>) =
            self.kinds.iter().partition(|kind| kind.resource.kind == "Pod");
        let mut left = Left::default();
        // Pods go first, so that none runs on without what protects it (KEP-5080).
        for kinds in [pods, others] {
            for kind in kinds {
                self.delete_all(name, kind, &mut left).await?;
            }
            if !left.is_nothing() {
                self.tell(name, &left).await?;
                return Ok(Next::After(LOOK_AGAIN));
            }
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

    /// Deletes every object of a kind, and notes what is there yet.
    async fn delete_all(&self, namespace: &str, kind: &Collected, left: &mut Left) -> kube::Result<()> {
        let target = Target::of_kind(&self.context.client, &kind.resource, namespace);
        let objects = target.list().await?;
        for object in &objects {
            left.note(kind, object.finalizers.iter().flatten());
        }
        let doomed: Vec<(String, String)> = objects
            .into_iter()
            .filter(|object| object.deletion_timestamp.is_none())
            .filter_map(|object| Some((object.name?, object.uid?)))
            .collect();
        let requests =
            doomed.iter().map(|(name, uid)| target.delete(name, uid, PropagationPolicy::Background)).collect();
        side_by_side(requests).await.into_iter().collect()
    }

    /// Writes down what holds the namespace up, when that is news.
    async fn tell(&self, name: &str, left: &Left) -> kube::Result<()> {
        let now = Time(self.context.clock.now());
        let conditions: Vec<Value> = left
            .conditions()
            .into_iter()
            .map(|(condition_type, status, reason, message)| {
                json!({"type": condition_type, "status": status, "reason": reason, "message": message, "lastTransitionTime": now})
            })
            .collect();
        let is_news = {
            let mut told = self.told.lock();
            let old = told.insert(name.to_owned(), left.conditions());
            old.is_none_or(|old| old != left.conditions())
        };
        if is_news {
            let namespaces = Target::of::<Namespace>(&self.context.client, "");
            let patch = json!({"status": {"conditions": conditions}});
            gone_is_fine(namespaces.merge_in(name, "status", &patch).await)?;
        }
        Ok(())
    }
}

/// A condition: type, status, reason, message.
type Told = (&'static str, &'static str, &'static str, String);

/// What is in a namespace yet.
#[derive(Debug, Default)]
struct Left {
    /// By `plural.group`.
    resources: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Left {
    fn note<'a>(&mut self, kind: &Collected, finalizers: impl Iterator<Item = &'a String>) {
        let resource = format!("{}.{}", kind.resource.plural, kind.resource.group);
        *self.resources.entry(resource).or_default() += 1;
        finalizers.for_each(|finalizer| *self.finalizers.entry(finalizer.clone()).or_default() += 1);
    }

    fn is_nothing(&self) -> bool {
        self.resources.is_empty()
    }

    /// K:pkg/controller/namespace/deletion/status_condition_utils.go
    fn conditions(&self) -> Vec<Told> {
        let list = |counts: &BTreeMap<String, usize>, verb: &str| -> String {
            let texts: Vec<String> =
                counts.iter().map(|(what, n)| format!("{what} {verb} {n} resource instances")).collect();
            texts.join(", ")
        };
        let remaining = match self.resources.is_empty() {
            true => ("False", "ContentRemoved", "All content successfully removed".to_owned()),
            false => (
                "True",
                "SomeResourcesRemain",
                format!("Some resources are remaining: {}", list(&self.resources, "has")),
            ),
        };
        let held = match self.finalizers.is_empty() {
            true => ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned()),
            false => (
                "True",
                "SomeFinalizersRemain",
                format!("Some content in the namespace has finalizers remaining: {}", list(&self.finalizers, "in")),
            ),
        };
        vec![
            (
                "NamespaceDeletionDiscoveryFailure",
                "False",
                "ResourcesDiscovered",
                "All resources successfully discovered".into(),
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                "False",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed".into(),
            ),
            (
                "NamespaceDeletionContentFailure",
                "False",
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization".into(),
            ),
            ("NamespaceContentRemaining", remaining.0, remaining.1, remaining.2),
            ("NamespaceFinalizersRemaining", held.0, held.1, held.2),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_namespace_up_is_told_in_kubernetes_words() {
        let kinds = deletable_kinds();
        let of = |kind: &str| kinds.iter().find(|one| one.resource.kind == kind).unwrap();
        let mut left = Left::default();
        let texts = |left: &Left| -> Vec<String> {
            left.conditions()[3..]
                .iter()
                .map(|(what, status, reason, text)| format!("{what}={status} {reason} {text}"))
                .collect()
        };
        assert_eq!(
            texts(&left),
            [
                "NamespaceContentRemaining=False ContentRemoved All content successfully removed",
                "NamespaceFinalizersRemaining=False ContentHasNoFinalizers All content-preserving finalizers finished",
            ]
        );
        left.note(of("Pod"), [].iter());
        left.note(of("Pod"), ["batch.kubernetes.io/job-tracking".to_owned()].iter());
        left.note(of("Job"), [].iter());
        assert_eq!(
            texts(&left),
            [
                "NamespaceContentRemaining=True SomeResourcesRemain Some resources are remaining: jobs.batch has 1 resource instances, pods. has 2 resource instances",
                "NamespaceFinalizersRemaining=True SomeFinalizersRemain Some content in the namespace has finalizers remaining: batch.kubernetes.io/job-tracking in 1 resource instances",
            ]
        );
    }
}
