//! The pods' network: a bridge of this server's own, to which each pod's namespace is connected.
//!
//! ```text
//! [ pod: eth0 10.x.y.2 ]──┐
//! [ pod: eth0 10.x.y.3 ]──┴─[ bridge kiln-INSTANCE 10.x.y.1 = the machine ]── masquerade ──▶ beyond
//! ```
//! Bridge, range and rule carry the server's instance, so that several servers on one machine do not meet. Must not know what pods
//! are: a uid and an address are all there is.

mod links;
mod nat;
mod plan;

pub use plan::Range;

use crate::cgroups;
use parking_lot::Mutex;
use plan::Addresses;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

/// In the state directory: what the next server on it must know.
const RECORD: &str = "network.json";
const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// What a pod gets.
#[derive(Debug)]
pub enum Connected {
    /// A network namespace with this address.
    Bridged {
        /// On the bridge.
        address: Ipv4Addr,
        /// Goes when nobody holds it open any more.
        namespace: OwnedFd,
    },
    /// One of its own that leads nowhere.
    Alone,
    /// The host's, for want of anything better: why.
    Host(String),
}

/// Connects pods. Simulations have one that does not.
#[async_trait::async_trait]
pub trait Network: Send + Sync + 'static {
    /// A network for a pod. The error is for its FailedCreatePodSandBox.
    async fn connect(&self, pod_uid: &str) -> Result<Connected, String>;
    /// A pod that an earlier server connected has this address.
    fn keep(&self, pod_uid: &str, address: Ipv4Addr);
    /// The pod is gone, and its namespace with it.
    fn release(&self, pod_uid: &str);
    /// This machine's address among pods that have their own.
    fn gateway(&self) -> Option<Ipv4Addr> {
        None
    }
}

/// Pods are alone.
#[derive(Debug, Clone, Copy)]
pub struct Alone;

#[async_trait::async_trait]
impl Network for Alone {
    async fn connect(&self, _: &str) -> Result<Connected, String> {
        Ok(Connected::Alone)
    }
    fn keep(&self, _: &str, _: Ipv4Addr) {}
    fn release(&self, _: &str) {}
}

/// Pods share the machine's network; the text says why.
#[derive(Debug, Clone)]
pub struct Host(pub String);

#[async_trait::async_trait]
impl Network for Host {
    async fn connect(&self, _: &str) -> Result<Connected, String> {
        Ok(Connected::Host(self.0.clone()))
    }
    fn keep(&self, _: &str, _: Ipv4Addr) {}
    fn release(&self, _: &str) {}
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    range: Range,
}

/// A server's bridge.
pub struct Bridge {
    name: String,
    index: u32,
    range: Range,
    addresses: Arc<Mutex<Addresses>>,
}

impl Bridge {
    /// Puts up the bridge of the server with this state directory, or finds it as an earlier one left it. Blocking. Needs CAP_NET_ADMIN.
    pub fn set_up(state_dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(state_dir)?;
        let state_dir = &state_dir.canonicalize()?;
        let name = cgroups::instance(state_dir);
        sweep();
        let taken = links::taken(&name)?;
        let known = fs::read(state_dir.join(RECORD)).ok();
        let known = known.and_then(|text| serde_json::from_slice::<Record>(&text).ok()).map(|record| record.range);
        // Pods of an earlier server may have addresses of it.
        let is_up = !links::named(&name)?.is_empty();
        let usable = known.filter(|range| is_up || !taken.iter().any(|other| other.meets(*range)));
        let range = match usable {
            Some(range) => range,
            None => plan::choose(&name, &taken)
                .ok_or_else(|| io::Error::other("no range of addresses in 10.192.0.0/10 is free on this machine"))?,
        };
        fs::write(state_dir.join(RECORD), serde_json::to_vec(&Record { range })?)?;
        let index = links::bridge(&name, range, &state_dir.to_string_lossy())?;
        let bridge = Self { name, index, range, addresses: Arc::new(Mutex::new(Addresses::new(range))) };
        if let Err(error) = bridge.open_the_way_out() {
            tracing::warn!(%error, "pods do not reach beyond this machine");
        }
        Ok(bridge)
    }

    fn open_the_way_out(&self) -> io::Result<()> {
        if fs::read_to_string(FORWARDING)?.trim() == "0" {
            fs::write(FORWARDING, "1")?;
        }
        nat::masquerade(&self.name, self.range)
    }

    /// The addresses that pods have; at its gateway they reach the machine.
    pub fn range(&self) -> Range {
        self.range
    }

    /// Takes the bridge down, unless pods are connected. For the end of a server.
    pub fn close(&self) {
        if self.addresses.lock().is_empty()
            && let Err(error) = remove(&self.name)
        {
            tracing::warn!(%error, bridge = self.name, "failed to remove the pods' network");
        }
    }
}

/// Removes the bridges of servers whose directory is gone: ephemeral ones that were killed.
fn sweep() {
    for (name, whose) in links::named("kiln-").unwrap_or_default() {
        let is_stale = whose.is_some_and(|dir| !Path::new(&dir).exists());
        if is_stale && let Err(error) = remove(&name) {
            tracing::warn!(%error, bridge = name, "failed to remove what a server has left behind");
        }
    }
}

/// Puts up all that a server and a pod need of the kernel. The thread's own network namespace must be one to throw away, and the
/// thread ends with it.
pub(crate) fn try_bridge() -> io::Result<()> {
    let name = "kiln-doctor";
    let range = plan::choose(name, &[]).ok_or_else(|| io::Error::other("no range of addresses is free"))?;
    let bridge = links::bridge(name, range, "")?;
    nat::masquerade(name, range)?;
    let address = Addresses::new(range).take("pod").ok_or_else(|| io::Error::other("no address is free"))?;
    links::connected_namespace(&links::Wanted { bridge, host_end: host_end(name, address), address, range }).map(drop)
}

/// Removes what a server of this instance has put up.
pub fn remove(instance: &str) -> io::Result<()> {
    links::remove(instance)?;
    nat::remove(instance)
}

/// The end of a pod's interface that is on the host: named after instance and address.
fn host_end(bridge: &str, address: Ipv4Addr) -> String {
    let instance: String = bridge.trim_start_matches("kiln-").chars().take(8).collect();
    let [.., third, fourth] = address.octets();
    format!("k{instance}{third:02x}{fourth:02x}")
}

#[async_trait::async_trait]
impl Network for Bridge {
    async fn connect(&self, pod_uid: &str) -> Result<Connected, String> {
        let address = self.addresses.lock().take(pod_uid);
        let address = address.ok_or_else(|| format!("all addresses of {} are taken", self.range))?;
        let wanted =
            links::Wanted { bridge: self.index, host_end: host_end(&self.name, address), address, range: self.range };
        let (send, made) = tokio::sync::oneshot::channel();
        // A thread of its own: it does not come back from the pod's namespace.
        let begun = std::thread::Builder::new().name("pod-network".into()).spawn(move || {
            let _ = send.send(links::connected_namespace(&wanted));
        });
        let made = match begun {
            Ok(_) => made.await.unwrap_or_else(|_| Err(io::Error::other("the thread that makes it has died"))),
            Err(error) => Err(error),
        };
        match made {
            Ok(namespace) => Ok(Connected::Bridged { address, namespace }),
            Err(error) => {
                self.release(pod_uid);
                Err(format!("failed to connect the pod to the network: {error}"))
            }
        }
    }

    fn keep(&self, pod_uid: &str, address: Ipv4Addr) {
        self.addresses.lock().keep(pod_uid, address);
    }

    fn release(&self, pod_uid: &str) {
        self.addresses.lock().release(pod_uid);
    }

    fn gateway(&self) -> Option<Ipv4Addr> {
        Some(self.range.gateway())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_limit_of_15_characters_is_kept() {
        let name = host_end("kiln-0123456789", [10, 200, 1, 255].into());
        assert_eq!(name, "k0123456701ff");
        assert!(cgroups::instance(Path::new("/x")).len() <= 15);
    }
}
