//! Deletes finished Jobs once their `ttlSecondsAfterFinished` is over.

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine};
use crate::engine::queue::{Next, Outcome, Queue};
use crate::world::World;
use k8s_openapi::api::batch::v1::Job;
use kinds::job::ttl::expires_at;
use kube::Api;
use kube::api::PropagationPolicy;
use std::future::Future;
use std::time::Duration;
use tracing::info;

/// Sets the controller up (to be done before the world runs) and returns what runs it.
pub fn start(context: &Context, world: &World) -> impl Future<Output = ()> + use<> {
    let queue: Queue<Key> = Queue::default();
    let adder = queue.clone();
    world.jobs.on_change(move |change| {
        if change.new.as_deref().is_some_and(|job| job.expires_at().is_some()) {
            adder.add(change.key.clone());
        }
    });
    let (context, world) = (context.clone(), world.clone());
    async move {
        world.is_filled().await;
        queue
            .work(|key, _| {
                let (context, world) = (context.clone(), world.clone());
                async move { reconcile(&context, &world, &key).await }
            })
            .await;
    }
}

async fn reconcile(context: &Context, world: &World, key: &Key) -> Outcome {
    let Some(expires_at_last) = world.jobs.get(key).and_then(|job| job.expires_at()) else {
        return Ok(Next::WhenAdded);
    };
    let wait = |until: jiff::Timestamp| Duration::try_from(until.duration_since(context.clock.now())).ok();
    if let Some(wait) = wait(expires_at_last).filter(|wait| !wait.is_zero()) {
        return Ok(Next::After(wait));
    }
    // The cache may lag behind a change of the field: a Job is deleted by what the server says of it now.
    let job = Api::<Job>::namespaced(context.client.clone(), &key.namespace).get_opt(&key.name).await?;
    let Some(expires_at) = job.as_ref().and_then(expires_at) else {
        return Ok(Next::WhenAdded);
    };
    if let Some(wait) = wait(expires_at).filter(|wait| !wait.is_zero()) {
        return Ok(Next::After(wait));
    }
    let uid = job.and_then(|job| job.metadata.uid).unwrap_or_default();
    let jobs = Target::of::<Job>(&context.client, &key.namespace);
    gone_is_fine(jobs.delete(&key.name, &uid, PropagationPolicy::Foreground).await)?;
    info!(job = %key, "deleted after its time to live");
    Ok(Next::WhenAdded)
}
