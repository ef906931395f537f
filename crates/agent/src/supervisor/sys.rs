//! The system calls that no crate of ours wraps safely. Each wrapper is safe to call from a single-threaded process.
#![expect(
    unsafe_code,
    reason = "raw system calls: clone3, mount_setattr, close_range, seccomp, sigaction, keyctl, an interface ioctl; pre_exec; and tokio's AsyncFd"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Which side of [`clone3`] this is.
pub enum Cloned {
    Parent { pid: u32, pidfd: OwnedFd },
    Child,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks into the namespaces of `flags`, and into the v2 cgroup behind `cgroup`. Like fork: the child has a copy of all memory.
/// The caller must be single-threaded, as the supervisor is, or the child could find another thread's lock held for ever.
pub fn clone3(flags: libc::c_int, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain integers, for which all zeroes is the documented default.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (flags | libc::CLONE_PIDFD) as u32 as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    // A sister ends with the signal that this process ends with.
    args.exit_signal = if flags & libc::CLONE_PARENT == 0 { libc::SIGCHLD as u64 } else { 0 };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: args lives through the call and is as large as we say; without CLONE_VM the child runs on its own copy of this stack.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent {
            pid: pid as u32,
            // SAFETY: the kernel has just stored a new descriptor there, which nobody else owns.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// As `struct mount_attr` of linux/mount.h.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
pub const MOUNT_ATTR_NOATIME: u64 = 0x10;
pub const MOUNT_ATTR_STRICTATIME: u64 = 0x20;

/// Changes a mount, with all below it if `recursive`. `set` and `clear` are `MOUNT_ATTR_*`; `propagation` 0 leaves it as it is.
pub fn mount_setattr(mount: impl AsFd, recursive: bool, set: u64, clear: u64, propagation: u64) -> io::Result<()> {
    let attr = MountAttr { attr_set: set, attr_clr: clear, propagation, userns_fd: 0 };
    let recursive = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string, attr lives through the call and is as large as we say.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    check(result)
}

/// Closes every descriptor but stdio and `kept`, which becomes number 3 and is closed by execve. For a process that is about to
/// execute: whoever else still holds a descriptor must never use or drop it, which a caller that does not return ensures.
pub fn keep_only(kept: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const KEPT: RawFd = 3;
    let kept = kept.as_raw_fd();
    // SAFETY: integers only; that number 3 may have been someone's is what the contract above is about.
    let moved = match kept {
        KEPT => unsafe { libc::fcntl(KEPT, libc::F_SETFD, libc::FD_CLOEXEC) },
        _ => unsafe { libc::dup3(kept, KEPT, libc::O_CLOEXEC) },
    };
    check(moved.into())?;
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_close_range, KEPT + 1, libc::c_uint::MAX, 0) })?;
    // SAFETY: number 3 is open and from here on only the caller's.
    Ok(unsafe { OwnedFd::from_raw_fd(KEPT) })
}

/// Sets all signals to their defaults and unblocks them, as a new program expects it.
pub fn reset_signals() {
    // As `struct sigaction` of the kernel, not of the C library, which keeps two signals for itself: handler, flags, restorer, mask.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: the kernel reads a struct that is as large as ours, and SIG_DFL is valid for every signal; for those that may not
        // be changed the call fails and nothing happens.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), 8_usize) };
    }
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Has `command` heed all signals, and end with the thread that spawns it.
pub fn tie(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let take_on = || {
        reset_signals();
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(io::Error::from)
    };
    // SAFETY: between fork and execve it makes system calls only, and allocates nothing.
    unsafe { command.pre_exec(take_on) };
}

/// Ignores `signal`.
pub fn ignore_signal(signal: libc::c_int) {
    // SAFETY: SIG_IGN is valid for every signal that can be caught.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Whether the kernel knows capability `number` and this thread's bounding set has it.
pub fn bounding_has(number: u32) -> io::Result<bool> {
    prctl(libc::PR_CAPBSET_READ, number as u64, 0).map(|answer| answer == 1)
}

/// Takes capability `number` from the bounding set.
pub fn bounding_drop(number: u32) -> io::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, number as u64, 0).map(drop)
}

/// Empties the ambient set.
pub fn ambient_clear() -> io::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0).map(drop)
}

/// Adds capability `number` to the ambient set.
pub fn ambient_raise(number: u32) -> io::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, number as u64).map(drop)
}

fn prctl(option: libc::c_int, second: u64, third: u64) -> io::Result<libc::c_int> {
    // SAFETY: the options above take integers only.
    let result = unsafe { libc::prctl(option, second, third, 0u64, 0u64) };
    check(result.into()).map(|()| result)
}

/// Installs a seccomp program for this thread and what it executes.
pub fn set_seccomp(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let header = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions from a slice that long and does not write to it.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const header) };
    check(result)
}

/// Sets `IFF_UP` on the loopback interface of this network namespace.
pub fn loopback_up() -> io::Result<()> {
    let socket = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Datagram,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: ifreq is integers and a union of plain data, for which zeroes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which lives through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    check(result.into())
}

/// A descriptor that does not block, for tokio.
pub fn register(fd: OwnedFd, interest: tokio::io::Interest) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names the same open descriptor for as long as it lives, which is as long as the AsyncFd that takes it.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}

/// A session keyring of its own, so that what is executed does not possess the keys of whoever started it.
pub fn leave_keyring() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: integers and a null pointer, which stands for a new one without a name.
    check(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) })
}

/// Ends the process at once: no destructor, no buffer, no handler of the copied parent runs.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit is always allowed.
    unsafe { libc::_exit(code) }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
