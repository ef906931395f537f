//! A pseudo-terminal of the container's own, and its way to whoever drives it. Runs inside the container's root.

use super::handover;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, fstatfs, makedev, open, openat};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `DEVPTS_SUPER_MAGIC` of linux/magic.h.
const DEVPTS: i64 = 0x1cd1;

/// Makes a terminal, sends its master through `console`, and makes it the controlling terminal of this process, which leads a
/// session. Returns the slave.
pub fn make(console: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let master = open_master()?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    handover::send(console, b"t", &[master]).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    rustix::process::ioctl_tiocsctty(&slave)?;
    Ok(slave)
}

/// The container may have put anything at that place, a fifo that blocks for ever among it: looked at first, opened then.
fn open_master() -> Result<OwnedFd, Errno> {
    let place = open("/dev/pts/ptmx", OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&place)?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    if !is_device || stat.st_rdev != makedev(5, 2) || fstatfs(&place)?.f_type as i64 != DEVPTS {
        return Err(Errno::NODEV);
    }
    let through = format!("/proc/self/fd/{}", place.as_raw_fd());
    openat(CWD, through.as_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
}
