//! Makes a supervisor out of a fresh process: session, cgroup, the pod's namespaces and mounts, the socket. And undoes it.

use super::container::shm;
use super::oci::{self, Keeper, Outside};
use super::{protocol, sys};
use crate::cgroups::{apply, plan};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup2_stdin, dup2_stdout, sethostname, setsid};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Kubernetes' size for a pod's /dev/shm.
const SHM_OPTIONS: &str = "mode=1777,size=65536k";

/// A supervisor that is ready to serve.
pub struct Booted {
    pub boot: protocol::Boot,
    pub listener: UnixListener,
    /// Closes when the server ends, for pods that end with it.
    pub lifeline: Option<OwnedFd>,
    /// The machine's own, for the end of pods that end with their server: nobody else takes the server's network down then.
    pub host_network: Option<File>,
    /// For pods of another runtime.
    pub outside: Option<Outside>,
    pub keeper: Option<Keeper>,
    /// What could not be had, for the server's log.
    pub shortfalls: Vec<String>,
}

/// Takes everything on that the pod shares.
pub fn boot(dir: &Path) -> Result<Booted, String> {
    let text = fs::read(dir.join(protocol::BOOT))
        .map_err(|e| format!("failed to read {}/{}: {e}", dir.display(), protocol::BOOT))?;
    let boot: protocol::Boot = serde_json::from_slice(&text)
        .map_err(|e| format!("failed to read {}/{}: {e}", dir.display(), protocol::BOOT))?;
    let sandbox = &boot.sandbox;
    leave_the_server()?;
    let lifeline = take_stdin(sandbox.dies_with_server)?;

    let mut shortfalls = apply::apply(&plan::pod(&boot.cgroups, &sandbox.pod_uid, &sandbox.resources));
    if let Some(leaf) = boot.cgroups.supervisors()
        && let Err(error) = apply::make_and_join(&leaf)
    {
        shortfalls.push(format!("the supervisor cannot leave the server's cgroup: {error}"));
    }
    let mut namespaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    let is_alone = !sandbox.host_network && boot.network_namespace.is_none();
    if is_alone {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    let host_network = match (sandbox.dies_with_server, &boot.network_namespace) {
        (true, Some(_)) => File::open("/proc/self/ns/net").ok(),
        _ => None,
    };
    let others = match &sandbox.runtime {
        Some(_) => Some(adopt_orphans(&boot).map_err(|e| format!("failed to prepare for another runtime: {e}"))?),
        None => None,
    };
    let (outside, keeper) = others.unzip();
    if let Some(path) = &boot.network_namespace {
        let network = File::open(path).map_err(|e| format!("failed to open the pod's network namespace: {e}"))?;
        setns(network, CloneFlags::CLONE_NEWNET)
            .map_err(|e| format!("failed to join the pod's network namespace: {e}"))?;
    }
    unshare(namespaces).map_err(|e| format!("failed to make namespaces: {e}"))?;
    // Nothing mounted here reaches the host; what the host unmounts is let go here too.
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).map_err(|e| format!("failed to detach the mounts: {e}"))?;
    sethostname(&sandbox.hostname).map_err(|e| format!("failed to set the host name: {e}"))?;
    if is_alone {
        sys::loopback_up().map_err(|e| format!("failed to bring loopback up: {e}"))?;
    }
    tmpfs(&shm(dir), SHM_OPTIONS)?;
    for wanted in &sandbox.tmpfs {
        let mut options = format!("mode={:o}", wanted.mode & 0o7777);
        if let Some(size) = wanted.size_bytes {
            options.push_str(&format!(",size={size}"));
        }
        tmpfs(&wanted.path, &options)?;
    }
    let listener = listen(dir).map_err(|e| format!("failed to listen in {}: {e}", dir.display()))?;
    Ok(Booted { boot, listener, lifeline, host_network, outside, keeper, shortfalls })
}

/// What belongs to the server's session, terminal and fate is not ours.
fn leave_the_server() -> Result<(), String> {
    setsid().map_err(|e| format!("failed to start a session: {e}"))?;
    umask(Mode::from_bits_truncate(0o022));
    // A service manager's SIGTERM is for the server: pods outlive it, and those that do not have a lifeline.
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE] {
        sys::ignore_signal(signal);
    }
    // For ps and top; by itself it would be the number of the descriptor that was executed.
    let _ = prctl::set_name(c"kiln-supervisor");
    // No process of a container may look into this one while it becomes the container's.
    prctl::set_dumpable(false).map_err(|e| format!("failed to protect the process: {e}"))
}

/// The containers of another runtime become this process's children when the runtime ends.
fn adopt_orphans(boot: &protocol::Boot) -> io::Result<(Outside, Keeper)> {
    prctl::set_child_subreaper(true)?;
    Ok((Outside::remember()?, Keeper::start(&boot.cgroups, &boot.sandbox.pod_uid)?))
}

fn take_stdin(is_lifeline: bool) -> Result<Option<OwnedFd>, String> {
    let failed = |e: io::Error| format!("failed to take stdin over: {e}");
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let null = File::open("/dev/null").map_err(failed)?;
    dup2_stdin(&null).map_err(|e| failed(e.into()))?;
    Ok(is_lifeline.then_some(stdin))
}

/// The server waits for the end of our stdout.
pub fn close_stdout() -> Result<(), String> {
    let null = File::options().write(true).open("/dev/null");
    let null = null.map_err(|e| format!("failed to open /dev/null: {e}"))?;
    dup2_stdout(&null).map_err(|e| format!("failed to close stdout: {e}"))
}

fn tmpfs(path: &Path, options: &str) -> Result<(), String> {
    let failed = |e: io::Error| format!("failed to mount memory on {}: {e}", path.display());
    fs::create_dir_all(path).map_err(failed)?;
    let options = CString::new(options).map_err(|e| failed(e.into()))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", path, "tmpfs", flags, Some(options.as_c_str())).map_err(|e| failed(e.into()))
}

/// Binds by a relative name: a socket's path is limited to 107 bytes, a data directory's is not.
fn listen(dir: &Path) -> io::Result<UnixListener> {
    std::env::set_current_dir(dir)?;
    let _ = fs::remove_file(protocol::SOCKET);
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(protocol::SOCKET);
    umask(before);
    std::env::set_current_dir("/")?;
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes what the pod had, once nothing of it lives; mounts and namespaces go with this process.
/// Whatever fails here the server tries again.
pub fn undo(boot: &protocol::Boot) {
    let dir = &boot.sandbox.dir;
    let tmpfs = boot.sandbox.tmpfs.iter().map(|tmpfs| tmpfs.path.as_path());
    for path in tmpfs.chain([shm(dir).as_path()]) {
        let _ = unmount(path, UnmountFlags::DETACH);
    }
    remove_files(dir);
    if let Some(tree) = &boot.cgroups.hierarchy.unified {
        let _ = apply::join(&tree.base);
    }
    let _ = apply::remove_pod(&boot.cgroups, &boot.sandbox.pod_uid);
}

/// Takes down the network of a server that is gone, with the pods that are still on it: they go as this one does.
pub fn undo_network(boot: &protocol::Boot, host_network: &File) {
    if setns(host_network, CloneFlags::CLONE_NEWNET).is_ok() {
        let _ = crate::network::remove(&boot.cgroups.instance);
    }
}

/// Removes what a supervisor keeps in the pod's directory; the exit records stay.
pub fn remove_files(dir: &Path) {
    for directory in ["rootfs", "shm", oci::STATE] {
        let _ = crate::trees::remove(&dir.join(directory));
    }
    for file in [protocol::SOCKET, protocol::BOOT] {
        let _ = fs::remove_file(dir.join(file));
    }
}
