//! Units: written, begun, ended, removed.

use std::path::Path;
use std::process::Command;

use super::way::{MARK, Manager, Service, unit};
use crate::output::Problem;

/// Writes the unit and has systemd begin it, now and at every start. A unit of that name that kiln did not write is left alone.
/// `true`: there was none before.
pub fn begin(manager: Manager, file: &Path, name: &str, service: &Service<'_>) -> Result<bool, Problem> {
    if file.exists() && !is_ours(file) {
        return Err(Problem::failed(format!("{} is not kiln's to change", file.display()))
            .because("kiln up did not write it")
            .remedy(format!("begin it yourself: systemctl start {name}; or move it away")));
    }
    let is_new = !file.exists();
    let begun = write(manager, file, service).and_then(|()| {
        systemctl(manager, &["daemon-reload"])?;
        // What it was begun anew before is none of this beginning's failures. Nothing to reset is no failure either.
        let _ = systemctl(manager, &["reset-failed", name]);
        systemctl(manager, &["enable", "--now", name])
    });
    if begun.is_err() && is_new {
        let _ = std::fs::remove_file(file);
    }
    begun.map(|()| is_new)
}

fn write(manager: Manager, file: &Path, service: &Service<'_>) -> Result<(), Problem> {
    let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(file, unit(service, manager))).map_err(|error| {
        Problem::internal(format!("cannot write the unit {}", file.display()))
            .because(error)
            .remedy("kiln up --no-systemd does without")
    })
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

/// Whether it has ended since it was begun: systemd has given up, or has begun it anew.
pub fn has_failed(manager: Manager, name: &str) -> bool {
    let shown = command(manager, &["show", "--property=ActiveState,NRestarts", name]).output();
    shown.is_ok_and(|output| tells_of_an_end(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads `ActiveState=activating` and `NRestarts=1`. Who was begun a moment ago is not inactive.
fn tells_of_an_end(properties: &str) -> bool {
    properties.lines().filter_map(|line| line.split_once('=')).any(|(property, value)| match property {
        "ActiveState" => matches!(value, "failed" | "inactive"),
        "NRestarts" => value != "0",
        _ => false,
    })
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

/// Whether kiln wrote this unit.
pub fn is_ours(file: &Path) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_systemd_begins_again_and_again_has_not_come_up() {
        for (properties, expect) in [
            ("ActiveState=active\nNRestarts=0\n", false),
            ("ActiveState=activating\nNRestarts=0\n", false),
            ("ActiveState=activating\nNRestarts=1\n", true),
            ("ActiveState=failed\nNRestarts=5\n", true),
            ("ActiveState=inactive\nNRestarts=0\n", true),
            ("", false),
        ] {
            assert_eq!(tells_of_an_end(properties), expect, "{properties}");
        }
    }

    #[test]
    fn a_unit_of_somebody_else_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kiln.service");
        std::fs::write(&file, "[Service]\nExecStart=/bin/true\n").unwrap();
        let service = Service {
            program: Path::new("/bin/kiln"),
            data_dir: Path::new("/var/lib/kiln"),
            listen: ([127, 0, 0, 1], 6443).into(),
        };
        let problem = begin(Manager::System, &file, "kiln.service", &service).unwrap_err();
        assert_eq!(problem.exit.code(), 1);
        assert_eq!(problem.cause.as_deref(), Some("kiln up did not write it"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[Service]\nExecStart=/bin/true\n");
        std::fs::write(&file, unit(&service, Manager::System)).unwrap();
        assert!(is_ours(&file));
    }
}
