//! The container's first process, from clone to execve: it takes on everything that makes it a container, in the one order that works.

use super::birth::ABOUT_TO_EXECUTE;
use super::devices::{Device, open_device};
use super::program::{Program, create};
use super::protocol::Failure;
use super::rootfs::{self, Build};
use super::{creds, seccomp, sys, terminal};
use crate::cgroups::{apply, plan::Plan};
use crate::runtime::Container;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use oci_spec::runtime::{Process, Spec};
use rustix::fs::makedev;
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How much of an image's /etc/passwd and /etc/group is read.
const MAX_ACCOUNTS: u64 = 1 << 20;

/// What the first process needs to know.
pub struct Birth<'a> {
    pub container: &'a Container,
    pub cgroup: &'a Plan,
    pub scratch: &'a Path,
    pub shm: &'a Path,
    pub host_network: bool,
    pub stdio: Stdio<'a>,
    /// Closes at execve; carries the marker and, if it fails, a [`Failure`].
    pub status: BorrowedFd<'a>,
}

/// What a program reads and writes.
pub enum Stdio<'a> {
    /// The container's /dev/null where there is no pipe.
    Pipes { stdin: Option<BorrowedFd<'a>>, stdout: Option<BorrowedFd<'a>>, stderr: Option<BorrowedFd<'a>> },
    /// A terminal of the container's own, whose other side is sent through this socket.
    Terminal { console: BorrowedFd<'a> },
}

/// Becomes the container's program, or reports why it cannot and ends. Never drops what `birth` borrows.
pub fn run(birth: &Birth<'_>) -> ! {
    become_or_report(birth.status, |kept| become_program(birth, kept))
}

/// Ends the process with a report of why it has not become another.
pub fn become_or_report(
    status: BorrowedFd<'_>,
    become_program: impl FnOnce(&mut Option<File>) -> Result<Infallible, Failure>,
) -> ! {
    // Where to report: the borrowed pipe until descriptors are closed, then what is kept of it.
    let mut kept = None;
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| become_program(&mut kept)));
    let failure = match outcome {
        Ok(Err(failure)) => failure,
        Ok(Ok(never)) => match never {},
        Err(_) => create("the container's set-up failed unexpectedly"),
    };
    let status = kept.map_or_else(|| status.try_clone_to_owned().map(File::from), Ok);
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
    detach(&birth.cgroup.v1, process)?;
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
    take_stdio(&birth.stdio)?;
    if let Stdio::Terminal { .. } = birth.stdio {
        rootfs::mount_console().map_err(|e| create(format!("failed to make /dev/console: {e}")))?;
    }
    finish(spec, process, program, birth.status, kept)
}

/// The parts that need the host's file system.
pub fn detach(v1_cgroups: &[PathBuf], process: &Process) -> Result<(), Failure> {
    for dir in v1_cgroups {
        // The supervisor has reported directories that could not be made.
        let _ = apply::join(dir);
    }
    if let Some(score) = process.oom_score_adj() {
        // Lowering it may be refused; the container runs all the same.
        let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
    }
    // A kernel may be without keys, and an outer container may forbid them.
    let _ = sys::leave_keyring();
    // What is made in the root has exactly the modes it is made with.
    umask(Mode::empty());
    setsid().map_err(|error| create(format!("failed to start a session: {error}")))?;
    Ok(())
}

/// Inside the root: its /dev/null has a name there, the supervisor's own is what stdin was until now.
pub fn take_stdio(stdio: &Stdio<'_>) -> Result<(), Failure> {
    let failed = |what: &'static str| move |error: Errno| create(format!("failed to set {what}: {error}"));
    match stdio {
        Stdio::Pipes { stdin, stdout, stderr } => {
            let null = open_device(&Device { path: "/dev/null", number: makedev(1, 3), file_system: None });
            let null = null.map_err(|error| match error {
                rustix::io::Errno::NODEV => create("the container's /dev/null is not the null device"),
                other => create(format!("failed to open /dev/null: {other}")),
            })?;
            dup2_stdin(stdin.unwrap_or(null.as_fd())).map_err(failed("stdin"))?;
            dup2_stdout(stdout.unwrap_or(null.as_fd())).map_err(failed("stdout"))?;
            dup2_stderr(stderr.unwrap_or(null.as_fd())).map_err(failed("stderr"))
        }
        Stdio::Terminal { console } => {
            let slave = terminal::make(*console).map_err(|e| create(format!("failed to make a terminal: {e}")))?;
            dup2_stdin(&slave).map_err(failed("stdin"))?;
            dup2_stdout(&slave).map_err(failed("stdout"))?;
            dup2_stderr(&slave).map_err(failed("stderr"))
        }
    }
}

/// The last steps, inside the root. Closes every descriptor but stdio and the status pipe.
pub fn finish(
    spec: &Spec,
    process: &Process,
    program: Program,
    status: BorrowedFd<'_>,
    kept: &mut Option<File>,
) -> Result<Infallible, Failure> {
    // A working directory of /proc/self/fd/7 must not lead to the host.
    let status = sys::keep_only(status).map_err(|e| create(format!("failed to close descriptors: {e}")))?;
    let status = kept.insert(File::from(status));
    let home = drop_privileges(spec, process)?;
    // The pipe breaks if the supervisor died before the death signal was set.
    if status.write_all(&[ABOUT_TO_EXECUTE]).is_err() {
        sys::exit_now(1);
    }
    Err(program.execute(&home))
}

/// Returns the user's home directory.
fn drop_privileges(spec: &Spec, process: &Process) -> Result<String, Failure> {
    let (passwd, group) = (read_accounts("/etc/passwd"), read_accounts("/etc/group"));
    let identity = creds::identity(process.user(), &passwd, &group).map_err(create)?;
    rootfs::give_stdio_to(identity.uid);
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
        .map_err(|e| create(format!("failed to become user {}: {}", identity.uid, no_user(e))))?;
    // After the change of user, which clears it.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| create(format!("failed to set the parent death signal: {e}")))?;
    if no_new_privileges {
        prctl::set_no_new_privs().map_err(|e| create(format!("failed to set no_new_privs: {e}")))?;
        load()?;
    }
    Ok(creds::home(&passwd, identity.uid))
}

fn no_user(error: io::Error) -> String {
    match error.raw_os_error() {
        // The namespace of a server without root does not have every user.
        Some(libc::EINVAL) => {
            "this server runs without root, and its user has no such id: install newuidmap and newgidmap and \
             give the user 65536 ids in /etc/subuid and /etc/subgid"
                .into()
        }
        _ => error.to_string(),
    }
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
