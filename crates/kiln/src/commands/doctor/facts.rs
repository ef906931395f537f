//! Looks at the machine. Decides nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agent::cgroups::{self, Cgroups};
use agent::supervisor::Upper;
use agent::trial;
use agent::userns::{self, Refused, Standing};
use nix::sys::resource::{Resource, getrlimit};

/// CAP_SYS_RESOURCE (linux/capability.h).
const SYS_RESOURCE: u32 = 24;

/// What was seen.
#[derive(Debug, Clone)]
pub struct Facts {
    /// `uname -r`.
    pub kernel: String,
    pub standing: Standing,
    /// Whether this process is root, if at all, only in a namespace of its own making.
    pub has_entered: bool,
    /// Why an ordinary user could not become that.
    pub refused: Option<Refused>,
    pub users: Users,
    pub namespaces: Result<(), String>,
    pub cgroups: Cgroups,
    pub overlay: Result<Upper, String>,
    /// What filters may answer, if the kernel has them.
    pub seccomp: Option<String>,
    /// Not tried where it cannot work.
    pub bridge: Option<Result<(), String>>,
    pub disk: Result<Disk, String>,
    /// How many files a process may open, if it asks.
    pub open_files: u64,
    /// Has CAP_SYS_RESOURCE.
    pub may_raise_limits: bool,
    /// The first line of `runc --version`.
    pub runc: Option<String>,
    /// How long a Job of kiln/demo took, or what `kiln run` said.
    pub job: Result<Duration, String>,
}

/// What ordinary users may have.
#[derive(Debug, Clone, Default)]
pub struct Users {
    /// user.max_user_namespaces
    pub max_namespaces: Option<u64>,
    /// A setting that keeps ordinary users from making them, as `NAME=VALUE`.
    pub restriction: Option<String>,
    pub has_newuidmap: bool,
}

/// Room where the data is.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    pub free_bytes: u64,
    pub size_bytes: u64,
    pub free_inodes: u64,
    /// Some file systems do not count them.
    pub inodes: u64,
}

/// Looks.
pub fn gather(data_dir: &Path, refused: Option<Refused>) -> Facts {
    let standing = userns::standing();
    let has_entered = userns::has_entered();
    let nearest = nearest(data_dir);
    Facts {
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
        standing,
        has_entered,
        refused,
        users: users(),
        namespaces: trial::namespaces(),
        cgroups: cgroups::detect::detect(&data_dir.join("agent")),
        overlay: trial::overlay(&nearest),
        seccomp: read("/proc/sys/kernel/seccomp/actions_avail"),
        bridge: (standing == Standing::Root).then(trial::bridge),
        disk: disk(&nearest),
        open_files: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard),
        may_raise_limits: has_capability(SYS_RESOURCE),
        runc: said_by("runc", &["--version"]),
        job: job(),
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn users() -> Users {
    let restrictions =
        [("kernel.unprivileged_userns_clone", "0"), ("kernel.apparmor_restrict_unprivileged_userns", "1")];
    let is_set = |(name, value): &(&str, &str)| {
        read(&format!("/proc/sys/{}", name.replace('.', "/"))).as_deref() == Some(*value)
    };
    let max_namespaces = read("/proc/sys/user/max_user_namespaces").and_then(|text| text.parse().ok());
    Users {
        max_namespaces,
        restriction: restrictions.iter().find(|setting| is_set(setting)).map(|(name, value)| format!("{name}={value}")),
        has_newuidmap: on_path("newuidmap"),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// The directory, or the first above it that is there.
fn nearest(dir: &Path) -> PathBuf {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    dir.ancestors().find(|dir| dir.is_dir()).map_or_else(|| "/".into(), Path::to_owned)
}

fn disk(dir: &Path) -> Result<Disk, String> {
    let found = nix::sys::statvfs::statvfs(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    Ok(Disk {
        free_bytes: found.blocks_available().saturating_mul(found.fragment_size()),
        size_bytes: found.blocks().saturating_mul(found.fragment_size()),
        free_inodes: found.files_available(),
        inodes: found.files(),
    })
}

fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & (1 << number) != 0)
}

fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned();
    output.status.success().then_some(text)
}

/// The proof: a server, a Job and a container, in a temporary directory.
fn job() -> Result<Duration, String> {
    let begin = Instant::now();
    let run = ["run", "--ephemeral", "--image", "kiln/demo", "--timeout", "60s", "--", "echo", "ok"];
    let output = Command::new("/proc/self/exe").args(run).stdin(Stdio::null()).env("NO_COLOR", "1").output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() && output.stdout == b"ok\n" {
        return Ok(begin.elapsed());
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    let tells = ["error: ", "cause: ", "warning: "];
    let reasons: Vec<&str> = talk.lines().filter(|line| tells.iter().any(|begin| line.starts_with(begin))).collect();
    Err(if reasons.is_empty() {
        talk.lines().last().unwrap_or("it said nothing").to_owned()
    } else {
        reasons.join("; ")
    })
}
