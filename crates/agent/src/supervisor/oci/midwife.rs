//! A process of its own for each start by another runtime, so that the supervisor waits for nobody: it mounts the root in a mount
//! namespace of its own, which the container's is made from and which ends with it, and has the runtime create and start.

use super::super::birth::ABOUT_TO_EXECUTE;
use super::super::child::{Stdio, become_or_report};
use super::super::mounts::{self, What};
use super::super::program::create;
use super::super::protocol::Failure;
use super::super::rootfs::{self, Target, mkdirs, said};
use super::super::{handover, sys};
use super::translate::{self, Place, Source, part_of};
use super::{Outside, SHARED, Ward, complaint};
use crate::cgroups::{apply, plan::Plan};
use crate::runtime::Container;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};
use rustix::fs::{FileType, StatVfsMountFlags, fstat, stat, statvfs};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio as End};

/// A terminal's master comes through this, in the bundle.
const CONSOLE: &str = "console.sock";
const LOG: &str = "log.json";
const PID: &str = "pid";

/// What is to be born.
pub struct Order<'a> {
    pub ward: &'a Ward,
    pub container: &'a Container,
    pub outside: &'a Outside,
    /// The supervisor, which has the pod's namespaces.
    pub supervisor: u32,
    pub cgroup: &'a Plan,
    /// The container's cgroup from the top of each tree.
    pub cgroup_path: &'a Path,
    pub scratch: &'a Path,
    pub shm: &'a Path,
    pub stdio: Stdio<'a>,
    pub status: BorrowedFd<'a>,
}

/// Has the container made and started, reports its process or why there is none, and ends.
pub fn run(order: &Order<'_>) -> ! {
    become_or_report(order.status, |_| deliver(order))
}

fn deliver(order: &Order<'_>) -> Result<Infallible, Failure> {
    // What it has begun is the business of nobody once the supervisor is gone.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| create(format!("failed to set the parent death signal: {e}")))?;
    umask(Mode::empty());
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(|e| create(format!("failed to detach the mounts: {e}")))?;
    let spec = prepare(order).map_err(create)?;
    order.outside.go().map_err(|e| create(format!("failed to leave the pod's namespaces: {e}")))?;

    let bundle = order.scratch.join("bundle");
    let listener = write_bundle(&bundle, &spec, &order.stdio).map_err(|e| said("write", &bundle, e)).map_err(create)?;
    make(order, &bundle)?;
    let pid = fs::read_to_string(bundle.join(PID)).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let pid = pid.ok_or_else(|| create("the runtime does not say which process it has made"))?;
    if let (Some(listener), Stdio::Terminal { console }) = (listener, &order.stdio) {
        pass_terminal_on(&listener, *console).map_err(|e| create(format!("failed to pass a terminal on: {e}")))?;
    }
    track(order, pid);
    let mut start = order.ward.command(Some(&bundle.join(LOG)));
    start.args(["start", &order.ward.id]).stdin(End::null()).stdout(End::null()).stderr(End::null());
    execute(start, &bundle, "start")?;

    let report = [&[ABOUT_TO_EXECUTE], pid.to_string().as_bytes()].concat();
    let reported = order.status.try_clone_to_owned().map(File::from).and_then(|mut status| status.write_all(&report));
    sys::exit_now(if reported.is_ok() { 0 } else { 1 })
}

/// Mounts the root and whatever is bound into it from places that a pod could change meanwhile.
fn prepare(order: &Order<'_>) -> Result<Spec, String> {
    let spec = &order.container.spec;
    let root = rootfs::lay(&order.container.rootfs, order.scratch)?;
    let mut sources = Vec::new();
    for (index, mount) in spec.mounts().iter().flatten().filter(|mount| translate::is_bind(mount)).enumerate() {
        let source = source(mount, &order.scratch.join(format!("bind-{index}")));
        sources.push(source.map_err(|e| said("mount", mount.destination(), e))?);
    }
    make_places(&root.root, spec);
    root.protect_masks()?;
    if rootfs::is_readonly(spec) {
        root.protect_overlays()?;
    }
    let shared = |typ: LinuxNamespaceType| {
        let (name, ..) = SHARED.into_iter().find(|(_, _, shared)| *shared == typ)?;
        Some((typ, PathBuf::from(format!("/proc/{}/ns/{name}", order.supervisor))))
    };
    let of_spec = spec.linux().as_ref().and_then(|linux| linux.namespaces().clone()).unwrap_or_default();
    let namespaces: Vec<_> = of_spec.iter().filter_map(|namespace| shared(namespace.typ())).collect();
    let capabilities = rustix::thread::capabilities(None).map_err(|e| format!("failed to read capabilities: {e}"))?;
    Ok(translate::translate(
        spec,
        &Place {
            root: &rootfs::merged(order.scratch),
            cgroup: order.cgroup_path,
            namespaces: &namespaces,
            shm: order.shm,
            sources: &sources,
            resources: &order.container.resources,
            counts_swap: counts_swap(order.cgroup),
            capabilities: capabilities.permitted.bits(),
            oom_score_adj: oom_score_adj(spec),
        },
    ))
}

/// What a mount binds: its source, or the part of it that is wanted, which is mounted at `place` first. It is looked up once, here.
fn source(mount: &Mount, place: &Path) -> Result<Source, Errno> {
    let whole = mount.source().clone().unwrap_or_default();
    let Some(path) = part_of(mount) else {
        let found = FileType::from_raw_mode(stat(&whole)?.st_mode);
        let forbids = forbids(&whole)?;
        return Ok(Source { path: whole, is_device: is_device(found), forbids });
    };
    let tree = rootfs::part(&whole, Some(path), true)?;
    let found = FileType::from_raw_mode(fstat(&tree)?.st_mode);
    let as_errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    if found == FileType::Directory {
        mkdirs(place)?;
    } else {
        File::create(place).map_err(as_errno)?;
    }
    rootfs::attach(&tree, &File::open(place).map_err(as_errno)?.into())?;
    Ok(Source { path: place.to_owned(), is_device: is_device(found), forbids: forbids(place)? })
}

/// What the mount that `path` is on forbids.
fn forbids(path: &Path) -> Result<Vec<&'static str>, Errno> {
    use StatVfsMountFlags as Flags;
    let flags = statvfs(path)?.f_flag;
    let all =
        [(Flags::NOSUID, "nosuid"), (Flags::NODEV, "nodev"), (Flags::NOEXEC, "noexec"), (Flags::NOATIME, "noatime")];
    Ok(all.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, option)| option).collect())
}

fn is_device(found: FileType) -> bool {
    matches!(found, FileType::CharacterDevice | FileType::BlockDevice)
}

/// The runtime makes what it mounts on; but not in what is read-only before it comes. A place that cannot be made is its to refuse.
fn make_places(root: &OwnedFd, spec: &Spec) {
    let planned = mounts::plan(spec);
    let is_new = |path: &Path| {
        let news = planned.iter().filter(|other| matches!(other.what, What::New { .. }));
        news.into_iter().any(|new| path.starts_with(&new.destination))
    };
    for mount in planned.iter().filter(|mount| !is_new(&mount.destination)) {
        if let What::Bind { source, beneath, .. } = &mount.what {
            let whole = source.join(beneath.as_deref().unwrap_or(Path::new("")));
            let kind = if whole.is_dir() { Target::Directory } else { Target::File };
            let _ = rootfs::make_target(root, &mount.destination, kind);
        }
    }
    if let Some(process) = spec.process() {
        let _ = rootfs::make_target(root, process.cwd(), Target::Directory);
    }
}

/// Without it the kernel has no file to limit swap with, and runtimes fail where the built-in one goes on.
fn counts_swap(cgroup: &Plan) -> bool {
    let tree = cgroup.oom_counter.as_deref().and_then(Path::parent);
    tree.is_some_and(|dir| {
        ["memory.memsw.limit_in_bytes", "memory.swap.max"].iter().any(|file| dir.join(file).exists())
    })
}

/// Lowering it may be refused; the container runs all the same.
fn oom_score_adj(spec: &Spec) -> Option<i32> {
    const OWN: &str = "/proc/self/oom_score_adj";
    let wanted = spec.process().as_ref().and_then(|process| process.oom_score_adj())?;
    match fs::write(OWN, wanted.to_string()) {
        Ok(()) => Some(wanted),
        Err(_) => fs::read_to_string(OWN).ok()?.trim().parse().ok(),
    }
}

/// Writes what the runtime reads; the socket is for a terminal.
fn write_bundle(bundle: &Path, spec: &Spec, stdio: &Stdio<'_>) -> Result<Option<UnixListener>, Errno> {
    let as_errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let text = serde_json::to_vec(spec).map_err(|_| Errno::INVAL)?;
    mkdirs(bundle)?;
    fs::write(bundle.join("config.json"), text).map_err(as_errno)?;
    // By a relative name: a socket's path is limited to 107 bytes, a data directory's is not.
    std::env::set_current_dir(bundle).map_err(as_errno)?;
    match stdio {
        Stdio::Pipes { .. } => Ok(None),
        Stdio::Terminal { .. } => UnixListener::bind(CONSOLE).map(Some).map_err(as_errno),
    }
}

fn make(order: &Order<'_>, bundle: &Path) -> Result<(), Failure> {
    let mut command = order.ward.command(Some(&bundle.join(LOG)));
    command.arg("create").arg("--bundle").arg(bundle).arg("--pid-file").arg(bundle.join(PID));
    let end = |pipe: &Option<BorrowedFd<'_>>| match pipe {
        Some(pipe) => pipe.try_clone_to_owned().map(End::from),
        None => Ok(End::null()),
    };
    let failed = |e| create(format!("failed to prepare a pipe: {e}"));
    match &order.stdio {
        Stdio::Terminal { .. } => {
            command.arg("--console-socket").arg(CONSOLE).stdin(End::null()).stdout(End::null()).stderr(End::null());
        }
        Stdio::Pipes { stdin, stdout, stderr } => {
            command.stdin(end(stdin).map_err(failed)?);
            command.stdout(end(stdout).map_err(failed)?).stderr(end(stderr).map_err(failed)?);
        }
    }
    command.arg(&order.ward.id);
    execute(command, bundle, "create")
}

fn execute(mut command: Command, bundle: &Path, what: &str) -> Result<(), Failure> {
    let status = command.status();
    let status = status.map_err(|e| create(format!("failed to execute {}: {e}", command.get_program().display())))?;
    if status.success() {
        return Ok(());
    }
    let log = fs::read_to_string(bundle.join(LOG)).unwrap_or_default();
    Err(complaint::failure(&log, what))
}

/// From the runtime to the supervisor. It was sent before the runtime ended.
fn pass_terminal_on(listener: &UnixListener, console: BorrowedFd<'_>) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let (sender, _) = listener.accept()?;
    let (_, handles) = handover::receive(sender.as_fd(), &mut [0; 256])?;
    handover::send(console, b"t", &handles[..handles.len().min(1)])
}

/// Some runtimes know nothing of the v2 tree beside v1 ones, in which the supervisor looks for what it has to kill.
fn track(order: &Order<'_>, pid: u32) {
    let Some(dir) = &order.cgroup.unified else {
        return;
    };
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let is_there =
        own.lines().any(|line| line.strip_prefix("0::").is_some_and(|path| Path::new(path) == order.cgroup_path));
    if !is_there {
        let _ = apply::put(dir, pid);
    }
}
