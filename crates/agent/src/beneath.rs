//! Opens paths beneath a directory that they cannot leave.

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// A rename or a mount anywhere on the machine makes the kernel give up on a path with `..` that it resolves just then, and asks to try
/// again (openat2(2), EAGAIN). Containers start while others mount, so it happens; so often in a row it does not.
const TRIES: u32 = 1_000;

/// openat2(2), until it is not disturbed.
///
/// # Errors
/// The kernel's; EAGAIN after a thousand tries.
pub(crate) fn open(root: impl AsFd, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    undisturbed(|| rustix::fs::openat2(&root, path, flags, Mode::empty(), resolve))
}

fn undisturbed<T>(mut attempt: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 1..TRIES {
        match attempt() {
            Err(Errno::AGAIN) => std::thread::yield_now(),
            other => return other,
        }
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_look_is_taken_again_but_not_for_ever() {
        let mut left = 5;
        let disturbed = || {
            left -= 1;
            if left == 0 { Ok("open") } else { Err(Errno::AGAIN) }
        };
        assert_eq!(undisturbed(disturbed), Ok("open"));
        let mut n_tries = 0;
        let always = || -> Result<(), Errno> {
            n_tries += 1;
            Err(Errno::AGAIN)
        };
        assert_eq!((undisturbed(always), n_tries), (Err(Errno::AGAIN), TRIES));
        assert_eq!(undisturbed(|| Err::<(), _>(Errno::NOENT)), Err(Errno::NOENT));
    }
}
