//! Reads the mounts of an OCI runtime spec: what each option means, and which of the usual ones a spec leaves to us.

use super::sys;
use crate::volumes::subpath;
use oci_spec::runtime::{Mount, Spec};
use rustix::mount::MountFlags;
use std::path::{Path, PathBuf};

/// One mount to make in the container.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub destination: PathBuf,
    pub what: What,
    /// `MOUNT_ATTR_*` bits.
    pub attributes: u64,
    /// The attributes hold for mounts below it too.
    pub recursive_attributes: bool,
}

/// Where a mount's content comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A file or directory of the host, or what is at a path beneath it.
    Bind { source: PathBuf, beneath: Option<PathBuf>, recursive: bool },
    /// The pod's shared memory, which its containers have in common.
    PodShm,
    /// This container's own cgroup.
    Cgroup,
    /// A new instance of a file system; the options it understands itself.
    New { fs_type: String, data: String },
}

/// The mounts in the order to make them: first the usual ones (as the spec has them, where it does), then the spec's others.
pub fn plan(spec: &Spec) -> Vec<Planned> {
    let named = spec.mounts().as_deref().unwrap_or_default();
    let mut planned: Vec<_> = usual()
        .into_iter()
        .map(|usual| {
            let same = |mount: &&Mount| mount.destination() == &usual.destination;
            named.iter().find(same).map_or(usual.clone(), one)
        })
        .collect();
    let is_usual = |path: &Path| planned.iter().any(|usual| usual.destination == path);
    let others: Vec<_> = named.iter().filter(|mount| !is_usual(mount.destination())).map(one).collect();
    planned.extend(others);
    planned
}

fn usual() -> Vec<Planned> {
    let (nosuid, nodev, noexec, readonly) =
        (sys::MOUNT_ATTR_NOSUID, sys::MOUNT_ATTR_NODEV, sys::MOUNT_ATTR_NOEXEC, sys::MOUNT_ATTR_RDONLY);
    let new = |destination: &str, fs_type: &str, data: &str, attributes| Planned {
        destination: destination.into(),
        what: What::New { fs_type: fs_type.into(), data: data.into() },
        attributes,
        recursive_attributes: false,
    };
    let other = |destination: &str, what, attributes| Planned {
        destination: destination.into(),
        what,
        attributes,
        recursive_attributes: false,
    };
    vec![
        new("/proc", "proc", "", nosuid | nodev | noexec),
        new("/dev", "tmpfs", "mode=755,size=65536k", nosuid),
        new("/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5", nosuid | noexec),
        other("/dev/shm", What::PodShm, nosuid | nodev | noexec),
        new("/dev/mqueue", "mqueue", "", nosuid | nodev | noexec),
        new("/sys", "sysfs", "", nosuid | nodev | noexec | readonly),
        other("/sys/fs/cgroup", What::Cgroup, nosuid | nodev | noexec | readonly),
    ]
}

fn one(mount: &Mount) -> Planned {
    let options = mount.options().as_deref().unwrap_or_default();
    let typ = mount.typ().as_deref().unwrap_or_default();
    let (mut attributes, mut recursive_attributes, mut bind, mut recursive) = (0, false, false, false);
    let (mut data, mut beneath) = (Vec::new(), None);
    for option in options {
        if let Some(path) = option.strip_prefix(subpath::OPTION) {
            beneath = Some(PathBuf::from(path));
            continue;
        }
        match option.as_str() {
            "bind" => bind = true,
            "rbind" => (bind, recursive) = (true, true),
            "ro" => attributes |= sys::MOUNT_ATTR_RDONLY,
            "rro" => {
                attributes |= sys::MOUNT_ATTR_RDONLY;
                recursive_attributes = true;
            }
            "rw" => attributes &= !sys::MOUNT_ATTR_RDONLY,
            "nosuid" => attributes |= sys::MOUNT_ATTR_NOSUID,
            "nodev" => attributes |= sys::MOUNT_ATTR_NODEV,
            "noexec" => attributes |= sys::MOUNT_ATTR_NOEXEC,
            "noatime" => attributes |= sys::MOUNT_ATTR_NOATIME,
            "suid" => attributes &= !sys::MOUNT_ATTR_NOSUID,
            "dev" => attributes &= !sys::MOUNT_ATTR_NODEV,
            "exec" => attributes &= !sys::MOUNT_ATTR_NOEXEC,
            "strictatime" if !bind => attributes |= sys::MOUNT_ATTR_STRICTATIME,
            // Everything is private here, and what is bound is read as the host has it.
            "private" | "rprivate" | "slave" | "rslave" | "relatime" | "strictatime" | "defaults" | "async" => {}
            other => data.push(other),
        }
    }
    let source = mount.source().clone().unwrap_or_default();
    let what = if bind || typ == "bind" {
        What::Bind { source, beneath, recursive }
    } else if typ == "cgroup" || typ == "cgroup2" {
        What::Cgroup
    } else {
        What::New { fs_type: typ.to_owned(), data: data.join(",") }
    };
    Planned { destination: mount.destination().clone(), what, attributes, recursive_attributes }
}

/// The same attributes for mount(2), which makes new file systems; but for read-only, which would concern the file system itself.
pub fn flags(attributes: u64) -> MountFlags {
    let mut flags = MountFlags::empty();
    for (bit, flag) in [
        (sys::MOUNT_ATTR_NOSUID, MountFlags::NOSUID),
        (sys::MOUNT_ATTR_NODEV, MountFlags::NODEV),
        (sys::MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC),
        (sys::MOUNT_ATTR_NOATIME, MountFlags::NOATIME),
        (sys::MOUNT_ATTR_STRICTATIME, MountFlags::STRICTATIME),
    ] {
        if attributes & bit != 0 {
            flags |= flag;
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(destination: &str, typ: &str, source: &str, options: &[&str]) -> Mount {
        let mut mount = Mount::default();
        mount
            .set_destination(destination.into())
            .set_typ(Some(typ.into()))
            .set_source(Some(source.into()))
            .set_options(Some(options.iter().map(|o| o.to_string()).collect()));
        mount
    }

    fn spec(mounts: Vec<Mount>) -> Spec {
        let mut spec = Spec::default();
        spec.set_mounts(Some(mounts));
        spec
    }

    #[test]
    fn the_usual_mounts_come_first_and_a_spec_may_change_them() {
        let planned = plan(&spec(vec![
            mount("/data", "bind", "/host/data", &["rbind", "ro", "rprivate"]),
            mount("/dev/shm", "tmpfs", "shm", &["nosuid", "size=1m", "mode=1777"]),
        ]));
        let places: Vec<_> = planned.iter().map(|p| p.destination.to_str().unwrap()).collect();
        let expect = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup", "/data"];
        assert_eq!(places, expect);
        let shm = What::New { fs_type: "tmpfs".into(), data: "size=1m,mode=1777".into() };
        assert_eq!(planned[3].what, shm);
        let data = What::Bind { source: "/host/data".into(), beneath: None, recursive: true };
        assert_eq!((&planned[7].what, planned[7].attributes), (&data, 1));
    }

    #[test]
    fn later_options_override_earlier_ones() {
        let planned = plan(&spec(vec![mount("/x", "bind", "/y", &["bind", "ro", "nosuid", "rw"])]));
        assert_eq!(planned[7].attributes, sys::MOUNT_ATTR_NOSUID);
        assert!(flags(planned[7].attributes) == MountFlags::NOSUID);
        let planned = plan(&spec(vec![mount("/dev", "tmpfs", "tmpfs", &["strictatime", "mode=755"])]));
        assert!(flags(planned[1].attributes) == MountFlags::STRICTATIME);
    }
}
