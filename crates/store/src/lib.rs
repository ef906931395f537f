//! Keys → bytes with a revision: durable in SQLite, read and watched from memory. Must not know about any kind.
//!
//! Keys are `/{group or "core"}/{resource}/{namespace or ""}/{name}`; the first two segments name the resource
//! whose ring of events a watcher reads.

use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A stored value. Shared, never copied.
#[derive(Debug)]
pub struct Record {
    pub key: Arc<str>,
    /// The object's JSON without metadata.resourceVersion.
    pub value: Bytes,
    /// Revision of the write that created the key.
    pub create_revision: u64,
    /// Revision of this write.
    pub revision: u64,
    /// Whatever the reader wants to remember of `value` (extracted labels); filled at most once.
    pub note: std::sync::OnceLock<Box<dyn std::any::Any + Send + Sync>>,
}

/// One write.
#[derive(Debug, Clone)]
pub enum Op {
    Put { key: String, value: Bytes },
    Delete { key: String },
}

/// Writes that happen together or not at all, under conditions. One revision for the whole transaction.
#[derive(Debug, Clone, Default)]
pub struct Txn {
    /// Key and the revision it must have; 0 means it must be absent.
    pub conditions: Vec<(String, u64)>,
    /// Each key at most once.
    pub ops: Vec<Op>,
}

/// What a durable transaction did.
#[derive(Debug)]
pub struct Committed {
    pub revision: u64,
    /// The new record of each `Put`, the last record of each `Delete`, in the order of `ops` (`None`: nothing was deleted).
    pub records: Vec<Option<Arc<Record>>>,
}

/// Why a transaction did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition did not hold; `current` is what the key has.
    #[error("{key} was written meanwhile")]
    Conflict {
        key: String,
        current: Option<Arc<Record>>,
    },
    /// The transaction exceeds 128 operations or 1.5 MiB... the limit is in the text.
    #[error("transaction too large: {0}")]
    TooLarge(String),
    /// No space left; reads and deletes go on.
    #[error("disk is full")]
    DiskFull,
    /// The store is closed or its writer has failed.
    #[error("store is closed")]
    Closed,
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server holds the directory.
    #[error("data directory {} is in use by pid {pid}", dir.display())]
    InUse { dir: PathBuf, pid: u32 },
    #[error("failed to open the store at {}: {reason}", path.display())]
    Failed { path: PathBuf, reason: String },
}

/// What happened to a key.
#[derive(Debug, Clone)]
pub enum Event {
    Put {
        record: Arc<Record>,
        previous: Option<Arc<Record>>,
    },
    /// `previous` is the last record; `revision` is the deletion's.
    Delete {
        previous: Arc<Record>,
        revision: u64,
    },
}

/// A snapshot of part of the keys.
#[derive(Debug)]
pub struct Range {
    pub records: Vec<Arc<Record>>,
    /// Revision the snapshot is of.
    pub revision: u64,
}

/// The wanted revision is no longer in memory: list again.
#[derive(Debug, thiserror::Error)]
#[error("revision {wanted} is too old, oldest is {oldest}")]
pub struct Compacted {
    pub wanted: u64,
    pub oldest: u64,
}

/// A cursor in a resource's ring of events.
pub struct Watcher(());

impl Watcher {
    /// Waits for events after the cursor (at least one), in revision order. `Compacted` when this watcher was too slow:
    /// the ring has moved past it.
    pub async fn next(&mut self) -> Result<Vec<Event>, Compacted> {
        todo!()
    }
    /// Every event up to this revision has been returned by `next` (for bookmarks).
    pub fn revision(&self) -> u64 {
        todo!()
    }
}

/// Bounds and habits. `Default` is what the server uses.
#[derive(Debug, Clone)]
pub struct Options {
    /// Events kept per resource: count, bytes.
    pub ring_events: usize,
    pub ring_bytes: usize,
}
impl Default for Options {
    fn default() -> Self {
        Self {
            ring_events: 100_000,
            ring_bytes: 64 << 20,
        }
    }
}

/// A handle; clones share one store.
#[derive(Clone)]
pub struct Store(());

impl Store {
    /// Opens or creates `dir` (0700) with `kiln.db` in it and locks it. A failed commit or fsync later ends the process
    /// with exit code 125.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let _ = (dir, options);
        todo!()
    }
    /// A store without disk or thread, for simulation: a commit is done when it is called.
    pub fn in_memory(options: Options) -> Self {
        let _ = options;
        todo!()
    }
    /// Durable on Ok.
    pub async fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        let _ = txn;
        todo!()
    }
    pub fn get(&self, key: &str) -> Option<Arc<Record>> {
        todo!("{key}")
    }
    /// Keys with `prefix`, in order, after `after`, at most `limit` (0: all).
    pub fn range(&self, prefix: &str, after: Option<&str>, limit: usize) -> Range {
        todo!("{prefix} {after:?} {limit}")
    }
    /// Events of keys with `prefix` (at least `/{group}/{resource}/`) after revision `from`.
    pub fn watch(&self, prefix: &str, from: u64) -> Result<Watcher, Compacted> {
        todo!("{prefix} {from}")
    }
    /// The newest published revision.
    pub fn revision(&self) -> u64 {
        todo!()
    }
    /// Waits, bounded by the caller, until `revision` is published.
    pub async fn reached(&self, revision: u64) {
        todo!("{revision}")
    }
    /// Flushes, closes the database and releases the lock.
    pub async fn close(&self) {
        todo!()
    }
}
