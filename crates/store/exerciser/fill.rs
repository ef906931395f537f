//! Life on a full disk.

use crate::say;
use std::path::Path;
use std::time::Duration;
use store::{CommitError, Op, Options, Store, Txn};

const VALUE_BYTES: usize = 50_000;

fn key(n: usize) -> String {
    format!("/test/things/default/{n:06}")
}

async fn store_one(store: &Store, n: usize) -> Result<(), CommitError> {
    let op = Op::Put { key: key(n), value: vec![b'x'; VALUE_BYTES].into() };
    let txn = Txn { conditions: Vec::new(), ops: vec![op] };
    store.commit(txn).await.map(drop)
}

async fn delete_one(store: &Store, n: usize) {
    let txn =
        Txn { conditions: vec![(key(n), store.get(&key(n)).unwrap().revision)], ops: vec![Op::Delete { key: key(n) }] };
    store.commit(txn).await.unwrap();
}

fn n_stored(store: &Store) -> usize {
    let range = store.range("/test/things/", None, 0);
    assert!(range.records.iter().all(|record| record.value.len() == VALUE_BYTES));
    range.records.len()
}

pub async fn fill(dir: &Path) {
    let store = Store::open(dir, Options::default()).unwrap();
    let mut n = 0;
    let refusal = loop {
        match store_one(&store, n).await {
            Ok(()) => n += 1,
            Err(refusal) => break refusal,
        }
    };
    say(&format!("stored {n}, then: {refusal}"));
    assert_eq!(n_stored(&store), n, "the refused one is not there");
    // Together, so that they share a batch: one that creates must not keep the others from happening.
    let (created, updated, ()) = tokio::join!(store_one(&store, n), store_one(&store, 1), delete_one(&store, 0));
    say(&format!("create: {}", created.unwrap_err()));
    updated.unwrap();
    delete_one(&store, 2).await;
    say(&format!("left {}", n_stored(&store)));
    // As a crash would.
    std::process::exit(0);
}

pub async fn empty(dir: &Path) {
    let store = Store::open(dir, Options::default()).unwrap();
    let n = n_stored(&store);
    say(&format!("found {n}"));
    let refusal = store_one(&store, n + 2).await.unwrap_err();
    say(&format!("create: {refusal}"));
    for n in (0..n + 2).filter(|n| store.get(&key(*n)).is_some()) {
        delete_one(&store, n).await;
    }
    say(&format!("left {}", n_stored(&store)));
    // Space comes back with the writer's next quiet moments.
    while let Err(refusal) = store_one(&store, 0).await {
        assert!(matches!(refusal, CommitError::DiskFull), "{refusal}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say("stored again");
    store.close().await;
    let store = Store::open(dir, Options::default()).unwrap();
    say(&format!("left {}", n_stored(&store)));
    store.close().await;
}
