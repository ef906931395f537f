//! A program around a store, for tests to kill, trace and starve. Says on stdout what it was promised.
//!
//! `store-exerciser write DIR WRITERS STEPS` takes each writer STEPS further (0: for ever), `ack WRITER STEP REVISION` a step.
//! `store-exerciser fill DIR` stores until the disk is full and ends without closing;
//! `store-exerciser empty DIR` finds such a store, empties it and stores again.

#![allow(clippy::unwrap_used, reason = "a test program says where it failed")]

mod fill;
mod model;

use std::io::Write;
use std::path::Path;
use store::{Options, Store};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["write", dir, n_writers, n_steps] => {
            let n_steps = n_steps.parse().unwrap();
            write(Path::new(dir), n_writers.parse().unwrap(), n_steps).await;
        }
        ["fill", dir] => fill::fill(Path::new(dir)).await,
        ["empty", dir] => fill::empty(Path::new(dir)).await,
        _ => panic!("unknown arguments {arguments:?}"),
    }
}

async fn write(dir: &Path, n_writers: u64, n_steps: u64) {
    let store = Store::open(dir, Options::default()).unwrap();
    let writers: Vec<_> =
        (0..n_writers).map(|writer| tokio::spawn(write_steps(store.clone(), writer, n_steps))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    store.close().await;
}

async fn write_steps(store: Store, writer: u64, n_steps: u64) {
    let first = model::last_step(&store, writer) + 1;
    let last = if n_steps == 0 { u64::MAX } else { first + n_steps - 1 };
    for step in first..=last {
        let committed = store.commit(model::txn(&store, writer, step)).await.unwrap();
        say(&format!("ack {writer} {step} {}", committed.revision));
    }
}

/// One write call a line: a killed process leaves no half of one.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{line}\n").as_bytes()).unwrap();
    stdout.flush().unwrap();
}
