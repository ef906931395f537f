//! How the API server reaches the agent for what is not an object: logs, later exec and attach.

use bytes::Bytes;
use futures::stream::BoxStream;
use meta::status::Status;

/// Query of `pods/NAME/log`, already checked.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    pub follow: bool,
    pub previous: bool,
    pub timestamps: bool,
    pub tail_lines: Option<u64>,
    pub limit_bytes: Option<u64>,
    /// Only lines at or after this instant (from sinceSeconds or sinceTime).
    pub since: Option<jiff::Timestamp>,
}

/// The agent, seen from the API server.
#[async_trait::async_trait]
pub trait NodeConnection: Send + Sync + 'static {
    /// The log as plain text. Errors are Status objects with the kubelet's texts.
    async fn logs(
        &self,
        request: LogRequest,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Status>;
}
