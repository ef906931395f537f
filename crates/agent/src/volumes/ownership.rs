//! Gives a volume to a pod's fsGroup (K:pkg/volume/volume_linux.go, SetVolumeOwnership). Containers have filled the volume and may
//! be changing it right now, so every step is taken from a descriptor and no link is followed.

use crate::userns::if_exists;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, chmod, chownat, fstat, openat, statat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

/// The group may read and write.
const READ_WRITE: u32 = 0o660;
/// It may enter directories, and what is made in them is its own.
const ENTER_AND_INHERIT: u32 = 0o2110;
/// Each level costs a descriptor and a stack frame; deeper trees are refused.
const MAX_DEPTH: usize = 256;

/// Gives the directory `path` and all that is in it to the group; when `on_mismatch`, only if the directory itself is not its
/// already.
pub(super) fn give(path: &Path, gid: u32, on_mismatch: bool) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = openat(CWD, path, flags, Mode::empty())?;
    let found = fstat(&top)?;
    let wanted = READ_WRITE | ENTER_AND_INHERIT;
    let is_right = found.st_gid == gid && found.st_mode & wanted == wanted;
    if on_mismatch && is_right {
        return Ok(());
    }
    give_children(top.as_fd(), gid, 0)?;
    // Last, as it tells whether all below it is done.
    if_exists(chownat(&top, c"", None, Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH))?;
    change_mode(top.as_fd(), found.st_mode | wanted)
}

fn give_children(dir: BorrowedFd<'_>, gid: u32, depth: usize) -> io::Result<()> {
    if depth == MAX_DEPTH {
        return Err(io::Error::other(format!("directories lie more than {MAX_DEPTH} levels deep")));
    }
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match give_child(dir, name, gid, depth) {
            // Somebody removes what is in the volume meanwhile.
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {}
            other => other?,
        }
    }
    Ok(())
}

fn give_child(dir: BorrowedFd<'_>, name: &CStr, gid: u32, depth: usize) -> io::Result<()> {
    let found: Stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
        if_exists(chownat(dir, name, None, Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW))?;
        return Ok(());
    }
    // The very file that was looked at, whatever its name comes to mean.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let child = openat(dir, name, flags, Mode::empty())?;
    let found = fstat(&child)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Symlink => return Ok(()),
        FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let inner = openat(&child, c".", flags, Mode::empty())?;
            give_children(inner.as_fd(), gid, depth + 1)?;
        }
        _ => {}
    }
    if_exists(chownat(&child, c"", None, Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH))?;
    let is_dir = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
    let more = READ_WRITE | if is_dir { ENTER_AND_INHERIT } else { 0 };
    change_mode(child.as_fd(), found.st_mode | more)
}

/// chmod of what a descriptor stands for, also one that was opened only as a path.
fn change_mode(file: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(chmod(path, Mode::from_raw_mode(mode & 0o7777))?)
}
