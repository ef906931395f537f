//! The container's first process, from clone to execve: it takes on everything that makes it a container, in the one order that works.

use super::protocol::Failure;
use super::rootfs::{self, Build};
use super::{creds, seccomp, sys};
use crate::cgroups::{apply, plan::Plan};
use crate::runtime::Container;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, execve, setsid};
use oci_spec::runtime::{Process, Spec};
use std::convert::Infallible;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How much of an image's /etc/passwd and /etc/group is read.
const MAX_ACCOUNTS: u64 = 1 << 20;

/// Written to the status pipe when all that is left is execve.
pub const ABOUT_TO_EXECUTE: u8 = b'+';

/// What the first process needs to know.
pub struct Birth<'a> {
    pub container: &'a Container,
    pub cgroup: &'a Plan,
    pub scratch: &'a Path,
    pub shm: &'a Path,
    pub host_network: bool,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// Closes at execve; carries the marker and, if it fails, a [`Failure`].
    pub status: BorrowedFd<'a>,
}

/// Becomes the container's program, or reports why it cannot and ends. Never drops what `birth` borrows.
pub fn run(birth: &Birth<'_>) -> ! {
    // Where to report: the borrowed pipe until descriptors are closed, then what is kept of it.
    let mut kept = None;
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| become_program(birth, &mut kept)));
    let failure = match outcome {
        Ok(Err(failure)) => failure,
        Ok(Ok(never)) => match never {},
        Err(_) => create("the container's set-up failed unexpectedly"),
    };
    let status = kept.map_or_else(|| birth.status.try_clone_to_owned().map(File::from), Ok);
    if let (Ok(text), Ok(mut status)) = (serde_json::to_vec(&failure), status) {
        let _ = status.write_all(&text);
    }
    sys::exit_now(1)
}

fn become_program(birth: &Birth<'_>, kept: &mut Option<File>) -> Result<Infallible, Failure> {
    let container = birth.container;
    let spec = &container.spec;
    let Some(process) = spec.process() else {
        return Err(create("the container has no process"));
    };
    let program = Program::of(process)?;
    join_and_detach(birth, process)?;
    let own_cgroup_namespace = unshare(CloneFlags::CLONE_NEWCGROUP).is_ok();
    let build = Build {
        rootfs: &container.rootfs,
        spec,
        scratch: birth.scratch,
        shm: birth.shm,
        host_network: birth.host_network,
        cgroup: birth.cgroup,
        own_cgroup_namespace,
    };
    rootfs::enter(&build).map_err(create)?;
    take_null_as_stdin()?;
    // A working directory of /proc/self/fd/7 must not lead to the host.
    let status = sys::keep_only(birth.status).map_err(|e| create(format!("failed to close descriptors: {e}")))?;
    let status = kept.insert(File::from(status));
    let home = drop_privileges(spec, process)?;
    // The pipe breaks if the supervisor died before the death signal was set.
    if status.write_all(&[ABOUT_TO_EXECUTE]).is_err() {
        sys::exit_now(1);
    }
    Err(program.execute(&home))
}

/// The parts that need the host's file system.
fn join_and_detach(birth: &Birth<'_>, process: &Process) -> Result<(), Failure> {
    for dir in &birth.cgroup.v1 {
        // The supervisor has reported directories that could not be made.
        let _ = apply::join(dir);
    }
    if let Some(score) = process.oom_score_adj() {
        // Lowering it may be refused; the container runs all the same.
        let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
    }
    // What is made in the root has exactly the modes it is made with.
    umask(Mode::empty());
    let failed = |what: &'static str| move |error: Errno| create(format!("failed to {what}: {error}"));
    setsid().map_err(failed("start a session"))?;
    dup2_stdout(birth.stdout).map_err(failed("set stdout"))?;
    dup2_stderr(birth.stderr).map_err(failed("set stderr"))?;
    Ok(())
}

/// The container's /dev/null, which has a name inside; the supervisor's own is what stdin was until now.
fn take_null_as_stdin() -> Result<(), Failure> {
    let null = File::open("/dev/null").map_err(|e| create(format!("failed to open /dev/null: {e}")))?;
    dup2_stdin(&null).map_err(|e| create(format!("failed to set stdin: {e}")))
}

/// Returns the user's home directory.
fn drop_privileges(spec: &Spec, process: &Process) -> Result<String, Failure> {
    let (passwd, group) = (read_accounts("/etc/passwd"), read_accounts("/etc/group"));
    let identity = creds::identity(process.user(), &passwd, &group).map_err(create)?;
    rootfs::give_output_to(identity.uid);
    enter_directory(process.cwd())?;
    creds::limit(process.rlimits().as_deref().unwrap_or_default())
        .map_err(|e| create(format!("failed to set resource limits: {e}")))?;
    umask(Mode::from_bits_truncate(process.user().umask().unwrap_or(0o022)));
    sys::reset_signals();

    let profile = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    let filter = profile.map(seccomp::compile).transpose().map_err(create)?;
    let load = || match &filter {
        Some(program) => {
            sys::set_seccomp(program).map_err(|e| create(format!("failed to load the seccomp profile: {e}")))
        }
        None => Ok(()),
    };
    let no_new_privileges = process.no_new_privileges().unwrap_or(false);
    // Loading a filter takes either no_new_privs or a capability that is about to be dropped.
    if !no_new_privileges {
        load()?;
    }
    creds::become_user(&identity, process.capabilities().as_ref())
        .map_err(|e| create(format!("failed to become user {}: {e}", identity.uid)))?;
    // After the change of user, which clears it.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| create(format!("failed to set the parent death signal: {e}")))?;
    if no_new_privileges {
        prctl::set_no_new_privs().map_err(|e| create(format!("failed to set no_new_privs: {e}")))?;
        load()?;
    }
    Ok(creds::home(&passwd, identity.uid))
}

/// A file of the image, which may have made it a fifo that nobody writes to or a link to /dev/zero.
fn read_accounts(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut read = || {
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
        let length = if file.metadata()?.is_file() { MAX_ACCOUNTS } else { 0 };
        file.take(length).read_to_end(&mut bytes)
    };
    match read() {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// Goes to the working directory, which was made with the root. The kernel must then have a name for it, or it is outside of the root.
fn enter_directory(cwd: &Path) -> Result<(), Failure> {
    let cwd = if cwd.as_os_str().is_empty() { Path::new("/") } else { cwd };
    let failed = |error| create(format!("failed to enter working directory {}: {error}", cwd.display()));
    std::env::set_current_dir(cwd).map_err(failed)?;
    let here = std::env::current_dir().map_err(failed)?;
    if !here.starts_with("/") {
        return Err(create("the working directory is outside of the container's root"));
    }
    Ok(())
}

/// What to execute.
struct Program {
    name: String,
    args: Vec<CString>,
    env: Vec<CString>,
    path: String,
}

impl Program {
    fn of(process: &Process) -> Result<Self, Failure> {
        let args = process.args().as_deref().unwrap_or_default();
        let Some(name) = args.first().filter(|name| !name.is_empty()) else {
            return Err(create("no command specified"));
        };
        let env = process.env().as_deref().unwrap_or_default();
        let path = env.iter().rev().find_map(|entry| entry.strip_prefix("PATH="));
        let usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        Ok(Self {
            name: name.clone(),
            args: c_strings(args)?,
            env: c_strings(env)?,
            path: path.unwrap_or(usual).to_owned(),
        })
    }

    /// Returns only if it fails: 127 if there is no such program, 126 if it cannot be executed.
    fn execute(mut self, home: &str) -> Failure {
        let has_home = self.env.iter().any(|entry| entry.as_bytes().starts_with(b"HOME="));
        if let (false, Ok(entry)) = (has_home, CString::new(format!("HOME={home}"))) {
            self.env.push(entry);
        }
        let name = &self.name;
        if name.contains('/') {
            let error = self.attempt(name);
            return match error {
                Errno::ENOENT if !Path::new(name).exists() => {
                    not_found(format!("exec: {name:?}: stat {name}: no such file or directory"))
                }
                Errno::ENOENT | Errno::ENOTDIR => not_found(format!("exec: {name:?}: {}", error.text())),
                _ => cannot(name, error),
            };
        }
        let mut refused = None;
        for dir in self.path.split(':') {
            let dir = if dir.is_empty() { "." } else { dir };
            let candidate = format!("{dir}/{name}");
            match self.attempt(&candidate) {
                Errno::ENOENT if Path::new(&candidate).exists() => {
                    return not_found(format!("exec: {candidate:?}: {}", Errno::ENOENT.text()));
                }
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::EACCES => refused = Some(Errno::EACCES),
                error => return cannot(name, error),
            }
        }
        match refused {
            Some(error) => cannot(name, error),
            None => not_found(format!("exec: {name:?}: executable file not found in $PATH")),
        }
    }

    fn attempt(&self, path: &str) -> Errno {
        let Ok(path) = CString::new(path) else {
            return Errno::EINVAL;
        };
        match execve(&path, &self.args, &self.env) {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }
}

/// The kernel's errors in the words that users of other runtimes know.
trait Text {
    fn text(&self) -> String;
}

impl Text for Errno {
    fn text(&self) -> String {
        self.desc().to_lowercase()
    }
}

fn not_found(message: String) -> Failure {
    Failure::Start { message, exit_code: 127 }
}

fn cannot(name: &str, error: Errno) -> Failure {
    Failure::Start { message: format!("exec: {name:?}: {}", error.text()), exit_code: 126 }
}

fn create(message: impl Into<String>) -> Failure {
    Failure::Create(message.into())
}

fn c_strings(words: &[String]) -> Result<Vec<CString>, Failure> {
    let converted: Result<Vec<_>, _> = words.iter().map(|word| CString::new(word.as_str())).collect();
    converted.map_err(|_| create("an argument or environment variable contains a NUL byte"))
}
