//! The pods' network as this server has it, and the address at which pods reach the API on it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use agent::dns::Sockets;
use agent::network::{Bridge, Host, Network};
use tokio::net::TcpListener;

use crate::machine::SystemEntropy;
use crate::rootless;

/// In the data directory: the port at which pods find the API. Pods outlive their server, and know only this one.
const PORT: &str = "pods.port";

/// A bridge, or the machine's own network for want of one.
pub struct PodNetwork {
    bridge: Result<Arc<Bridge>, String>,
}

impl PodNetwork {
    /// Puts the bridge up. Without one there is a warning, and pods share the machine's network.
    pub async fn set_up(state_dir: &Path) -> Self {
        if agent::userns::has_entered() {
            return Self { bridge: Err(rootless::NO_BRIDGE.into()) };
        }
        let dir = state_dir.to_owned();
        let bridge = tokio::task::spawn_blocking(move || Bridge::set_up(&dir)).await;
        let bridge = bridge.unwrap_or_else(|failure| Err(std::io::Error::other(failure)));
        if let Err(error) = &bridge {
            tracing::warn!(%error, "no bridge for pods: they share this machine's network");
        }
        Self { bridge: bridge.map(Arc::new).map_err(|error| format!("no bridge could be made: {error}")) }
    }

    /// What connects pods.
    pub fn network(&self) -> Arc<dyn Network> {
        match &self.bridge {
            Ok(bridge) => bridge.clone(),
            Err(why) => Arc::new(Host(why.clone())),
        }
    }

    /// The machine's address among the pods.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        self.bridge.as_ref().ok().map(|bridge| bridge.range().gateway())
    }

    /// Where pods ask for names. If something else answers there, they have this machine's resolvers, as without a bridge.
    pub async fn open_dns(&self) -> Option<Sockets> {
        let range = self.bridge.as_ref().ok()?.range();
        let opened = Sockets::open(range, Arc::new(SystemEntropy)).await;
        let tell = |error| {
            let gateway = range.gateway();
            tracing::warn!(%error, "port 53 of {gateway} cannot be had: pods find no Services by their names");
        };
        opened.map_err(tell).ok()
    }

    /// Where pods find the API of a server that listens at `main`, and what listens there unless that is `main` itself.
    pub async fn listen(&self, main: SocketAddr, data_dir: &Path) -> Option<(SocketAddr, Option<TcpListener>)> {
        let Some(gateway) = self.gateway() else {
            return Some((main, None));
        };
        if main.ip().is_unspecified() {
            return Some(((gateway, main.port()).into(), None));
        }
        let known = std::fs::read_to_string(data_dir.join(PORT)).ok();
        let known = known.and_then(|text| text.trim().parse::<u16>().ok());
        for port in known.into_iter().chain([main.port(), 0]) {
            let Ok(listener) = TcpListener::bind((IpAddr::V4(gateway), port)).await else { continue };
            let address = listener.local_addr().ok()?;
            if let Err(error) = std::fs::write(data_dir.join(PORT), address.port().to_string()) {
                tracing::warn!(%error, "pods may not find the API again after a restart");
            }
            return Some((address, Some(listener)));
        }
        tracing::warn!(%gateway, "cannot listen on the pods' network: they do not reach the API");
        None
    }

    /// Takes the bridge down, unless pods are connected to it.
    pub async fn close(self) {
        if let Ok(bridge) = self.bridge {
            let _ = tokio::task::spawn_blocking(move || bridge.close()).await;
        }
    }
}
