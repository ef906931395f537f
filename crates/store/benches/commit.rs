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
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);
const BATCH: usize = 512;

#[tokio::main]
async fn main() {
    let temp = tempfile::tempdir_in(".").unwrap();
    let store = Store::open(&temp.path().join("store"), Options::default()).unwrap();
    let log = start_log(File::create(temp.path().join("log")).unwrap());
    println!("{:>8} {:>14} {:>14} {:>7}", "writers", "store /s", "bare log /s", "ratio");
    for n_writers in [1, 32] {
        let bare = {
            let log = log.clone();
            rate(n_writers, move |_| append(log.clone())).await
        };
        let durable = {
            let store = store.clone();
            rate(n_writers, move |key| create(store.clone(), key)).await
        };
        println!("{n_writers:>8} {durable:>14.0} {bare:>14.0} {:>7.2}", durable / bare);
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
            let body = move |n: u64| call(format!("/test/things/{n_writers}/{writer}-{n}"));
            tokio::spawn(count_calls(start, body))
        })
        .collect();
    let mut n_calls = 0;
    for writer in writers {
        n_calls += writer.await.unwrap();
    }
    n_calls as f64 / MEASURED.as_secs_f64()
}

async fn count_calls<F: Future<Output = ()>>(start: Instant, call: impl Fn(u64) -> F) -> u64 {
    let mut n_counted = 0;
    for n in 0.. {
        call(n).await;
        let elapsed = start.elapsed();
        if WARM_UP + MEASURED < elapsed {
            break;
        }
        n_counted += u64::from(WARM_UP < elapsed);
    }
    n_counted
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
