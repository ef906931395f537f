//! The handle everyone holds.

use crate::batch::Batch;
use crate::data_dir::{DataDir, OpenError};
use crate::database::FIRST_REVISION;
use crate::memory::Memory;
use crate::record::{Range, Record};
use crate::txn::{CommitError, Committed, Op, Txn};
use crate::watcher::{Compacted, Watcher};
use crate::writer::{self, Message, Request};
use crate::{Envelope, Options, database};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// A handle; clones share one store.
#[derive(Clone)]
pub struct Store {
    memory: Arc<Memory>,
    writes: Writes,
    envelope: Option<Arc<dyn Envelope>>,
}

#[derive(Clone)]
enum Writes {
    /// To the writer thread, which owns the disk.
    Durable(mpsc::Sender<Message>),
    /// At once, one at a time; false when closed.
    Immediate(Arc<Mutex<bool>>),
}

impl Store {
    /// Opens or creates `dir` (0700) with `kiln.db` in it and locks it. A failed commit or fsync later ends the process
    /// with exit code 125.
    ///
    /// Blocks while it reads the database. What the server before left in its log is checkpointed and synced first.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_locked(DataDir::lock(dir)?, options, None)
    }

    /// The same, with values that are sealed on disk. The envelope is made once the directory is locked and private, for
    /// what it keeps there.
    pub fn open_sealed(
        dir: &Path,
        options: Options,
        envelope: impl FnOnce(&Path) -> std::io::Result<Arc<dyn Envelope>>,
    ) -> Result<Self, OpenError> {
        let dir = DataDir::lock(dir)?;
        let envelope = envelope(dir.path()).map_err(|error| OpenError::failed(dir.path(), error))?;
        Self::open_locked(dir, options, Some(envelope))
    }

    fn open_locked(dir: DataDir, options: Options, envelope: Option<Arc<dyn Envelope>>) -> Result<Self, OpenError> {
        let (database, contents) = database::open(&dir, options.reserve_bytes, envelope.clone())?;
        let memory = Memory::new(options.clone(), contents.revision, contents.records);
        let memory = Arc::new(memory);
        let writer = writer::start(dir, database, memory.clone(), &options)?;
        Ok(Self { memory, writes: Writes::Durable(writer), envelope })
    }

    /// A store without disk or thread, for simulation: a commit is done when it is called.
    pub fn in_memory(options: Options) -> Self {
        Self {
            memory: Arc::new(Memory::new(options, FIRST_REVISION, Vec::new())),
            writes: Writes::Immediate(Arc::new(Mutex::new(true))),
            envelope: None,
        }
    }

    /// Durable on Ok. Once it has been polled it may happen even if the future is dropped.
    pub async fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        txn.check_size()?;
        self.check_envelope(&txn)?;
        match &self.writes {
            Writes::Immediate(open) => self.commit_now(open, &txn),
            Writes::Durable(writer) => {
                let (answer, answered) = oneshot::channel();
                let sent = writer.send(Message::Commit(Request { txn, answer }));
                sent.map_err(|_| CommitError::Closed)?;
                answered.await.unwrap_or(Err(CommitError::Closed))
            }
        }
    }

    /// Refuses what could not be sealed.
    fn check_envelope(&self, txn: &Txn) -> Result<(), CommitError> {
        let Some(envelope) = &self.envelope else { return Ok(()) };
        let puts = txn.ops.iter().filter_map(|op| match op {
            Op::Put { key, .. } => Some(key),
            Op::Delete { .. } => None,
        });
        for key in puts {
            envelope.check(key).map_err(CommitError::Unsealed)?;
        }
        Ok(())
    }

    fn commit_now(&self, open: &Mutex<bool>, txn: &Txn) -> Result<Committed, CommitError> {
        let open = open.lock();
        if !*open {
            return Err(CommitError::Closed);
        }
        let mut batch = Batch::new(self.memory.revision());
        let committed = batch.add(txn, |key| self.memory.get(key))?;
        self.memory.publish(batch);
        Ok(committed)
    }

    /// The record a key has now.
    pub fn get(&self, key: &str) -> Option<Arc<Record>> {
        self.memory.get(key)
    }

    /// Keys with `prefix`, in order, after `after`, at most `limit` (0: all).
    pub fn range(&self, prefix: &str, after: Option<&str>, limit: usize) -> Range {
        self.memory.range(prefix, after, limit)
    }

    /// Keys with `prefix` (at least `/{group}/{resource}/`), in order, as they were at `revision`, which must not lie
    /// ahead. `Compacted` when that is no longer known.
    pub fn range_at(&self, prefix: &str, revision: u64) -> Result<Range, Compacted> {
        self.memory.range_at(prefix, revision)
    }

    /// How many keys have this prefix.
    pub fn count(&self, prefix: &str) -> usize {
        self.memory.count(prefix)
    }

    /// Events of keys with `prefix` (at least `/{group}/{resource}/`) after revision `from`, which may lie ahead.
    pub fn watch(&self, prefix: &str, from: u64) -> Result<Watcher, Compacted> {
        Watcher::new(self.memory.clone(), prefix, from)
    }

    /// The newest published revision.
    pub fn revision(&self) -> u64 {
        self.memory.revision()
    }

    /// Waits, bounded by the caller, until `revision` is published.
    pub async fn reached(&self, revision: u64) {
        self.memory.reached(revision).await;
    }

    /// Flushes, closes the database and releases the lock. Later commits get `Closed`; reads go on.
    pub async fn close(&self) {
        match &self.writes {
            Writes::Immediate(open) => *open.lock() = false,
            Writes::Durable(writer) => {
                let (closed, is_closed) = oneshot::channel();
                if writer.send(Message::Close(closed)).is_ok() {
                    // An error means that the writer was gone already.
                    let _ = is_closed.await;
                }
            }
        }
    }
}
