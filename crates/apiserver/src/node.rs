//! How the API server reaches the agent for what is not an object: logs, later exec and attach.

use bytes::Bytes;
use futures::stream::BoxStream;
use meta::status::Status;

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

/// The agent, seen from the API server.
#[async_trait::async_trait]
pub trait NodeConnection: Send + Sync + 'static {
    /// The log as plain text. Errors are Status objects with the kubelet's texts.
    async fn logs(&self, request: LogRequest) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Status>;
}
