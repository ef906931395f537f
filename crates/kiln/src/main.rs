//! kiln: Kubernetes' batch system for one machine. This file only decides which of its programs the binary is.

mod commands;
mod demo;
mod machine;
mod network;
mod node;
mod output;
mod rootless;
mod server;

use std::process::ExitCode;

/// A pod's supervisor (before any thread exists), an applet of `kiln/demo`, else the command line.
fn main() -> ExitCode {
    let argv0 = std::env::args_os().next().unwrap_or_default();
    if argv0 == agent::supervisor::ARGV0 {
        return agent::supervisor::main();
    }
    if let Some(applet) = demo::applet_of(&argv0) {
        return demo::main(applet, std::env::args_os().skip(1));
    }
    commands::main()
}
