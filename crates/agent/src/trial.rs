//! Tries what containers are made of, in namespaces that go with the thread that tried: nothing is left on the machine.

use crate::network;
use crate::supervisor::{Upper, try_root};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use std::io;
use std::path::Path;

/// Mounts an image of one empty layer below `dir`. The error says what was refused.
pub fn overlay(dir: &Path) -> Result<Upper, String> {
    let scratch = tempfile::Builder::new().prefix(".kiln-doctor-").tempdir_in(dir);
    let scratch = scratch.map_err(|error| format!("{}: {error}", dir.display()))?;
    alone(CloneFlags::CLONE_NEWNS, || {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(|error| format!("failed to detach the mounts: {error}"))?;
        try_root(scratch.path())
    })
}

/// Makes a pod's namespaces but those of mounts and users.
pub fn namespaces() -> Result<(), String> {
    let flags = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWCGROUP;
    alone(flags, || Ok(()))
}

/// Puts up a bridge with a pod on it and the rule that lets it out, in a network namespace of their own.
pub fn bridge() -> Result<(), String> {
    alone(CloneFlags::CLONE_NEWNET, || network::try_bridge().map_err(|error| error.to_string()))
}

/// Does `work` in a thread with fresh namespaces.
fn alone<T: Send>(flags: CloneFlags, work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    let inside = || {
        unshare(flags).map_err(|errno| format!("the kernel refuses namespaces: {}", errno.desc()))?;
        work()
    };
    let died = |_| Err(io::Error::other("the thread that tries it has died").to_string());
    std::thread::scope(|scope| scope.spawn(inside).join().unwrap_or_else(died))
}
