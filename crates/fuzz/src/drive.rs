//! The loop: mangle, run, remember what was new. Bounded by time.

use crate::mutate::{Chance, mutate};
use crate::{Signal, Target};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A small input that takes longer than this is a way to stop a server.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Seeds that are kept.
const MAX_SEEDS: usize = 4_096;

/// How long, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// For the whole run.
    pub time: Duration,
    /// Two runs with the same seed begin alike.
    pub seed: u64,
}

/// Where files cost little: memory, if the machine has it as files.
pub fn fast_directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Runs a target with mangled inputs. One that fails is kept in `dir`; one that ends the process without a word (a stack
/// that overflows) is left as `/dev/shm/kiln-fuzz-TARGET-PID`.
///
/// # Panics
/// When an input makes the target panic, or takes too long; the message says where the input is.
pub fn drive(target: &Target, options: Options, dir: &Path) {
    let current = Current {
        path: fast_directory().join(format!("kiln-fuzz-{}-{}", target.name, std::process::id())),
        kept: dir.join(format!("{}.failed", target.name)),
    };
    let mut chance = Chance::new(options.seed);
    let mut seeds = (target.seeds)();
    seeds.push(Vec::new());
    let mut seen: HashSet<Signal> = HashSet::new();
    for seed in &seeds {
        seen.insert(run(target, seed, options.seed, &current));
    }
    let begin = Instant::now();
    let mut n_runs = 0u64;
    while begin.elapsed() < options.time {
        let (base, other) = (chance.pick(&seeds), chance.pick(&seeds));
        let input = mutate(&mut chance, base, other, target.words, target.shape);
        n_runs += 1;
        if seen.insert(run(target, &input, options.seed, &current)) && seeds.len() < MAX_SEEDS {
            seeds.push(input);
        }
    }
    println!("{}: seed {}, {n_runs} inputs, {} signals", target.name, options.seed, seen.len());
}

/// The file that holds the current input, and the one that a failing input is kept in.
struct Current {
    path: PathBuf,
    kept: PathBuf,
}

impl Drop for Current {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn run(target: &Target, input: &[u8], seed: u64, current: &Current) -> Signal {
    std::fs::write(&current.path, input).expect("the directory for inputs can be written");
    let begin = Instant::now();
    let signal = catch_unwind(AssertUnwindSafe(|| target.run(input)));
    let took = begin.elapsed();
    let failed = |how: &str| -> ! {
        let _ = std::fs::write(&current.kept, input);
        panic!("{} {how}; seed {seed}, input in {}", target.name, current.kept.display());
    };
    match signal {
        Ok(_) if MAX_TIME < took => failed(&format!("took {took:?} for {} bytes", input.len())),
        Ok(signal) => signal,
        Err(_) => failed("panicked"),
    }
}
