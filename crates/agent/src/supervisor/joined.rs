//! A further program in a container that runs, from clone to execve: it joins what the container's first process has, and takes on the
//! same identity, capabilities, filter and limits, as its spec has them.

use super::child::{Stdio, become_or_report, detach, finish, take_stdio};
use super::program::{Program, create};
use super::protocol::Failure;
use crate::runtime::Exec;
use nix::sched::{CloneFlags, setns};
use oci_spec::runtime::{Process, Spec};
use std::convert::Infallible;
use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// What the process needs to know. It is in the container's pid namespace already.
pub struct Joining<'a> {
    /// The container's.
    pub spec: &'a Spec,
    pub exec: &'a Exec,
    /// The container's first process.
    pub first: &'a OwnedFd,
    pub v1_cgroups: &'a [PathBuf],
    pub stdio: Stdio<'a>,
    /// See `child::Birth::status`.
    pub status: BorrowedFd<'a>,
}

/// Becomes the program, or reports why it cannot and ends.
pub fn run(joining: &Joining<'_>) -> ! {
    become_or_report(joining.status, |kept| become_program(joining, kept))
}

fn become_program(joining: &Joining<'_>, kept: &mut Option<File>) -> Result<Infallible, Failure> {
    let Some(of_container) = joining.spec.process() else {
        return Err(create("the container has no process"));
    };
    let process = process(of_container, joining.exec);
    let program = Program::of(&process)?;
    detach(joining.v1_cgroups, &process)?;
    // The root comes with the mount namespace, whose root it is. What the pod's containers share this process has from the supervisor.
    let namespaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWCGROUP;
    setns(joining.first, namespaces).map_err(|e| create(format!("failed to join the container's namespaces: {e}")))?;
    take_stdio(&joining.stdio)?;
    finish(joining.spec, &process, program, joining.status, kept)
}

/// The container's own process with another command line (K: containerd's CRI does the same).
fn process(of_container: &Process, exec: &Exec) -> Process {
    let mut process = of_container.clone();
    process.set_args(Some(exec.command.clone()));
    process.set_terminal(Some(exec.terminal));
    if exec.terminal {
        let mut env = process.env().clone().unwrap_or_default();
        env.retain(|entry| !entry.starts_with("TERM="));
        env.push("TERM=xterm".into());
        process.set_env(Some(env));
    }
    process
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_a_type_and_everything_else_is_the_containers() {
        let mut of_container = Process::default();
        of_container.set_args(Some(vec!["main".into()]));
        of_container.set_env(Some(vec!["TERM=dumb".into(), "A=1".into()]));
        of_container.set_cwd("/work".into());
        let exec = |terminal| Exec { command: vec!["sh".into()], terminal, ..Exec::default() };
        let plain = process(&of_container, &exec(false));
        assert_eq!(plain.env().as_deref().unwrap(), ["TERM=dumb", "A=1"]);
        let with_terminal = process(&of_container, &exec(true));
        assert_eq!(with_terminal.env().as_deref().unwrap(), ["A=1", "TERM=xterm"]);
        assert_eq!(with_terminal.args().as_deref().unwrap(), ["sh"]);
        assert_eq!(with_terminal.cwd(), of_container.cwd());
    }
}
