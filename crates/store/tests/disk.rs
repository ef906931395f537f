//! What the directory and the files in it are to others: restarts, second servers, damage, growth.

#![allow(clippy::unwrap_used)]

mod support;

use parking_lot::Mutex;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{CommitError, Op, OpenError, Options, Store, Txn};
use support::{create, delete, put, saw};
use tempfile::TempDir;

struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn open(&self) -> Store {
        Store::open(self.0.path(), Options::default()).unwrap()
    }
    fn refusal(&self) -> String {
        let refusal = Store::open(self.0.path(), Options::default()).err();
        refusal.expect("must not open").to_string()
    }
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    /// As anyone can: with another connection, while the store is open.
    fn query(&self, sql: &str) -> String {
        let connection = Connection::open(self.file("kiln.db")).unwrap();
        let value: rusqlite::types::Value = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }
}

fn n_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn put_many(names: std::ops::Range<usize>, value_bytes: usize) -> Txn {
    let put = |n| Op::Put { key: format!("/core/pods/default/{n:04}"), value: vec![b'x'; value_bytes].into() };
    Txn { ops: names.map(put).collect(), ..Txn::default() }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_restart_keeps_the_objects_and_forgets_the_events() {
    let disk = Disk::new();
    let store = disk.open();
    let first = put(&store, "/core/pods/default/a", "one").await;
    let second = put(&store, "/core/pods/default/a", "two").await;
    put(&store, "/core/pods/default/gone", "").await;
    let newest = store.commit(delete("/core/pods/default/gone")).await.unwrap().revision;
    store.close().await;

    let store = disk.open();
    assert_eq!(store.revision(), newest);
    let range = store.range("/", None, 0);
    assert_eq!((range.records.len(), range.revision), (1, newest));
    let record = &range.records[0];
    assert_eq!((&*record.key, &record.value[..]), ("/core/pods/default/a", &b"two"[..]));
    assert_eq!((record.create_revision, record.revision), (first, second));

    let compacted = store.watch("/core/pods/", newest - 1).err().unwrap();
    assert_eq!((compacted.wanted, compacted.oldest), (newest - 1, newest));
    let mut watcher = store.watch("/core/pods/", newest).unwrap();
    let conflict = store.commit(create("/core/pods/default/a", "three")).await.unwrap_err();
    assert!(matches!(conflict, CommitError::Conflict { .. }), "{conflict}");
    put(&store, "/core/pods/default/b", "").await;
    assert_eq!(saw(&mut watcher).await, [format!("{} + /core/pods/default/b", newest + 1)]);
    store.close().await;
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_has_closed() {
    let disk = Disk::new();
    let store = disk.open();
    let Err(OpenError::InUse { dir, pid }) = Store::open(disk.0.path(), Options::default()) else {
        panic!("two at once")
    };
    assert_eq!((dir.as_path(), pid), (disk.0.path(), std::process::id()));
    put(&store, "/core/pods/default/a", "the first is not disturbed").await;
    store.close().await;
    assert_eq!(disk.open().revision(), store.revision());
}

#[tokio::test]
async fn a_dropped_store_frees_its_directory() {
    let disk = Disk::new();
    drop(disk.open());
    until("the lock", || Store::open(disk.0.path(), Options::default()).is_ok()).await;
}

#[tokio::test]
async fn the_file_is_what_the_design_says() {
    let disk = Disk::new();
    let store = disk.open();
    for n in 0..100 {
        put(&store, "/core/pods/default/a", &n.to_string()).await;
    }
    assert_eq!(disk.query("PRAGMA auto_vacuum"), "2", "incremental");
    assert_eq!(disk.query("PRAGMA journal_mode"), "wal");
    assert_eq!(disk.query("PRAGMA integrity_check"), "ok");
    assert_eq!(disk.query("SELECT count(*) FROM objects"), "1", "the latest version only");
    assert_eq!(disk.query("SELECT CAST(value AS TEXT) FROM objects"), "99");
    assert_eq!(disk.query("SELECT value FROM meta WHERE name = 'revision'"), store.revision().to_string());
    store.close().await;
    assert!(!disk.file("kiln.db-wal").exists(), "a clean end leaves no log");
}

#[tokio::test]
async fn the_log_and_the_file_stay_small() {
    let disk = Disk::new();
    let store = disk.open();
    // 80 MB of versions of 8 MB.
    for round in 0..10 {
        for from in (0..800).step_by(20) {
            store.commit(put_many(from..from + 20, 10_000 + round)).await.unwrap();
        }
    }
    let (log, file) = (disk.file("kiln.db-wal"), disk.file("kiln.db"));
    assert!(n_bytes(&log) < 16 << 20, "log {}", n_bytes(&log));
    assert!(n_bytes(&file) < 20 << 20, "file {}", n_bytes(&file));
    for n in 0..800 {
        store.commit(delete(&format!("/core/pods/default/{n:04}"))).await.unwrap();
    }
    // What is left is what may stay for reuse.
    until("a smaller file", || n_bytes(&file) < 6 << 20).await;
    store.close().await;
    assert_eq!(disk.query("PRAGMA integrity_check"), "ok");
}

#[tokio::test]
async fn a_failed_commit_ends_the_process_and_answers_nothing_good() {
    let disk = Disk::new();
    let last_words = Arc::new(Mutex::new(Vec::new()));
    let end = {
        let last_words = last_words.clone();
        Arc::new(move |why: &str| last_words.lock().push(why.to_owned()))
    };
    let store = Store::open(disk.0.path(), Options { end, ..Options::default() }).unwrap();
    let revision = put(&store, "/core/pods/default/a", "one").await;
    let meddler = Connection::open(disk.file("kiln.db")).unwrap();
    meddler.execute_batch("DROP TABLE objects").unwrap();
    let error = store.commit(create("/core/pods/default/b", "two")).await.unwrap_err();
    assert!(matches!(error, CommitError::Closed), "{error}");
    until("the last words", || !last_words.lock().is_empty()).await;
    let words = last_words.lock().join("\n");
    let expected = format!("failed to write {}: ", disk.file("kiln.db").display());
    assert!(words.starts_with(&expected), "{words}");
    assert!(words.contains("no such table: objects"), "{words}");
    assert_eq!(store.revision(), revision);
    assert!(store.get("/core/pods/default/b").is_none());
    let error = store.commit(create("/core/pods/default/c", "")).await.unwrap_err();
    assert!(matches!(error, CommitError::Closed), "{error}");
}

/// Leaves behind a database of several pages and returns its bytes.
async fn write_database(disk: &Disk) -> Vec<u8> {
    let store = disk.open();
    for from in (0..500).step_by(100) {
        store.commit(put_many(from..from + 100, 1_000)).await.unwrap();
    }
    store.close().await;
    fs::read(disk.file("kiln.db")).unwrap()
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_what_to_do() {
    let disk = Disk::new();
    let whole = write_database(&disk).await;
    let overwritten = |from: usize, n: usize| {
        let mut bytes = whole.clone();
        bytes[from..from + n].fill(0xa5);
        bytes
    };
    for (case, bytes) in [
        ("no header", overwritten(0, 100)),
        ("a page of noise", overwritten(4096 * 20, 4096)),
        ("cut off", whole[..whole.len() / 2].to_vec()),
        ("not a database", b"hello, world\n".repeat(1_000)),
    ] {
        fs::write(disk.file("kiln.db"), &bytes).unwrap();
        let refusal = disk.refusal();
        let place =
            format!("failed to open the store at {}: the database is damaged (", disk.file("kiln.db").display());
        assert!(refusal.starts_with(&place), "{case}: {refusal}");
        assert!(refusal.contains("restore it from a backup"), "{case}: {refusal}");
    }
    fs::write(disk.file("kiln.db"), &whole).unwrap();
    disk.open().close().await;
}

#[tokio::test]
async fn impossible_contents_are_damage_too() {
    for sql in [
        "DELETE FROM meta",
        "UPDATE meta SET value = -1",
        "UPDATE meta SET value = 2",
        "UPDATE objects SET revision = 0",
        "UPDATE objects SET key = CAST(x'ff' AS TEXT) WHERE key = '/core/pods/default/0007'",
        "DROP TABLE objects",
    ] {
        let disk = Disk::new();
        write_database(&disk).await;
        Connection::open(disk.file("kiln.db")).unwrap().execute_batch(sql).unwrap();
        let refusal = disk.refusal();
        assert!(refusal.starts_with("failed to open the store at "), "{sql}: {refusal}");
    }
}

#[tokio::test]
async fn other_files_in_its_place_are_left_alone() {
    for (case, sql, expected) in [
        ("another program's", "CREATE TABLE cats (name)", "this is not a kiln database"),
        (
            "of the future",
            "PRAGMA application_id = 0x6b696c6e; PRAGMA user_version = 2; CREATE TABLE t (x)",
            "another version of kiln (format 2",
        ),
    ] {
        let disk = Disk::new();
        Connection::open(disk.file("kiln.db")).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(disk.file("kiln.db")).unwrap();
        let refusal = disk.refusal();
        assert!(refusal.contains(expected), "{case}: {refusal}");
        assert_eq!(fs::read(disk.file("kiln.db")).unwrap(), before, "{case}");
    }
}

#[tokio::test]
async fn a_log_without_its_database_is_not_thrown_away() {
    let disk = Disk::new();
    fs::write(disk.file("kiln.db-wal"), "acknowledged writes").unwrap();
    let refusal = disk.refusal();
    assert!(refusal.contains("put the database back"), "{refusal}");
    assert_eq!(fs::read(disk.file("kiln.db-wal")).unwrap(), b"acknowledged writes");
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let disk = Disk::new();
    let store = disk.open();
    store.commit(create("/core/secrets/default/a", "x")).await.unwrap();
    for name in ["kiln.db", "kiln.db-wal", "kiln.db-shm", "kiln.lock", "kiln.reserve"] {
        let mode = fs::metadata(disk.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
