//! What the pod worker asks of a container runtime. The built-in one talks to supervisors; sim has a fake.

pub mod builtin;
pub mod fake;
mod handlers;
mod streams;

pub use handlers::Handlers;
pub use streams::{Attach, Exec, Reader, Resize, Stdin, Streams, Writer};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// A pod's shared namespaces and its place on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The pod's uid, by which directories and cgroups are named.
    pub pod_uid: String,
    /// The pod's namespace, for messages.
    pub namespace: String,
    /// The pod's name, for messages.
    pub pod_name: String,
    /// What the containers' `hostname` says.
    pub hostname: String,
    /// Use the host's network namespace.
    pub host_network: bool,
    /// Its address in the network namespace that it is given, if it is given one.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// `STATE_DIR/pods/UID`: sockets, exit records, root file systems, volumes.
    pub dir: PathBuf,
    /// tmpfs mounts the supervisor makes in its own mount namespace (secret volumes, emptyDir medium Memory).
    pub tmpfs: Vec<Tmpfs>,
    /// The OCI runtime whose containers it has, if not those of the built-in one.
    #[serde(default)]
    pub runtime: Option<PathBuf>,
    /// Limits on the pod as a whole, summed from its containers.
    pub resources: Resources,
    /// Containers are killed and everything is removed when the server that started them is gone (ephemeral servers).
    pub dies_with_server: bool,
}

/// See `Sandbox::tmpfs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Where on the host; made if missing.
    pub path: PathBuf,
    /// Half of the memory if absent.
    pub size_bytes: Option<u64>,
    /// Permissions of its root directory.
    pub mode: u32,
}

/// cgroup settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// cpu request in thousandths of a core.
    pub cpu_request_milli: Option<u64>,
    /// cpu limit in thousandths of a core; quota over 100 ms.
    pub cpu_limit_milli: Option<u64>,
    /// Memory, page cache included; a container that needs more is killed.
    pub memory_limit_bytes: Option<u64>,
    /// Processes and threads.
    pub pids_limit: Option<u64>,
}

/// What the container's root file system is made of. Always a fresh writable overlay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rootfs {
    /// Unpacked layers, topmost first.
    pub lower: Vec<PathBuf>,
    /// Further overlays mounted inside the root (kiln/host: `/usr`, `/etc`, `/opt` of this machine): (host directory, path inside).
    pub overlays: Vec<(PathBuf, PathBuf)>,
    /// Paths inside the root that are hidden (files by /dev/null, directories by an empty read-only tmpfs); absent ones are skipped.
    pub masked: Vec<PathBuf>,
}

/// One run of one container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// 0 for the first run, then 1, 2, … : the restart count.
    pub attempt: u32,
    /// What its root file system is made of.
    pub rootfs: Rootfs,
    /// OCI runtime spec: process, mounts, linux.{resources,maskedPaths,readonlyPaths,seccomp…}. `root.path` and the
    /// namespaces' paths are filled in by the supervisor.
    pub spec: oci_spec::runtime::Spec,
    /// Limits on this container alone.
    pub resources: Resources,
    /// CRI log file to append to; its directory exists.
    pub log_path: PathBuf,
    /// Host file bound to the container's terminationMessagePath, if any.
    pub termination_message: Option<PathBuf>,
    /// SIGTERM unless the image says otherwise.
    pub stop_signal: i32,
    /// What its process reads. A terminal is asked for in the spec.
    #[serde(default)]
    pub stdin: Stdin,
}

/// Where a container's run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RunState {
    /// Its program was executed and has not ended.
    Running {
        /// On the host.
        pid: u32,
        /// When its program was executed.
        started_at: Timestamp,
    },
    /// It has ended.
    Exited {
        /// As the program says, or 128 and the signal that killed it.
        exit_code: i32,
        /// killed by the kernel for its memory limit
        oom_killed: bool,
        /// When its program was executed.
        started_at: Timestamp,
        /// When its end was noticed, which is at once.
        finished_at: Timestamp,
    },
    /// The supervisor died before it could record how the run ended.
    Lost,
}

/// The newest run of a container, as the supervisor knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The container's name.
    pub container: String,
    /// See [`Container::attempt`].
    pub attempt: u32,
    /// Where it stands.
    pub state: RunState,
}

/// Errors of the runtime; the text reaches the pod's status and events.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The sandbox could not be made (FailedCreatePodSandBox).
    #[error("failed to create pod sandbox: {0}")]
    Sandbox(String),
    /// The container's process could not be started: the command does not exist (127) or cannot be executed (126).
    #[error("{message}")]
    Start {
        /// Which program, and why not.
        message: String,
        /// 127 or 126.
        exit_code: i32,
    },
    /// The root file system or a mount could not be made (CreateContainerError).
    #[error("{0}")]
    Create(String),
    /// The supervisor is gone.
    #[error("supervisor of pod {0} is gone")]
    Gone(String),
    /// There is nothing to execute in or to attach to. The text is the kubelet's.
    #[error("container not found (\"{0}\")")]
    NotRunning(String),
}

/// See [`PodSandbox::sockets`].
#[derive(Debug)]
pub struct Sockets {
    /// `AF_INET`.
    pub ipv4: OwnedFd,
    /// `AF_INET6`.
    pub ipv6: Option<OwnedFd>,
}

/// A container runtime.
#[async_trait::async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Starts a pod's supervisor and its namespaces, but for the one of the network if that is given. Idempotent per uid.
    async fn create(&self, sandbox: Sandbox, network: Option<OwnedFd>) -> Result<Arc<dyn PodSandbox>, RuntimeError>;
    /// Sandboxes that an earlier server left: reconnected, or as `Lost` runs and exit records on disk.
    async fn recover(&self) -> Vec<Arc<dyn PodSandbox>>;
    /// The sandbox of a pod, while it has one.
    fn find(&self, pod_uid: &str) -> Option<Arc<dyn PodSandbox>>;
}

/// One pod's supervisor.
#[async_trait::async_trait]
pub trait PodSandbox: Send + Sync + 'static {
    /// What it was made from.
    fn sandbox(&self) -> &Sandbox;
    /// Prefix under which the host sees the supervisor's mount namespace (`/proc/PID/root`): volumes on its tmpfs are written through it.
    fn root(&self) -> PathBuf;
    /// Starts one run; returns when the program has been executed (its execve succeeded).
    async fn start(&self, container: Container) -> Result<Timestamp, RuntimeError>;
    /// Sends the stop signal and, after `grace_seconds` (0: at once), kills. Returns at once; the timer lives in the supervisor.
    async fn stop(&self, container: &str, grace_seconds: u64) -> Result<(), RuntimeError>;
    /// The newest run of every container.
    async fn runs(&self) -> Vec<Run>;
    /// How an earlier run of a container ended, as far as it is recorded.
    async fn ended(&self, container: &str, attempt: u32) -> Option<Run>;
    /// Waits until `runs()` may differ from what it last returned.
    async fn changed(&self);
    /// Executes a further program in a container that runs; returns when its execve has succeeded. It ends with its container, with
    /// this server, and when the streams are dropped.
    async fn exec(&self, exec: Exec) -> Result<Streams, RuntimeError>;
    /// Attaches to a container that runs.
    async fn attach(&self, attach: Attach) -> Result<Streams, RuntimeError>;
    /// Two unconnected TCP sockets of the pod's network namespace: IPv4 and, where the machine has it, IPv6.
    async fn sockets(&self) -> Result<Sockets, RuntimeError>;
    /// Kills what still runs, waits for it, undoes every mount, cgroup and namespace, ends the supervisor. The directory stays for
    /// the caller. Idempotent.
    async fn remove(&self) -> Result<(), RuntimeError>;
}
