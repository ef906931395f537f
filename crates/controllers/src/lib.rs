//! Thin shells that obey the decisions in `kinds`. Must not know about the store and the API server: they see only a
//! `kube::Client`.
//!
//! ```text
//!            ┌─▶ job        makes, counts and deletes pods
//! world ─────┼─▶ scheduler  binds pods to the node
//! (caches)   ├─▶ node       taints nodes, and makes pods leave tainted ones
//!            ├─▶ podgc      clears away pods that nobody else does
//!            ├─▶ quota      counts what namespaces use
//!            ├─▶ gc         deletes what lost its owner
//!            ├─▶ namespace  empties namespaces that go
//!            └─▶ volumes    binds claims, releases volumes, makes the claims of ephemeral volumes
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clusterrole;
mod engine;
pub mod events;
mod gc;
mod job;
mod namespace;
mod node;
mod podgc;
mod quota;
mod scheduler;
mod ttl;
mod volumes;
mod world;

use std::future::Future;
use std::sync::Arc;

/// What every controller is given.
#[derive(Clone)]
pub struct Context {
    /// The only way to the world.
    pub client: kube::Client,
    /// Tells what is stamped into objects; timers are tokio's.
    pub clock: Arc<dyn meta::clock::Clock>,
    /// For names that are made here.
    pub entropy: Arc<dyn meta::clock::Entropy>,
}

/// Runs every controller until `shutdown`.
pub fn run(context: Context, shutdown: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send {
    let world = world::World::default();
    let (recorder, telling) = events::Recorder::new(context.client.clone(), context.clock.clone());
    // Each asks the world to tell it of changes before the world begins to change.
    let jobs = job::start(&context, &world, &recorder);
    let scheduler = scheduler::start(&context, &world, &recorder);
    let ttl = ttl::start(&context, &world);
    let nodes = node::start(&context, &world, &recorder);
    let podgc = podgc::start(&context, &world);
    let (quotas, gone) = quota::start(&context, &world);
    let gc = gc::start(&context, move |kind, namespace| gone.tell(&kind.resource, namespace));
    let namespaces = namespace::start(&context);
    let volumes = volumes::start(&context, &world, &recorder);
    let roles = clusterrole::start(&context);
    let client = context.client.clone();
    let controllers = async move {
        let clearing = futures::future::join4(ttl, gc, podgc, namespaces);
        tokio::join!(jobs, scheduler, nodes, quotas, clearing, volumes, roles)
    };
    let everything = async move { tokio::join!(world.run(client), controllers, telling) };
    async move {
        tokio::select! {
            _ = everything => {}
            () = shutdown => {}
        }
    }
}
