//! kiln: Kubernetes' batch system for one machine. This file only decides which of its three programs the binary is.

mod commands;
mod machine;
mod output;
mod server;

use std::process::ExitCode;

/// A pod's supervisor (before any thread exists), else the command line.
fn main() -> ExitCode {
    let argv0 = std::env::args_os().next().unwrap_or_default();
    if argv0 == agent::supervisor::ARGV0 {
        return agent::supervisor::main();
    }
    commands::main()
}
