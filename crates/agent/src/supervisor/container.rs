//! One run of a container as its supervisor holds it: from clone3 to the exit record.

use super::audience::Audience;
use super::birth::Birth;
use super::child::{self, Stdio};
use super::handover;
use super::oci::{self, Order, Outside, Ward};
use super::protocol::{Boot, Failure};
use super::sys::{self, Cloned};
use crate::cgroups::{apply, plan};
use crate::logs::write::{LogWriter, Stream};
use crate::runtime::{Container, RunState, Stdin};
use jiff::Timestamp;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The largest piece of output taken at once: what a pipe holds.
const PIECE: usize = 64 * 1024;
/// A terminal gives 4 KiB at a time and holds no more than 64 KiB; the rest is margin.
const TERMINAL_PIECES: usize = 256;

/// A container's process and all that belongs to it.
pub struct Live {
    pub name: String,
    pub attempt: u32,
    /// Further programs are executed as this one was.
    pub spec: Spec,
    pub pid: u32,
    pub pidfd: OwnedFd,
    pub started_at: Timestamp,
    /// When the grace period is over.
    pub kill_at: Option<Instant>,
    pub birth: Birth,
    /// A terminal's output, if there is one.
    pub stdout: Option<File>,
    pub stderr: Option<File>,
    /// What its input comes through. `None` if that is /dev/null, or is in the hands of the only client it will have.
    pub stdin: Option<OwnedFd>,
    pub stdin_kind: Stdin,
    /// A terminal's master.
    pub terminal: Option<OwnedFd>,
    /// On which the master comes.
    console: Option<UnixStream>,
    log: LogWriter,
    stop_signal: i32,
    pub cgroup: plan::Plan,
    /// What another runtime knows of it.
    pub ward: Option<Ward>,
    /// Keeps `kiln image rm` from removing what the root is made of.
    _layers: Vec<OwnedFd>,
}

/// Where things are in the pod's directory.
pub fn scratch(pod_dir: &Path, name: &str, attempt: u32) -> PathBuf {
    pod_dir.join("rootfs").join(format!("{name}.{attempt}"))
}

/// What a run of a container has written to its root, where that is on the disk.
pub fn written_layer(pod_dir: &Path, name: &str, attempt: u32) -> PathBuf {
    scratch(pod_dir, name, attempt).join("upper")
}

/// The pod's shared memory.
pub fn shm(pod_dir: &Path) -> PathBuf {
    pod_dir.join("shm")
}

/// Starts the first process. Limits that could not be set are added to `shortfalls`.
pub fn launch(
    boot: &Boot,
    outside: Option<&Outside>,
    container: Container,
    now: Timestamp,
    shortfalls: &mut Vec<String>,
) -> Result<Live, Failure> {
    let (uid, name) = (&boot.sandbox.pod_uid, &container.name);
    let mut cgroup = plan::container(&boot.cgroups, uid, name, container.attempt, &container.resources);
    shortfalls.extend(apply::apply(&cgroup));
    let by = match (&boot.sandbox.runtime, outside) {
        (Some(runtime), Some(outside)) => {
            // Other runtimes use every tree: what they make there is to be joined by further programs, and to go.
            cgroup.v1 = boot.cgroups.v1_dirs(uid, name, container.attempt);
            // Where this pod has a directory the one above it stays, whatever other pod ends while the runtime looks around in it.
            for pod in cgroup.v1.iter().filter_map(|dir| dir.parent()) {
                let _ = apply::make_dir(pod);
            }
            let ward = Ward::new(runtime, &boot.sandbox.dir, uid, name, container.attempt);
            By::Another { ward, outside }
        }
        _ => By::Ourselves,
    };
    let launched = launch_in(boot, by, &cgroup, container, now);
    if launched.is_err() {
        remove_cgroup(&cgroup);
    }
    launched
}

/// A failure to do `what`.
pub fn failed(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Create(format!("failed to {what}: {error}"))
}

/// A pipe whose first end, if it is ours to keep, does not block us.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    pipe2(OFlag::O_CLOEXEC).map_err(|e| failed("make a pipe", e))
}

/// Makes an end that we keep, or hand over, one that does not block.
pub fn unblocked(end: OwnedFd) -> Result<OwnedFd, Failure> {
    rustix::io::ioctl_fionbio(&end, true).map_err(|e| failed("prepare a pipe", e))?;
    Ok(end)
}

/// A cgroup as clone3 wants it.
pub fn open_cgroup(dir: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty()).ok()
}

/// Which runtime makes a container.
enum By<'a> {
    Ourselves,
    Another { ward: Ward, outside: &'a Outside },
}

fn launch_in(
    boot: &Boot,
    by: By<'_>,
    cgroup: &plan::Plan,
    container: Container,
    now: Timestamp,
) -> Result<Live, Failure> {
    let pod_dir = &boot.sandbox.dir;
    let layers = crate::images::hold(&container.rootfs.lower).map_err(|e| failed("use the image", e))?;
    let log = LogWriter::open(&container.log_path)
        .map_err(|e| failed(&format!("open the log {}", container.log_path.display()), e))?;
    let (birth, status_end) = Birth::expect().map_err(|e| failed("make a pipe", e))?;
    let has_terminal = container.spec.process().as_ref().and_then(|process| process.terminal()).unwrap_or(false);
    let mut ends = Ends::default();
    // What only the child needs is closed here at the end of this function.
    let (mut stdin_end, mut stdout_end, mut stderr_end, mut console_end) = (None, None, None, None);
    if has_terminal {
        let (ours, theirs) = UnixStream::pair().map_err(|e| failed("make a socket", e))?;
        ours.set_nonblocking(true).map_err(|e| failed("prepare a socket", e))?;
        (ends.console, console_end) = (Some(ours), Some(theirs));
    } else {
        if container.stdin != Stdin::Null {
            let (theirs, ours) = pipe()?;
            (ends.stdin, stdin_end) = (Some(unblocked(ours)?), Some(theirs));
        }
        let (ours, theirs) = pipe()?;
        (ends.stdout, stdout_end) = (Some(unblocked(ours)?), Some(theirs));
        let (ours, theirs) = pipe()?;
        (ends.stderr, stderr_end) = (Some(unblocked(ours)?), Some(theirs));
    }
    let stdio = match &console_end {
        Some(console) => Stdio::Terminal { console: console.as_fd() },
        None => Stdio::Pipes {
            stdin: stdin_end.as_ref().map(AsFd::as_fd),
            stdout: stdout_end.as_ref().map(AsFd::as_fd),
            stderr: stderr_end.as_ref().map(AsFd::as_fd),
        },
    };
    let scratch = scratch(pod_dir, &container.name, container.attempt);
    let shm = shm(pod_dir);
    let failed_to_clone = |e| failed("clone the container's process", e);
    let (cloned, ward) = match by {
        By::Ourselves => {
            let directory = cgroup.unified.as_deref().and_then(open_cgroup);
            let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS;
            let cloned = sys::clone3(flags, directory.as_ref().map(AsFd::as_fd)).map_err(failed_to_clone)?;
            if let Cloned::Child = cloned {
                child::run(&child::Birth {
                    container: &container,
                    cgroup,
                    scratch: &scratch,
                    shm: &shm,
                    host_network: boot.sandbox.host_network,
                    stdio,
                    status: status_end.as_fd(),
                });
            }
            (cloned, None)
        }
        By::Another { ward, outside } => {
            let (uid, name) = (&boot.sandbox.pod_uid, &container.name);
            let own = plan::container_path(&boot.cgroups.instance, uid, name, container.attempt);
            let supervisor = std::process::id();
            let cloned = sys::clone3(libc::CLONE_NEWNS, None).map_err(failed_to_clone)?;
            if let Cloned::Child = cloned {
                oci::run(&Order {
                    ward: &ward,
                    container: &container,
                    outside,
                    supervisor,
                    cgroup,
                    cgroup_path: &Path::new("/").join(own),
                    scratch: &scratch,
                    shm: &shm,
                    stdio,
                    status: status_end.as_fd(),
                });
            }
            (cloned, Some(ward))
        }
    };
    match cloned {
        Cloned::Child => sys::exit_now(1),
        Cloned::Parent { pid, pidfd } => Ok(Live {
            name: container.name,
            attempt: container.attempt,
            spec: container.spec,
            pid,
            pidfd,
            started_at: now,
            kill_at: None,
            birth,
            stdout: ends.stdout.map(File::from),
            stderr: ends.stderr.map(File::from),
            stdin: ends.stdin,
            stdin_kind: container.stdin,
            terminal: None,
            console: ends.console,
            log,
            stop_signal: container.stop_signal,
            cgroup: cgroup.clone(),
            ward,
            _layers: layers,
        }),
    }
}

/// Our ends of what the container reads and writes.
#[derive(Default)]
struct Ends {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    console: Option<UnixStream>,
}

impl Live {
    /// Takes the terminal that the container has made, if it was to. It was sent before the program was executed.
    pub fn take_terminal(&mut self) {
        let Some(console) = self.console.take() else {
            return;
        };
        let Some(master) = receive_terminal(&console) else {
            return;
        };
        self.stdout = master.try_clone().ok().map(File::from);
        self.terminal = Some(master);
    }

    /// Goes on with the process that another runtime has made, which is this one's child since the runtime has ended.
    pub fn become_process(&mut self, pid: u32) -> io::Result<()> {
        let found = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = pidfd_open(found, PidfdFlags::empty())?;
        let midwife = std::mem::replace(&mut self.pidfd, pidfd);
        self.pid = pid;
        // It is exiting: this wait is short.
        let _ = waitid(WaitId::PidFd(midwife.as_fd()), WaitIdOptions::EXITED);
        Ok(())
    }

    /// Copies what the container has written into its log and to those attached. An output at its end is closed.
    pub fn copy_output(&mut self, stream: Stream, now: Timestamp, audience: &mut Audience) {
        self.copy(stream, now, 1, audience);
    }

    /// Copies what is left in the pipes, and no more: the container may have handed one to a neighbour, which writes on.
    pub fn drain_output(&mut self, now: Timestamp, audience: &mut Audience) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let pipe = match stream {
                Stream::Stdout => &self.stdout,
                Stream::Stderr => &self.stderr,
            };
            let pieces = match &self.terminal {
                Some(_) => TERMINAL_PIECES,
                None => pipe.as_ref().map_or(Ok(0), rustix::io::ioctl_fionread).unwrap_or(0) as usize / PIECE + 1,
            };
            self.copy(stream, now, pieces, audience);
            // A disk that is full loses the log's end, not the exit code.
            let _ = self.log.finish(stream, now);
        }
        self.stdout = None;
        self.stderr = None;
    }

    fn copy(&mut self, stream: Stream, now: Timestamp, pieces: usize, audience: &mut Audience) {
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
                Ok(length) => {
                    // A full disk loses lines; it must not stop the container, which would block on a full pipe.
                    let _ = self.log.write(stream, &piece[..length], now);
                    audience.send(&self.name, stream, &piece[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A terminal that nobody holds any more says EIO.
                Err(_) => {
                    *source = None;
                    let _ = self.log.finish(stream, now);
                    return;
                }
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
        let (exit_code, killed) = reap(&self.pidfd)?;
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

/// The exit code of a child that has ended, and whether SIGKILL ended it.
pub fn reap(pidfd: &OwnedFd) -> Option<(i32, bool)> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = waitid(WaitId::PidFd(pidfd.as_fd()), options).ok()??;
    Some(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code, false),
        (None, Some(signal)) => (128 + signal, signal == libc::SIGKILL),
        // Neither cannot be; a number that says "unknown" beats a pod that never ends.
        (None, None) => (255, false),
    })
}

/// The master that a child has sent before it executed its program.
pub fn receive_terminal(console: &UnixStream) -> Option<OwnedFd> {
    let (_, mut handles) = handover::receive(console.as_fd(), &mut [0; 8]).ok()?;
    unblocked(handles.pop()?).ok()
}

fn remove_cgroup(cgroup: &plan::Plan) {
    for dir in cgroup.unified.iter().chain(&cgroup.v1) {
        // What is busy for a moment yet is removed with the pod.
        let _ = apply::remove_below(dir);
    }
}
