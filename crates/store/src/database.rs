//! The SQLite file: the latest version of every object and the revision counter, nothing else. Read once, at the start;
//! after that only written, by one thread.

use crate::data_dir::{DataDir, OpenError};
use crate::envelope::Envelope;
use crate::record::Record;
use crate::reserve::Reserve;
use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, params};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// "kiln", so that `file kiln.db` and we can tell whose it is.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"kiln");
/// Rises when an older kiln could no longer read the file.
const FORMAT_VERSION: i32 = 1;
/// Revision of a store nobody has written to. Not 0: Kubernetes' clients read that as "any".
pub(crate) const FIRST_REVISION: u64 = 1;
/// How long somebody's `sqlite3 kiln.db` may hold a lock before that counts as a failure.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// The log file is cut to this when it starts over.
const LOG_LIMIT_BYTES: u32 = 16 << 20;

/// What an opened database holds.
pub(crate) struct Contents {
    pub revision: u64,
    pub records: Vec<Arc<Record>>,
}

/// An open database and the space set aside for it.
pub(crate) struct Database {
    pub connection: Connection,
    pub reserve: Reserve,
    pub envelope: Option<Arc<dyn Envelope>>,
    /// There is no space for the reserve.
    pub is_short_of_space: bool,
}

/// What went wrong with the disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("no space left on the device: free some and start again")]
    Full,
    #[error("another program has locked the database: close it and start again")]
    Locked,
    #[error(
        "the database is damaged ({0}): restore it from a backup (and remove the -wal and -shm files beside it), or save what \
         is readable with `sqlite3 kiln.db .recover`"
    )]
    Damaged(String),
    #[error("{0}")]
    Failed(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
        let text = error.to_string();
        let Some(failure) = error.sqlite_error() else {
            // What was read is not what we write: a type, a number, a text that cannot be.
            return Self::Damaged(text);
        };
        match failure.code {
            ErrorCode::DiskFull => Self::Full,
            _ if failure.extended_code == SQLITE_IOERR_SHMSIZE => Self::Full,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(text),
            _ => Self::Failed(format!("{text} (SQLite code {})", failure.extended_code)),
        }
    }
}

/// Opens or creates the database; everything that is served from it is synced before this returns.
pub(crate) fn open(
    dir: &DataDir,
    reserve_bytes: u64,
    envelope: Option<Arc<dyn Envelope>>,
) -> Result<(Database, Contents), OpenError> {
    let path = dir.database();
    refuse_orphaned_log(&path, &dir.log())?;
    // Before SQLite does, whose files others may read; those beside it inherit the mode.
    let created = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    created.map_err(|error| OpenError::failed(&path, error))?;
    let reserve = Reserve::new(dir.reserve(), reserve_bytes);
    let opened = match connect(&path, envelope.as_deref()) {
        Err(Trouble::Full) => reserve
            .release()
            .map_err(|error| Trouble::Failed(error.to_string()))
            .and_then(|()| connect(&path, envelope.as_deref())),
        opened => opened,
    };
    let (connection, contents) = opened.map_err(|trouble| OpenError::failed(&path, trouble))?;
    let is_short_of_space = !reserve.is_whole() && reserve.fill().is_err();
    dir.sync().map_err(|error| OpenError::failed(dir.path(), error))?;
    let database = Database { connection, reserve, envelope, is_short_of_space };
    Ok((database, contents))
}

/// SQLite would throw away a log whose database is gone, and the acknowledged writes in it.
fn refuse_orphaned_log(path: &Path, log: &Path) -> Result<(), OpenError> {
    let n_bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if n_bytes(path) == 0 && 0 < n_bytes(log) {
        let reason = format!(
            "it is missing or empty, but its log {} is there: put the database back, or move the log away to begin anew",
            log.display()
        );
        return Err(OpenError::failed(path, reason));
    }
    Ok(())
}

fn connect(path: &Path, envelope: Option<&dyn Envelope>) -> Result<(Connection, Contents), Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let n_tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if n_tables == 0 {
        // Has to precede the first page, which the change to WAL writes.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    } else {
        check_format(&connection)?;
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let text = format!("the file system cannot hold a write-ahead log (journal mode {mode})");
        return Err(Trouble::Failed(text));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer checkpoints, after it has answered.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)?;
    if n_tables == 0 {
        create(&connection)?;
    }
    // After a crash the log may hold commits whose sync failed: readable, not durable. Copying and syncing them
    // makes everything durable that is about to be served. The log file stays as it is: on a full disk its blocks are needed.
    checkpoint(&connection, "RESTART")?;
    let contents = load(&connection, envelope)?;
    Ok((connection, contents))
}

fn check_format(connection: &Connection) -> Result<(), Trouble> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if pragma("application_id")? != APPLICATION_ID {
        let text = "this is not a kiln database: move it away or name another data directory";
        return Err(Trouble::Failed(text.into()));
    }
    let version = pragma("user_version")?;
    if version != FORMAT_VERSION {
        return Err(Trouble::Failed(format!(
            "it was written by another version of kiln (format {version}, this one reads {FORMAT_VERSION}): use that version"
        )));
    }
    Ok(())
}

fn create(connection: &Connection) -> Result<(), Trouble> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {FORMAT_VERSION};
         CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         INSERT INTO meta VALUES ('revision', {FIRST_REVISION});
         CREATE TABLE objects (
             key TEXT PRIMARY KEY NOT NULL,
             create_revision INTEGER NOT NULL,
             revision INTEGER NOT NULL,
             value BLOB NOT NULL
         ) STRICT;
         COMMIT;"
    ))?;
    Ok(())
}

fn load(connection: &Connection, envelope: Option<&dyn Envelope>) -> Result<Contents, Trouble> {
    let revision =
        connection.query_row("SELECT value FROM meta WHERE name = 'revision'", [], |row| row.get::<_, i64>(0))?;
    let mut select = connection.prepare("SELECT key, value, create_revision, revision FROM objects NOT INDEXED")?;
    let mut rows = select.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let (created, written) = (row.get::<_, i64>(2)?, row.get::<_, i64>(3)?);
        if !(0 < created && created <= written && written <= revision) {
            let text = format!("revisions {created}, {written}, {revision} are out of order");
            return Err(Trouble::Damaged(text));
        }
        let key: Arc<str> = Arc::from(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
        let stored = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let opened = envelope.and_then(|envelope| envelope.open(&key, stored));
        records.push(Arc::new(Record {
            key,
            value: opened.map_or_else(|| Bytes::copy_from_slice(stored), Bytes::from),
            create_revision: created.unsigned_abs(),
            revision: written.unsigned_abs(),
            note: OnceLock::new(),
        }));
    }
    // The table was read whole; this walks the index of its keys.
    let n_indexed: i64 =
        connection
            .query_row("SELECT count(key) FROM objects INDEXED BY sqlite_autoindex_objects_1", [], |row| row.get(0))?;
    if usize::try_from(n_indexed) != Ok(records.len()) {
        let n_records = records.len();
        let text = format!("{n_records} objects, but {n_indexed} in the index");
        return Err(Trouble::Damaged(text));
    }
    Ok(Contents { revision: revision.unsigned_abs(), records })
}

/// How much the log holds, in pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    pub n_pages: i64,
    /// Those of them that are in the database file too, synced.
    pub n_checkpointed: i64,
}

/// `RESTART` waits for readers and copies all of the log; `PASSIVE` does what it can; `NOOP` only looks.
pub(crate) fn checkpoint(connection: &Connection, mode: &str) -> Result<Log, Trouble> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let (busy, log) = connection.query_row(&sql, [], |row| {
        let log = Log { n_pages: row.get(1)?, n_checkpointed: row.get(2)? };
        Ok((row.get::<_, bool>(0)?, log))
    })?;
    if busy && mode == "RESTART" {
        return Err(Trouble::Locked);
    }
    Ok(log)
}

/// Pages of the file that hold nothing, and all of them.
pub(crate) fn free_pages(connection: &Connection) -> Result<(i64, i64), Trouble> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((pragma("freelist_count")?, pragma("page_count")?))
}

/// Gives up to `n_pages` free pages back to the file system (with the next checkpoint).
pub(crate) fn vacuum(connection: &Connection, n_pages: u32) -> Result<(), Trouble> {
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({n_pages})"))?;
    let mut rows = vacuum.query([])?;
    // One row a page; none is freed that is not asked for.
    while rows.next()?.is_some() {}
    Ok(())
}

/// The statements of a write, compiled once.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    envelope: Option<&'c dyn Envelope>,
    begin: Statement<'c>,
    put: Statement<'c>,
    delete: Statement<'c>,
    set_revision: Statement<'c>,
    commit: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub fn prepare(connection: &'c Connection, envelope: Option<&'c dyn Envelope>) -> Result<Self, Trouble> {
        Ok(Self {
            connection,
            envelope,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            put: connection.prepare(
                "INSERT INTO objects (key, create_revision, revision, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (key) DO UPDATE SET
                 create_revision = excluded.create_revision, revision = excluded.revision, value = excluded.value",
            )?,
            delete: connection.prepare("DELETE FROM objects WHERE key = ?1")?,
            set_revision: connection.prepare("UPDATE meta SET value = ?1 WHERE name = 'revision'")?,
            commit: connection.prepare("COMMIT")?,
        })
    }

    /// Makes changes durable, all or none. On trouble nothing of them is in the database, unless it was the sync that failed.
    pub fn write(&mut self, changes: &BTreeMap<Arc<str>, Option<Arc<Record>>>, revision: u64) -> Result<(), Trouble> {
        let written = self.try_write(changes, revision);
        // SQLite has rolled back by itself after some errors and not after others.
        if written.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        written
    }

    fn try_write(&mut self, changes: &BTreeMap<Arc<str>, Option<Arc<Record>>>, revision: u64) -> Result<(), Trouble> {
        self.begin.execute([])?;
        for (key, change) in changes {
            match change {
                Some(record) => {
                    let sealed = self.envelope.and_then(|envelope| envelope.seal(key, &record.value));
                    let value = sealed.as_deref().unwrap_or(&record.value);
                    let (created, written) = (record.create_revision.cast_signed(), record.revision.cast_signed());
                    self.put.execute(params![key, created, written, value])?
                }
                None => self.delete.execute([key])?,
            };
        }
        if self.set_revision.execute([revision.cast_signed()])? != 1 {
            return Err(Trouble::Damaged("the revision is gone".into()));
        }
        self.commit.execute([])?;
        Ok(())
    }
}
