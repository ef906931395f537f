//! One run of a container as its supervisor holds it: from clone3 to the exit record.

use super::child::{self, ABOUT_TO_EXECUTE, Birth};
use super::protocol::{Boot, Failure};
use super::sys::{self, Cloned};
use crate::cgroups::{apply, plan};
use crate::logs::write::{LogWriter, Stream};
use crate::runtime::{Container, RunState};
use jiff::Timestamp;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The largest piece of output taken at once: what a pipe holds.
const PIECE: usize = 64 * 1024;

/// How long a first process may take to make its root; it takes milliseconds, unless something in the kernel hangs.
const BIRTH: Duration = Duration::from_secs(120);

/// A container's process and all that belongs to it.
pub struct Live {
    pub name: String,
    pub attempt: u32,
    pub pid: u32,
    pub pidfd: OwnedFd,
    pub started_at: Timestamp,
    /// When the grace period is over.
    pub kill_at: Option<Instant>,
    /// When a program that is still not executed never will be.
    pub born_by: Option<Instant>,
    pub stdout: Option<File>,
    pub stderr: Option<File>,
    /// Open until the program was executed or could not be.
    pub status: Option<File>,
    said: Vec<u8>,
    log: LogWriter,
    stop_signal: i32,
    cgroup: plan::Plan,
    /// Keeps `kiln image rm` from removing what the root is made of.
    _layers: Vec<OwnedFd>,
}

/// How a start went.
pub enum Birthday {
    /// Its first process is still at work.
    Unborn,
    Executed,
    Failed(Failure),
}

/// Where things are in the pod's directory.
pub fn scratch(pod_dir: &Path, name: &str, attempt: u32) -> PathBuf {
    pod_dir.join("rootfs").join(format!("{name}.{attempt}"))
}

/// The pod's shared memory.
pub fn shm(pod_dir: &Path) -> PathBuf {
    pod_dir.join("shm")
}

/// Starts the first process. Limits that could not be set are added to `shortfalls`.
pub fn launch(
    boot: &Boot,
    container: &Container,
    now: Timestamp,
    shortfalls: &mut Vec<String>,
) -> Result<Live, Failure> {
    let (uid, name) = (&boot.sandbox.pod_uid, &container.name);
    let cgroup = plan::container(&boot.cgroups, uid, name, container.attempt, &container.resources);
    shortfalls.extend(apply::apply(&cgroup));
    let launched = launch_in(boot, &cgroup, container, now);
    if launched.is_err() {
        remove_cgroup(&cgroup);
    }
    launched
}

fn launch_in(boot: &Boot, cgroup: &plan::Plan, container: &Container, now: Timestamp) -> Result<Live, Failure> {
    let pod_dir = &boot.sandbox.dir;
    let failed = |what: &str, error: io::Error| Failure::Create(format!("failed to {what}: {error}"));
    let layers = crate::images::hold(&container.rootfs.lower).map_err(|e| failed("use the image", e))?;
    let log = LogWriter::open(&container.log_path)
        .map_err(|e| failed(&format!("open the log {}", container.log_path.display()), e))?;
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|e| failed("make a pipe", e.into()));
    let (stdout, stdout_end) = pipe()?;
    let (stderr, stderr_end) = pipe()?;
    let (status, status_end) = pipe()?;
    for end in [&stdout, &stderr, &status] {
        rustix::io::ioctl_fionbio(end, true).map_err(|e| failed("prepare a pipe", e.into()))?;
    }
    let directory = cgroup.unified.as_ref().and_then(|dir| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(dir, flags, Mode::empty()).ok()
    });
    let scratch = scratch(pod_dir, &container.name, container.attempt);
    let shm = shm(pod_dir);
    let birth = Birth {
        container,
        cgroup,
        scratch: &scratch,
        shm: &shm,
        host_network: boot.sandbox.host_network,
        stdout: stdout_end.as_fd(),
        stderr: stderr_end.as_fd(),
        status: status_end.as_fd(),
    };
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS;
    let cloned = sys::clone3(flags, directory.as_ref().map(AsFd::as_fd))
        .map_err(|e| failed("clone the container's process", e))?;
    match cloned {
        Cloned::Child => child::run(&birth),
        Cloned::Parent { pid, pidfd } => Ok(Live {
            name: container.name.clone(),
            attempt: container.attempt,
            pid,
            pidfd,
            started_at: now,
            kill_at: None,
            born_by: Instant::now().checked_add(BIRTH),
            stdout: Some(stdout.into()),
            stderr: Some(stderr.into()),
            status: Some(status.into()),
            said: Vec::new(),
            log,
            stop_signal: container.stop_signal,
            cgroup: cgroup.clone(),
            _layers: layers,
        }),
    }
}

impl Live {
    /// Reads the status pipe.
    pub fn read_status(&mut self) -> Birthday {
        let Some(status) = &mut self.status else {
            return Birthday::Unborn;
        };
        let mut piece = [0; 4096];
        loop {
            match status.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => self.said.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Birthday::Unborn,
                Err(_) => break,
            }
        }
        self.status = None;
        self.born_by = None;
        verdict(&std::mem::take(&mut self.said))
    }

    /// Copies what the container has written into its log. An output at its end is closed.
    pub fn copy_output(&mut self, stream: Stream, now: Timestamp) {
        self.copy(stream, now, 1);
    }

    /// Copies what is left in the pipes, and no more: the container may have handed one to a neighbour, which writes on.
    pub fn drain_output(&mut self, now: Timestamp) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let pipe = match stream {
                Stream::Stdout => &self.stdout,
                Stream::Stderr => &self.stderr,
            };
            let left = pipe.as_ref().map_or(Ok(0), rustix::io::ioctl_fionread).unwrap_or(0);
            self.copy(stream, now, left as usize / PIECE + 1);
            // A disk that is full loses the log's end, not the exit code.
            let _ = self.log.finish(stream, now);
        }
        self.stdout = None;
        self.stderr = None;
    }

    fn copy(&mut self, stream: Stream, now: Timestamp, pieces: usize) {
        let source = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let Some(pipe) = source else {
            return;
        };
        let mut piece = vec![0; PIECE];
        for _ in 0..pieces {
            match pipe.read(&mut piece) {
                Ok(0) => {
                    *source = None;
                    let _ = self.log.finish(stream, now);
                    return;
                }
                // A full disk loses lines; it must not stop the container, which would block on a full pipe.
                Ok(length) => drop(self.log.write(stream, &piece[..length], now)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Sends the stop signal.
    pub fn ask_to_stop(&self) {
        self.signal(self.stop_signal);
    }

    /// Kills it; its whole pid namespace dies with it.
    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    fn signal(&self, signal: i32) {
        let Some(signal) = Signal::from_named_raw(signal) else {
            return;
        };
        // It may have ended meanwhile, which is what was wanted.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// How it ended; `None` while it has not. Call once.
    pub fn reap(&self, now: Timestamp) -> Option<RunState> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.pidfd.as_fd()), options).ok()??;
        let (exit_code, killed) = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => (code, false),
            (None, Some(signal)) => (128 + signal, signal == libc::SIGKILL),
            // Neither cannot be; a number that says "unknown" beats a pod that never ends.
            (None, None) => (255, false),
        };
        // The kernel may have killed a child only, which the main process survived or reported in its own way.
        let counted = || self.cgroup.oom_counter.as_deref().map_or(0, apply::oom_kills);
        Some(RunState::Exited {
            exit_code,
            oom_killed: killed && 0 < counted(),
            started_at: self.started_at,
            finished_at: now,
        })
    }

    /// Removes its cgroups, in which nothing lives any more.
    pub fn remove_cgroup(&self) {
        remove_cgroup(&self.cgroup);
    }
}

fn remove_cgroup(cgroup: &plan::Plan) {
    for dir in cgroup.unified.iter().chain(&cgroup.v1) {
        // What is busy for a moment yet is removed with the pod.
        let _ = apply::remove_dir(dir);
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
        for said in [text.clone(), [b"+".as_slice(), &text].concat()] {
            assert!(matches!(verdict(&said), Birthday::Failed(seen) if seen == failure));
        }
        assert!(matches!(verdict(b""), Birthday::Failed(Failure::Create(_))));
    }
}
