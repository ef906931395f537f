//! What stands on disk of a run's hooks, so that a server that comes after neither repeats one that is over nor forgets that a
//! container was to stop: `POD_DIR/hooks/CONTAINER.ATTEMPT.HOOK`.

use crate::pod::known::{PostStart, PreStop};
use crate::pod::tend::Killing;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Right after the start.
    PostStart,
    /// Right before the end.
    PreStop,
}

/// How far one has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it first began.
    pub since: Timestamp,
    /// How it ended, if it has: empty if well, or why not.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Of a preStop hook: when the container's grace is over.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// Of a preStop hook: why the container is to stop.
    #[serde(default)]
    pub killing: Option<Killing>,
}

impl Record {
    /// As a worker that has just begun takes it.
    pub fn post_start(&self) -> PostStart {
        match self.outcome.as_deref() {
            None => PostStart::Due { since: Some(self.since) },
            Some("") => PostStart::Done,
            Some(message) => PostStart::Failed(message.to_owned()),
        }
    }

    /// As a worker that has just begun takes it.
    pub fn pre_stop(&self) -> PreStop {
        let ends_at = self.ends_at.unwrap_or(self.since);
        match self.outcome {
            None => PreStop::Begun { is_running: false, since: self.since, ends_at },
            Some(_) => PreStop::Over { ends_at },
        }
    }
}

fn path(pod_dir: &Path, container: &str, attempt: u32, hook: Hook) -> PathBuf {
    let hook = match hook {
        Hook::PostStart => "postStart",
        Hook::PreStop => "preStop",
    };
    pod_dir.join("hooks").join(format!("{container}.{attempt}.{hook}"))
}

/// None if there is none, or none that can be read.
pub fn read(pod_dir: &Path, container: &str, attempt: u32, hook: Hook) -> Option<Record> {
    let text = std::fs::read(path(pod_dir, container, attempt, hook)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whole or not at all. A machine that restarts takes the containers along, so nothing waits for the disk.
pub fn write(pod_dir: &Path, container: &str, attempt: u32, hook: Hook, record: &Record) -> io::Result<()> {
    let path = path(pod_dir, container, attempt, hook);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let temporary = path.with_added_extension("tmp");
    std::fs::write(&temporary, serde_json::to_vec(record)?)?;
    std::fs::rename(&temporary, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_next_server_finds_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut record =
            Record { since: at(5), outcome: None, ends_at: Some(at(35)), killing: Some(Killing::Liveness) };
        write(dir.path(), "a", 1, Hook::PreStop, &record).unwrap();
        assert_eq!(read(dir.path(), "a", 1, Hook::PreStop), Some(record.clone()));
        assert_eq!(read(dir.path(), "a", 0, Hook::PreStop), None);
        assert_eq!(read(dir.path(), "a", 1, Hook::PostStart), None);
        assert_eq!(record.pre_stop(), PreStop::Begun { is_running: false, since: at(5), ends_at: at(35) });
        record.outcome = Some("no".into());
        assert_eq!(record.pre_stop(), PreStop::Over { ends_at: at(35) });
    }

    #[test]
    fn a_hook_that_is_over_is_not_run_again_and_one_that_was_interrupted_is() {
        let record = |outcome: Option<&str>| {
            let outcome = outcome.map(str::to_owned);
            Record { since: at(5), outcome, ends_at: None, killing: None }.post_start()
        };
        assert_eq!(record(None), PostStart::Due { since: Some(at(5)) });
        assert_eq!(record(Some("")), PostStart::Done);
        assert_eq!(record(Some("no")), PostStart::Failed("no".into()));
    }

    #[test]
    fn a_broken_record_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("hooks")).unwrap();
        std::fs::write(dir.path().join("hooks/a.0.preStop"), "{").unwrap();
        assert_eq!(read(dir.path(), "a", 0, Hook::PreStop), None);
    }
}
