//! Makes, empties and removes cgroup directories.

use super::Cgroups;
use super::plan::Plan;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long killed processes may take to leave their cgroup: an uninterruptible write to a slow disk takes seconds, not more.
const EMPTYING: Duration = Duration::from_secs(10);

/// Makes the plan's directories and writes its files. Returns what could not be done, as sentences for the log:
/// a pod runs without a limit rather than not at all.
pub fn apply(plan: &Plan) -> Vec<String> {
    let mut shortfalls = Vec::new();
    for controller in &plan.impossible {
        shortfalls.push(format!("this machine cannot limit {controller}"));
    }
    for dir in &plan.dirs {
        if let Err(error) = make_dir(dir) {
            shortfalls.push(format!("cannot make the cgroup {}: {error}", shown(dir, plan)));
        }
    }
    for setting in &plan.settings {
        match fs::write(&setting.path, &setting.value) {
            Ok(()) => {}
            Err(_) if setting.optional => {}
            Err(error) => {
                let file = setting.path.file_name().unwrap_or_default();
                shortfalls.push(format!("cannot set {}: {error}", file.display()));
            }
        }
    }
    shortfalls
}

/// Makes a directory and what is missing above it. Another pod's removal may take the parent away between two calls, hence the whole path again.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    for _ in 0..3 {
        match fs::create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = dir.parent() {
                    make_parent(parent)?;
                }
            }
            other => return other,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

fn make_parent(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn shown(dir: &Path, plan: &Plan) -> String {
    let top = plan.dirs.first().and_then(|dir| dir.parent());
    top.map_or(dir, |top| top).display().to_string()
}

/// How many processes the kernel has killed for lack of memory, by `memory.events` (v2) or `memory.oom_control` (v1).
pub fn oom_kills(counter: &Path) -> u64 {
    let text = fs::read_to_string(counter).unwrap_or_default();
    parse_oom_kills(&text)
}

fn parse_oom_kills(text: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

/// Puts the calling process into `dir`.
pub fn join(dir: &Path) -> io::Result<()> {
    write_existing(&dir.join("cgroup.procs"), "0")
}

/// Puts another process into `dir`.
pub fn put(dir: &Path, pid: u32) -> io::Result<()> {
    write_existing(&dir.join("cgroup.procs"), &pid.to_string())
}

/// Makes `dir` if need be and puts the calling process into it. The last process to leave may remove it between the two.
pub fn make_and_join(dir: &Path) -> io::Result<()> {
    for _ in 0..3 {
        make_dir(dir)?;
        match join(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Removes an empty cgroup; one that is not there counts as removed.
pub fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Kills every process in the pod's cgroups, waits for them, and removes the directories, then those above that are left empty.
/// Blocks for up to ten seconds when processes hang in the kernel.
pub fn remove_pod(cgroups: &Cgroups, pod_uid: &str) -> io::Result<()> {
    let deadline = Instant::now() + EMPTYING;
    for dir in cgroups.pod_dirs(pod_uid) {
        remove_tree(&dir, deadline)?;
    }
    remove_instance_if_unused(cgroups);
    Ok(())
}

/// Removes this server's top directories where no pod and no supervisor is left in them.
pub fn remove_instance_if_unused(cgroups: &Cgroups) {
    if let Some(leaf) = cgroups.supervisors() {
        // Fails while a supervisor lives, and then so does the next: as it should.
        let _ = fs::remove_dir(leaf);
    }
    for dir in cgroups.instance_dirs() {
        let _ = fs::remove_dir(dir);
    }
}

/// Removes what pods of this server have left, except those in `living`. Returns the uids of the pods it found.
pub fn sweep(cgroups: &Cgroups, living: &BTreeSet<String>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for dir in cgroups.instance_dirs() {
        for child in children(&dir) {
            let name = child.file_name().unwrap_or_default().to_string_lossy();
            if let Some(uid) = name.strip_prefix("pod-") {
                found.insert(uid.to_owned());
            }
        }
    }
    let left: Vec<_> = found.difference(living).cloned().collect();
    for uid in &left {
        if let Err(error) = remove_pod(cgroups, uid) {
            tracing::warn!(pod_uid = %uid, %error, "failed to remove a pod's leftover cgroups");
        }
    }
    if left.is_empty() {
        remove_instance_if_unused(cgroups);
    }
    left
}

fn remove_tree(dir: &Path, deadline: Instant) -> io::Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    loop {
        kill_all(dir);
        match remove_below(dir) {
            Ok(()) => return Ok(()),
            Err(error) if deadline <= Instant::now() => return Err(error),
            // A killed process leaves when the scheduler comes to it; there is no file that can be waited for in v1.
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Removes a cgroup with those inside it, all of them empty.
pub fn remove_below(dir: &Path) -> io::Result<()> {
    for child in children(dir) {
        remove_below(&child)?;
    }
    remove_dir(dir)
}

/// Kills every process in a cgroup and those inside it.
pub fn kill_all(dir: &Path) {
    if write_existing(&dir.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for child in children(dir) {
        kill_all(&child);
    }
    let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    for pid in procs.lines().filter_map(|line| line.trim().parse::<i32>().ok()) {
        // 0 stands for a process of another pid namespace, and would mean ourselves.
        if 0 < pid {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn write_existing(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Removes those inside `dir` that are empty.
pub fn remove_empty_children(dir: &Path) {
    for child in children(dir) {
        let _ = fs::remove_dir(child);
    }
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// Lets controllers be enabled below v2's base: where the base itself holds processes (a delegated unit, a container), the server moves
/// into a leaf of its own first. Returns what could not be done.
pub fn prepare(cgroups: &Cgroups) -> Vec<String> {
    let Some(tree) = &cgroups.hierarchy.unified else {
        return Vec::new();
    };
    let words: Vec<_> = tree.controllers.iter().map(|c| format!("+{c}")).collect();
    let control = tree.base.join("cgroup.subtree_control");
    if words.is_empty() || fs::write(&control, words.join(" ")).is_ok() {
        return Vec::new();
    }
    let leaf = tree.base.join("kiln-server");
    let moved = make_dir(&leaf).and_then(|()| join(&leaf));
    match moved.and_then(|()| fs::write(&control, words.join(" "))) {
        Ok(()) => Vec::new(),
        Err(error) => {
            vec![format!("cannot enable {} below {}: {error}", tree.controllers.join(", "), tree.base.display())]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hierarchy, Unified, plan};
    use super::*;
    use crate::runtime::Resources;

    fn fake(base: &Path) -> Cgroups {
        Cgroups {
            hierarchy: Hierarchy {
                unified: Some(Unified {
                    base: base.into(),
                    controllers: vec!["cpu".into(), "memory".into(), "pids".into()],
                }),
                ..Hierarchy::default()
            },
            instance: "kiln-t".into(),
        }
    }

    #[test]
    fn a_v2_tree_gets_its_directories_and_files_in_order() {
        let base = tempfile::tempdir().unwrap();
        let cgroups = fake(base.path());
        let limits = Resources { memory_limit_bytes: Some(1 << 20), cpu_limit_milli: Some(1500), ..Default::default() };
        assert_eq!(apply(&plan::pod(&cgroups, "U", &limits)), Vec::<String>::new());
        let container = plan::container(&cgroups, "U", "c", 3, &limits);
        assert_eq!(apply(&container), Vec::<String>::new());
        let read = |path: &str| fs::read_to_string(base.path().join(path)).unwrap();
        assert_eq!(read("kiln-t/pod-U/cgroup.subtree_control"), "+cpu +memory +pids");
        assert_eq!(read("kiln-t/pod-U/c.3/memory.max"), "1048576");
        assert_eq!(read("kiln-t/pod-U/c.3/cpu.max"), "150000 100000");
    }

    #[test]
    fn what_cannot_be_set_is_said_and_the_rest_is_done() {
        let base = tempfile::tempdir().unwrap();
        let cgroups = fake(base.path());
        fs::create_dir_all(base.path().join("kiln-t/pod-U/memory.max")).unwrap();
        let limits = Resources { memory_limit_bytes: Some(1 << 20), pids_limit: Some(7), ..Default::default() };
        let said = apply(&plan::pod(&cgroups, "U", &limits));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("cannot set memory.max: "), "{said:?}");
        let pids = base.path().join("kiln-t/pod-U/pids.max");
        assert_eq!(fs::read_to_string(pids).unwrap(), "7");
    }

    #[test]
    fn oom_kills_are_read_in_both_formats() {
        for (text, expect) in [
            ("low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\n", 2),
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
            ("oom_kill_disable 0\nunder_oom 0\n", 0),
            ("", 0),
        ] {
            assert_eq!(parse_oom_kills(text), expect, "{text:?}");
        }
    }

    #[test]
    fn sweep_leaves_living_pods_alone() {
        let base = tempfile::tempdir().unwrap();
        let cgroups = fake(base.path());
        for uid in ["a", "b"] {
            fs::create_dir_all(base.path().join(format!("kiln-t/pod-{uid}/c.0"))).unwrap();
        }
        let left = sweep(&cgroups, &BTreeSet::from(["b".to_owned()]));
        assert_eq!(left, ["a"]);
        assert!(!base.path().join("kiln-t/pod-a").exists());
        assert!(base.path().join("kiln-t/pod-b/c.0").exists());
    }
}
