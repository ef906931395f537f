//! A pseudo-terminal of the container's own, and its way to whoever drives it. Runs inside the container's root.

use super::devices::{Device, open_device};
use super::handover;
use rustix::fs::makedev;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use std::os::fd::{BorrowedFd, OwnedFd};

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

fn open_master() -> Result<OwnedFd, Errno> {
    open_device(&Device { path: "/dev/pts/ptmx", number: makedev(5, 2), file_system: Some(DEVPTS) })
}
