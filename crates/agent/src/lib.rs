//! Really runs the pods that are bound to this node. Must not know about the store and the API server's insides:
//! it sees a `kube::Client`, and only it touches the kernel.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod pod;

pub mod images;
pub mod logs;
pub mod volumes;

pub mod runtime;

pub mod cgroups;
pub mod dns;
pub mod network;
pub mod supervisor;
pub mod trial;
pub mod userns;

mod beneath;
mod disk;
mod events;
mod node;
mod streams;
mod trees;
mod writes;

use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What the agent is given.
pub struct Config {
    /// The API server.
    pub client: kube::Client,
    /// The wall clock.
    pub clock: Arc<dyn meta::clock::Clock>,
    /// Runs containers.
    pub runtime: Arc<dyn runtime::Runtime>,
    /// Other runtimes that it may have containers made by.
    pub handlers: runtime::Handlers,
    /// Connects pods.
    pub network: Arc<dyn network::Network>,
    /// Where pods ask for names; without, they have this machine's resolvers.
    pub dns: Option<dns::Sockets>,
    /// Where pods reach the API server, if they do.
    pub api_address: Option<SocketAddr>,
    /// Finds images.
    pub images: Arc<dyn pod::Images>,
    /// Name of the Node object.
    pub node_name: String,
    /// `DATA/agent`: pods/UID/…
    pub state_dir: PathBuf,
    /// `DATA/volumes`: a directory for each volume that was made here.
    pub volume_dir: PathBuf,
    /// `DATA/seccomp`: profiles that pods may name.
    pub seccomp_dir: PathBuf,
    /// `DATA/logs`: NS_POD_UID/CONTAINER/N.log
    pub log_dir: PathBuf,
    /// How many processes and threads a pod may have at once; as many as the machine if absent.
    pub pod_max_pids: Option<u64>,
    /// Pods end with this server (ephemeral).
    pub pods_die_with_server: bool,
}

/// The agent of one node.
pub struct Agent {
    context: Arc<pod::Context>,
    /// Taken by `run`.
    poster: Mutex<Option<events::Poster>>,
    /// Taken by `run`.
    dns: Mutex<Option<dns::Sockets>>,
}

impl Agent {
    /// Reads the machine; does nothing yet.
    pub fn new(config: Config) -> Arc<Self> {
        let (recorder, poster) = events::channel(config.client.clone(), config.node_name.clone());
        // Mounts are made of these paths, by processes with other working directories.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let context = pod::Context {
            machine: node::Machine::read(&config.state_dir),
            client: config.client,
            clock: config.clock,
            runtime: config.runtime,
            handlers: config.handlers,
            network: config.network,
            names: config.dns.as_ref().map(|sockets| Arc::new(RwLock::new(dns::names::Names::new(sockets.range())))),
            api_address: config.api_address,
            images: config.images,
            recorder,
            dial: Arc::new(pod::probes::dial::Tcp),
            node_name: config.node_name,
            state_dir: absolute(config.state_dir),
            log_dir: absolute(config.log_dir),
            volume_dir: absolute(config.volume_dir),
            seccomp_dir: absolute(config.seccomp_dir),
            pod_max_pids: config.pod_max_pids,
            pods_die_with_server: config.pods_die_with_server,
            pods_end: AtomicBool::new(config.pods_die_with_server),
            starts: Semaphore::new(pod::STARTS_AT_ONCE),
            live: Mutex::new(HashMap::new()),
        };
        Arc::new(Self { context: Arc::new(context), poster: Mutex::new(Some(poster)), dns: Mutex::new(config.dns) })
    }

    /// Registers the node, recovers what an earlier server left, runs pods until `shutdown`. Pods keep running afterwards unless
    /// they die with the server: then they have been stopped and removed when this returns.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let poster = self.poster.lock().take();
        let post_events = async {
            match poster {
                Some(poster) => poster.run().await,
                None => std::future::pending().await,
            }
        };
        let sockets = self.dns.lock().take();
        // Tasks of their own, so that no flood of questions keeps pods waiting; they end with this function.
        let mut answering = JoinSet::new();
        if let (Some(sockets), Some(names)) = (sockets, self.context.names.clone()) {
            answering.spawn(dns::follow_services(self.context.client.clone(), names.clone()));
            answering.spawn(dns::serve(sockets, names));
        }
        // None but the last ends by itself; all end with the pods.
        tokio::select! {
            // In order, not at random: simulations repeat.
            biased;
            () = keep_registered(&self.context) => {}
            () = pin!(post_events) => {}
            () = volumes::provisioner::run(self.context.clone()) => {}
            () = pod::run(self.context.clone(), shutdown) => {}
        }
    }

    /// Pods do not outlive this server after all: when `run` returns they have been stopped and removed.
    pub fn take_pods_along(&self) {
        self.context.pods_end.store(true, Ordering::Release);
    }

    /// A container's log as plain text.
    pub async fn logs(&self, request: logs::LogRequest) -> Result<logs::LogStream, meta::status::Status> {
        logs::serve(&self.context, request).await
    }

    /// Executes a program in a container of the pod. Errors are the kubelet's; a program that cannot be executed is none, but a
    /// session that has ended.
    pub async fn exec(&self, pod_uid: &str, exec: runtime::Exec) -> Result<runtime::Streams, meta::status::Status> {
        streams::exec(&self.context, pod_uid, exec).await
    }

    /// Attaches to a container of the pod.
    pub async fn attach(
        &self,
        pod_uid: &str,
        attach: runtime::Attach,
    ) -> Result<runtime::Streams, meta::status::Status> {
        streams::attach(&self.context, pod_uid, attach).await
    }

    /// Connects to a TCP port of the pod's localhost. The error says why that failed.
    pub async fn connect(&self, pod_uid: &str, port: u16) -> Result<tokio::net::TcpStream, String> {
        streams::connect(&self.context, pod_uid, port).await
    }
}

/// Registers the node and keeps its heartbeat. Until it has succeeded it tries again after 50 ms doubling to 5 s.
async fn keep_registered(context: &pod::Context) {
    let mut retry = Duration::from_millis(50);
    loop {
        let (client, name) = (&context.client, &context.node_name);
        let registered = node::register(client, name, &context.machine, &context.handlers, context.clock.now()).await;
        let wait = match registered {
            Ok(()) => {
                retry = Duration::from_millis(50);
                node::HEARTBEAT
            }
            Err(error) => {
                tracing::warn!(%error, "could not register the node");
                let wait = retry;
                retry = (retry * 2).min(Duration::from_secs(5));
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}
