//! Units: written, begun, ended, removed.

use std::path::Path;
use std::process::Command;

use super::way::{MARK, Manager, Service, unit};
use crate::output::Problem;

/// Writes the unit and has systemd begin it, now and at every start. A unit of that name that kiln did not write is left alone.
pub fn begin(manager: Manager, file: &Path, name: &str, service: &Service<'_>) -> Result<(), Problem> {
    if file.exists() && !is_ours(file) {
        return Err(Problem::failed(format!("{} is not kiln's to change", file.display()))
            .because("kiln up did not write it")
            .remedy(format!("begin it yourself: systemctl start {name}; or move it away")));
    }
    let write = || {
        file.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(file, unit(service, manager))
    };
    write().map_err(|error: std::io::Error| {
        Problem::internal(format!("cannot write the unit {}", file.display()))
            .because(error)
            .remedy("kiln up --no-systemd does without")
    })?;
    systemctl(manager, &["daemon-reload"])?;
    systemctl(manager, &["enable", "--now", name])
}

/// The server does not come back, neither by itself nor at the next start.
pub fn end(manager: Manager, file: &Path, name: &str) -> Result<(), Problem> {
    systemctl(manager, &["disable", "--now", name])?;
    if is_ours(file) {
        let _ = std::fs::remove_file(file);
        systemctl(manager, &["daemon-reload"])?;
    }
    Ok(())
}

/// Where its log is read.
pub fn log_command(manager: Manager, name: &str) -> String {
    match manager {
        Manager::System => format!("journalctl -u {name}"),
        Manager::User => format!("journalctl --user -u {name}"),
    }
}

/// Whether systemd has given up, or the unit has ended.
pub fn has_failed(manager: Manager, name: &str) -> bool {
    command(manager, &["is-failed", "--quiet", name]).status().is_ok_and(|status| status.success())
}

/// The end of its log, for a person.
pub fn last_lines(manager: Manager, name: &str) -> String {
    let mut command = Command::new("journalctl");
    if manager == Manager::User {
        command.arg("--user");
    }
    let output = command.args(["-u", name, "-n", "10", "--no-pager", "-o", "cat"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn is_ours(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.starts_with(MARK))
}

fn command(manager: Manager, words: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    if manager == Manager::User {
        command.arg("--user");
    }
    command.args(words);
    command
}

fn systemctl(manager: Manager, words: &[&str]) -> Result<(), Problem> {
    let failed = |cause: String| {
        Problem::internal(format!("systemctl {} failed", words.join(" ")))
            .because(cause)
            .remedy("kiln up --no-systemd does without")
    };
    let output = command(manager, words).output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
