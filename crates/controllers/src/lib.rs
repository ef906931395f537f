//! Thin shells that obey the decisions in `kinds`. Must not know about the store and the API server: they see only a
//! `kube::Client`.
//!
//! ```text
//!            ┌─▶ job        makes, counts and deletes pods
//! world ─────┼─▶ scheduler  binds pods to the node
//! (caches)   ├─▶ node       taints nodes, and makes pods leave tainted ones
//!            ├─▶ ttl        deletes finished Jobs whose time is over
//!            ├─▶ podgc      clears away pods that nobody else does
//!            ├─▶ quota      counts what namespaces use
//!            ├─▶ gc         deletes what lost its owner
//!            ├─▶ namespace  empties namespaces that go
//!            ├─▶ clusterrole  fills roles that are made of others
//!            ├─▶ furnish    puts back what every namespace has
//!            ├─▶ token_secrets  fills in Secrets that are to hold a token
//!            └─▶ volumes    binds claims, releases volumes, makes the claims of ephemeral volumes
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clusterrole;
mod cronjob;
mod engine;
pub mod events;
mod furnish;
mod gc;
mod job;
pub mod metrics;
mod namespace;
mod node;
mod podgc;
mod quota;
mod scheduler;
mod token_secrets;
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
    /// Tells what is stamped into objects, and the zone of schedules that name none; timers are tokio's.
    pub clock: Arc<dyn meta::clock::Clock>,
    /// For names that are made here.
    pub entropy: Arc<dyn meta::clock::Entropy>,
    /// The CA's certificate that clients in pods are to know the API server by; `None` where none could reach it.
    pub root_ca: Option<Arc<str>>,
    /// What is counted.
    pub metrics: metrics::Metrics,
}

/// Runs every controller until `shutdown`.
pub fn run(context: Context, shutdown: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send {
    let world = world::World::default();
    let (recorder, telling) = events::Recorder::new(context.client.clone(), context.clock.clone());
    // Each asks the world to tell it of changes before the world begins to change.
    // In boxes: together they are more than a small stack takes.
    let jobs = Box::pin(job::start(&context, &world, &recorder));
    let cronjobs = Box::pin(cronjob::start(&context, &world, &recorder));
    let scheduler = Box::pin(scheduler::start(&context, &world, &recorder));
    let ttl = Box::pin(ttl::start(&context, &world));
    let nodes = Box::pin(node::start(&context, &world, &recorder));
    let podgc = Box::pin(podgc::start(&context, &world));
    let (quotas, gone) = quota::start(&context, &world);
    let quotas = Box::pin(quotas);
    let gc = Box::pin(gc::start(&context, move |kind, namespace| gone.tell(&kind.resource, namespace)));
    let namespaces = Box::pin(namespace::start(&context));
    let furniture = Box::pin(furnish::start(&context));
    let tokens = Box::pin(token_secrets::start(&context));
    let volumes = Box::pin(volumes::start(&context, &world, &recorder));
    let roles = Box::pin(clusterrole::start(&context));
    let client = context.client.clone();
    let controllers = async move {
        let clearing = futures::future::join4(ttl, gc, podgc, namespaces);
        let accounts = futures::future::join3(furniture, tokens, roles);
        tokio::join!(jobs, cronjobs, scheduler, nodes, quotas, clearing, volumes, accounts)
    };
    let everything = async move { tokio::join!(world.run(client), controllers, telling) };
    async move {
        tokio::select! {
            _ = everything => {}
            () = shutdown => {}
        }
    }
}
