//! CRI log files: `RFC3339Nano stdout F text`. Writing (supervisor), reading and following (agent).

pub mod write;

use bytes::Bytes;
use futures::stream::BoxStream;

/// What to read.
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
    pub since: Option<jiff::Timestamp>,
}

/// The text, as it comes.
pub type LogStream = BoxStream<'static, std::io::Result<Bytes>>;
