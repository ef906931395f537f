//! Wires one machine: store, API server, controllers and agent in one process.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::images::collect::{self, Thresholds};
use agent::images::supply::Supply;
use agent::runtime::Handlers;
use apiserver::auth::{Pki, TokenKeys, Trust, User};
use apiserver::{ApiServer, Config, Limits, Sealer};
use meta::clock::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::machine::{self, SystemClock, SystemEntropy};
use crate::network::PodNetwork;
use crate::node::LateNode;
use crate::output::Problem;

/// Name of the admin kubeconfig in the data directory, there while the server answers.
pub const ADMIN_KUBECONFIG: &str = "admin.kubeconfig";

/// `gitVersion` of `/version`.
pub const VERSION: &str = concat!("v1.36.2+kiln.", env!("CARGO_PKG_VERSION"));

/// How a server runs.
pub struct Options {
    /// Everything this server keeps.
    pub data_dir: PathBuf,
    /// Images; their directory is shared with other servers and `kiln image`.
    pub images: Supply,
    /// What other runtimes containers may be made by.
    pub handlers: Handlers,
    /// How full images may make the disk; `None` leaves that to another server.
    pub room: Option<Thresholds>,
    /// Address of the HTTPS listener; `None` serves only this process.
    pub listen: Option<SocketAddr>,
    /// How many processes and threads a pod may have; `None`: as many as the machine.
    pub pod_max_pids: Option<u64>,
    /// Pods end with this process, however it ends.
    pub ephemeral: bool,
}

/// Enough for any batch program, and few enough that one that forks without end leaves the machine to the others.
pub const POD_MAX_PIDS: i64 = 4096;

/// One running machine.
pub struct Server {
    client: kube::Client,
    store: store::Store,
    listener: Option<Listener>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    network: PodNetwork,
    agent: Arc<agent::Agent>,
}

struct Listener {
    url: String,
    kubeconfig: String,
}

/// Where the server will listen, and as whom. Who connects early waits.
struct Socket {
    listener: TcpListener,
    address: SocketAddr,
    /// On the pods' network, and where they find it.
    for_pods: Option<TcpListener>,
    address_for_pods: Option<SocketAddr>,
    pki: Pki,
}

impl Socket {
    async fn open(
        listener: TcpListener,
        network: &PodNetwork,
        data_dir: &Path,
        now: jiff::Timestamp,
    ) -> Result<Self, Problem> {
        let address = listener.local_addr().map_err(pki_problem)?;
        let (address_for_pods, for_pods) = network.listen(address, data_dir).await.unzip();
        // The first four names are those of the Service default/kubernetes.
        let service = "kubernetes.default.svc";
        let in_cluster = "kubernetes.default.svc.cluster.local";
        let names = ["kubernetes", "kubernetes.default", service, in_cluster, "localhost"];
        let names: Vec<String> = names.map(str::to_owned).into_iter().chain([machine::node_name()]).collect();
        let addresses: Vec<IpAddr> =
            [address.ip(), [127, 0, 0, 1].into()].into_iter().chain(address_for_pods.map(|pods| pods.ip())).collect();
        let pki = Pki::load_or_create(data_dir, &addresses, &names, now).map_err(pki_problem)?;
        Ok(Self { listener, address, for_pods: for_pods.flatten(), address_for_pods, pki })
    }
}

fn pki_problem(error: std::io::Error) -> Problem {
    Problem::internal("failed to prepare the certificates").because(error)
}

impl Server {
    /// Starts everything; on return the API answers and pods run.
    pub async fn start(options: Options) -> Result<Self, Problem> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = open_store(&options)?;
        let shutdown = CancellationToken::new();
        let node = Arc::new(LateNode::default());
        // Before anything is made that would be left behind: an address that is taken is the usual failure.
        let listener = match options.listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let network = PodNetwork::set_up(&options.data_dir.join("agent")).await;
        let (socket, trust) = match listener {
            None => (None, None),
            Some(listener) => {
                let socket = Socket::open(listener, &network, &options.data_dir, clock.now()).await?;
                let tokens = TokenKeys::load_or_create(&options.data_dir).map_err(pki_problem)?;
                let root_ca = socket.pki.ca_pem().to_owned();
                (Some(socket), Some(Trust { tokens, root_ca }))
            }
        };
        let root_ca = trust.as_ref().map(|trust| trust.root_ca.as_str().into());
        let api = ApiServer::new(Config {
            store: store.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            node: node.clone(),
            version: VERSION.into(),
            trust,
        });
        api.bootstrap()
            .await
            .map_err(|status| Problem::internal("failed to make the first objects").because(status))?;
        let client = |component: &str| kube::Client::new(api.client_service(User::component(component)), "default");

        let runtime = agent::runtime::builtin::BuiltIn::new(options.data_dir.join("agent"));
        let runtime =
            runtime.map_err(|error| Problem::internal("failed to prepare the container runtime").because(error))?;
        let images = Arc::new(options.images);
        let agent = agent::Agent::new(agent::Config {
            client: client("agent"),
            clock: clock.clone(),
            runtime: Arc::new(runtime),
            handlers: options.handlers,
            network: network.network(),
            dns: network.open_dns().await,
            api_address: socket.as_ref().and_then(|socket| socket.address_for_pods),
            images: images.clone(),
            node_name: machine::node_name(),
            state_dir: options.data_dir.join("agent"),
            log_dir: options.data_dir.join("logs"),
            volume_dir: options.data_dir.join("volumes"),
            seccomp_dir: options.data_dir.join("seccomp"),
            pod_max_pids: options.pod_max_pids,
            pods_die_with_server: options.ephemeral,
        });
        node.0.set(agent.clone()).unwrap_or_else(|_| unreachable!("the node is wired once"));

        let mut tasks = Vec::new();
        let listener = match socket {
            None => None,
            Some(Socket { listener, address, for_pods, pki, address_for_pods: _ }) => {
                let tls = pki.server_tls().map_err(pki_problem)?;
                let url = format!("https://{}", reachable(address));
                // Half of the files are for clients; the rest for pods, logs and the store.
                let most = machine::raise_open_files() / 2;
                let limits = Limits { connections: most.min(Limits::default().connections), ..Limits::default() };
                for listener in std::iter::once(listener).chain(for_pods) {
                    let (api, end) = (api.clone(), shutdown.clone().cancelled_owned());
                    let serving = api.serve_within(limits.clone(), listener, tls.clone(), end);
                    tasks.push(tokio::spawn(async move {
                        if let Err(error) = serving.await {
                            tracing::error!(%error, "the API listener failed");
                        }
                    }));
                }
                Some(Listener { kubeconfig: pki.admin_kubeconfig(&url), url })
            }
        };
        let metrics = controllers::metrics::Metrics::default();
        api.metrics().register(|registry| metrics.register(registry));
        let context = controllers::Context {
            client: client("controllers"),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            root_ca,
            metrics,
        };
        tasks.push(tokio::spawn(controllers::run(context, shutdown.clone().cancelled_owned())));
        tasks.push(tokio::spawn(agent.clone().run(shutdown.clone().cancelled_owned())));
        if let Some(thresholds) = options.room {
            let (store, shutdown) = (images.store().clone(), shutdown.clone());
            tasks.push(tokio::spawn(async move {
                let keep_room = collect::keep_room(store, thresholds, clock);
                let _ = shutdown.run_until_cancelled(keep_room).await;
            }));
        }
        api.set_ready();
        Ok(Self { client: client("admin"), store, listener, shutdown, tasks, network, agent })
    }

    /// A client of this server, as its administrator, without a socket.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Where it listens, if it does: `https://127.0.0.1:6443`.
    pub fn url(&self) -> Option<&str> {
        self.listener.as_ref().map(|listener| listener.url.as_str())
    }

    /// The admin kubeconfig, if it listens.
    pub fn admin_kubeconfig(&self) -> Option<&str> {
        self.listener.as_ref().map(|listener| listener.kubeconfig.as_str())
    }

    /// Ends everything in order, and every pod with it.
    pub async fn stop_with_pods(self) {
        self.agent.take_pods_along();
        self.stop().await;
    }

    /// Ends everything in order. Pods of an ephemeral server are gone when this returns; others keep running.
    pub async fn stop(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
        self.network.close().await;
        self.store.close().await;
    }
}

fn open_store(options: &Options) -> Result<store::Store, Problem> {
    let sealer = |dir: &Path| Sealer::load_or_create(dir).map(|sealer| Arc::new(sealer) as Arc<dyn store::Envelope>);
    store::Store::open_sealed(&options.data_dir, store::Options::default(), sealer).map_err(|error| {
        let in_use = matches!(error, store::OpenError::InUse { .. });
        let problem = Problem::internal(error.to_string());
        problem.remedy(if in_use {
            "stop that server first, or give this one another --data-dir"
        } else {
            "give a directory that exists or can be made, and can be written: --data-dir DIR"
        })
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Problem> {
    TcpListener::bind(address).await.map_err(|error| {
        Problem::internal(format!("failed to listen on {address}"))
            .because(error)
            .remedy("choose another address with --listen, or port 0 for any free one")
    })
}

/// An address a client on this machine can dial.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let loopback: std::net::IpAddr =
        if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(loopback, address.port())
}
