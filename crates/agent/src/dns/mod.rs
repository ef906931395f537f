//! The pods' DNS: names of Services and pods are answered here, all others by this machine's resolvers.
//!
//! ```text
//! pod ── question ──▶ gateway:53 ── answer(names, packet) ──▶ ours: the answer
//!                                                             others': asked, as it came
//!                                                             an ExternalName: asked for what it stands for
//! ```
//! [`names`] knows which names there are, [`answer`] speaks the protocol, both pure; [`server`] has the sockets. The pods come from the
//! watch that runs them, the Services from one of their own.

pub mod answer;
pub mod facts;
pub mod names;

mod server;
mod upstream;

pub use server::{Sockets, serve};
pub use upstream::{MAX_SERVERS, ResolvConf, machine_text};

use facts::ServiceFacts;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use names::Names;
use parking_lot::RwLock;
use std::pin::pin;
use std::sync::Arc;

/// Keeps the names of Services as they are, without end.
pub async fn follow_services(client: kube::Client, names: Arc<RwLock<Names>>) {
    let services: Api<Service> = Api::all(client);
    let mut events = pin!(watcher(services, watcher::Config::default()).backoff(crate::pod::Retry::default()));
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(service)) => listed.push(ServiceFacts::of(&service)),
            Ok(Event::InitDone) => names.write().set_services(std::mem::take(&mut listed)),
            Ok(Event::Apply(service)) => names.write().put_service(ServiceFacts::of(&service)),
            Ok(Event::Delete(service)) => names.write().remove_service(&ServiceFacts::of(&service)),
            Err(error) => tracing::warn!(%error, "the watch of Services was interrupted"),
        }
    }
}
