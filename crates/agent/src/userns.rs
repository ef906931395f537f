//! Running without root: the server becomes root of a user namespace of its own, in which it may mount, and give pods namespaces.
//!
//! With ranges in /etc/subuid and /etc/subgid, and newuidmap and newgidmap to use them, the namespace has many users; without, only
//! root, who is the user outside. What needs root of the machine (limits, a bridge, device nodes) stays out of reach.

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, User, getegid, geteuid};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set for the program within the namespace, which is root there and must know that the machine's root is another.
pub const ENTERED: &str = "KILN_USER_NAMESPACE";

/// What one user may have in subuid and subgid, and tools use.
const N_SUBORDINATE: u32 = 65_536;
/// Every id but the last, which is no id.
const ALL_IDS: u64 = u32::MAX as u64;

/// Who this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The machine's root.
    Root,
    /// Root of a user namespace.
    Namespace(Ids),
    /// Anybody else.
    Ordinary,
}

/// Users and groups of a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Only root.
    One,
    /// Others too.
    Many,
}

/// Why there is no namespace for this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What the kernel says.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

/// Reads who this process is.
pub fn standing() -> Standing {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    match geteuid().is_root() {
        true => standing_of_root(&map),
        false => Standing::Ordinary,
    }
}

fn standing_of_root(uid_map: &str) -> Standing {
    match n_ids(uid_map) {
        ALL_IDS => Standing::Root,
        0 | 1 => Standing::Namespace(Ids::One),
        _ => Standing::Namespace(Ids::Many),
    }
}

/// How many ids a namespace has: the third column of its map.
fn n_ids(map: &str) -> u64 {
    map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

/// The result of a change of owner. Who does not exist in this namespace is no container's user, and need own nothing.
pub(crate) fn if_exists(changed: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match changed {
        Err(rustix::io::Errno::INVAL) if standing() != Standing::Root => Ok(()),
        other => other,
    }
}

/// Whether this process is in a namespace that it has made for want of root.
pub fn has_entered() -> bool {
    std::env::var_os(ENTERED).is_some() && matches!(standing(), Standing::Namespace(_))
}

/// Runs this program again as root of a user namespace: of that in which the pods in `state_dir` still run, or of a new one. Comes
/// back only if it cannot. Call while there is one thread.
pub fn enter(state_dir: Option<&Path>) -> Refused {
    let joined = state_dir.is_some_and(|dir| {
        survivors(dir).into_iter().any(|namespace| setns(namespace, CloneFlags::CLONE_NEWUSER).is_ok())
    });
    if !joined && let Err(refused) = make() {
        return refused;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let error = Command::new("/proc/self/exe").arg0(name).args(arguments).env(ENTERED, "1").exec();
    Refused {
        cause: format!("failed to execute kiln again: {error}"), remedy: "run kiln as root: sudo kiln …".into()
    }
}

/// The user namespaces of supervisors that an earlier server has left.
fn survivors(state_dir: &Path) -> Vec<File> {
    // Those of others cannot be opened, or not be joined.
    supervisors(state_dir).iter().filter_map(|process| File::open(process.join("ns/user")).ok()).collect()
}

/// The supervisors whose pods are in `state_dir`, as their directories in /proc.
pub fn supervisors(state_dir: &Path) -> Vec<PathBuf> {
    let Ok(pods) = state_dir.canonicalize().map(|dir| dir.join("pods")) else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    processes.filter(|process| is_supervisor(process, &pods)).collect()
}

fn is_supervisor(process: &Path, pods: &Path) -> bool {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    let is_called_so = words.next() == Some(crate::supervisor::ARGV0.as_bytes());
    let dir = words.next().map(|word| PathBuf::from(std::ffi::OsStr::from_bytes(word)));
    let parent = dir.as_deref().and_then(Path::parent).and_then(|parent| parent.canonicalize().ok());
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    is_called_so && parent.as_deref() == Some(pods) && is_in_no_container(&status)
}

/// A container's processes have more than one number, and may call themselves what they like.
fn is_in_no_container(status: &str) -> bool {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| numbers.split_whitespace().count() == 1)
}

fn make() -> Result<(), Refused> {
    let (uid, gid) = (geteuid(), getegid());
    let ranges = ranges(uid);
    // It stays outside, where the ids can be given away.
    let mapper = ranges.and_then(|ranges| Mapper::begin(uid, gid, ranges).ok());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| Refused {
        cause: format!("the kernel refuses a user namespace: {}", errno.desc()),
        remedy: "allow them (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone), or run kiln as root: sudo kiln …".into(),
    })?;
    let complaint = match mapper.map(Mapper::finish) {
        Some(Ok(())) => return Ok(()),
        Some(Err(complaint)) => Some(complaint),
        None => None,
    };
    map_self(uid, gid).map_err(|error| match complaint {
        // One of the two has worked, and the other has not.
        Some(complaint) => Refused {
            cause: format!("newuidmap and newgidmap fail: {complaint}"),
            remedy: "both have to be installed as their package does it (Debian: uidmap)".into(),
        },
        None => Refused {
            cause: format!("the kernel refuses to map this user into a user namespace: {error}"),
            remedy: "AppArmor may restrict them (sysctl kernel.apparmor_restrict_unprivileged_userns); allow kiln to, or run it as root: sudo kiln …"
                .into(),
        },
    })
}

/// Root alone, who is this user. Nobody may then change groups: one could leave a group that is denied something.
fn map_self(uid: Uid, gid: Gid) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The first of the user's subordinate users, and of his groups.
fn ranges(uid: Uid) -> Option<(u32, u32)> {
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name).unwrap_or_default();
    let first = |path: &str| subordinates(&fs::read_to_string(path).ok()?, &name, uid.as_raw());
    Some((first("/etc/subuid")?, first("/etc/subgid")?))
}

/// The first id of a range that is long enough: `NAME:FIRST:COUNT`, the user by name or number (subuid(5)).
fn subordinates(text: &str, name: &str, uid: u32) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let (whose, first, count) = (fields.next()?, fields.next()?, fields.next()?);
        let is_theirs = !whose.is_empty() && (whose == name || whose == uid.to_string());
        let is_enough = count.parse::<u32>().is_ok_and(|count| N_SUBORDINATE <= count);
        first.parse().ok().filter(|_| is_theirs && is_enough)
    })
}

/// newuidmap and newgidmap, waiting for the namespace.
struct Mapper(std::process::Child);

impl Mapper {
    fn begin(uid: Uid, gid: Gid, (first_uid, first_gid): (u32, u32)) -> io::Result<Self> {
        let script = "read -r _ && newuidmap \"$1\" 0 \"$2\" 1 1 \"$3\" \"$6\" && newgidmap \"$1\" 0 \"$4\" 1 1 \"$5\" \"$6\" && echo mapped";
        let numbers = [std::process::id(), uid.as_raw(), first_uid, gid.as_raw(), first_gid, N_SUBORDINATE];
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(numbers.map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self(child))
    }

    /// What they say if it did not work.
    fn finish(mut self) -> Result<(), String> {
        let (mut said, mut complaint) = (String::new(), String::new());
        let told = self.0.stdin.take().map(|mut stdin| stdin.write_all(b"go\n"));
        let heard = self.0.stdout.take().map(|mut stdout| stdout.read_to_string(&mut said));
        let _ = self.0.stderr.take().map(|mut stderr| stderr.read_to_string(&mut complaint));
        let _ = self.0.wait();
        match (told, heard) {
            (Some(Ok(())), Some(Ok(_))) if said.trim() == "mapped" => Ok(()),
            _ => Err(complaint.trim().replace('\n', "; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_says_who_root_is() {
        for (map, expect) in [
            ("         0          0 4294967295\n", Standing::Root),
            ("0 1000 1\n", Standing::Namespace(Ids::One)),
            ("0 1000 1\n1 100000 65536\n", Standing::Namespace(Ids::Many)),
            ("0 100000 65536\n", Standing::Namespace(Ids::Many)),
            ("", Standing::Namespace(Ids::One)),
        ] {
            assert_eq!(standing_of_root(map), expect, "{map:?}");
        }
    }

    #[test]
    fn a_container_cannot_pass_for_a_supervisor() {
        assert!(is_in_no_container("Name:\tkiln-supervisor\nNSpid:\t4711\n"));
        assert!(!is_in_no_container("Name:\tkiln-supervisor\nNSpid:\t4711\t2\n"));
        assert!(!is_in_no_container(""));
    }

    #[test]
    fn subordinate_ids_are_found_by_name_or_number() {
        let text = "root:100000:65536\n\nada:165536:65536\nada:1:2\n1007:300000:65536\nbob:231072:1000\n:1:65536\nbroken\nx:y:65536\n";
        for (name, uid, expect) in [
            ("ada", 1000, Some(165_536)),
            ("carl", 1007, Some(300_000)),
            ("bob", 1001, None),
            ("x", 1, None),
            ("", 1, None),
        ] {
            assert_eq!(subordinates(text, name, uid), expect, "{name}");
        }
    }
}
