//! The machine's devices, which a privileged container has all of (as containerd has it: pkg/oci HostDevices).

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use rustix::fs::{FileType, major, minor};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Below /dev, but not the machine's devices: terminals and memory that every container has its own of, and what others keep there.
const NOT_DEVICES: [&str; 8] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"];
/// Directories within directories.
const DEEPEST: u32 = 8;

/// Every device node below `dev`, sorted. What cannot be read is left out.
pub fn all(dev: &Path) -> Vec<LinuxDevice> {
    let mut devices = Vec::new();
    collect(dev, DEEPEST, &mut devices);
    devices.sort_by(|a: &LinuxDevice, b: &LinuxDevice| a.path().cmp(b.path()));
    devices
}

fn collect(directory: &Path, depth: u32, devices: &mut Vec<LinuxDevice>) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| !NOT_DEVICES.iter().any(|name| entry.file_name() == *name)) {
        // Not of what a link leads to: it is found where it is.
        let Ok(found) = entry.metadata() else { continue };
        let typ = match FileType::from_raw_mode(found.mode()) {
            FileType::Directory if 0 < depth => {
                collect(&entry.path(), depth - 1, devices);
                continue;
            }
            FileType::CharacterDevice => LinuxDeviceType::C,
            FileType::BlockDevice => LinuxDeviceType::B,
            _ => continue,
        };
        let mut device = LinuxDevice::default();
        device.set_path(entry.path());
        device.set_typ(typ);
        device.set_major(i64::from(major(found.rdev())));
        device.set_minor(i64::from(minor(found.rdev())));
        device.set_file_mode(Some(found.mode() & 0o7777));
        device.set_uid(Some(found.uid()));
        device.set_gid(Some(found.gid()));
        devices.push(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_nodes_are_found_and_nothing_else() {
        let found = all(Path::new("/dev"));
        let null = found.iter().find(|device| device.path() == Path::new("/dev/null")).unwrap();
        assert_eq!((null.typ(), null.major(), null.minor()), (LinuxDeviceType::C, 1, 3));
        assert!(found.iter().all(|device| !device.path().starts_with("/dev/pts")), "{found:?}");
        assert_eq!(all(Path::new("/nowhere")), Vec::new());
        assert_eq!(all(tempfile::tempdir().unwrap().path()), Vec::new());
    }
}
