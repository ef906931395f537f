//! From an OCI process to its execve, and what is said when that fails.

use super::protocol::Failure;
use nix::errno::Errno;
use nix::unistd::execve;
use oci_spec::runtime::Process;
use std::ffi::CString;
use std::path::Path;

/// What to execute.
pub struct Program {
    name: String,
    args: Vec<CString>,
    env: Vec<CString>,
    path: String,
}

impl Program {
    /// Reads the process's arguments and environment.
    pub fn of(process: &Process) -> Result<Self, Failure> {
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
    pub fn execute(mut self, home: &str) -> Failure {
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

pub fn create(message: impl Into<String>) -> Failure {
    Failure::Create(message.into())
}

fn c_strings(words: &[String]) -> Result<Vec<CString>, Failure> {
    let converted: Result<Vec<_>, _> = words.iter().map(|word| CString::new(word.as_str())).collect();
    converted.map_err(|_| create("an argument or environment variable contains a NUL byte"))
}
