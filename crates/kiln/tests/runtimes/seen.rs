//! Reads what the probe says, and says what of it differs between two runtimes.

use std::collections::BTreeMap;

/// Lines by section, what differs between any two pods written alike.
pub type Seen = BTreeMap<String, Vec<String>>;

/// A difference that is meant to be.
pub struct Exception {
    /// Why.
    pub reason: &'static str,
    section: &'static str,
    /// Whether a line is one that only one of the two has.
    covers: fn(&str) -> bool,
}

/// Every one of them.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        reason: "the built-in runtime has device files work by mounts of their own, others by device cgroups",
        section: "mounts",
        covers: |line| {
            line.starts_with("/dev/") && (is_mount_of(line, BASIC_DEVICES) || line.contains("/rootfs/main.0/device-"))
        },
    },
    Exception {
        reason: "and so nothing else in /dev works for the built-in runtime",
        section: "mounts",
        covers: |line| line.starts_with("/dev from / as tmpfs rw,nosuid"),
    },
    Exception {
        reason: "nor what a privileged container, which has the machine's devices, makes there",
        section: "devices-made",
        covers: |line| matches!(line, "/dev works" | "/dev does not work"),
    },
    Exception {
        reason: "runc forgets nodev when it makes a root read-only, in which no node can be made then",
        section: "mounts",
        covers: |line| line.starts_with("/ from / as overlay ro"),
    },
    Exception {
        reason: "runc sees to the topmost mount alone of what is bound, and to devices by their cgroup",
        section: "mounts",
        covers: |line| line.starts_with("/v/devices/"),
    },
    Exception {
        reason: "a file is masked by the machine's /dev/null or by the container's, a directory by one that is empty",
        section: "mounts",
        covers: |line| MASKED.iter().any(|path| line.starts_with(&format!("{path} from "))),
    },
    Exception {
        reason: "of which the modes differ",
        section: "masked",
        covers: |line| MASKED.iter().any(|path| line.starts_with(&format!("{path} directory "))),
    },
    Exception {
        reason: "on v1 the built-in runtime shows the cgroups that it limits in, runc those of every tree",
        section: "mounts",
        covers: |line| line.starts_with("/sys/fs/cgroup"),
    },
    Exception {
        reason: "and the file system that they are mounted in, of a few kilobytes, stays writable by runc",
        section: "writable",
        covers: |line| line.starts_with("/sys/fs/cgroup "),
    },
    Exception {
        reason: "what nobody has limited shows the kernel's defaults by runc",
        section: "cgroup",
        covers: |line| UNLIMITED.contains(&line),
    },
];

const BASIC_DEVICES: &[&str] = &["full", "null", "random", "tty", "urandom", "zero"];
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const UNLIMITED: &[&str] = &[
    "cpu/cpu.shares 1024",
    "cpu/cpu.cfs_quota_us -1",
    "cpu/cpu.cfs_period_us 100000",
    "memory/memory.limit_in_bytes 9223372036854771712",
    "memory/memory.memsw.limit_in_bytes 9223372036854771712",
];

fn is_mount_of(line: &str, devices: &[&str]) -> bool {
    devices.iter().any(|name| line.starts_with(&format!("/dev/{name} from /{name} as tmpfs rw,nosuid,noexec")))
}

/// Reads a log. `names` are this pod's own, and what is written for them.
pub fn read(log: &str, names: &[(&str, &str)]) -> Seen {
    let mut seen = Seen::new();
    let mut section = String::new();
    for line in log.lines() {
        let mut line = line.trim_end().to_owned();
        for (name, general) in names.iter().filter(|(name, _)| !name.is_empty()) {
            line = line.replace(name, general);
        }
        let line = version(&line);
        if let Some(name) = line.strip_prefix("== ") {
            section = name.to_owned();
            continue;
        }
        // Bridges and pods of other servers come and go on the machine.
        if section == "network" && (line.starts_with("kiln-") || line == "of a pod") {
            continue;
        }
        let line = match section.as_str() {
            "mounts" => mount(&line),
            "namespaces" => namespace(&line),
            _ => line,
        };
        seen.entry(section.clone()).or_default().push(line);
    }
    if let Some(mounts) = seen.get_mut("mounts") {
        // Stable: what is mounted over something else stays behind it.
        mounts.sort_by_key(|line| line.split(' ').next().map(str::to_owned));
    }
    seen
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue` without numbers and sources.
fn mount(line: &str) -> String {
    let Some((left, right)) = line.split_once(" - ") else {
        return line.to_owned();
    };
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let propagation: Vec<_> = left[6..].iter().filter_map(|tag| tag.split(':').next()).collect();
    // Read-only is read-only, whether it is the mount or the file system.
    let (access, of_file_system) = right[2].split_once(',').unwrap_or((right[2], ""));
    let of_mount = if access == "ro" { left[5].replacen("rw", "ro", 1) } else { left[5].to_owned() };
    let of_file_system = if matches!(right[0], "tmpfs" | "devpts") { of_file_system } else { "" };
    format!("{} from {} as {} {of_mount} {of_file_system} {}", left[4], left[3], right[0], propagation.join(","))
}

/// What API objects become in a volume is named for when it was written.
fn version(line: &str) -> String {
    let mut parts = line.split("..1");
    let mut general = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        general.push_str("..VERSION");
        general.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    general
}

/// Whether a namespace is this test's, which is the machine's.
fn namespace(line: &str) -> String {
    let Some((name, link)) = line.split_once(' ') else {
        return line.to_owned();
    };
    let of_machine = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap_or_default();
    format!("{name} {}", if of_machine.as_os_str() == link { "the machine's" } else { "its own" })
}

/// What differs and is not excused.
pub fn compare(case: &str, ours: &Seen, theirs: &Seen, excused: &mut [usize]) -> Vec<String> {
    let mut differences = Vec::new();
    for section in ours.keys().chain(theirs.keys().filter(|name| !ours.contains_key(*name))) {
        let none = Vec::new();
        let (ours, theirs) = (ours.get(section).unwrap_or(&none), theirs.get(section).unwrap_or(&none));
        for (whose, lines, others) in [("built-in", ours, theirs), ("runc    ", theirs, ours)] {
            for line in only_in(lines, others) {
                let found =
                    EXCEPTIONS.iter().position(|exception| exception.section == section && (exception.covers)(line));
                match found {
                    Some(at) => excused[at] += 1,
                    None => differences.push(format!("{case}: {section}: {whose} {line}")),
                }
            }
        }
    }
    differences
}

fn only_in<'a>(lines: &'a [String], others: &[String]) -> Vec<&'a str> {
    let mut left: Vec<&String> = others.iter().collect();
    let mut is_alone = |line: &&String| match left.iter().position(|other| other == line) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    lines.iter().filter(|line| is_alone(line)).map(String::as_str).collect()
}
