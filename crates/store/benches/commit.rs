//! Durable creates of 1 KiB a second, beside a bare log: append, fdatasync, answer, with the same queue in front of it.
//!
//! `cargo bench -p kiln-store`

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use store::{Op, Options, Store, Txn};
use tokio::sync::oneshot;

const VALUE_BYTES: usize = 1_024;
/// The two take turns, so that a disk shared with others is as unkind to one as to the other.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(1);
const BATCH: usize = 512;

#[tokio::main]
async fn main() {
    let temp = tempfile::tempdir_in(".").unwrap();
    let store = Store::open(&temp.path().join("store"), Options::default()).unwrap();
    let log = start_log(File::create(temp.path().join("log")).unwrap());
    println!("{:>8} {:>14} {:>14} {:>7}", "writers", "store /s", "bare log /s", "ratio");
    for n_writers in [1, 32] {
        let (mut durable, mut bare) = (0.0, 0.0);
        for turn in 0..TURNS {
            let (store, log) = (store.clone(), log.clone());
            bare += rate(n_writers, move |_| append(log.clone())).await;
            let create = move |key| create(store.clone(), format!("/test/things/{n_writers}-{turn}/{key}"));
            durable += rate(n_writers, create).await;
        }
        let ratio = durable / bare;
        let (durable, bare) = (durable / TURNS as f64, bare / TURNS as f64);
        println!("{n_writers:>8} {durable:>14.0} {bare:>14.0} {ratio:>7.2}");
    }
    store.close().await;
}

/// Calls a second by `n_writers` at once, each call with a key of its own.
async fn rate<F: Future<Output = ()> + Send + 'static>(
    n_writers: usize,
    call: impl Fn(String) -> F + Clone + Send + 'static,
) -> f64 {
    let start = Instant::now();
    let writers: Vec<_> = (0..n_writers)
        .map(|writer| {
            let call = call.clone();
            tokio::spawn(count_calls(start, move |n| call(format!("{writer}-{n}"))))
        })
        .collect();
    let mut n_calls = 0;
    for writer in writers {
        n_calls += writer.await.unwrap();
    }
    n_calls as f64 / start.elapsed().as_secs_f64()
}

async fn count_calls<F: Future<Output = ()>>(start: Instant, call: impl Fn(u64) -> F) -> u64 {
    let mut n_calls = 0;
    while start.elapsed() < TURN {
        call(n_calls).await;
        n_calls += 1;
    }
    n_calls
}

async fn create(store: Store, key: String) {
    let txn = Txn {
        conditions: vec![(key.clone(), 0)],
        ops: vec![Op::Put { key, value: Bytes::from(vec![b'x'; VALUE_BYTES]) }],
    };
    store.commit(txn).await.unwrap();
}

type Append = (Vec<u8>, oneshot::Sender<()>);

async fn append(log: mpsc::Sender<Append>) {
    let (answer, answered) = oneshot::channel();
    log.send((vec![b'x'; VALUE_BYTES], answer)).unwrap();
    answered.await.unwrap();
}

fn start_log(mut file: File) -> mpsc::Sender<Append> {
    let (sender, receiver) = mpsc::channel::<Append>();
    std::thread::spawn(move || {
        while let Ok(first) = receiver.recv() {
            let waiting = receiver.try_iter().take(BATCH - 1);
            let batch: Vec<Append> = std::iter::once(first).chain(waiting).collect();
            let bytes: Vec<u8> = batch.iter().flat_map(|(value, _)| value.clone()).collect();
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
            for (_, answer) in batch {
                // The writer may have stopped waiting at the end of the measurement.
                let _ = answer.send(());
            }
        }
    });
    sender
}
