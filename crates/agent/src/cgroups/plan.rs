//! Decides which directories a pod or a container gets and what is written into them. Touches no file.

use super::{Cgroups, Hierarchy};
use crate::runtime::Resources;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The quota period that Kubernetes uses: 100 ms.
const CPU_PERIOD_US: u64 = 100_000;
/// The kernel refuses quotas under a millisecond.
const CPU_QUOTA_MIN_US: u64 = 1_000;

/// What to make for one group.
#[must_use = "a plan nobody applies limits nothing"]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Directories, parents first, that must exist.
    pub dirs: Vec<PathBuf>,
    /// Files to write, in order.
    pub settings: Vec<Setting>,
    /// The group's own directory in the v2 tree.
    pub unified: Option<PathBuf>,
    /// The group's own directories in v1 trees; a process joins by writing to `cgroup.procs` there.
    pub v1: Vec<PathBuf>,
    /// The file that counts how many of its processes were killed for lack of memory.
    pub oom_counter: Option<PathBuf>,
    /// Limits that no tree of this machine can enforce, by controller.
    pub impossible: Vec<String>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The file.
    pub path: PathBuf,
    /// What is written.
    pub value: String,
    /// Not every kernel has the file, and nothing is lost without it.
    pub optional: bool,
}

/// Directory of a pod.
pub fn pod_name(pod_uid: &str) -> String {
    format!("pod-{pod_uid}")
}

/// Directory of one run of a container within its pod's. With the attempt, so that counters start at zero.
pub fn container_name(container: &str, attempt: u32) -> String {
    format!("{container}.{attempt}")
}

/// Where a run of a container is in every tree, below kiln's base there.
pub fn container_path(instance: &str, pod_uid: &str, container: &str, attempt: u32) -> PathBuf {
    Path::new(instance).join(pod_name(pod_uid)).join(container_name(container, attempt))
}

/// What a pod gets.
pub fn pod(cgroups: &Cgroups, pod_uid: &str, resources: &Resources) -> Plan {
    let parents = [Path::new(&cgroups.instance)];
    let own = Path::new(&cgroups.instance).join(pod_name(pod_uid));
    plan(&cgroups.hierarchy, &parents, &own, resources, Level::Pod)
}

/// What one run of a container gets, inside a pod's plan that was applied.
pub fn container(cgroups: &Cgroups, pod_uid: &str, container: &str, attempt: u32, resources: &Resources) -> Plan {
    let instance = Path::new(&cgroups.instance);
    let pod = instance.join(pod_name(pod_uid));
    let own = container_path(&cgroups.instance, pod_uid, container, attempt);
    let parents = [instance, pod.as_path()];
    plan(&cgroups.hierarchy, &parents, &own, resources, Level::Container)
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Pod,
    Container,
}

fn plan(hierarchy: &Hierarchy, parents: &[&Path], own: &Path, resources: &Resources, level: Level) -> Plan {
    let mut plan = Plan::default();
    if let Some(tree) = &hierarchy.unified {
        let enable = enabling(&tree.controllers);
        let mut above = vec![tree.base.clone()];
        for parent in parents {
            above.push(tree.base.join(parent));
            plan.dirs.push(tree.base.join(parent));
        }
        let dir = tree.base.join(own);
        plan.dirs.push(dir.clone());
        // Controllers are enabled from the top down; a leaf that holds processes enables none.
        if !enable.is_empty() {
            for directory in above {
                plan.set(directory.join("cgroup.subtree_control"), &enable);
            }
        }
        plan.unified = Some(dir);
    }
    for (controller, v1, settings) in demands(resources) {
        if let Some(tree) = hierarchy.unified.as_ref().filter(|tree| tree.controllers.iter().any(|c| c == controller)) {
            let dir = tree.base.join(own);
            if controller == "memory" {
                plan.oom_counter = Some(dir.join("memory.events"));
                if level == Level::Container {
                    plan.set_optional(dir.join("memory.oom.group"), "1");
                }
            }
            for (file, value) in settings {
                plan.set_or_not(dir.join(file), &value, file == "memory.swap.max");
            }
            continue;
        }
        let Some(base) = hierarchy.v1.get(controller) else {
            plan.impossible.push(controller.to_owned());
            continue;
        };
        plan.dirs.extend(parents.iter().map(|dir| base.join(dir)));
        let dir = base.join(own);
        plan.dirs.push(dir.clone());
        if controller == "memory" {
            plan.oom_counter = Some(dir.join("memory.oom_control"));
        }
        for (file, value) in v1 {
            plan.set_or_not(dir.join(file), &value, file.contains("memsw"));
        }
        plan.v1.push(dir);
    }
    // Without v2 something else must tell which processes belong to the group.
    if plan.unified.is_none() && plan.v1.is_empty() {
        let tracking = hierarchy.v1.get("pids").or(hierarchy.v1.values().next());
        if let Some(base) = tracking {
            plan.dirs.extend(parents.iter().map(|dir| base.join(dir)));
            plan.dirs.push(base.join(own));
            plan.v1.push(base.join(own));
        }
    }
    plan
}

type Files = Vec<(&'static str, String)>;

/// What is asked of each controller: (controller, files in v1, files in v2).
fn demands(resources: &Resources) -> Vec<(&'static str, Files, Files)> {
    let mut demands = Vec::new();
    let mut cpu = (Files::new(), Files::new());
    if let Some(milli) = resources.cpu_request_milli {
        let shares = cpu_shares(milli);
        cpu.0.push(("cpu.shares", shares.to_string()));
        cpu.1.push(("cpu.weight", cpu_weight(shares).to_string()));
    }
    if let Some(milli) = resources.cpu_limit_milli {
        let (quota, period) = cpu_quota(milli);
        cpu.0.push(("cpu.cfs_period_us", period.to_string()));
        cpu.0.push(("cpu.cfs_quota_us", quota.to_string()));
        cpu.1.push(("cpu.max", format!("{quota} {period}")));
    }
    if !cpu.0.is_empty() {
        demands.push(("cpu", cpu.0, cpu.1));
    }
    if let Some(bytes) = resources.memory_limit_bytes {
        let limit = bytes.to_string();
        let v1 = vec![("memory.limit_in_bytes", limit.clone()), ("memory.memsw.limit_in_bytes", limit.clone())];
        let v2 = vec![("memory.max", limit), ("memory.swap.max", "0".into())];
        demands.push(("memory", v1, v2));
    }
    if let Some(limit) = resources.pids_limit {
        let file = vec![("pids.max", limit.to_string())];
        demands.push(("pids", file.clone(), file));
    }
    demands
}

fn enabling(controllers: &[String]) -> String {
    let words: Vec<_> = controllers.iter().map(|name| format!("+{name}")).collect();
    words.join(" ")
}

/// How much of which time a limit is, in microseconds.
pub fn cpu_quota(milli: u64) -> (u64, u64) {
    (milli.saturating_mul(CPU_PERIOD_US / 1000).max(CPU_QUOTA_MIN_US), CPU_PERIOD_US)
}

/// The kubelet's rule: 1024 shares a core, never under 2; the kernel's ceiling is 262144.
pub fn cpu_shares(milli: u64) -> u64 {
    (milli.saturating_mul(1024) / 1000).clamp(2, 262_144)
}

/// Maps 2..=262144 shares onto the 1..=10000 of v2, linearly, as OCI runtimes do.
fn cpu_weight(shares: u64) -> u64 {
    1 + (shares - 2) * 9999 / 262_142
}

impl Plan {
    fn set(&mut self, path: PathBuf, value: &str) {
        self.set_or_not(path, value, false);
    }
    fn set_optional(&mut self, path: PathBuf, value: &str) {
        self.set_or_not(path, value, true);
    }
    fn set_or_not(&mut self, path: PathBuf, value: &str, optional: bool) {
        self.settings.push(Setting { path, value: value.to_owned(), optional });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Unified;
    use super::*;
    use std::collections::BTreeMap;

    fn cgroups(v2: Option<&[&str]>, v1: &[&str]) -> Cgroups {
        let v1 = v1.iter().map(|name| (name.to_string(), PathBuf::from(format!("/{name}"))));
        Cgroups {
            hierarchy: Hierarchy {
                unified: v2.map(|controllers| Unified {
                    base: "/u".into(),
                    controllers: controllers.iter().map(|c| c.to_string()).collect(),
                }),
                v1: BTreeMap::from_iter(v1),
                others: Vec::new(),
            },
            instance: "kiln-1".into(),
        }
    }

    fn full() -> Resources {
        Resources {
            cpu_request_milli: Some(250),
            cpu_limit_milli: Some(500),
            memory_limit_bytes: Some(16 << 20),
            pids_limit: Some(100),
        }
    }

    #[track_caller]
    fn check(cgroups: &Cgroups, resources: &Resources, expect: &[&str]) -> Plan {
        let plan = container(cgroups, "U", "c", 0, resources);
        let lines: Vec<_> = plan
            .settings
            .iter()
            .map(|s| {
                let optional = if s.optional { "?" } else { "" };
                format!("{}={}{optional}", s.path.display(), s.value)
            })
            .collect();
        assert_eq!(lines, expect);
        plan
    }

    #[test]
    fn v2_enables_controllers_down_the_tree_and_limits_the_leaf() {
        let plan = check(
            &cgroups(Some(&["cpu", "memory", "pids"]), &[]),
            &full(),
            &[
                "/u/cgroup.subtree_control=+cpu +memory +pids",
                "/u/kiln-1/cgroup.subtree_control=+cpu +memory +pids",
                "/u/kiln-1/pod-U/cgroup.subtree_control=+cpu +memory +pids",
                "/u/kiln-1/pod-U/c.0/cpu.weight=10",
                "/u/kiln-1/pod-U/c.0/cpu.max=50000 100000",
                "/u/kiln-1/pod-U/c.0/memory.oom.group=1?",
                "/u/kiln-1/pod-U/c.0/memory.max=16777216",
                "/u/kiln-1/pod-U/c.0/memory.swap.max=0?",
                "/u/kiln-1/pod-U/c.0/pids.max=100",
            ],
        );
        assert_eq!(plan.unified.as_deref(), Some(Path::new("/u/kiln-1/pod-U/c.0")));
        assert!(plan.v1.is_empty());
    }

    #[test]
    fn hybrid_limits_in_v1_and_tracks_in_v2() {
        let plan = check(
            &cgroups(Some(&[]), &["cpu", "memory", "pids"]),
            &full(),
            &[
                "/cpu/kiln-1/pod-U/c.0/cpu.shares=256",
                "/cpu/kiln-1/pod-U/c.0/cpu.cfs_period_us=100000",
                "/cpu/kiln-1/pod-U/c.0/cpu.cfs_quota_us=50000",
                "/memory/kiln-1/pod-U/c.0/memory.limit_in_bytes=16777216",
                "/memory/kiln-1/pod-U/c.0/memory.memsw.limit_in_bytes=16777216?",
                "/pids/kiln-1/pod-U/c.0/pids.max=100",
            ],
        );
        assert_eq!(plan.unified.as_deref(), Some(Path::new("/u/kiln-1/pod-U/c.0")));
        assert_eq!(plan.v1.len(), 3);
        assert_eq!(plan.oom_counter.as_deref(), Some(Path::new("/memory/kiln-1/pod-U/c.0/memory.oom_control")));
    }

    #[test]
    fn v1_alone_tracks_with_the_pids_tree() {
        let plan = check(&cgroups(None, &["cpu", "memory", "pids"]), &Resources::default(), &[]);
        assert_eq!(plan.v1, [PathBuf::from("/pids/kiln-1/pod-U/c.0")]);
    }

    #[test]
    fn no_limits_need_no_v1_directory_beside_v2() {
        let plan = check(&cgroups(Some(&[]), &["cpu", "memory"]), &Resources::default(), &[]);
        assert!(plan.v1.is_empty());
        assert_eq!(plan.dirs.len(), 3);
    }

    #[test]
    fn limits_that_no_tree_can_hold_are_named() {
        let plan = check(&cgroups(Some(&[]), &[]), &full(), &[]);
        assert_eq!(plan.impossible, ["cpu", "memory", "pids"]);
    }

    #[test]
    fn cpu_shares_and_weights_stay_in_the_kernels_ranges() {
        for (milli, shares, weight) in
            [(0, 2, 1), (1, 2, 1), (100, 102, 4), (1000, 1024, 39), (u64::MAX, 262_144, 10_000)]
        {
            assert_eq!((cpu_shares(milli), cpu_weight(cpu_shares(milli))), (shares, weight), "{milli}m");
        }
    }
}
