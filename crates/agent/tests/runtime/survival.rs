//! The server dies, the supervisor dies, both die.

use crate::harness::{Machine, ended, eventually, exists, running_pid, supervisor, supervisor_pid, text};
use agent::runtime::{Container, RunState, Runtime, RuntimeError, Sandbox};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const COUNT: &str = "i=0; while test $i -lt 40; do echo line $i; i=$((i+1)); sleep 0.05; done; exit 6";

/// A server in a process of its own, which has started the container.
struct Server(Child);

impl Server {
    fn start(machine: &Machine, sandbox: &Sandbox, container: &Container) -> Self {
        let file = machine.dir.path().join("server.json");
        std::fs::write(&file, serde_json::to_vec(&(sandbox, container)).unwrap()).unwrap();
        let mut child = Command::new(supervisor())
            .arg(machine.state_dir())
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        Self(child)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn kill_9(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

fn whole_log() -> String {
    (0..40).map(|n| format!("line {n}\n")).collect()
}

#[tokio::test]
async fn a_run_goes_on_while_its_server_is_killed() {
    let machine = Machine::new();
    let container = machine.container("c", COUNT);
    let log = container.log_path.clone();
    let mut server = Server::start(&machine, &machine.sandbox("survive"), &container);
    eventually("output", || text(&log).contains("line 1"));
    server.kill();
    let recovered = machine.runtime.recover().await;
    assert_eq!(recovered.len(), 1);
    assert_eq!(*recovered[0].sandbox(), machine.sandbox("survive"));
    running_pid(&recovered[0].runs().await, "c");
    assert_eq!(ended(&*recovered[0], "c").await, (6, false));
    assert_eq!(text(&log), whole_log());
    let again = machine.runtime.create(machine.sandbox("survive"), None).await.unwrap();
    assert_eq!(again.runs().await, recovered[0].runs().await, "no second supervisor");
}

#[tokio::test]
async fn an_exit_that_nobody_saw_is_told_to_the_next_server() {
    let machine = Machine::new();
    let container = machine.container("c", COUNT);
    let log = container.log_path.clone();
    let mut server = Server::start(&machine, &machine.sandbox("unseen"), &container);
    server.kill();
    let record = machine.sandbox("unseen").dir.join("exits/c.0.json");
    eventually("the exit's record", || std::fs::read_to_string(&record).unwrap().contains("Exited"));
    let recovered = machine.runtime.recover().await;
    assert_eq!(ended(&*recovered[0], "c").await, (6, false));
    assert_eq!(text(&log), whole_log());
}

#[tokio::test]
async fn containers_die_with_their_supervisor_and_their_runs_are_lost() {
    let machine = Machine::new();
    let pod = machine.pod("widow").await;
    assert_eq!(pod.script("exit 5").await.0, 5);
    // As another user, whose change of identity clears the parent death signal if it is set too early.
    let mut container = machine.container("c", "while :; do sleep 1; done");
    container.spec.process_mut().as_mut().unwrap().user_mut().set_uid(33);
    pod.sandbox.start(container).await.unwrap();
    let pid = running_pid(&pod.sandbox.runs().await, "c");
    kill_9(supervisor_pid(&*pod.sandbox));
    pod.sandbox.changed().await;
    let runs = pod.sandbox.runs().await;
    assert_eq!(runs[0].state, RunState::Lost);
    assert!(matches!(runs[1].state, RunState::Exited { exit_code: 5, .. }), "{runs:?}");
    eventually("the container is dead", || !exists(pid));
    let error = pod.sandbox.start(machine.container("d", "true")).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Gone(_)), "{error}");
    pod.sandbox.stop("c", 10).await.unwrap();

    let recovered = machine.another_server().recover().await;
    assert_eq!(recovered[0].runs().await, runs);
    recovered[0].remove().await.unwrap();
    assert_eq!(machine.cgroup_dirs(), Vec::<std::path::PathBuf>::new());
    assert!(machine.another_server().recover().await.is_empty());
}

#[tokio::test]
async fn a_pod_gets_a_new_supervisor_and_keeps_its_records() {
    let machine = Machine::new();
    let pod = machine.pod("anew").await;
    assert_eq!(pod.script("exit 5").await.0, 5);
    kill_9(supervisor_pid(&*pod.sandbox));
    pod.sandbox.changed().await;
    let pod = machine.pod("anew").await;
    let runs = pod.sandbox.runs().await;
    assert!(matches!(runs[0].state, RunState::Exited { exit_code: 5, .. }), "{runs:?}");
    let mut container = machine.container("main", "exit 6");
    container.attempt = 1;
    assert_eq!(pod.run(container).await.0, 6);
}

#[tokio::test]
async fn pods_of_an_ephemeral_server_end_with_it_and_leave_nothing() {
    let machine = Machine::new();
    let mut sandbox = machine.sandbox("ephemeral");
    sandbox.dies_with_server = true;
    let container = machine.container("c", "while :; do sleep 1; done");
    let mut server = Server::start(&machine, &sandbox, &container);
    let found = processes_of(&machine);
    assert!(2 <= found.len(), "{found:?}");
    server.kill();
    eventually("the pod's directory is gone", || !sandbox.dir.exists());
    eventually("its processes are gone", || !found.iter().any(|pid| exists(*pid)));
    eventually("its cgroups are gone", || machine.cgroup_dirs().is_empty());
}

/// Processes in cgroups of this machine.
fn processes_of(machine: &Machine) -> Vec<i32> {
    let mut dirs = machine.cgroup_dirs();
    let mut pids = Vec::new();
    while let Some(dir) = dirs.pop() {
        let procs = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
        pids.extend(procs.lines().map(|pid| pid.parse::<i32>().unwrap()));
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            if entry.path().is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    pids
}

#[tokio::test]
async fn a_long_path_is_no_obstacle() {
    let machine = Machine::new();
    let long = Path::new(&"d".repeat(100)).join("e".repeat(100));
    let mut sandbox = machine.sandbox("long");
    sandbox.dir = machine.state_dir().join(long).join("pods/long");
    let pod = machine.pod_of(sandbox).await;
    assert_eq!(pod.script("exit 4").await.0, 4);
    pod.sandbox.remove().await.unwrap();
}
