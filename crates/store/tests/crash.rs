//! Kills a writing process at random moments and compares what it was promised with what is there. (This cannot show that
//! anything is on the disk: the kernel lives on. `syncs.rs` does.)

#![allow(clippy::unwrap_used)]

#[path = "../exerciser/model.rs"]
mod model;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use store::{Options, Store};

const N_WRITERS: u64 = 8;
const N_KILLS: u64 = 30;

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let temp = tempfile::tempdir().unwrap();
    let random = RandomState::new();
    let mut acked = BTreeMap::new();
    let mut revision = 0;
    for round in 0..N_KILLS {
        let random = random.hash_one(round);
        // Every other one while it is in full swing, the rest wherever it has got to, its start included.
        let moment = if round % 2 == 0 {
            Moment::Acks(random % 500)
        } else {
            Moment::After(Duration::from_micros(random % 80_000))
        };
        for ack in run_until_killed(temp.path(), moment) {
            acked.insert(ack.writer, ack.step);
            revision = revision.max(ack.revision);
        }
        let store = Store::open(temp.path(), Options::default()).unwrap();
        let found = store.revision();
        assert!(revision <= found, "round {round}: back from {revision} to {found}");
        revision = found;
        for writer in 0..N_WRITERS {
            let acked = acked.entry(writer).or_insert(0);
            let last = model::last_step(&store, writer);
            let in_flight = *acked + 1;
            assert!(
                last == *acked || last == in_flight,
                "round {round} writer {writer}: acknowledged {acked}, found {last}"
            );
            model::check(&store, writer, last);
            *acked = last;
        }
        store.close().await;
    }
    let n_steps: u64 = acked.values().sum();
    assert!(1_000 < n_steps, "only {n_steps} steps were taken");
}

#[derive(Debug, Clone, Copy)]
enum Moment {
    Acks(u64),
    After(Duration),
}

struct Ack {
    writer: u64,
    step: u64,
    revision: u64,
}

fn run_until_killed(dir: &Path, moment: Moment) -> Vec<Ack> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_store-exerciser"))
        .args(["write", dir.to_str().unwrap(), &N_WRITERS.to_string(), "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in stdout.lines() {
            sender.send(line.unwrap()).unwrap();
        }
    });
    let mut acks = Vec::new();
    match moment {
        Moment::Acks(n) => {
            for _ in 0..n {
                acks.push(lines.recv().expect("it writes until it is killed"));
            }
        }
        Moment::After(delay) => {
            let deadline = Instant::now() + delay;
            let left = || deadline.saturating_duration_since(Instant::now());
            while let Ok(ack) = lines.recv_timeout(left()) {
                acks.push(ack);
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    acks.extend(lines);
    reader.join().unwrap();
    acks.iter().map(|line| parse(line)).collect()
}

fn parse(line: &str) -> Ack {
    let numbers = line.strip_prefix("ack ").unwrap().split(' ');
    let numbers: Vec<u64> = numbers.map(|number| number.parse().unwrap()).collect();
    let [writer, step, revision] = numbers[..] else { panic!("{line}") };
    Ack { writer, step, revision }
}
