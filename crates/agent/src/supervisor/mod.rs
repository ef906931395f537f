//! One process per pod: it makes the namespaces, executes OCI runtime specs, holds the pipes, writes CRI log files,
//! owns the grace timer and records exit codes durably, so that the server may come and go.

/// `argv[0]` under which the binary is a supervisor.
pub const ARGV0: &str = "kiln-supervisor";

/// Runs as a supervisor until its pod is removed; called first thing in `main`, before any thread exists.
pub fn main() -> std::process::ExitCode {
    todo!()
}
