//! Watches the system calls: the log is synced before anything is acknowledged, once for many, and a sync that fails ends the
//! process before another word.

#![allow(clippy::unwrap_used)]

#[path = "../exerciser/model.rs"]
mod model;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};
use store::{Options, Store};

#[test]
fn the_log_is_synced_before_the_answer() {
    let temp = tempfile::tempdir().unwrap();
    let (output, calls) = trace(temp.path(), 1, 50, &[]);
    assert!(output.status.success(), "{output:?}");
    let seen = check_order(&calls);
    assert_eq!(seen.n_acks, 50);
    assert!(50 <= seen.n_syncs);
}

#[test]
fn one_sync_serves_all_who_wait() {
    let temp = tempfile::tempdir().unwrap();
    // Slow syncs give everyone the time to queue.
    let slow = "inject=fsync,fdatasync:delay_enter=5000";
    let (output, calls) = trace(temp.path(), 32, 20, &["-e", slow]);
    assert!(output.status.success(), "{output:?}");
    let n_acks = calls.iter().filter(|call| call.is_ack()).count();
    let n_syncs = calls.iter().filter(|call| call.syncs_log()).count();
    assert_eq!(n_acks, 32 * 20);
    assert!(n_syncs * 8 < n_acks, "{n_syncs} syncs for {n_acks} commits");
}

#[tokio::test]
async fn a_failed_sync_ends_the_process_and_acknowledges_nothing() {
    let temp = tempfile::tempdir().unwrap();
    // Counted for each thread: opening the store has to succeed.
    let broken = "inject=fsync,fdatasync:error=EIO:when=20+";
    let (output, calls) = trace(temp.path(), 1, 1_000, &["-e", broken]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let database = temp.path().join("data/kiln.db");
    let expected = format!("kiln: failed to write {}: disk I/O error", database.display());
    assert!(stderr.starts_with(&expected), "{stderr}");

    let seen = check_order(&calls);
    assert!((1..1_000).contains(&seen.n_acks), "{}", seen.n_acks);
    let store = Store::open(&temp.path().join("data"), Options::default()).unwrap();
    let last = model::last_step(&store, 0);
    assert!(last == seen.n_acks || last == seen.n_acks + 1, "acknowledged {}, found {last}", seen.n_acks);
    model::check(&store, 0, last);
    store.close().await;
}

#[tokio::test]
async fn what_a_failed_sync_left_behind_is_synced_before_it_is_served() {
    let temp = tempfile::tempdir().unwrap();
    let broken = "inject=fsync,fdatasync:error=EIO:when=20+";
    let (output, _) = trace(temp.path(), 1, 1_000, &["-e", broken]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let log = temp.path().join("data/kiln.db-wal");
    assert!(0 < log.metadata().unwrap().len(), "a log is left behind");

    let (output, calls) = trace(temp.path(), 1, 1, &[]);
    assert!(output.status.success(), "{output:?}");
    let before_ack = calls.iter().take_while(|call| !call.is_ack());
    let copied = before_ack.clone().position(|call| call.writes("kiln.db"));
    let synced = before_ack.clone().position(|call| call.syncs("kiln.db"));
    assert!(copied.unwrap() < synced.unwrap(), "{copied:?} {synced:?}");
}

struct Seen {
    n_acks: u64,
    n_syncs: u64,
}

/// With one writer, each of whose steps waits for the one before: whatever it wrote to the log is synced when it is told.
#[track_caller]
fn check_order(calls: &[Call]) -> Seen {
    let mut seen = Seen { n_acks: 0, n_syncs: 0 };
    let mut is_dirty = false;
    let mut n_syncs_before = 0;
    for call in calls {
        if call.writes("kiln.db-wal") {
            is_dirty = true;
        } else if call.syncs_log() {
            is_dirty = false;
            seen.n_syncs += 1;
        } else if call.is_ack() {
            assert!(!is_dirty, "acknowledged before the sync: {}", call.text);
            assert!(n_syncs_before < seen.n_syncs, "no sync for {}", call.text);
            n_syncs_before = seen.n_syncs;
            seen.n_acks += 1;
        }
    }
    seen
}

/// A system call; those that write stand where they began, those that sync where they ended.
struct Call {
    name: String,
    text: String,
    succeeded: bool,
}

impl Call {
    fn is_on(&self, file: &str) -> bool {
        self.text.contains(&format!("/{file}>"))
    }
    fn writes(&self, file: &str) -> bool {
        ["write", "pwrite64"].contains(&self.name.as_str()) && self.is_on(file)
    }
    fn syncs(&self, file: &str) -> bool {
        ["fsync", "fdatasync"].contains(&self.name.as_str()) && self.is_on(file) && self.succeeded
    }
    fn syncs_log(&self) -> bool {
        self.syncs("kiln.db-wal")
    }
    fn is_ack(&self) -> bool {
        self.name == "write" && self.text.contains("\"ack ")
    }
}

fn trace(dir: &Path, n_writers: u32, n_steps: u32, options: &[&str]) -> (Output, Vec<Call>) {
    let trace = dir.join("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-qq", "-e", "trace=write,pwrite64,fsync,fdatasync"])
        .args(options)
        .arg("-o")
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_store-exerciser"))
        .arg("write")
        .arg(dir.join("data"))
        .args([n_writers.to_string(), n_steps.to_string()])
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("this test needs strace: apt-get install strace")
        }
        output => output.unwrap(),
    };
    let text = std::fs::read(&trace).unwrap();
    (output, parse(&String::from_utf8_lossy(&text)))
}

/// Lines are `PID NAME(ARGUMENTS) = RESULT`, or two: `PID NAME(ARGUMENTS <unfinished ...>`, `PID <... NAME resumed>) = RESULT`.
fn parse(trace: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, String> = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (pid, text) = line.split_once(' ').unwrap();
        let text = text.trim_start();
        if text.starts_with(['+', '-']) {
            continue;
        }
        let succeeded = text.contains(") = 0") || text.contains(")  = 0");
        let (text, ended) = if text.starts_with("<...") {
            (unfinished.remove(pid).unwrap_or_default(), true)
        } else if text.ends_with("<unfinished ...>") {
            unfinished.insert(pid, text.to_owned());
            (text.to_owned(), false)
        } else {
            (text.to_owned(), true)
        };
        let name = text.split('(').next().unwrap().to_owned();
        let is_sync = name.ends_with("sync");
        let began = !line.contains("<... ");
        if (is_sync && ended) || (!is_sync && began) {
            calls.push(Call { name, text, succeeded });
        }
    }
    calls
}
