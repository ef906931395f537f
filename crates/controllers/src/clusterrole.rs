//! Gathers rules: a ClusterRole with an aggregationRule gets the rules of those it selects by label.

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine};
use crate::engine::cache::{Cache, Entry};
use crate::engine::expectations::Written;
use crate::engine::queue::{Next, Outcome, Queue};
use futures::future::join;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kinds::rbac::aggregate;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::sync::Arc;

/// A ClusterRole as the decision looks at it: its JSON, without managed fields.
struct RoleEntry(Value);

impl Entry for RoleEntry {}

/// Returns what runs the controller.
pub fn start(context: &Context) -> impl Future<Output = ()> + use<> {
    let client = context.client.clone();
    let roles: Cache<RoleEntry> = Cache::default();
    // Whatever changes may be selected, or no longer be, by any role that gathers: all are looked at together.
    let everything = Key { namespace: String::new(), name: "clusterroles".into() };
    let queue: Queue<Key> = Queue::default();
    let adder = queue.clone();
    roles.on_change(move |_| adder.add(everything.clone()));
    async move {
        let follow = roles.clone().run(Api::<ClusterRole>::all(client.clone()), |_, mut role| {
            role.metadata.managed_fields = None;
            RoleEntry(serde_json::to_value(role).unwrap_or_default())
        });
        let work = queue.work(|_, written| gather(client.clone(), roles.clone(), written));
        join(follow, work).await;
    }
}

async fn gather(client: Client, roles: Cache<RoleEntry>, written: Arc<Written>) -> Outcome {
    let all = roles.all();
    let target = Target::of::<ClusterRole>(&client, "").seen_by(roles.seen(), &written);
    for (key, role) in &all {
        let Some(rules) = aggregate::missing_rules(&role.0, all.iter().map(|(_, other)| &other.0)) else { continue };
        // Rules that are gathered from what is gathered follow when this write has come back.
        gone_is_fine(target.merge(&key.name, &json!({"rules": rules})).await.map(drop))?;
    }
    Ok(Next::WhenAdded)
}
