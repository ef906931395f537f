//! Containers of another runtime, runc, under the same supervisors.

use crate::harness::{Machine, eventually, exists, running_pid, spec, supervisor_pid, text, usual_mounts};
use agent::runtime::{Container, Exec, Resources, RunState, Runtime, RuntimeError, Sandbox, Stdin};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn runc() -> PathBuf {
    let places = ["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc"];
    let found = places.into_iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("these tests need runc: apt-get install runc")
}

fn sandbox(machine: &Machine, uid: &str) -> Sandbox {
    Sandbox { runtime: Some(runc()), ..machine.sandbox(uid) }
}

fn container(machine: &Machine, name: &str, script: &str) -> Container {
    let mut container = machine.container(name, script);
    container.spec.set_mounts(Some(usual_mounts()));
    container
}

/// What is left of a server's pods.
fn left(machine: &Machine) -> Vec<String> {
    let pods = std::fs::read_dir(machine.state_dir().join("pods")).into_iter().flatten().flatten();
    let files = pods.flat_map(|pod| std::fs::read_dir(pod.path()).into_iter().flatten().flatten());
    let files =
        files.map(|entry| entry.path()).filter(|path| !path.ends_with("exits") && !path.ends_with("supervisor.log"));
    files.chain(machine.cgroup_dirs()).map(|path| path.display().to_string()).collect()
}

#[tokio::test]
async fn runs_end_as_they_do_with_the_built_in_runtime() {
    let machine = Machine::new();
    let pod = machine.pod_of(sandbox(&machine, "ends")).await;
    let log = machine.dir.path().join("logs/main.log");
    assert_eq!(pod.run(container(&machine, "main", "echo out; echo err >&2; exit 7")).await.0, 7);
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains(" stdout F out\n") && lines.contains(" stderr F err\n"), "{lines}");
    let mut again = container(&machine, "main", "test ! -e /tmp/was && touch /tmp/was");
    again.attempt = 1;
    assert_eq!(pod.run(again).await.0, 0, "a restart has a fresh root");

    let mut hog = container(&machine, "hog", "exec dd if=/dev/zero of=/dev/null bs=64M count=1");
    hog.resources = Resources { memory_limit_bytes: Some(16 << 20), ..Resources::default() };
    pod.sandbox.start(hog).await.unwrap();
    assert_eq!(pod.ended("hog").await, (137, true));

    let polite =
        container(&machine, "polite", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    let log = polite.log_path.clone();
    pod.sandbox.start(polite).await.unwrap();
    eventually("it is ready", || text(&log).contains("ready"));
    pod.sandbox.stop("polite", 30).await.unwrap();
    assert_eq!((pod.ended("polite").await.0, text(&log)), (3, "ready\nbye\n".into()));
    pod.sandbox.start(container(&machine, "deaf", "trap '' TERM; while :; do sleep 1; done")).await.unwrap();
    pod.sandbox.stop("deaf", 1).await.unwrap();
    assert_eq!(pod.ended("deaf").await.0, 137);
    pod.sandbox.remove().await.unwrap();
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_executed_is_told_and_leaves_nothing() {
    let machine = Machine::new();
    let pod = machine.pod_of(sandbox(&machine, "fails")).await;
    for (program, code, message) in [
        ("foo", 127, "exec: \"foo\": executable file not found in $PATH"),
        ("/foo", 127, "exec: \"/foo\": stat /foo: no such file or directory"),
        ("/etc/passwd", 126, "exec: \"/etc/passwd\": permission denied"),
    ] {
        let mut container = container(&machine, "c", "");
        let process = spec(&[program]).process().clone();
        container.spec.set_process(process);
        match pod.sandbox.start(container).await {
            Err(RuntimeError::Start { message: seen, exit_code }) => assert_eq!((&*seen, exit_code), (message, code)),
            other => panic!("{program}: {other:?}"),
        }
    }
    let mut without_source = container(&machine, "c", "true");
    let mut mounts = usual_mounts();
    mounts.push(crate::isolation::bind(Path::new("/no/such"), "/data", &[]));
    without_source.spec.set_mounts(Some(mounts));
    let error = pod.sandbox.start(without_source).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to mount /data"), "{error}");
    assert_eq!(pod.sandbox.runs().await, [], "a failed start is no run");

    let gone = Sandbox { runtime: Some("/no/such/runtime".into()), ..machine.sandbox("gone") };
    let other = machine.pod_of(gone).await;
    let error = other.sandbox.start(container(&machine, "c", "true")).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to execute /no/such/runtime: "), "{error}");
    other.sandbox.remove().await.unwrap();
    pod.sandbox.remove().await.unwrap();
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[tokio::test]
async fn further_programs_and_terminals() {
    let machine = Machine::new();
    let pod = machine.pod_of(sandbox(&machine, "sessions")).await;
    pod.sandbox.start(container(&machine, "c", "echo $$ > /tmp/mine; sleep 600")).await.unwrap();
    let command = ["sh", "-c", "cat /tmp/mine; grep Seccomp: /proc/self/status; exit 5"].map(str::to_owned).to_vec();
    let exec = Exec { container: "c".into(), command, stdout: true, ..Exec::default() };
    let mut streams = pod.sandbox.exec(exec).await.unwrap();
    let mut seen = String::new();
    streams.stdout.take().unwrap().read_to_string(&mut seen).await.unwrap();
    assert_eq!((seen.as_str(), streams.exit.await), ("1\nSeccomp:\t2\n", Ok(5)));

    let mut talker = container(
        &machine,
        "t",
        "test -t 0 && test -t 1 && echo tty; echo on console > /dev/console; read line; echo got $line; exit 5",
    );
    talker.spec.process_mut().as_mut().unwrap().set_terminal(Some(true));
    talker.stdin = Stdin::Open;
    let log = talker.log_path.clone();
    pod.sandbox.start(talker).await.unwrap();
    eventually("the container speaks", || text(&log).contains("console"));
    let attach = agent::runtime::Attach { container: "t".into(), stdin: true, stdout: true, stderr: false };
    let mut streams = pod.sandbox.attach(attach).await.unwrap();
    streams.stdin.as_mut().unwrap().write_all(b"word\n").await.unwrap();
    assert_eq!(pod.ended("t").await.0, 5);
    assert_eq!(text(&log), "tty\non console\nword\ngot word\n");
}

#[tokio::test]
async fn containers_die_with_their_supervisor() {
    let machine = Machine::new();
    let pod = machine.pod_of(sandbox(&machine, "widow")).await;
    pod.sandbox.start(container(&machine, "c", "while :; do sleep 1; done")).await.unwrap();
    let pid = running_pid(&pod.sandbox.runs().await, "c");
    kill(Pid::from_raw(supervisor_pid(&*pod.sandbox)), Signal::SIGKILL).unwrap();
    eventually("the container is dead", || !exists(pid));
    pod.sandbox.changed().await;
    assert_eq!(pod.sandbox.runs().await[0].state, RunState::Lost);
    let recovered = machine.another_server().recover().await;
    recovered[0].remove().await.unwrap();
    // Who has killed them may be tidying up as well.
    eventually("nothing is left", || left(&machine).is_empty());
}

#[tokio::test]
async fn the_next_server_finds_them_and_removes_them() {
    let machine = Machine::new();
    let pod = machine.pod_of(sandbox(&machine, "found")).await;
    pod.sandbox.start(container(&machine, "c", "while :; do sleep 1; done")).await.unwrap();
    let pid = running_pid(&pod.sandbox.runs().await, "c");
    let recovered = machine.another_server().recover().await;
    assert_eq!(running_pid(&recovered[0].runs().await, "c"), pid);
    recovered[0].remove().await.unwrap();
    assert!(!exists(pid));
    assert_eq!(left(&machine), Vec::<String>::new());
}
