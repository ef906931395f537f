//! `DIR/exits/NAME.ATTEMPT.json`: one file a run, written when it starts and again, durably, when it has ended.
//! A file that still says Running beside a dead supervisor is a lost run.

use crate::runtime::{Run, RunState};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const DIR: &str = "exits";

/// Whether a record must survive the machine's death.
#[derive(Clone, Copy, PartialEq)]
pub enum Durability {
    /// Written, not waited for.
    Lazy,
    /// On the disk when the call returns.
    Synced,
}

/// Writes the record of `run` in place of an older one.
pub fn write(pod_dir: &Path, run: &Run, durability: Durability) -> io::Result<()> {
    let dir = pod_dir.join(DIR);
    let path = file(pod_dir, run);
    let temporary = path.with_extension("tmp");
    let mut out = match File::create(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(&dir)?;
            File::create(&temporary)?
        }
        other => other?,
    };
    out.write_all(&serde_json::to_vec(run)?)?;
    if durability == Durability::Synced {
        out.sync_all()?;
    }
    fs::rename(&temporary, &path)?;
    if durability == Durability::Synced {
        File::open(&dir)?.sync_all()?;
    }
    Ok(())
}

/// Forgets a run that never came to be.
pub fn remove(pod_dir: &Path, run: &Run) {
    let _ = fs::remove_file(file(pod_dir, run));
}

/// The newest recorded run of every container. What was running is `Lost`: call this only when its supervisor is dead.
pub fn read(pod_dir: &Path) -> Vec<Run> {
    let mut newest = BTreeMap::<String, Run>::new();
    for entry in fs::read_dir(pod_dir.join(DIR)).into_iter().flatten().flatten() {
        if entry.path().extension().is_none_or(|ext| ext != "json") {
            continue;
        }
        let Some(mut run) = fs::read(entry.path()).ok().and_then(|text| serde_json::from_slice::<Run>(&text).ok())
        else {
            continue;
        };
        if matches!(run.state, RunState::Running { .. }) {
            run.state = RunState::Lost;
        }
        let is_newer = newest.get(&run.container).is_none_or(|known| known.attempt < run.attempt);
        if is_newer {
            newest.insert(run.container.clone(), run);
        }
    }
    newest.into_values().collect()
}

/// The record of a run that has ended.
pub fn ended(pod_dir: &Path, container: &str, attempt: u32) -> Option<Run> {
    let text = fs::read(file_of(pod_dir, container, attempt)).ok()?;
    let run: Run = serde_json::from_slice(&text).ok()?;
    matches!(run.state, RunState::Exited { .. }).then_some(run)
}

fn file(pod_dir: &Path, run: &Run) -> PathBuf {
    file_of(pod_dir, &run.container, run.attempt)
}

fn file_of(pod_dir: &Path, container: &str, attempt: u32) -> PathBuf {
    pod_dir.join(DIR).join(format!("{container}.{attempt}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn run(container: &str, attempt: u32, state: RunState) -> Run {
        Run { container: container.into(), attempt, state }
    }

    #[test]
    fn the_newest_attempt_counts_and_a_running_one_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let exited = RunState::Exited { exit_code: 3, oom_killed: false, started_at: at, finished_at: at };
        let running = RunState::Running { pid: 7, started_at: at };
        write(dir.path(), &run("a", 9, exited.clone()), Durability::Synced).unwrap();
        write(dir.path(), &run("a", 10, running.clone()), Durability::Lazy).unwrap();
        write(dir.path(), &run("b.c", 0, running), Durability::Lazy).unwrap();
        write(dir.path(), &run("b.c", 0, exited.clone()), Durability::Lazy).unwrap();
        fs::write(dir.path().join("exits/torn.json"), "{").unwrap();
        let expect = [run("a", 10, RunState::Lost), run("b.c", 0, exited.clone())];
        assert_eq!(read(dir.path()), expect);
        assert_eq!(ended(dir.path(), "a", 9), Some(run("a", 9, exited)));
        assert_eq!((ended(dir.path(), "a", 10), ended(dir.path(), "a", 11)), (None, None));
    }

    #[test]
    fn no_records_are_no_runs() {
        assert_eq!(read(Path::new("/nonexistent")), Vec::new());
    }
}
