//! Ends a pod's containers when its supervisor has been killed. Those of the built-in runtime ask the kernel for it themselves; those
//! of another runtime have been handed over by a process that is gone.

use super::super::sys::{self, Cloned};
use crate::cgroups::{Cgroups, apply};
use nix::sys::prctl;
use nix::unistd::{dup2_stderr, dup2_stdout};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

/// A process that waits for the end of this one.
pub struct Keeper {
    pidfd: OwnedFd,
    /// Closes when this process ends, however it does.
    _lifeline: OwnedFd,
}

impl Keeper {
    /// Starts it, before this process has anything that it should not hold on to.
    pub fn start(cgroups: &Cgroups, pod_uid: &str) -> io::Result<Self> {
        let (end, lifeline) = io::pipe()?;
        match sys::clone3(0, None)? {
            Cloned::Child => watch(end.into(), lifeline.into(), cgroups, pod_uid),
            Cloned::Parent { pidfd, .. } => Ok(Self { pidfd, _lifeline: lifeline.into() }),
        }
    }

    /// Nothing is left that it would have to see to.
    pub fn dismiss(self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

fn watch(end: OwnedFd, lifeline: OwnedFd, cgroups: &Cgroups, pod_uid: &str) -> ! {
    drop(lifeline);
    let _ = prctl::set_name(c"kiln-keeper");
    // The server waits for the end of the supervisor's stdout.
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = (dup2_stdout(&null), dup2_stderr(&null));
    }
    if let Ok(end) = sys::keep_only(end.as_fd()) {
        let mut end = File::from(end);
        while end.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
        // Out of the directories that are to go.
        if let Some(tree) = &cgroups.hierarchy.unified {
            let _ = apply::join(&tree.base);
        }
        let _ = apply::remove_pod(cgroups, pod_uid);
    }
    sys::exit_now(0)
}
