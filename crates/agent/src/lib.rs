//! Really runs the pods that are bound to this node. Must not know about the store and the API server's insides:
//! it sees a `kube::Client`, and only it touches the kernel.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cgroups;
pub mod images;
pub mod logs;
pub mod pod;
pub mod runtime;
pub mod supervisor;
pub mod volumes;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

/// What the agent is given.
pub struct Config {
    pub client: kube::Client,
    pub clock: Arc<dyn meta::clock::Clock>,
    pub runtime: Arc<dyn runtime::Runtime>,
    pub images: Arc<dyn pod::Images>,
    pub node_name: String,
    /// `DATA/agent`: pods/UID/…
    pub state_dir: PathBuf,
    /// `DATA/logs`: NS_POD_UID/CONTAINER/N.log
    pub log_dir: PathBuf,
    /// Pods end with this server (ephemeral).
    pub pods_die_with_server: bool,
}

/// The agent of one node.
pub struct Agent(());

impl Agent {
    pub fn new(config: Config) -> Arc<Self> {
        let _ = config;
        todo!()
    }
    /// Registers the node, recovers what an earlier server left, runs pods until `shutdown`. Pods keep running afterwards unless
    /// they die with the server: then they have been stopped and removed when this returns.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        shutdown.await
    }
    /// A container's log as plain text.
    pub async fn logs(&self, request: logs::LogRequest) -> Result<logs::LogStream, meta::status::Status> {
        let _ = request;
        todo!()
    }
}
