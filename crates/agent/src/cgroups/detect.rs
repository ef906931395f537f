//! Finds the cgroup trees of this machine. Makes nothing.

use super::{CONTROLLERS, Cgroups, Hierarchy, Unified, instance};
use crate::userns::{Standing, has_entered, standing};
use rustix::fs::{Access, access};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads the trees of this machine for the server with this state directory.
pub fn detect(state_dir: &Path) -> Cgroups {
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // Root of a container sees the top of its own part; who has become root here has been put below one of others.
    let is_root = match standing() {
        Standing::Root => true,
        Standing::Namespace(_) => !has_entered(),
        Standing::Ordinary => false,
    };
    let mut hierarchy = hierarchy(&mountinfo, &own, is_root);
    if !is_root {
        hierarchy.keep(|base| access(base, Access::WRITE_OK).is_ok());
    }
    if let Some(tree) = &mut hierarchy.unified {
        let offered = std::fs::read_to_string(tree.base.join("cgroup.controllers"));
        tree.controllers = usable(&offered.unwrap_or_default(), &hierarchy.v1);
        let members = std::fs::read_to_string(tree.base.join("cgroup.procs")).unwrap_or_default();
        if !is_root && has_others(&members, std::process::id()) {
            // Nothing can be enabled where a shell or a terminal sits.
            tree.controllers.clear();
        }
    }
    Cgroups { hierarchy, instance: instance(state_dir) }
}

/// Reads `/proc/self/mountinfo` and `/proc/self/cgroup`. Root makes its directories at the top of each tree (what is mounted there
/// is all it can see), anyone else below the cgroup it was put in, which is all that can have been delegated to it.
pub fn hierarchy(mountinfo: &str, own: &str, is_root: bool) -> Hierarchy {
    let mut found = Hierarchy::default();
    for line in mountinfo.lines() {
        let Some(mount) = parse_mount(line) else {
            continue;
        };
        if mount.fs_type == "cgroup2" {
            let base = match own_path(own, "") {
                Some(path) if !is_root => mount.point.join(path),
                _ => mount.point,
            };
            found.unified.get_or_insert(Unified { base, controllers: Vec::new() });
            continue;
        }
        if mount.fs_type != "cgroup" {
            continue;
        }
        let is_ours = |option: &str| CONTROLLERS.contains(&option);
        if !mount.options.split(',').any(is_ours) && is_root {
            found.others.push(mount.point.clone());
        }
        for controller in CONTROLLERS {
            if !mount.options.split(',').any(|o| o == controller) {
                continue;
            }
            let base = match own_path(own, controller) {
                Some(path) if !is_root => mount.point.join(path),
                _ => mount.point.clone(),
            };
            found.v1.entry(controller.into()).or_insert(base);
        }
    }
    found
}

/// Whether a cgroup has processes beside this one.
fn has_others(members: &str, own: u32) -> bool {
    members.lines().any(|pid| pid.trim() != own.to_string())
}

impl Hierarchy {
    /// What was not delegated to this user is not there for it.
    fn keep(&mut self, may_write: impl Fn(&Path) -> bool) {
        self.unified.take_if(|tree| !may_write(&tree.base));
        self.v1.retain(|_, base| may_write(base));
    }
}

/// A controller that a v1 tree holds is not v2's to enable.
fn usable(offered: &str, v1: &BTreeMap<String, PathBuf>) -> Vec<String> {
    offered
        .split_whitespace()
        .filter(|name| CONTROLLERS.contains(name) && !v1.contains_key(*name))
        .map(str::to_owned)
        .collect()
}

struct Mount<'a> {
    point: PathBuf,
    fs_type: &'a str,
    options: &'a str,
}

/// `36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_mount(line: &str) -> Option<Mount<'_>> {
    let (left, right) = line.split_once(" - ")?;
    let point = left.split(' ').nth(4)?;
    let mut right = right.split(' ');
    let fs_type = right.next()?;
    Some(Mount { point: PathBuf::from(point.replace("\\040", " ")), fs_type, options: right.nth(1)? })
}

/// The path of this process in the tree of `controller` (empty: v2), without its leading slash.
fn own_path(own: &str, controller: &str) -> Option<String> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let matches = controllers.split(',').any(|name| name == controller);
        matches.then(|| path.trim_start_matches('/').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
38 31 0:35 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn hybrid_trees_are_found_by_controller() {
        let found = hierarchy(HYBRID, "5:memory:/a/b\n0::/\n", true);
        assert_eq!(found.v1["cpu"], Path::new("/sys/fs/cgroup/cpu,cpuacct").to_owned());
        assert_eq!(found.v1["memory"], Path::new("/sys/fs/cgroup/memory").to_owned());
        assert_eq!(found.others, [Path::new("/sys/fs/cgroup/devices")]);
        assert_eq!(found.unified.unwrap().base, Path::new("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn an_ordinary_user_works_below_its_own_cgroup() {
        let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/kiln.service\n";
        let found = hierarchy(V2, own, false).unified.unwrap();
        let expect = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/kiln.service";
        assert_eq!(found.base, Path::new(expect));
        assert_eq!(hierarchy(V2, own, true).unified.unwrap().base, Path::new("/sys/fs/cgroup"));
    }

    #[test]
    fn trees_that_are_not_delegated_do_not_count() {
        let mut found = hierarchy(HYBRID, "0::/user\n5:memory:/mine\n4:cpu,cpuacct:/\n", false);
        found.keep(|base| base.ends_with("mine"));
        assert_eq!((found.unified, found.v1.into_keys().collect::<Vec<_>>()), (None, vec!["memory".to_owned()]));
    }

    #[test]
    fn a_cgroup_with_others_in_it_enables_nothing() {
        assert!(has_others("12\n34\n", 12));
        assert!(!has_others("12\n", 12));
        assert!(!has_others("", 12));
    }

    #[test]
    fn controllers_that_v1_holds_are_not_v2s() {
        let v1 = BTreeMap::from([("memory".to_owned(), PathBuf::from("/m"))]);
        assert_eq!(usable("cpuset cpu io memory pids\n", &v1), ["cpu", "pids"].map(String::from));
        assert_eq!(usable("", &v1), Vec::<String>::new());
    }
}
