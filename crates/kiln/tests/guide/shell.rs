//! Runs the commands of a document, each in a bash of its own, in one directory.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::support::{KILN, Kubectl, PATIENCE, Server};

/// Who is asked.
#[derive(Debug, Clone)]
pub enum By {
    /// This kubectl.
    Kubectl(Kubectl),
    /// kiln's own verbs, on a machine that has no kubectl.
    Kiln,
}

impl By {
    /// A text of the document, as it is to be executed.
    pub fn said(&self, text: &str) -> String {
        match self {
            Self::Kubectl(_) => text.to_owned(),
            Self::Kiln => crate::document::with_kilns_verbs(text),
        }
    }
}

/// Where commands run: an empty directory, and programs of the reader's own.
pub struct Shell {
    directory: tempfile::TempDir,
    environment: BTreeMap<&'static str, String>,
}

/// How long a command may take. Programs of twenty batches take longer than conditions.
const LIMIT: Duration = Duration::from_secs(2 * PATIENCE.as_secs());

/// What a command has printed, and how it ended.
pub struct Ended {
    pub printed: String,
    pub status: ExitStatus,
}

impl Shell {
    pub fn new(server: &Server, by: &By) -> Self {
        let directory = tempfile::Builder::new().prefix("kiln-guide-").tempdir().unwrap();
        let programs = directory.path().join(".programs");
        std::fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(KILN, programs.join("kiln")).unwrap();
        match by {
            By::Kubectl(kubectl) => {
                std::os::unix::fs::symlink(absolute(&kubectl.path), programs.join("kubectl")).unwrap()
            }
            By::Kiln => write_program(&programs.join("kubectl"), "echo 'there is no kubectl here' >&2; exit 127"),
        }
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let (home, kubeconfig) = (directory.path().display().to_string(), server.kubeconfig().display().to_string());
        let variables =
            [("PATH", path), ("HOME", home), ("KUBECONFIG", kubeconfig.clone()), ("KILN_KUBECONFIG", kubeconfig)];
        Self { directory, environment: variables.into() }
    }

    /// Sets a variable for all commands.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.environment.insert(name, value);
    }

    pub fn save(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// Runs a command to its end, or until what it has printed is enough; it is interrupted then. Both outputs are one, as on a terminal.
    pub fn run(&self, text: &str, is_enough: impl Fn(&str) -> bool) -> Result<Ended, String> {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("bash");
        command.args(["-c", text]).current_dir(self.directory.path()).process_group(0);
        command.envs(&self.environment);
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut group = Group(command.spawn().unwrap());
        // It holds the pipe's writing end.
        drop(command);
        let pieces = pieces(reader);
        let (mut printed, begin) = (String::new(), Instant::now());
        loop {
            match pieces.recv_timeout(Duration::from_millis(100)) {
                Ok(piece) => printed += &piece,
                Err(RecvTimeoutError::Timeout) if begin.elapsed() < LIMIT => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{printed}(it had not ended after {LIMIT:?})"));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if is_enough(&printed) {
                group.send(Signal::SIGINT);
                break;
            }
        }
        Ok(Ended { printed, status: group.0.wait().unwrap() })
    }
}

fn absolute(program: &Path) -> PathBuf {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&directories).map(|directory| directory.join(program));
    found.find(|path| path.is_file()).unwrap_or_else(|| program.to_owned())
}

fn write_program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What comes out of the pipe, until nobody can write to it any more.
fn pieces(mut pipe: std::io::PipeReader) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let (mut bytes, mut rest) = ([0; 4096], Vec::new());
        while let Ok(n @ 1..) = pipe.read(&mut bytes) {
            rest.extend_from_slice(&bytes[..n]);
            // A character may be in two pieces.
            let whole = std::str::from_utf8(&rest).map_or_else(|error| error.valid_up_to(), str::len);
            let piece = String::from_utf8_lossy(&rest[..whole]).into_owned();
            rest.drain(..whole);
            if sender.send(piece).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A command and all that it has started; killed when dropped.
struct Group(Child);

impl Group {
    fn send(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.0.id() as i32), signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(Signal::SIGKILL);
        let _ = self.0.wait();
    }
}
