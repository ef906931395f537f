//! How the API server reaches the agent for what is not an object: logs, programs in containers, ports of pods.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use meta::status::Status;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// One of a container's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// Query of `pods/NAME/log`, already checked.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    /// The pod's namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid: a namesake of yesterday has other logs.
    pub pod_uid: String,
    /// A container of the pod's spec.
    pub container: String,
    /// Go on until the container ends.
    pub follow: bool,
    /// Of the run before the last restart.
    pub previous: bool,
    /// Each line begins with its instant.
    pub timestamps: bool,
    /// Only the last lines; all when `None`.
    pub tail_lines: Option<u64>,
    /// Only this output; both when `None`.
    pub output: Option<Output>,
    /// Not more than this.
    pub limit_bytes: Option<u64>,
    /// Only lines at or after this instant (from sinceSeconds or sinceTime).
    pub since: Option<jiff::Timestamp>,
}

/// A container of a pod, in requests that were checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The pod's namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub pod_uid: String,
    /// A container of the pod's spec.
    pub container: String,
}

/// Which streams a client wants; at least one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// To send input.
    pub stdin: bool,
    /// To receive output.
    pub stdout: bool,
    /// To receive output; never together with `tty`.
    pub stderr: bool,
    /// A terminal.
    pub tty: bool,
}

/// Query of `pods/NAME/exec`, already checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// Where.
    pub target: Target,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Its streams.
    pub wanted: Wanted,
}

/// Query of `pods/NAME/attach`, already checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachRequest {
    /// To what.
    pub target: Target,
    /// Which of its streams. Whether there is a terminal is the container's affair.
    pub wanted: Wanted,
}

/// Takes what a program reads.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;
/// Gives what a program writes.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Sets a terminal's size: columns, rows.
pub type Resize = Arc<dyn Fn(u16, u16) + Send + Sync>;

/// A program's streams. Dropping all of it ends what `exec` started, and leaves alone what one was attached to.
pub struct Session {
    /// Dropping it ends the program's input.
    pub stdin: Option<Writer>,
    /// A terminal's only output.
    pub stdout: Option<Reader>,
    /// Apart from stdout.
    pub stderr: Option<Reader>,
    /// There if there is a terminal.
    pub resize: Option<Resize>,
    /// The session is over when the client's input is: what it is attached to goes on reading.
    pub ends_with_input: bool,
    /// The exit code; or why there is none, in the kubelet's words.
    pub end: BoxFuture<'static, Result<i32, String>>,
}

/// A connection to a port in a pod.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// The agent, seen from the API server.
#[async_trait::async_trait]
pub trait NodeConnection: Send + Sync + 'static {
    /// The log as plain text. Errors are Status objects with the kubelet's texts.
    async fn logs(&self, request: LogRequest) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Status>;
    /// Executes a program in a container. An error means that there is no such container running; a program that cannot be
    /// executed is a session that has ended with why.
    async fn exec(&self, request: ExecRequest) -> Result<Session, Status>;
    /// Attaches to a container; errors as with `exec`.
    async fn attach(&self, request: AttachRequest) -> Result<Session, Status>;
    /// Connects to a TCP port on the localhost of the pod (its target's container is not looked at). The error says why not.
    async fn connect(&self, pod: &Target, port: u16) -> Result<Box<dyn Connection>, String>;
}
