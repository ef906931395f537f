//! Devices that a container has in its own root, where it may have put anything in their place since: a fifo that blocks for ever,
//! or a link to one of the descriptors that whoever opens it still holds.

use rustix::fs::{CWD, Dev, FileType, Mode, OFlags, fstat, fstatfs, open, openat};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

/// Which device is meant to be somewhere.
pub struct Device<'a> {
    pub path: &'a str,
    pub number: Dev,
    /// The kind of file system it has to be on, if that matters: a magic number of linux/magic.h.
    pub file_system: Option<i64>,
}

/// Opens it for reading and writing. What stands there is looked at first and opened then. `ENODEV`: it is something else.
pub fn open_device(device: &Device<'_>) -> Result<OwnedFd, Errno> {
    let place = match open(device.path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(Errno::NODEV),
        other => other?,
    };
    let stat = fstat(&place)?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    if !is_device || stat.st_rdev != device.number {
        return Err(Errno::NODEV);
    }
    if let Some(wanted) = device.file_system
        && fstatfs(&place)?.f_type as i64 != wanted
    {
        return Err(Errno::NODEV);
    }
    let through = format!("/proc/self/fd/{}", place.as_raw_fd());
    openat(CWD, through.as_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{makedev, mkfifoat};
    use std::os::unix::fs::symlink;

    #[test]
    fn only_the_device_itself_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(place("file"), "").unwrap();
        symlink("/dev/null", place("link")).unwrap();
        symlink("/proc/self/fd/0", place("descriptor")).unwrap();
        mkfifoat(CWD, place("fifo"), Mode::RWXU).unwrap();
        let (null, zero) = (makedev(1, 3), makedev(1, 5));
        let others = ["file", "link", "descriptor", "fifo", "nothing", "file/below"].map(place);
        for (path, number, is_opened) in others.iter().map(|path| (path.as_str(), null, false)).chain([
            ("/dev/null", null, true),
            ("/dev/null", zero, false),
            ("/dev/zero", zero, true),
        ]) {
            let opened = open_device(&Device { path, number, file_system: None });
            assert_eq!(opened.map(drop), if is_opened { Ok(()) } else { Err(Errno::NODEV) }, "{path}");
        }
        let elsewhere = Device { path: "/dev/null", number: null, file_system: Some(1) };
        assert_eq!(open_device(&elsewhere).map(drop), Err(Errno::NODEV));
    }
}
