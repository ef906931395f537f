//! A further program in a container, as the supervisor holds it: from clone3 until its client is gone. What it reads and writes goes
//! through pipes, or a terminal, between it and the server; none of it passes through this process.

use super::birth::Birth;
use super::child::Stdio;
use super::container::{Live, failed, open_cgroup, pipe, reap, receive_terminal, unblocked};
use super::joined::{self, Joining};
use super::protocol::{Failure, Handle};
use super::sys::{self, Cloned};
use crate::cgroups::apply;
use crate::runtime::Exec;
use nix::sched::{CloneFlags, setns};
use rustix::io::Errno;
use rustix::process::{
    PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The program and all that belongs to it.
pub struct Session {
    /// Where it was asked for, and with which request.
    pub client: u64,
    pub request: u64,
    pub birth: Birth,
    /// `None` once it was reaped.
    pub pidfd: Option<OwnedFd>,
    pid: u32,
    /// What the client gets once the program is executed.
    handles: Vec<(Handle, OwnedFd)>,
    console: Option<UnixStream>,
    /// A cgroup of its own inside the container's, by which it can be killed with all that it has started.
    cgroup: Option<PathBuf>,
}

/// Starts the process. `number` tells it from all others of this pod.
pub fn launch(live: &Live, exec: &Exec, client: u64, request: u64, number: u64) -> Result<Session, Failure> {
    let (birth, status_end) = Birth::expect().map_err(|e| failed("make a pipe", e))?;
    let mut handles = Vec::new();
    let (mut stdin_end, mut stdout_end, mut stderr_end) = (None, None, None);
    let mut console = None;
    if exec.terminal {
        let (ours, theirs) = UnixStream::pair().map_err(|e| failed("make a socket", e))?;
        ours.set_nonblocking(true).map_err(|e| failed("prepare a socket", e))?;
        console = Some((ours, theirs));
    } else {
        if exec.stdin {
            let (theirs, ours) = pipe()?;
            handles.push((Handle::Stdin, unblocked(ours)?));
            stdin_end = Some(theirs);
        }
        for (wanted, handle, end) in
            [(exec.stdout, Handle::Stdout, &mut stdout_end), (exec.stderr, Handle::Stderr, &mut stderr_end)]
        {
            if wanted {
                let (ours, theirs) = pipe()?;
                handles.push((handle, unblocked(ours)?));
                *end = Some(theirs);
            }
        }
    }
    let stdio = match &console {
        Some((_, theirs)) => Stdio::Terminal { console: theirs.as_fd() },
        None => Stdio::Pipes {
            stdin: stdin_end.as_ref().map(AsFd::as_fd),
            stdout: stdout_end.as_ref().map(AsFd::as_fd),
            stderr: stderr_end.as_ref().map(AsFd::as_fd),
        },
    };
    let of_container = live.cgroup.unified.as_ref().or(live.cgroup.v1.first());
    let own_cgroup = of_container.map(|dir| dir.join(format!("exec-{number}")));
    // Without one it is killed by its process group alone.
    let own_cgroup = own_cgroup.filter(|dir| apply::make_dir(dir).is_ok());
    let in_v2 = live.cgroup.unified.as_deref().and_then(|dir| open_cgroup(own_cgroup.as_deref().unwrap_or(dir)));
    let mut v1_cgroups = live.cgroup.v1.clone();
    if let (None, Some(own), Some(first)) = (&live.cgroup.unified, &own_cgroup, v1_cgroups.first_mut()) {
        first.clone_from(own);
    }
    let joining = Joining {
        spec: &live.spec,
        exec,
        first: &live.pidfd,
        v1_cgroups: &v1_cgroups,
        stdio,
        status: status_end.as_fd(),
    };
    match clone_into(&live.pidfd, in_v2.as_ref()) {
        Ok(Cloned::Child) => joined::run(&joining),
        Ok(Cloned::Parent { pid, pidfd }) => Ok(Session {
            client,
            request,
            birth,
            pidfd: Some(pidfd),
            pid,
            handles,
            console: console.map(|(ours, _)| ours),
            cgroup: own_cgroup,
        }),
        Err(failure) => {
            if let Some(dir) = own_cgroup {
                let _ = apply::remove_dir(&dir);
            }
            Err(failure)
        }
    }
}

/// Clones a child into the pid namespace of a container. Who joins one has all later children there, and without root cannot come
/// back: so a child joins, makes another child of this process, and ends.
fn clone_into(first: &OwnedFd, cgroup: Option<&OwnedFd>) -> Result<Cloned, Failure> {
    let (ours, theirs) = pipe()?;
    let between = match sys::clone3(0, None).map_err(|e| failed("clone a process", e))? {
        Cloned::Parent { pidfd, .. } => pidfd,
        Cloned::Child => match join_and_clone(first, cgroup) {
            Ok(Cloned::Child) => return Ok(Cloned::Child),
            Ok(Cloned::Parent { pid, .. }) => {
                let _ = File::from(theirs).write_all(&pid.to_le_bytes());
                sys::exit_now(0)
            }
            Err(error) => sys::exit_now(error.raw_os_error().unwrap_or(libc::EIO)),
        },
    };
    drop(theirs);
    let mut pid = [0; 4];
    let told = File::from(ours).read_exact(&mut pid);
    let ended = waitid(WaitId::PidFd(between.as_fd()), WaitIdOptions::EXITED);
    let errno = ended.ok().flatten().and_then(|status| status.exit_status()).unwrap_or(libc::EIO);
    if told.is_err() {
        return Err(failed("join the container's pid namespace", io::Error::from_raw_os_error(errno)));
    }
    let pid = u32::from_le_bytes(pid);
    // Nobody but this process reaps it, so the number stays its own.
    let child = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pidfd = child.ok_or(Errno::SRCH).and_then(|child| pidfd_open(child, PidfdFlags::empty()));
    Ok(Cloned::Parent { pid, pidfd: pidfd.map_err(|e| failed("hold the process", e))? })
}

fn join_and_clone(first: &OwnedFd, cgroup: Option<&OwnedFd>) -> io::Result<Cloned> {
    setns(first, CloneFlags::CLONE_NEWPID)?;
    sys::clone3(libc::CLONE_PARENT, cgroup.map(AsFd::as_fd))
}

impl Session {
    /// What the client gets; call once, when the program was executed.
    pub fn take_handles(&mut self) -> Vec<(Handle, OwnedFd)> {
        let terminal = self.console.take().and_then(|console| receive_terminal(&console));
        self.handles.extend(terminal.map(|terminal| (Handle::Terminal, terminal)));
        std::mem::take(&mut self.handles)
    }

    /// Kills the program and whatever it has started.
    pub fn kill(&self) {
        let Some(pidfd) = &self.pidfd else {
            return;
        };
        if let Some(dir) = &self.cgroup {
            apply::kill_all(dir);
        } else if let Some(pid) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) {
            // It is not reaped, so the number is its own; and it leads a session, so the group is too.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = pidfd_send_signal(pidfd, Signal::KILL);
    }

    /// Its exit code, if it has ended. Its cgroup goes, unless it has left something running in the container.
    pub fn reap(&mut self) -> Option<i32> {
        let (exit_code, _) = reap(self.pidfd.as_ref()?)?;
        self.pidfd = None;
        if let Some(dir) = &self.cgroup {
            let _ = apply::remove_dir(dir);
        }
        Some(exit_code)
    }
}
