//! CRI log files: `RFC3339Nano stdout F text`. Writing (supervisor), reading and following (agent).

pub mod line;
pub mod read;
mod serve;
pub mod write;

pub use read::last_words;
pub(crate) use serve::serve;

use bytes::Bytes;
use futures::stream::BoxStream;
use std::path::{Path, PathBuf};

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    /// The pod's namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub pod_uid: String,
    /// One of its containers.
    pub container: String,
    /// Go on until this run of the container ends.
    pub follow: bool,
    /// The run before the last restart.
    pub previous: bool,
    /// Each line begins with when it was written.
    pub timestamps: bool,
    /// Only that many last lines.
    pub tail_lines: Option<u64>,
    /// Only this output; both when `None`. Cannot be combined with `tail_lines`.
    pub output: Option<write::Stream>,
    /// No more than that many bytes.
    pub limit_bytes: Option<u64>,
    /// Only lines written at this instant or later.
    pub since: Option<jiff::Timestamp>,
}

/// The text, as it comes.
pub type LogStream = BoxStream<'static, std::io::Result<Bytes>>;

/// The log of one run: `POD_LOG_DIR/CONTAINER/ATTEMPT.log`. Older parts of it stand beside it as `….log.1` (the newest of them),
/// `….log.2` and so on.
pub fn path(pod_log_dir: &Path, container: &str, attempt: u32) -> PathBuf {
    pod_log_dir.join(container).join(format!("{attempt}.log"))
}
