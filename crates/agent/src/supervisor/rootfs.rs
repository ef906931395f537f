//! Builds a container's root file system and moves into it. Runs in the container's first process, in its own mount namespace,
//! so that whatever is mounted here vanishes with the container.
//!
//! Every path inside the root is resolved by openat2 with RESOLVE_IN_ROOT and mounted on by descriptor: an image's symbolic links
//! lead to places inside the root, never out of it.

use super::mounts::{self, Planned, What};
use super::sys;
use crate::beneath;
use crate::cgroups::plan::Plan;
use crate::runtime::Rootfs;
use crate::userns::{Standing, standing};
use crate::volumes::subpath;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Spec};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, fchown, fstat, makedev, mkdirat, mknodat,
    open, readlinkat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount};
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What a root is built from.
pub struct Build<'a> {
    pub rootfs: &'a Rootfs,
    pub spec: &'a Spec,
    /// This run's own directory on the host: upper and work directories go there.
    pub scratch: &'a Path,
    /// The pod's shared memory, a tmpfs.
    pub shm: &'a Path,
    /// Whether the network is the host's, whose settings stay as they are.
    pub host_network: bool,
    pub cgroup: &'a Plan,
    /// Whether this process has a cgroup namespace of its own, without which the host's trees would show.
    pub own_cgroup_namespace: bool,
}

/// The layers of a root, mounted over each other in the run's own directory.
pub struct Laid {
    pub root: OwnedFd,
    /// The further overlays in it.
    overlays: Vec<OwnedFd>,
    /// What hides directories.
    masks: Vec<OwnedFd>,
}

/// Where a run's root is mounted.
pub fn merged(scratch: &Path) -> PathBuf {
    scratch.join("merged")
}

/// Mounts what the root is made of. Masks and overlays stay writable until [`Laid`] is told, for mounts below them to have their directories.
pub fn lay(rootfs: &Rootfs, scratch: &Path) -> Result<Laid, String> {
    let merged = merged(scratch);
    overlay(&rootfs.lower, scratch, &merged)?;
    let root = open(&merged, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| said("open", &merged, e))?;
    let mut laid = Laid { root, overlays: Vec::new(), masks: Vec::new() };
    for (index, (host, inside)) in rootfs.overlays.iter().enumerate() {
        let scratch = scratch.join(format!("overlay-{index}"));
        let place = make_target(&laid.root, inside, Target::Directory).map_err(|e| said("make", inside, e))?;
        overlay(std::slice::from_ref(host), &scratch, &through(&place))?;
        laid.overlays.push(resolve(&laid.root, inside).map_err(|e| said("open", inside, e))?);
    }
    for path in &rootfs.masked {
        laid.masks.extend(mask(&laid.root, path).map_err(|e| said("mask", path, e))?);
    }
    Ok(laid)
}

impl Laid {
    /// Makes the masks read-only, once every mount below them has its place.
    pub fn protect_masks(&self) -> Result<(), String> {
        let protected = self.masks.iter().try_for_each(readonly);
        protected.map_err(|e| format!("failed to protect a masked path: {e}"))
    }

    /// Makes the further overlays read-only, once every mount in them has its place.
    pub fn protect_overlays(&self) -> Result<(), String> {
        let protected = self.overlays.iter().try_for_each(readonly);
        protected.map_err(|e| format!("failed to make a part of the root read-only: {e}"))
    }
}

/// Builds the root and makes it this process's. Errors name what failed.
pub fn enter(build: &Build<'_>) -> Result<(), String> {
    let mut laid = lay(build.rootfs, build.scratch)?;
    for planned in mounts::plan(build.spec) {
        make_mount(build, &laid.root, &planned).map_err(|e| said("mount", &planned.destination, e))?;
        if planned.destination == Path::new("/dev") && matches!(planned.what, What::New { .. }) {
            devices(build, &laid.root).map_err(|e| said("fill", Path::new("/dev"), e))?;
        }
    }
    sysctls(build, &laid.root)?;
    restrict(&laid.root, build.spec, &mut laid.masks)?;
    // While it can be made. One that cannot is refused when it is entered.
    if let Some(process) = build.spec.process() {
        let _ = make_target(&laid.root, process.cwd(), Target::Directory);
    }
    laid.protect_masks()?;
    if is_readonly(build.spec) {
        laid.protect_overlays()?;
        readonly(&laid.root).map_err(|e| format!("failed to make the root read-only: {e}"))?;
    }
    pivot(&laid.root).map_err(|e| format!("failed to change the root: {e}"))
}

/// Whether the whole root is to be read-only.
pub fn is_readonly(spec: &Spec) -> bool {
    spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false)
}

/// Where what a container writes into its root goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upper {
    /// To the disk, beside the data.
    Disk,
    /// Into memory.
    Memory,
}

/// Mounts a root without any layer in the directory `scratch`.
pub fn try_root(scratch: &Path) -> Result<Upper, String> {
    let target = scratch.join("merged");
    mkdirs(&target).map_err(|e| said("make", &target, e))?;
    overlay(&[], scratch, &target)
}

/// Mounts `lower`, topmost first, under a fresh writable layer. Where the file system of `scratch` cannot be an upper layer
/// (itself an overlay, NFS), memory is used.
fn overlay(lower: &[PathBuf], scratch: &Path, target: &Path) -> Result<Upper, String> {
    let mounted = overlay_on(lower, scratch, target);
    if !matches!(mounted, Err((_, Errno::INVAL))) {
        return mounted.map(|()| Upper::Disk).map_err(|(what, error)| format!("failed to {what}: {error}"));
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", scratch, "tmpfs", flags, Some(c"mode=700")).map_err(|e| said("mount memory on", scratch, e))?;
    let mounted = overlay_on(lower, scratch, target);
    mounted.map(|()| Upper::Memory).map_err(|(what, error)| format!("failed to {what}: {error}"))
}

fn overlay_on(lower: &[PathBuf], scratch: &Path, target: &Path) -> Result<(), (String, Errno)> {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened =
        |path: &Path| open(path, directory, Mode::empty()).map_err(|error| (format!("open {}", path.display()), error));
    let made = |name: &str| {
        let path = scratch.join(name);
        mkdirs(&path).map_err(|error| (format!("make {}", path.display()), error))?;
        opened(&path)
    };
    let (upper, work) = (made("upper")?, made("work")?);
    // Here, because memory that was mounted on `scratch` hides what was made before.
    mkdirs(target).map_err(|error| (format!("make {}", target.display()), error))?;
    let empty = if lower.is_empty() { Some(made("empty")?) } else { None };
    let mut layers = Vec::with_capacity(lower.len());
    for path in lower {
        layers.push(opened(path)?);
    }
    layers.extend(empty);
    // The upper directory's mode and owner become those of the merged one.
    if let Ok(like) = fstat(&layers[0]) {
        let mode = Mode::from_raw_mode(like.st_mode & 0o7777);
        let upper_path = scratch.join("upper");
        let _ = rustix::fs::chmod(&upper_path, mode);
        let owner = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
        let _ = chownat(CWD, &upper_path, Some(owner.0), Some(owner.1), AtFlags::empty());
    }
    // By descriptor: mount options fit in a page, which forty layers by name would not, and a name may hold a colon.
    let layers: Vec<_> = layers.iter().map(|fd| through(fd).display().to_string()).collect();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        layers.join(":"),
        through(&upper).display(),
        through(&work).display()
    );
    // Only the machine's root may write the attributes that an overlay keeps its notes in.
    let options = if standing() == Standing::Root { options } else { format!("{options},userxattr") };
    // A container's layer is thrown away after it: what it syncs there need not reach the disk.
    let mounted = mount_overlay(target, &format!("{options},volatile"));
    match mounted {
        Err(Errno::INVAL) => mount_overlay(target, &options),
        other => other,
    }
    .map_err(|error| (format!("mount the root of {} layers", layers.len()), error))
}

fn mount_overlay(target: &Path, options: &str) -> Result<(), Errno> {
    let options = CString::new(options).map_err(|_| Errno::NAMETOOLONG)?;
    mount("overlay", target, "overlay", MountFlags::NODEV, Some(options.as_c_str()))
}

fn make_mount(build: &Build<'_>, root: &OwnedFd, planned: &Planned) -> Result<(), Errno> {
    match &planned.what {
        What::Bind { source, beneath, recursive } => bind(root, planned, part(source, beneath.as_deref(), *recursive)?),
        What::PodShm => bind(root, planned, detached(build.shm, false)?),
        What::Cgroup => cgroup(build, root, planned),
        What::New { fs_type, data } => {
            let place = make_target(root, &planned.destination, Target::Directory)?;
            // Whoever sends proc elsewhere by a symbolic link makes the paths masked in it meaningless.
            if matches!(fs_type.as_str(), "proc" | "sysfs") && is_link(root, &planned.destination) {
                return Err(Errno::LOOP);
            }
            // Only terminals are devices of the container's own making; see `devices`.
            let nodev = if fs_type == "devpts" { MountFlags::empty() } else { MountFlags::NODEV };
            let flags = mounts::flags(planned.attributes) | nodev;
            match (fs_type.as_str(), new(&place, fs_type, flags, data)) {
                // Who is not root of the network namespace gets the machine's, as it is mounted.
                ("sysfs", Err(Errno::PERM)) => machines_sysfs(root, planned),
                // A namespace with one group has no group for terminals.
                ("devpts", Err(Errno::INVAL)) => {
                    let of_root = data.split(',').filter(|option| !option.starts_with("gid=")).collect::<Vec<_>>();
                    new(&place, fs_type, flags, &of_root.join(","))?;
                    finish(root, planned)
                }
                (_, made) => {
                    made?;
                    finish(root, planned)
                }
            }
        }
    }
}

/// Read-only, whatever was asked for, and without the cgroups of others.
fn machines_sysfs(root: &OwnedFd, planned: &Planned) -> Result<(), Errno> {
    let attributes = planned.attributes | sys::MOUNT_ATTR_RDONLY;
    let planned = Planned { attributes, recursive_attributes: true, ..planned.clone() };
    bind(root, &planned, detached(Path::new("/sys"), true)?)?;
    let cgroups = match resolve(root, &planned.destination.join("fs/cgroup")) {
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    new(&cgroups, "tmpfs", mounts::flags(attributes), "mode=755,size=64k")?;
    readonly(&resolve(root, &planned.destination.join("fs/cgroup"))?)
}

fn new(place: &OwnedFd, fs_type: &str, flags: MountFlags, data: &str) -> Result<(), Errno> {
    let data = CString::new(data).map_err(|_| Errno::INVAL)?;
    mount(fs_type, through(place), fs_type, flags, Some(data.as_c_str()))
}

/// Read-only last, and on the mount alone: some file systems (cgroup2, sysfs of a shared network) have one instance for many mounts.
fn finish(root: &OwnedFd, planned: &Planned) -> Result<(), Errno> {
    if planned.attributes & sys::MOUNT_ATTR_RDONLY == 0 {
        return Ok(());
    }
    readonly(&resolve(root, &planned.destination)?)
}

fn bind(root: &OwnedFd, planned: &Planned, tree: OwnedFd) -> Result<(), Errno> {
    let found = FileType::from_raw_mode(fstat(&tree)?.st_mode);
    let kind = if found == FileType::Directory { Target::Directory } else { Target::File };
    // Only a device that is mounted as such is meant to work; see `devices`.
    let is_device = matches!(found, FileType::CharacterDevice | FileType::BlockDevice);
    let nodev = if is_device { 0 } else { sys::MOUNT_ATTR_NODEV };
    let attributes = planned.attributes;
    setattr(&tree, true, nodev, libc::MS_PRIVATE)?;
    if attributes != 0 {
        setattr(&tree, planned.recursive_attributes, attributes, 0)?;
    }
    attach(&tree, &make_target(root, &planned.destination, kind)?)
}

/// Shows a container its own cgroup, where programs look up their limits, and no other.
fn cgroup(build: &Build<'_>, root: &OwnedFd, planned: &Planned) -> Result<(), Errno> {
    if !build.own_cgroup_namespace {
        return Ok(());
    }
    let flags = mounts::flags(planned.attributes);
    let place = make_target(root, &planned.destination, Target::Directory)?;
    if build.cgroup.v1.is_empty() {
        if build.cgroup.unified.is_some() {
            new(&place, "cgroup2", flags, "")?;
            finish(root, planned)?;
        }
        return Ok(());
    }
    new(&place, "tmpfs", flags, "mode=755,size=64k")?;
    for dir in &build.cgroup.v1 {
        // …/CONTROLLERS/kiln-ID/pod-UID/NAME: the tree's own name is that of its controllers.
        let Some(tree) = dir.ancestors().nth(3).and_then(Path::file_name) else {
            continue;
        };
        let inside = planned.destination.join(tree);
        let place = make_target(root, &inside, Target::Directory)?;
        // A tree mounted under another name than its controllers' does not show; limits hold all the same.
        if new(&place, "cgroup", flags, &tree.to_string_lossy()).is_ok() {
            readonly(&resolve(root, &inside)?)?;
        }
    }
    finish(root, planned)
}

/// The device files that every container has, and those of the spec. Each is a mount of its own, the only ones where devices work:
/// a container may be allowed to make device nodes, and must not read the host's disk through one. The nodes are new ones: it may
/// change owner and mode of its own, but not of the host's.
fn devices(build: &Build<'_>, root: &OwnedFd) -> Result<(), Errno> {
    let dev = resolve(root, Path::new("/dev"))?;
    for (name, major, minor) in
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)]
    {
        let mode = Mode::from_raw_mode(0o666);
        let source = match mknodat(&dev, name, FileType::CharacterDevice, mode, makedev(major, minor)) {
            // Without root of the machine: its own, whose owner and mode are then out of reach too.
            Err(Errno::PERM) => {
                mknodat(&dev, name, FileType::RegularFile, mode, 0)?;
                Some(Path::new("/dev").join(name))
            }
            made => made.map(|()| None)?,
        };
        let place = resolve(root, &Path::new("/dev").join(name))?;
        attach(&working_device(&source.unwrap_or_else(|| through(&place)))?, &place)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlinkat(target, &dev, name)?;
    }
    // As other runtimes have it; a kernel may be without.
    if resolve(root, Path::new("/proc/kcore")).is_ok() {
        symlinkat("/proc/kcore", &dev, "core")?;
    }
    let linux = build.spec.linux().as_ref();
    let of_spec = linux.and_then(|linux| linux.devices().as_ref()).into_iter().flatten();
    for (index, device) in of_spec.enumerate() {
        let node = build.scratch.join(format!("device-{index}"));
        make_node(&node, device)?;
        attach(&working_device(&node)?, &make_target(root, device.path(), Target::File)?)?;
    }
    Ok(())
}

/// A mount of the device node at `path` on which it works.
fn working_device(path: &Path) -> Result<OwnedFd, Errno> {
    let tree = detached(path, false)?;
    sys::mount_setattr(&tree, false, sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC, sys::MOUNT_ATTR_NODEV, 0)
        .map_err(as_errno)?;
    Ok(tree)
}

fn make_node(path: &Path, device: &LinuxDevice) -> Result<(), Errno> {
    let kind = match device.typ() {
        LinuxDeviceType::B => FileType::BlockDevice,
        LinuxDeviceType::P => FileType::Fifo,
        _ => FileType::CharacterDevice,
    };
    let mode = Mode::from_raw_mode(device.file_mode().unwrap_or(0o666));
    mknodat(CWD, path, kind, mode, makedev(device.major() as u32, device.minor() as u32))?;
    let owner = (device.uid().map(Uid::from_raw), device.gid().map(Gid::from_raw));
    chownat(CWD, path, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
}

fn sysctls(build: &Build<'_>, root: &OwnedFd) -> Result<(), String> {
    let linux = build.spec.linux().as_ref();
    for (name, value) in linux.and_then(|linux| linux.sysctl().as_ref()).into_iter().flatten() {
        if !is_the_pods_own(name, build.host_network) {
            return Err(format!("sysctl {name} belongs to the machine, not to the pod"));
        }
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = beneath::open(root, &path, flags, ResolveFlags::IN_ROOT);
        let written = file.and_then(|file| rustix::io::write(file, value.as_bytes()));
        written.map_err(|e| format!("failed to set sysctl {name}: {e}"))?;
    }
    Ok(())
}

/// Whether a sysctl is one of the pod's ipc or network namespace.
fn is_the_pods_own(name: &str, host_network: bool) -> bool {
    let of_network = name.starts_with("net.") && !host_network;
    let of_ipc = name.starts_with("fs.mqueue.")
        || ["kernel.sem", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni"].contains(&name)
        || ["kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"].contains(&name);
    (of_network || of_ipc) && !name.contains('/')
}

fn restrict(root: &OwnedFd, spec: &Spec, masks: &mut Vec<OwnedFd>) -> Result<(), String> {
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    for path in linux.readonly_paths().iter().flatten() {
        make_readonly(root, Path::new(path)).map_err(|e| said("protect", Path::new(path), e))?;
    }
    for path in linux.masked_paths().iter().flatten() {
        let path = Path::new(path);
        masks.extend(mask(root, path).map_err(|e| said("mask", path, e))?);
    }
    Ok(())
}

fn make_readonly(root: &OwnedFd, path: &Path) -> Result<(), Errno> {
    let place = match resolve(root, path) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(&place, "", flags)?;
    setattr(&tree, true, sys::MOUNT_ATTR_RDONLY, 0)?;
    attach(&tree, &place)
}

/// Hides `path`: a file behind /dev/null, a directory behind an empty one, which is returned. What is not there needs no hiding.
fn mask(root: &OwnedFd, path: &Path) -> Result<Option<OwnedFd>, Errno> {
    let place = match resolve(root, path) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        other => other?,
    };
    if FileType::from_raw_mode(fstat(&place)?.st_mode) == FileType::Directory {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        new(&place, "tmpfs", flags, "mode=755,size=64k")?;
        return resolve(root, path).map(Some);
    }
    // The host's, not the image's, which could be anything.
    let null = detached(Path::new("/dev/null"), false)?;
    setattr(&null, false, sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC, 0)?;
    attach(&null, &place)?;
    Ok(None)
}

fn pivot(root: &OwnedFd) -> Result<(), Errno> {
    rustix::process::fchdir(root)?;
    // The old root is stacked on the new one and taken off: no directory is needed to put it in.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}

/// What a mount point has to be.
#[derive(Clone, Copy, PartialEq)]
pub enum Target {
    Directory,
    File,
}

/// As many symbolic links as the kernel follows in one path.
const MAX_LINKS: usize = 40;

/// Opens `path` inside `root`, and makes it and its parents where they are missing. Where a link leads to nothing, what it leads to
/// is made: /etc/resolv.conf often points into /run, which is empty.
pub fn make_target(root: &OwnedFd, path: &Path, kind: Target) -> Result<OwnedFd, Errno> {
    match resolve(root, path) {
        Err(Errno::NOENT) => {}
        found => return found,
    }
    let mut left = reversed(path);
    let mut n_links = 0;
    let mut so_far = PathBuf::from("/");
    let mut parent = resolve(root, &so_far)?;
    while let Some(name) = left.pop() {
        let here = so_far.join(&name);
        parent = match resolve(root, &here) {
            Err(Errno::NOENT) => {
                if let Ok(link) = readlinkat(&parent, name.as_os_str(), Vec::new()) {
                    n_links += 1;
                    if MAX_LINKS < n_links {
                        return Err(Errno::LOOP);
                    }
                    let target = Path::new(OsStr::from_bytes(link.as_bytes()));
                    if target.is_absolute() {
                        so_far = PathBuf::from("/");
                        parent = resolve(root, &so_far)?;
                    }
                    left.extend(reversed(target));
                    continue;
                }
                if left.is_empty() && kind == Target::File {
                    let file = Mode::from_raw_mode(0o644);
                    mknodat(&parent, name.as_os_str(), FileType::RegularFile, file, 0)?;
                } else {
                    mkdirat(&parent, name.as_os_str(), Mode::from_raw_mode(0o755))?;
                }
                resolve(root, &here)?
            }
            found => found?,
        };
        so_far = here;
    }
    Ok(parent)
}

/// The names of a path, the first one last.
fn reversed(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    names.rev().map(|name| name.as_os_str().to_owned()).collect()
}

fn resolve(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let path = if path.as_os_str().is_empty() { Path::new("/") } else { path };
    beneath::open(root, path, flags, ResolveFlags::IN_ROOT)
}

fn is_link(root: &OwnedFd, path: &Path) -> bool {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let found = beneath::open(root, path, OFlags::PATH | OFlags::CLOEXEC, how);
    matches!(found, Err(Errno::LOOP))
}

fn detached(source: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, source, flags)
}

/// A mount of `source`, or of what is at a path in it, and nowhere else.
pub fn part(source: &Path, path: Option<&Path>, recursive: bool) -> Result<OwnedFd, Errno> {
    let Some(path) = path else { return detached(source, recursive) };
    let source = open(source, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let place = subpath::look_up(&source, path)?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(&place, "", flags)
}

pub fn attach(tree: &OwnedFd, place: &OwnedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", place, "", flags)
}

fn readonly(place: &OwnedFd) -> Result<(), Errno> {
    setattr(place, false, sys::MOUNT_ATTR_RDONLY, 0)
}

fn setattr(place: &OwnedFd, recursive: bool, set: u64, propagation: u64) -> Result<(), Errno> {
    sys::mount_setattr(place, recursive, set, 0, propagation).map_err(as_errno)
}

/// A path that leads to what the descriptor is open on.
fn through(fd: impl AsFd) -> PathBuf {
    let fd: BorrowedFd<'_> = fd.as_fd();
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

fn as_errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

pub fn mkdirs(path: &Path) -> Result<(), Errno> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(as_errno)
}

/// Makes the container's pipes or terminal its user's, so that /dev/stdout can be opened. /dev/null stays everybody's.
pub fn give_stdio_to(uid: u32) {
    for fd in [io::stdin().as_fd(), io::stdout().as_fd(), io::stderr().as_fd()] {
        let is_null = |stat: rustix::fs::Stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == makedev(1, 3)
        };
        if fstat(fd).is_ok_and(|stat| !is_null(stat)) {
            // Nobody but a non-root user needs it, and a host may refuse.
            let _ = fchown(fd, Some(Uid::from_raw(uid)), None);
        }
    }
}

/// Shows the terminal on stdin as /dev/console, as other runtimes do. Called inside the root.
pub fn mount_console() -> Result<(), Errno> {
    let file = Mode::from_raw_mode(0o600);
    match mknodat(CWD, "/dev/console", FileType::RegularFile, file, 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(io::stdin(), "", flags)?;
    let place = open("/dev/console", OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    attach(&tree, &place)
}

pub fn said(verb: &str, path: &Path, error: Errno) -> String {
    format!("failed to {verb} {}: {error}", path.display())
}
