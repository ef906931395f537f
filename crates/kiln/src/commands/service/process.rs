//! A server as a process of its own, where no systemd keeps it: begun, and told to end.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::output::Problem;

/// How many lines of a log are shown of a server that did not come up.
const N_LINES: usize = 10;

/// Where it logs.
pub fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.join("server.log")
}

/// Begins one that outlives this process and its terminal. The log of the one before is kept beside the new one.
pub fn begin(data_dir: &Path, listen: SocketAddr) -> Result<Child, Problem> {
    store::prepare(data_dir).map_err(|error| {
        Problem::internal(error.to_string()).remedy("give a directory that can be written, of its own: --data-dir DIR")
    })?;
    let log = open_log(data_dir).map_err(|error| {
        Problem::internal(format!("cannot write to {}", data_dir.display()))
            .because(error)
            .remedy("give a directory that can be written: --data-dir DIR")
    })?;
    let program = program()?;
    let mut command = Command::new(&program);
    command.arg("server").arg("--background").arg("--data-dir").arg(data_dir).arg("--listen").arg(listen.to_string());
    // Whatever names another server is not for this one.
    command.env_remove("KILN_KUBECONFIG");
    // Nor may it hold a directory that somebody wants to remove.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().map_err(|error| Problem::internal(format!("cannot execute {}", program.display())).because(error))
}

/// This program.
pub fn program() -> Result<PathBuf, Problem> {
    std::env::current_exe().map_err(|error| Problem::internal("kiln does not find its own file").because(error))
}

fn open_log(data_dir: &Path) -> std::io::Result<File> {
    let path = log_file(data_dir);
    if path.exists() {
        std::fs::rename(&path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// The end of its log, for a person.
pub fn last_lines(data_dir: &Path) -> String {
    let text = std::fs::read(log_file(data_dir)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(N_LINES)..].join("\n")
}

/// Whether it is no more, or no more than a number that its parent has not asked for yet.
pub fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // PID (NAME) STATE …, and a name may hold anything.
    stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['Z', 'X']))
}

/// How a server is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pods {
    /// They go on, and the next server finds them.
    Kept,
    /// They are stopped.
    Stopped,
}

/// Tells it. One that is gone already is well.
pub fn tell_to_end(pid: u32, pods: Pods) -> Result<(), Problem> {
    // Zero would be whoever asks, and all that were begun with it.
    if pid == 0 {
        return Err(Problem::internal("the server has not said which process it is")
            .because("the disk was full when it began")
            .remedy("find it (pgrep -af 'kiln server') and end it: kill PID"));
    }
    let signal = match pods {
        Pods::Kept => Signal::SIGTERM,
        Pods::Stopped => Signal::SIGUSR1,
    };
    let process = i32::try_from(pid).map_err(|_| Errno::ESRCH).map(Pid::from_raw);
    match process.and_then(|process| kill(process, signal)) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(Problem::internal(format!("cannot end process {pid}, the server"))
            .because(errno.desc())
            .remedy("run this as the user that the server runs as, or as root")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_has_not_said_who_it_is_is_not_looked_for_among_oneself() {
        let problem = tell_to_end(0, Pods::Stopped).unwrap_err();
        assert_eq!(problem.exit.code(), 125);
    }
}
