//! One process per pod: it makes the namespaces, executes OCI runtime specs, holds the pipes, writes CRI log files,
//! owns the grace timer and records exit codes durably, so that the server may come and go.
//!
//! ```text
//!  server ── socket ──> supervisor (uts, ipc, net, mount namespaces of the pod)
//!                           ├─ clone3 ─> container a (pid, mount, cgroup namespaces)
//!                           └─ clone3 ─> container b
//! ```
//!
//! Whoever executes something in a container or attaches to it comes on a connection of his own and gets descriptors through it: pipe
//! ends, a terminal, sockets of the pod's network. What flows through them does not pass through here, so that no client, however
//! slow, can hold this process up; and the kernel ends them when the server dies.
//!
//! Single-threaded on purpose: what clone3 copies must be whole. It needs Linux 5.12 (mount_setattr).

mod audience;
mod birth;
mod boot;
mod child;
mod container;
mod creds;
mod devices;
pub(crate) mod handover;
mod joined;
mod mounts;
mod oci;
mod program;
pub(crate) mod protocol;
pub(crate) mod records;
mod rootfs;
pub mod seccomp;
mod serve;
mod session;
pub(crate) mod sys;
mod syscalls;
mod terminal;

pub(crate) use boot::remove_files;
pub(crate) use container::written_layer;
pub use rootfs::Upper;
pub(crate) use rootfs::try_root;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `argv[0]` under which the binary is a supervisor.
pub const ARGV0: &str = "kiln-supervisor";

/// Runs as a supervisor until its pod is removed; called first thing in `main`, before any thread exists.
/// The pod's directory is the only argument.
pub fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("{ARGV0} is started by kiln for each pod, and not by hand");
        return ExitCode::from(2);
    };
    match run(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The server reads stdout until it hears that we are ready; afterwards only the log file is left.
            println!("{error}");
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(dir: &Path) -> Result<(), String> {
    let booted = boot::boot(dir)?;
    let boot = booted.boot.clone();
    println!("{}", protocol::READY);
    std::io::stdout().flush().map_err(|e| format!("failed to report: {e}"))?;
    boot::close_stdout()?;
    let supervisor =
        serve::Supervisor::new(booted.boot, booted.listener, booted.lifeline, booted.outside, booted.shortfalls);
    let end = supervisor.serve().map_err(|e| format!("failed to wait: {e}"))?;
    // Nothing lives that it would have to end, and it is in a cgroup that is to go.
    if let Some(keeper) = booted.keeper {
        keeper.dismiss();
    }
    boot::undo(&boot);
    match end {
        serve::End::Removed(farewell) => farewell.send(),
        // Nobody is left who could remove it.
        serve::End::Orphaned => {
            if let Some(host_network) = &booted.host_network {
                boot::undo_network(&boot, host_network);
            }
            let _ = crate::trees::remove(dir);
        }
    }
    Ok(())
}

/// Takes frames off a socket's bytes as both ends do, for the fuzz room; says what came of it.
#[doc(hidden)]
pub fn fuzz_frames(bytes: &[u8]) -> String {
    fn all<T: serde::Serialize + for<'a> serde::Deserialize<'a>>(bytes: &[u8]) -> String {
        let mut buffer = bytes.to_vec();
        for n in 0.. {
            match protocol::decode::<T>(&mut buffer) {
                Ok(Some(message)) => assert!(protocol::encode(&message).is_ok()),
                Ok(None) => return format!("rest after {}", if n == 0 { "none" } else { "some" }),
                Err(error) => return error.to_string(),
            }
        }
        String::new()
    }
    format!("{} {}", all::<protocol::Request>(bytes), all::<protocol::Message>(bytes))
}
