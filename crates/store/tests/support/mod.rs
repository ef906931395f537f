//! Short words for tests of a store.

#![allow(dead_code, reason = "each test binary uses its own part")]

use futures::FutureExt;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Event, Op, Options, Store, Txn, Watcher};
use tempfile::TempDir;

/// A small bound for rings.
pub const FEW_EVENTS: usize = 10;

/// Opens the store that a test runs on.
pub enum Harness {
    Memory,
    Disk(TempDir),
}

impl Harness {
    pub fn disk() -> Self {
        Self::Disk(tempfile::tempdir().unwrap())
    }

    pub fn open(&self, options: Options) -> Store {
        match self {
            Self::Memory => Store::in_memory(options),
            Self::Disk(dir) => Store::open(dir.path(), options).unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::Memory => panic!("a store in memory has no path"),
            Self::Disk(dir) => dir.path(),
        }
    }
}

/// A clock that stands still until told.
#[derive(Clone, Default)]
pub struct Clock(Arc<Mutex<Duration>>);

impl Clock {
    pub fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }

    pub fn now(&self) -> Arc<dyn Fn() -> Duration + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || *clock.0.lock())
    }
}

pub fn put_if(key: &str, revision: u64, value: &str) -> Txn {
    Txn {
        conditions: vec![(key.into(), revision)],
        ops: vec![Op::Put { key: key.into(), value: value.to_owned().into() }],
    }
}

pub fn create(key: &str, value: &str) -> Txn {
    put_if(key, 0, value)
}

pub fn delete(key: &str) -> Txn {
    Txn { ops: vec![Op::Delete { key: key.into() }], ..Txn::default() }
}

pub fn put_all(keys: &[&str]) -> Txn {
    let put = |key: &&str| Op::Put { key: key.to_string(), value: "value".into() };
    Txn { ops: keys.iter().map(put).collect(), ..Txn::default() }
}

/// Writes without a condition; returns the revision.
pub async fn put(store: &Store, key: &str, value: &str) -> u64 {
    let txn = Txn { conditions: Vec::new(), ..put_if(key, 0, value) };
    store.commit(txn).await.unwrap().revision
}

/// The next events, as `REVISION +|- KEY`.
pub async fn saw(watcher: &mut Watcher) -> Vec<String> {
    let sign = |event: &Event| match event {
        Event::Put { .. } => '+',
        Event::Delete { .. } => '-',
    };
    let events = watcher.next().await.unwrap();
    events.iter().map(|event| format!("{} {} {}", event.revision(), sign(event), event.key())).collect()
}

/// Whether the watcher has nothing to return now.
pub fn pending(watcher: &mut Watcher) -> bool {
    watcher.next().now_or_never().is_none()
}
