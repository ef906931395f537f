//! Judges what was seen of a machine. Pure.

use agent::supervisor::Upper;
use agent::userns::{Ids, Standing};

use super::facts::{Disk, Facts};
use crate::output::paint;

/// What is judged, in the order that it is told in.
#[cfg(test)]
pub const TOPICS: [&str; 11] = [
    "kernel",
    "root",
    "users without root",
    "namespaces",
    "cgroups",
    "overlay",
    "seccomp",
    "network",
    "disk",
    "limits",
    "runc",
];

/// mount_setattr, the youngest of the system calls that there is nothing to take the place of.
const OLDEST_KERNEL: (u32, u32) = (5, 12);
/// cgroup.kill
const KILLS_CGROUPS: (u32, u32) = (5, 14);
const GIB: u64 = 1 << 30;
/// Images are unpacked beside their archives.
const ENOUGH_BYTES: u64 = 5 * GIB;
/// Images of a hundred thousand files are not rare.
const ENOUGH_INODES: u64 = 200_000;
/// Each pod holds some ten, each client one.
const ENOUGH_FILES: u64 = 65_536;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// As kiln wants it.
    Good,
    /// Containers run, but something does not.
    Costs,
    /// No container runs.
    Fails,
}

impl Grade {
    /// For people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Grade::Good => "ok",
            Grade::Costs => "costs",
            Grade::Fails => "fails",
        }
    }

    /// The word, in the colour that goes with it.
    pub fn paint(self, word: String, is_coloured: bool) -> String {
        match self {
            Grade::Good => paint::good(word, is_coloured),
            Grade::Costs => paint::waiting(word, is_coloured),
            Grade::Fails => paint::failed(word, is_coloured),
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub grade: Grade,
    pub topic: &'static str,
    pub what: String,
    /// What does not work.
    pub cost: Option<String>,
    /// How to get it.
    pub remedy: Option<String>,
}

impl Finding {
    fn good(topic: &'static str, what: impl Into<String>) -> Self {
        Self { grade: Grade::Good, topic, what: what.into(), cost: None, remedy: None }
    }

    fn costs(topic: &'static str, what: impl Into<String>, cost: &str, remedy: impl Into<String>) -> Self {
        let (cost, remedy) = (Some(cost.to_owned()), Some(remedy.into()));
        Self { grade: Grade::Costs, topic, what: what.into(), cost, remedy }
    }

    fn fails(topic: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { grade: Grade::Fails, cost: Some("no container runs".into()), ..Self::costs(topic, what, "", remedy) }
    }
}

/// Everything that there is to tell.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    vec![
        kernel(facts),
        root(facts),
        users(facts),
        namespaces(facts),
        cgroups(facts),
        overlay(facts),
        seccomp(facts),
        network(facts),
        disk(&facts.disk),
        limits(facts),
        runc(facts),
        job(facts),
    ]
}

fn kernel(facts: &Facts) -> Finding {
    let what = format!("Linux {}", facts.kernel);
    match version(&facts.kernel) {
        Some(version) if version < OLDEST_KERNEL => {
            Finding::fails("kernel", what, "install a kernel of 5.12 or later (every distribution since 2021 has one)")
        }
        Some(version) if version < KILLS_CGROUPS => {
            let cost = "what programs started in a container leave behind is killed one by one";
            Finding::costs("kernel", what, cost, "install a kernel of 5.14 or later")
        }
        _ => Finding::good("kernel", what),
    }
}

/// Major and minor version.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn root(facts: &Facts) -> Finding {
    let more_ids = "install newuidmap and newgidmap (Debian: uidmap) and give this user 65536 ids: \
        usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER";
    match (facts.standing, facts.has_entered) {
        (Standing::Root, _) => Finding::good("root", "this user is root"),
        (Standing::Namespace(_), false) => Finding::costs(
            "root",
            "this user is root of a user namespace, perhaps of a container",
            "what belongs to the machine's root may be refused: limits, the bridge, devices",
            "run kiln outside of it, or with more privileges",
        ),
        (Standing::Namespace(Ids::Many), true) => Finding::costs(
            "root",
            "this user is not root, and has ids for a user namespace",
            "no bridge for pods, no devices, no privileged containers",
            "run kiln as root: sudo kiln …",
        ),
        (Standing::Namespace(Ids::One), true) => Finding::costs(
            "root",
            "this user is not root, and has one id for a user namespace",
            "containers have no user but root (runAsUser fails); no bridge for pods, no devices, no privileged containers",
            more_ids,
        ),
        (Standing::Ordinary, _) => {
            let (cause, remedy) = match &facts.refused {
                Some(refused) => (refused.cause.clone(), refused.remedy.clone()),
                None => ("there is no user namespace".into(), "run kiln as root: sudo kiln …".into()),
            };
            Finding::fails("root", format!("this user is not root, and {cause}"), remedy)
        }
    }
}

fn users(facts: &Facts) -> Finding {
    let topic = "users without root";
    let cost = "kiln run and kiln server work for root only";
    if let Some(restriction) = &facts.users.restriction {
        let (name, value) = restriction.split_once('=').unwrap_or((restriction, ""));
        let other = if value == "0" { "1" } else { "0" };
        return Finding::costs(
            topic,
            format!("{restriction} keeps user namespaces from them"),
            cost,
            format!("sysctl -w {name}={other}"),
        );
    }
    match facts.users.max_namespaces {
        None => Finding::costs(topic, "the kernel has no user namespaces", cost, "use a kernel with CONFIG_USER_NS"),
        Some(0) => Finding::costs(
            topic,
            "user.max_user_namespaces=0 allows none",
            cost,
            "sysctl -w user.max_user_namespaces=10000",
        ),
        Some(_) if !facts.users.has_newuidmap => Finding::costs(
            topic,
            "user namespaces are allowed, newuidmap is not installed",
            "without root, containers have no user but root",
            "install it (Debian: apt-get install uidmap)",
        ),
        Some(_) => Finding::good(topic, "user namespaces are allowed, and newuidmap is there"),
    }
}

fn namespaces(facts: &Facts) -> Finding {
    match &facts.namespaces {
        Ok(()) => Finding::good("namespaces", "uts, ipc and cgroup namespaces can be made"),
        Err(why) => {
            Finding::fails("namespaces", why, "run kiln as root, outside of containers that forbid it (CAP_SYS_ADMIN)")
        }
    }
}

fn cgroups(facts: &Facts) -> Finding {
    let hierarchy = &facts.cgroups.hierarchy;
    let unlimited = facts.cgroups.unlimited();
    let v2 = hierarchy.unified.as_ref().map(|tree| tree.controllers.join(", "));
    let v1: Vec<&str> = hierarchy.v1.keys().map(String::as_str).collect();
    let what = match (&v2, v1.is_empty()) {
        (None, true) => "none that this user may use".to_owned(),
        (None, false) => format!("v1 for {}", v1.join(", ")),
        (Some(_), false) => format!("v1 for {}; v2 to track and kill", v1.join(", ")),
        (Some(controllers), true) if controllers.is_empty() => "v2, to track and kill".to_owned(),
        (Some(controllers), true) => format!("v2 for {controllers}"),
    };
    if !unlimited.is_empty() {
        let cost = format!("limits of {} do not hold", unlimited.join(", "));
        let remedy = match facts.has_entered || facts.standing == Standing::Ordinary {
            true => {
                "run kiln as root, or have systemd delegate: systemd-run --user --scope -p Delegate=yes kiln server"
            }
            false => {
                "mount cgroup2 with these controllers at /sys/fs/cgroup (kernel command line: systemd.unified_cgroup_hierarchy=1)"
            }
        };
        return Finding::costs("cgroups", what, &cost, remedy);
    }
    if v2.is_none() {
        let cost = "a container's processes are found and killed one by one";
        return Finding::costs(
            "cgroups",
            what,
            cost,
            "mount cgroup2 beside v1, or boot with systemd.unified_cgroup_hierarchy=1",
        );
    }
    Finding::good("cgroups", what)
}

fn overlay(facts: &Facts) -> Finding {
    match &facts.overlay {
        Ok(Upper::Disk) => {
            Finding::good("overlay", "containers' roots can be mounted over the data directory's file system")
        }
        Ok(Upper::Memory) => Finding::costs(
            "overlay",
            "the data directory's file system cannot hold what containers write (an overlay itself, or NFS)",
            "what containers write to their root takes memory",
            "put the data directory on ext4, xfs or btrfs: --data-dir",
        ),
        Err(why) => Finding::fails(
            "overlay",
            why,
            "load the overlay module (modprobe overlay); in a container, give it CAP_SYS_ADMIN",
        ),
    }
}

fn seccomp(facts: &Facts) -> Finding {
    match &facts.seccomp {
        Some(actions) if actions.split_whitespace().any(|action| action == "errno") => {
            Finding::good("seccomp", "filters work")
        }
        _ => Finding::fails(
            "seccomp",
            "the kernel has no filters",
            "use a kernel with CONFIG_SECCOMP_FILTER; or let every pod ask for seccompProfile Unconfined",
        ),
    }
}

fn network(facts: &Facts) -> Finding {
    let cost = "pods share this machine's network: no address of their own, ports may clash";
    match &facts.bridge {
        Some(Ok(())) => Finding::good("network", "pods get a bridge, with addresses of their own and a way out"),
        Some(Err(why)) => Finding::costs(
            "network",
            format!("no bridge can be made: {why}"),
            cost,
            "load bridge, veth and nf_tables (modprobe), and let kiln have CAP_NET_ADMIN",
        ),
        None => Finding::costs("network", "no bridge without root", cost, "run kiln as root: sudo kiln …"),
    }
}

fn disk(disk: &Result<Disk, String>) -> Finding {
    let disk = match disk {
        Ok(disk) => disk,
        Err(why) => return Finding::fails("disk", why, "give a directory that can be read: --data-dir"),
    };
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / GIB as f64);
    let what = format!("{} of {} are free", gib(disk.free_bytes), gib(disk.size_bytes));
    if disk.free_bytes < ENOUGH_BYTES {
        let cost = "images may not fit; pods are evicted when the disk is full";
        return Finding::costs("disk", what, cost, "make room: kiln image rm; or put the data elsewhere: --data-dir");
    }
    if 0 < disk.inodes && disk.free_inodes < ENOUGH_INODES {
        let what = format!("{what}, but only {} inodes", disk.free_inodes);
        return Finding::costs(
            "disk",
            what,
            "images may not fit",
            "remove small files, or put the data elsewhere: --data-dir",
        );
    }
    Finding::good("disk", what)
}

fn limits(facts: &Facts) -> Finding {
    let files = format!("{} open files", facts.open_files);
    if facts.open_files < ENOUGH_FILES {
        let cost = "the server refuses clients, and pods, once they are used up";
        return Finding::costs("limits", files, cost, "ulimit -Hn 1048576, or LimitNOFILE=1048576 in the unit");
    }
    if facts.has_entered || facts.may_raise_limits {
        return Finding::good("limits", files);
    }
    Finding::costs(
        "limits",
        format!("{files}; no CAP_SYS_RESOURCE"),
        "Guaranteed pods are not protected from the kernel's out-of-memory killer",
        "let kiln have CAP_SYS_RESOURCE",
    )
}

fn runc(facts: &Facts) -> Finding {
    match &facts.runc {
        Some(version) => Finding::good("runc", version),
        None => Finding::costs(
            "runc",
            "not installed",
            "pods with a RuntimeClass of handler runc do not start; others do not need it",
            "install it if you want it (Debian: apt-get install runc)",
        ),
    }
}

fn job(facts: &Facts) -> Finding {
    match &facts.job {
        Ok(time) => Finding::good("a Job", format!("ran, and was over after {:.1} s", time.as_secs_f64())),
        Err(why) => Finding::fails("a Job", why, "see the lines above; kiln run --image kiln/demo -- pi 10 shows more"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Users;
    use super::*;
    use agent::cgroups::{Cgroups, Hierarchy, Unified};
    use agent::userns::Refused;
    use std::time::Duration;

    fn fine() -> Facts {
        let unified =
            Unified { base: "/sys/fs/cgroup".into(), controllers: ["cpu", "memory", "pids"].map(str::to_owned).into() };
        Facts {
            kernel: "6.18.0".into(),
            standing: Standing::Root,
            has_entered: false,
            refused: None,
            users: Users { max_namespaces: Some(1000), restriction: None, has_newuidmap: true },
            namespaces: Ok(()),
            cgroups: Cgroups {
                hierarchy: Hierarchy { unified: Some(unified), ..Hierarchy::default() },
                instance: "kiln-1".into(),
            },
            overlay: Ok(Upper::Disk),
            seccomp: Some("kill_process kill_thread errno allow".into()),
            bridge: Some(Ok(())),
            disk: Ok(Disk { free_bytes: 100 * GIB, size_bytes: 200 * GIB, free_inodes: 1_000_000, inodes: 2_000_000 }),
            open_files: 1 << 20,
            may_raise_limits: true,
            runc: Some("runc version 1.1.5".into()),
            job: Ok(Duration::from_millis(250)),
        }
    }

    #[test]
    fn a_machine_that_has_everything() {
        let findings = judge(&fine());
        assert!(findings.iter().all(|finding| finding.grade == Grade::Good), "{findings:#?}");
        let topics: Vec<&str> = findings.iter().map(|finding| finding.topic).collect();
        assert_eq!(topics, [&TOPICS[..], &["a Job"]].concat());
        assert_eq!(findings[4].what, "v2 for cpu, memory, pids");
        assert_eq!(findings[8].what, "100.0 GiB of 200.0 GiB are free");
    }

    /// What is changed, and the one finding that changes with it.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Facts), topic: &str, grade: Grade, what: &str, remedy: &str) {
        let mut facts = fine();
        change(&mut facts);
        let odd: Vec<Finding> = judge(&facts).into_iter().filter(|finding| finding.grade != Grade::Good).collect();
        let [finding] = odd.as_slice() else { panic!("one finding, not {odd:#?}") };
        assert_eq!((finding.topic, finding.grade), (topic, grade));
        assert!(finding.what.contains(what), "{}", finding.what);
        assert!(finding.remedy.as_ref().unwrap().contains(remedy), "{finding:?}");
        assert!(finding.cost.is_some());
    }

    #[test]
    fn what_is_missing_has_a_cost_and_a_remedy() {
        let fails = Grade::Fails;
        check(|facts| facts.kernel = "5.10.0-30-amd64".into(), "kernel", fails, "Linux 5.10.0-30-amd64", "5.12");
        check(|facts| facts.kernel = "5.13.1".into(), "kernel", Grade::Costs, "5.13.1", "5.14");
        check(|facts| facts.namespaces = Err("refused".into()), "namespaces", fails, "refused", "CAP_SYS_ADMIN");
        check(
            |facts| facts.overlay = Err("no such device".into()),
            "overlay",
            fails,
            "no such device",
            "modprobe overlay",
        );
        check(|facts| facts.overlay = Ok(Upper::Memory), "overlay", Grade::Costs, "cannot hold", "--data-dir");
        check(|facts| facts.seccomp = None, "seccomp", fails, "no filters", "CONFIG_SECCOMP_FILTER");
        check(|facts| facts.bridge = Some(Err("EPERM".into())), "network", Grade::Costs, "EPERM", "CAP_NET_ADMIN");
        check(|facts| facts.open_files = 4096, "limits", Grade::Costs, "4096", "ulimit");
        check(
            |facts| facts.may_raise_limits = false,
            "limits",
            Grade::Costs,
            "no CAP_SYS_RESOURCE",
            "CAP_SYS_RESOURCE",
        );
        check(|facts| facts.runc = None, "runc", Grade::Costs, "not installed", "apt-get install runc");
        check(|facts| facts.job = Err("error: x".into()), "a Job", fails, "error: x", "kiln run");
        let users = "users without root";
        check(|facts| facts.users.max_namespaces = Some(0), users, Grade::Costs, "allows none", "sysctl -w user.max");
        check(|facts| facts.users.max_namespaces = None, users, Grade::Costs, "no user namespaces", "CONFIG_USER_NS");
        check(|facts| facts.users.has_newuidmap = false, users, Grade::Costs, "not installed", "uidmap");
        check(
            |facts| facts.users.restriction = Some("kernel.unprivileged_userns_clone=0".into()),
            users,
            Grade::Costs,
            "keeps user namespaces from them",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        );
        check(
            |facts| facts.disk = Ok(Disk { free_bytes: GIB, size_bytes: 2 * GIB, free_inodes: 0, inodes: 0 }),
            "disk",
            Grade::Costs,
            "1.0 GiB of 2.0 GiB",
            "kiln image rm",
        );
        check(
            |facts| facts.disk = Ok(Disk { free_bytes: 9 * GIB, size_bytes: 9 * GIB, free_inodes: 5, inodes: 10 }),
            "disk",
            Grade::Costs,
            "only 5 inodes",
            "small files",
        );
    }

    #[test]
    fn cgroups_are_told_by_what_they_can_do() {
        let v1 = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "/x".into())).collect();
        check(|facts| facts.cgroups.hierarchy = Hierarchy::default(), "cgroups", Grade::Costs, "none", "mount cgroup2");
        check(
            |facts| facts.cgroups.hierarchy = Hierarchy { v1: v1(&["cpu", "memory", "pids"]), ..Hierarchy::default() },
            "cgroups",
            Grade::Costs,
            "v1 for cpu, memory, pids",
            "mount cgroup2 beside v1",
        );
        let mut facts = fine();
        facts.cgroups.hierarchy.v1 = v1(&["cpu", "memory", "pids"]);
        facts.cgroups.hierarchy.unified.as_mut().unwrap().controllers.clear();
        let hybrid = cgroups(&facts);
        assert_eq!(
            (hybrid.grade, hybrid.what.as_str()),
            (Grade::Good, "v1 for cpu, memory, pids; v2 to track and kill")
        );
    }

    #[test]
    fn without_root_it_depends() {
        let of = |standing, refused: Option<Refused>| {
            let entered = standing != Standing::Ordinary;
            root(&Facts { standing, has_entered: entered, refused, ..fine() })
        };
        let many = of(Standing::Namespace(Ids::Many), None);
        assert_eq!((many.grade, many.remedy.as_deref()), (Grade::Costs, Some("run kiln as root: sudo kiln …")));
        let one = of(Standing::Namespace(Ids::One), None);
        assert!(one.remedy.unwrap().contains("usermod --add-subuids"));
        let refused = Refused { cause: "the kernel refuses".into(), remedy: "allow them".into() };
        let none = of(Standing::Ordinary, Some(refused));
        assert_eq!((none.grade, none.what.as_str()), (Grade::Fails, "this user is not root, and the kernel refuses"));
        assert_eq!(none.remedy.as_deref(), Some("allow them"));
    }
}
