//! Containers of another OCI runtime (`runc`) instead of the built-in one. The supervisor stays what it is: it has the pod's
//! namespaces, holds the pipes, and reaps the container's first process, whose subreaper it is.
//!
//! ```text
//!  supervisor ─ clone3 ─> midwife: mounts the root, writes the bundle ─> RUNTIME create ─> container's first process
//!                                                                     └> RUNTIME start          (is the supervisor's then)
//! ```
//!
//! A keeper, one a pod, ends the containers if the supervisor is killed. Signals go to the first process, and further programs join its namespaces, without the runtime: it has to be one whose containers
//! are processes of this kernel.

mod complaint;
mod keeper;
mod midwife;
mod translate;

pub use keeper::Keeper;
pub use midwife::{Order, run};

use super::sys;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use oci_spec::runtime::LinuxNamespaceType;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many milliseconds a runtime may take to forget a container; it takes tens.
const FORGETTING: u16 = 10_000;

/// The namespaces that a supervisor has made or joined for its pod, as they were before: runtimes are run in the machine's own, and
/// are told of the pod's by path.
pub struct Outside {
    namespaces: Vec<(File, CloneFlags)>,
}

/// Those that a pod's containers share.
const SHARED: [(&str, CloneFlags, LinuxNamespaceType); 3] = [
    ("net", CloneFlags::CLONE_NEWNET, LinuxNamespaceType::Network),
    ("ipc", CloneFlags::CLONE_NEWIPC, LinuxNamespaceType::Ipc),
    ("uts", CloneFlags::CLONE_NEWUTS, LinuxNamespaceType::Uts),
];

impl Outside {
    /// Keeps this process's.
    pub fn remember() -> io::Result<Self> {
        let open = |(name, flag, _): (&str, CloneFlags, _)| Ok((File::open(format!("/proc/self/ns/{name}"))?, flag));
        Ok(Self { namespaces: SHARED.into_iter().map(open).collect::<io::Result<_>>()? })
    }

    fn go(&self) -> nix::Result<()> {
        self.namespaces.iter().try_for_each(|(namespace, flag)| setns(namespace, *flag))
    }
}

/// A container as its runtime knows it.
#[derive(Debug, Clone)]
pub struct Ward {
    pub runtime: PathBuf,
    /// Where the runtime keeps what it knows: the pod's own directory, so that nobody else is disturbed.
    pub state: PathBuf,
    pub id: String,
}

/// Where runtimes keep what they know, in the pod's directory.
pub const STATE: &str = "oci";

impl Ward {
    pub fn new(runtime: &Path, pod_dir: &Path, pod_uid: &str, container: &str, attempt: u32) -> Self {
        let id = format!("{pod_uid}-{container}-{attempt}");
        Self { runtime: runtime.to_owned(), state: pod_dir.join(STATE), id }
    }

    /// Has the runtime forget it, with what it has made of it.
    pub fn delete(&self) -> io::Result<Chore> {
        let mut command = self.command(None);
        command.args(["delete", "--force", &self.id]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Chore)
    }

    /// The runtime, which is to write what goes wrong to `log`.
    fn command(&self, log: Option<&Path>) -> Command {
        let mut command = Command::new(&self.runtime);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.arg("--root").arg(&self.state);
        if let Some(log) = log {
            command.arg("--log").arg(log).args(["--log-format", "json"]);
        }
        sys::tie(&mut command);
        command
    }
}

/// A runtime at work on what nobody waits for.
pub struct Chore(Child);

impl Chore {
    /// Whether it is still at work.
    pub fn goes_on(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Waits for its end, but not for ever.
    pub fn finish(mut self) {
        let pidfd =
            i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
        if let Some(Ok(pidfd)) = pidfd {
            let ended = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::from(FORGETTING));
            if !matches!(ended, Ok(1)) {
                let _ = self.0.kill();
            }
        }
        let _ = self.0.wait();
    }
}
