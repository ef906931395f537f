//! The thread that owns the disk: takes every waiting transaction, commits them in one, shows them, answers.
//! Nothing is shown or answered before it is synced.

use crate::Options;
use crate::batch::Batch;
use crate::data_dir::{DataDir, OpenError};
use crate::database::{self, Database, Statements, Trouble};
use crate::memory::Memory;
use crate::record::Record;
use crate::reserve::Reserve;
use crate::txn::{CommitError, Committed, Op, Txn};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

/// Most transactions, and about the most bytes, of one commit.
const BATCH_TXNS: usize = 512;
const BATCH_BYTES: usize = 4 << 20;
/// Pages in the log that are worth a checkpoint (4 MiB).
const CHECKPOINT_PAGES: i64 = 1_000;
/// Free pages given back in one step (1 MiB), and how many may stay for reuse however small the file.
const VACUUM_PAGES: u32 = 256;
const SPARE_PAGES: i64 = 1_024;
/// Quiet time before the next step of tidying.
const QUIET: Duration = Duration::from_millis(500);

pub(crate) enum Message {
    Commit(Request),
    Close(oneshot::Sender<()>),
}

/// A transaction and who waits for it.
pub(crate) struct Request {
    pub txn: Txn,
    pub answer: Answer,
}

type Answer = oneshot::Sender<Result<Committed, CommitError>>;

/// Starts the thread; it ends when closed or when nobody holds the sender any more.
pub(crate) fn start(
    dir: DataDir,
    database: Database,
    memory: Arc<Memory>,
    options: &Options,
) -> Result<Sender<Message>, OpenError> {
    let (sender, receiver) = mpsc::channel();
    let path = dir.path().to_owned();
    let end = options.end.clone();
    let body = move || {
        let log = dir.log();
        // Outlives the writer: nobody learns that their answer will not come before `end` has had its say.
        let mut in_flight = VecDeque::new();
        let run = || Writer::new(&database, &log, &memory, &mut in_flight)?.run(&receiver);
        let failure = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(end)) => {
                close(database, &end);
                drop(dir);
                if let Some(closed) = end.closed {
                    // Whoever closed need not have waited.
                    let _ = closed.send(());
                }
                return;
            }
            Ok(Err(trouble)) => trouble.to_string(),
            Err(_) => "the writer panicked".into(),
        };
        end(&format!(
            "failed to write {}: {failure}; ending, because what is not on disk must not be acknowledged",
            dir.database().display()
        ));
    };
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(body)
        .map_err(|error| OpenError::failed(&path, error))?;
    Ok(sender)
}

/// How a writer ended that nothing went wrong with.
struct End {
    /// Who waits for it; `None`: the last handle was dropped.
    closed: Option<oneshot::Sender<()>>,
    is_short_of_space: bool,
}

/// SQLite checkpoints and removes the log.
fn close(database: Database, end: &End) {
    let Database { connection, reserve, .. } = database;
    if let Err((_, error)) = connection.close() {
        // Nothing is lost: the next start reads the log.
        warn!(%error, "failed to close the database");
    }
    // The log's blocks have just become free.
    if end.is_short_of_space
        && let Err(error) = reserve.fill()
    {
        warn!(%error, "disk is full");
    }
}

struct Writer<'a> {
    connection: &'a Connection,
    statements: Statements<'a>,
    reserve: &'a Reserve,
    log: &'a Path,
    memory: &'a Memory,
    in_flight: &'a mut VecDeque<Request>,
    /// The reserve is given up: new keys are refused until it is whole again.
    is_short_of_space: bool,
    /// There is something to do in a quiet moment.
    is_untidy: bool,
}

impl<'a> Writer<'a> {
    fn new(
        database: &'a Database,
        log: &'a Path,
        memory: &'a Memory,
        in_flight: &'a mut VecDeque<Request>,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            connection: &database.connection,
            statements: Statements::prepare(&database.connection, database.envelope.as_deref())?,
            reserve: &database.reserve,
            log,
            memory,
            in_flight,
            is_short_of_space: database.is_short_of_space,
            is_untidy: true,
        })
    }

    fn run(mut self, messages: &Receiver<Message>) -> Result<End, Trouble> {
        loop {
            let first = if self.is_untidy {
                messages.recv_timeout(QUIET)
            } else {
                messages.recv().map_err(RecvTimeoutError::from)
            };
            let first = match first {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.tidy()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(self.end(None)),
            };
            let closed = gather(first, messages, self.in_flight);
            self.commit()?;
            if closed.is_some() {
                return Ok(self.end(closed));
            }
            let log = database::checkpoint(self.connection, "NOOP")?;
            self.is_untidy |= log.n_checkpointed < log.n_pages;
            // On a full disk what has to grow grows now, while there is still something of the reserve.
            if self.is_short_of_space || CHECKPOINT_PAGES <= log.n_pages - log.n_checkpointed {
                self.tidy()?;
            }
        }
    }

    fn end(&self, closed: Option<oneshot::Sender<()>>) -> End {
        End { closed, is_short_of_space: self.is_short_of_space }
    }

    fn commit(&mut self) -> Result<(), Trouble> {
        if self.commit_first(self.in_flight.len())? {
            return Ok(());
        }
        self.give_up_reserve()?;
        while !self.in_flight.is_empty() {
            if self.commit_first(1)? {
                continue;
            }
            if let Some(refused) = self.in_flight.pop_front() {
                refused.reply(Err(CommitError::DiskFull));
            }
        }
        Ok(())
    }

    /// The first `n` of those in flight in one commit, then their answers. False: no space, and nothing happened.
    fn commit_first(&mut self, n: usize) -> Result<bool, Trouble> {
        let published = |key: &str| self.memory.get(key);
        let mut batch = Batch::new(self.memory.revision());
        let mut results = Vec::with_capacity(n);
        for Request { txn, .. } in self.in_flight.iter().take(n) {
            let is_refused = self.is_short_of_space && creates_keys(txn, published);
            results.push(if is_refused { Err(CommitError::DiskFull) } else { batch.add(txn, published) });
        }
        if !batch.events.is_empty() {
            match self.statements.write(&batch.changes, batch.revision) {
                Err(Trouble::Full) => return Ok(false),
                written => written?,
            }
        }
        self.memory.publish(batch);
        for (request, result) in self.in_flight.drain(..n).zip(results) {
            request.reply(result);
        }
        Ok(true)
    }

    /// Frees the reserve and uses it before others do: the log moves to the database, then takes the blocks it will need.
    fn give_up_reserve(&mut self) -> Result<(), Trouble> {
        if !self.is_short_of_space {
            warn!("disk is full: nothing new is stored until space is freed, deletes and updates go on");
        }
        self.is_short_of_space = true;
        self.is_untidy = true;
        let released = self.reserve.release();
        released.map_err(|error| Trouble::Failed(format!("cannot remove the reserve file: {error}")))?;
        match database::checkpoint(self.connection, "PASSIVE") {
            Ok(_) | Err(Trouble::Full | Trouble::Locked) => {}
            Err(trouble) => return Err(trouble),
        }
        if let Err(error) = self.reserve.lend_to(self.log) {
            debug!(%error, "the log gets no space ahead of need");
        }
        Ok(())
    }

    /// One bounded step towards a short log, a small file and a whole reserve.
    fn tidy(&mut self) -> Result<(), Trouble> {
        self.is_untidy = match self.try_tidy() {
            Err(Trouble::Full) => {
                self.give_up_reserve()?;
                true
            }
            // Somebody reads or writes the database by hand. Next time.
            Err(Trouble::Locked) => true,
            tidied => tidied?,
        };
        Ok(())
    }

    /// Whether more is left to do.
    fn try_tidy(&mut self) -> Result<bool, Trouble> {
        let (n_free, n_pages) = database::free_pages(self.connection)?;
        let n_spare = if self.is_short_of_space { 0 } else { SPARE_PAGES.max(n_pages / 4) };
        let has_too_many_free = n_spare < n_free;
        if has_too_many_free {
            database::vacuum(self.connection, VACUUM_PAGES)?;
        }
        let log = database::checkpoint(self.connection, "PASSIVE")?;
        if self.is_short_of_space && self.reserve.fill().is_ok() {
            self.is_short_of_space = false;
            info!("disk has space again");
        }
        let has_log = log.n_checkpointed < log.n_pages;
        Ok(has_too_many_free || has_log || self.is_short_of_space)
    }
}

impl Request {
    fn reply(self, result: Result<Committed, CommitError>) {
        // Whoever asked may have gone.
        let _ = self.answer.send(result);
    }
}

/// Takes everything that waits, within the bounds of a batch. Returns who waits for the store to be closed.
fn gather(
    first: Message,
    messages: &Receiver<Message>,
    in_flight: &mut VecDeque<Request>,
) -> Option<oneshot::Sender<()>> {
    let mut n_bytes = 0;
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Close(closed) => return Some(closed),
            Message::Commit(request) => {
                n_bytes += request.txn.n_bytes();
                in_flight.push_back(request);
            }
        }
        let is_full = BATCH_TXNS <= in_flight.len() || BATCH_BYTES <= n_bytes;
        next = if is_full { None } else { messages.try_recv().ok() };
    }
    None
}

fn creates_keys(txn: &Txn, published: impl Fn(&str) -> Option<Arc<Record>>) -> bool {
    txn.ops.iter().any(|op| match op {
        Op::Put { key, .. } => published(key).is_none(),
        Op::Delete { .. } => false,
    })
}
