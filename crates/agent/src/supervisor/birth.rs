//! How a supervisor learns whether a program was executed: a pipe that execve closes. A byte says that all that is left is execve;
//! what follows is why it failed. Where another runtime executes the program, its process is told in the same way.

use super::protocol::Failure;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Written to the status pipe when all that is left is execve.
pub const ABOUT_TO_EXECUTE: u8 = b'+';

/// How long a process may take to become its program; it takes milliseconds, unless something in the kernel hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a start went.
pub enum Birthday {
    /// Its process is still at work.
    Unborn,
    Executed,
    /// In another process than the one that was watched, which has ended or is about to.
    ExecutedAs(u32),
    Failed(Failure),
}

/// The supervisor's end of a status pipe.
pub struct Birth {
    /// Open until the program was executed or could not be.
    pub pipe: Option<File>,
    /// When a program that is still not executed never will be.
    pub due: Option<Instant>,
    said: Vec<u8>,
}

impl Birth {
    /// One that is expected, and the end that the new process writes to.
    pub fn expect() -> io::Result<(Self, OwnedFd)> {
        let (pipe, end) = pipe2(OFlag::O_CLOEXEC)?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let birth = Self { pipe: Some(pipe.into()), due: Instant::now().checked_add(PATIENCE), said: Vec::new() };
        Ok((birth, end))
    }

    /// Reads what there is.
    pub fn read(&mut self) -> Birthday {
        let Some(pipe) = &mut self.pipe else {
            return Birthday::Unborn;
        };
        let mut piece = [0; 4096];
        loop {
            match pipe.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => self.said.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Birthday::Unborn,
                Err(_) => break,
            }
        }
        self.pipe = None;
        self.due = None;
        verdict(&std::mem::take(&mut self.said))
    }
}

fn verdict(said: &[u8]) -> Birthday {
    let (executed, report) = match said.split_first() {
        Some((&ABOUT_TO_EXECUTE, rest)) => (true, rest),
        _ => (false, said),
    };
    if report.is_empty() && executed {
        return Birthday::Executed;
    }
    if let (true, Ok(pid)) = (executed, serde_json::from_slice(report)) {
        return Birthday::ExecutedAs(pid);
    }
    Birthday::Failed(
        serde_json::from_slice(report)
            .unwrap_or_else(|_| Failure::Create("the container's first process was killed during its set-up".into())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_pipe_tells_execution_from_failure_and_death() {
        let failure = Failure::Start { message: "m".into(), exit_code: 127 };
        let text = serde_json::to_vec(&failure).unwrap();
        assert!(matches!(verdict(b"+"), Birthday::Executed));
        assert!(matches!(verdict(b"+42"), Birthday::ExecutedAs(42)));
        assert!(matches!(verdict(b"42"), Birthday::Failed(_)));
        for said in [text.clone(), [b"+".as_slice(), &text].concat()] {
            assert!(matches!(verdict(&said), Birthday::Failed(seen) if seen == failure));
        }
        assert!(matches!(verdict(b""), Birthday::Failed(Failure::Create(_))));
    }
}
