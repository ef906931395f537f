//! Further programs in running containers, and those attached to them.

use crate::harness::{Machine, Pod, ended, eventually, exists, running_pid, supervisor_pid, text};
use agent::runtime::{Attach, Exec, Reader, Runtime, RuntimeError, Stdin, Streams};
use std::fs;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);

fn exec(container: &str, command: &[&str]) -> Exec {
    Exec {
        container: container.into(),
        command: command.iter().map(|word| word.to_string()).collect(),
        terminal: false,
        stdin: false,
        stdout: true,
        stderr: true,
    }
}

fn shell(script: &str) -> Exec {
    exec("c", &["sh", "-c", script])
}

async fn read(reader: Option<Reader>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut reader) = reader {
        tokio::time::timeout(PATIENCE, reader.read_to_end(&mut bytes)).await.expect("the output ends").unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

async fn exit(streams: &mut Streams) -> Result<i32, String> {
    tokio::time::timeout(PATIENCE, &mut streams.exit).await.expect("it ends")
}

/// Runs to the end: (stdout, stderr, exit code).
async fn finish(mut streams: Streams) -> (String, String, i32) {
    drop(streams.stdin.take());
    let (stdout, stderr) = tokio::join!(read(streams.stdout.take()), read(streams.stderr.take()));
    let code = exit(&mut streams).await.unwrap();
    (stdout, stderr, code)
}

async fn out(pod: &Pod<'_>, exec: Exec) -> String {
    let (stdout, stderr, code) = finish(pod.sandbox.exec(exec).await.unwrap()).await;
    assert_eq!((stderr.as_str(), code), ("", 0), "{stdout}");
    stdout
}

/// Reads until `text` has been seen.
async fn read_until(reader: &mut Reader, text: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        let mut piece = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, reader.read(&mut piece)).await;
        let length =
            read.unwrap_or_else(|_| panic!("{text:?} does not come: {}", String::from_utf8_lossy(&seen))).unwrap();
        assert_ne!(length, 0, "{text:?} did not come: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..length]);
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn output_input_and_exit_code_are_the_programs() {
    let machine = Machine::new();
    let pod = machine.pod("x").await;
    pod.start("c", "sleep 600").await;
    let streams = pod.sandbox.exec(shell("echo out; echo err >&2; exit 7")).await.unwrap();
    assert_eq!(finish(streams).await, ("out\n".into(), "err\n".into(), 7));

    let mut streams = pod.sandbox.exec(Exec { stdin: true, ..shell("cat; echo end") }).await.unwrap();
    let mut stdin = streams.stdin.take().unwrap();
    stdin.write_all(b"through\n").await.unwrap();
    drop(stdin);
    assert_eq!(finish(streams).await.0, "through\nend\n");

    let streams = pod.sandbox.exec(shell("cat; kill -9 $$")).await.unwrap();
    assert_eq!(finish(streams).await.2, 137, "without input it reads nothing; a signal is a code");
}

#[tokio::test]
async fn it_is_what_its_container_is() {
    let machine = Machine::new();
    let pod = machine.pod("same").await;
    let what = "cat /proc/self/status | grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups)'; pwd; hostname; echo $A $HOME; id -u; \
                for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done; ls /";
    let mut container = machine.container("c", &format!("{{ {what}; }} > /tmp/first; echo up; sleep 600"));
    let mut process = container.spec.process().clone().unwrap();
    let mut user = process.user().clone();
    user.set_username(Some("web".into()));
    process.set_user(user);
    process.set_no_new_privileges(Some(true));
    process.set_env(Some(vec!["PATH=/bin".into(), "A=a b".into(), "HOME=/srv".into()]));
    process.set_cwd("/work".into());
    container.spec.set_process(Some(process));
    fs::set_permissions(machine.root().join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let log = container.log_path.clone();
    pod.sandbox.start(container).await.unwrap();
    eventually("it is up", || text(&log).contains("up"));
    let first = out(&pod, shell("cat /tmp/first")).await;
    let second = out(&pod, shell(what)).await;
    assert_eq!(first, second);
    assert!(first.contains("NoNewPrivs:\t1") && first.contains("Seccomp:\t2") && first.contains("/work"), "{first}");
    assert_eq!(out(&pod, shell("ls /proc/self/fd | wc -l")).await.trim(), "4", "stdio and ls's own");
}

#[tokio::test]
async fn it_counts_against_its_containers_limits() {
    let machine = Machine::new();
    let pod = machine.pod("limits").await;
    let mut container = machine.container("c", "sleep 600");
    container.resources.pids_limit = Some(20);
    pod.sandbox.start(container).await.unwrap();
    let pid = running_pid(&pod.sandbox.runs().await, "c");
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(groups.contains("kiln-"), "{groups}");
    let mut streams = pod.sandbox.exec(shell("cat /proc/self/cgroup; sleep 600")).await.unwrap();
    let supervisor = supervisor_pid(&*pod.sandbox);
    let mut seen = String::new();
    eventually("the program is in the container's groups", || {
        let children = fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).unwrap();
        let others = children.split_whitespace().filter(|child| *child != pid.to_string());
        seen = others.map(|child| fs::read_to_string(format!("/proc/{child}/cgroup")).unwrap_or_default()).collect();
        let of_kiln: Vec<_> = groups.lines().filter(|line| line.contains("kiln-")).collect();
        !seen.is_empty() && of_kiln.iter().all(|line| seen.lines().any(|own| own.starts_with(*line)))
    });
    drop(streams.stdout.take());
    // Last, as what it leaves behind are zombies for the container's first process to reap, and those count too.
    let script = "for i in $(seq 40); do sleep 600 >/dev/null 2>&1 & done; echo all of them";
    let (stdout, stderr, code) = finish(pod.sandbox.exec(shell(script)).await.unwrap()).await;
    assert!(stdout.is_empty() && code != 0 && stderr.contains("fork"), "{stdout} {stderr} {code}");
}

#[tokio::test]
async fn what_cannot_be_executed_says_why() {
    let machine = Machine::new();
    let pod = machine.pod("not").await;
    pod.start("c", "sleep 600").await;
    for (program, code, message) in [
        ("foo", 127, "exec: \"foo\": executable file not found in $PATH"),
        ("/etc", 126, "exec: \"/etc\": permission denied"),
    ] {
        match pod.sandbox.exec(exec("c", &[program])).await {
            Err(RuntimeError::Start { message: seen, exit_code }) => {
                assert_eq!((seen.as_str(), exit_code), (message, code))
            }
            other => panic!("{program}: {other:?}"),
        }
    }
    let missing = pod.sandbox.exec(exec("other", &["true"])).await.unwrap_err();
    assert_eq!(missing.to_string(), "container not found (\"other\")");
    pod.sandbox.stop("c", 0).await.unwrap();
    pod.ended("c").await;
    let over = pod.sandbox.exec(exec("c", &["true"])).await.unwrap_err();
    assert!(matches!(over, RuntimeError::NotRunning(_)), "{over}");
}

#[tokio::test]
async fn a_terminal_is_one() {
    let machine = Machine::new();
    let pod = machine.pod("tty").await;
    pod.start("c", "sleep 600").await;
    let script = "test -t 0 && test -t 1 && test -t 2 && echo yes on $TERM; : > /dev/tty && echo controlling; read line; echo got $line; \
                  trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done";
    // busybox's stty is a link that the harness's root lacks.
    std::os::unix::fs::symlink("busybox", machine.root().join("bin/stty")).ok();
    let mut streams = pod.sandbox.exec(Exec { terminal: true, stdin: true, ..shell(script) }).await.unwrap();
    let (mut stdin, mut stdout) = (streams.stdin.take().unwrap(), streams.stdout.take().unwrap());
    assert!(streams.stderr.is_none());
    let seen = read_until(&mut stdout, "controlling\r\n").await;
    assert!(seen.contains("yes on xterm\r\n"), "{seen}");
    stdin.write_all(b"a line\r").await.unwrap();
    read_until(&mut stdout, "got a line\r\nready\r\n").await;
    streams.resize.as_ref().unwrap()(100, 40);
    assert_eq!(read_until(&mut stdout, "40 100").await, "40 100\r\n");
    assert_eq!(exit(&mut streams).await, Ok(3));
    assert_eq!(read(Some(stdout)).await, "");
}

/// How many processes live in the container beside the one that counts. The dead whose parent, the container's first process, does not
/// ask after them are not among them: nothing but that process can take them away.
const LIVING: &str = "for stat in /proc/[0-9]*/stat; do read pid name state rest < $stat && test $state != Z && echo $name; done | wc -l";

#[tokio::test]
async fn a_client_that_goes_takes_its_program_and_its_children_along() {
    let machine = Machine::new();
    let pod = machine.pod("gone").await;
    pod.start("c", "sleep 600").await;
    let before = living(&pod).await;
    for terminal in [false, true] {
        // One that runs on in the background, in a session of its own.
        let script = "echo up; (trap '' HUP TERM; sleep 500 & sleep 501) & sleep 502";
        let mut streams = pod.sandbox.exec(Exec { terminal, stdin: true, ..shell(script) }).await.unwrap();
        let mut stdout = streams.stdout.take().unwrap();
        read_until(&mut stdout, "up").await;
        drop((streams, stdout));
        let start = std::time::Instant::now();
        while living(&pod).await != before {
            assert!(start.elapsed() < PATIENCE, "{}", out(&pod, shell("ps")).await);
        }
    }
    let pid = running_pid(&pod.sandbox.runs().await, "c");
    assert!(exists(pid), "the container goes on");
}

async fn living(pod: &Pod<'_>) -> String {
    // A process may end between the look at the directory and the look at its file.
    finish(pod.sandbox.exec(Exec { stderr: false, ..shell(LIVING) }).await.unwrap()).await.0
}

#[tokio::test]
async fn a_program_left_in_the_background_stays_when_its_client_leaves_in_order() {
    let machine = Machine::new();
    let pod = machine.pod("background").await;
    pod.start("c", "sleep 600").await;
    out(&pod, shell("sleep 555 </dev/null >/dev/null 2>&1 &")).await;
    assert!(out(&pod, shell("ps")).await.contains("sleep 555"));
    pod.sandbox.stop("c", 0).await.unwrap();
    pod.ended("c").await;
    pod.sandbox.remove().await.unwrap();
    assert!(machine.cgroup_dirs().is_empty(), "{:?}", machine.cgroup_dirs());
}

#[tokio::test]
async fn programs_end_with_their_container() {
    let machine = Machine::new();
    let pod = machine.pod("ends").await;
    pod.start("c", "sleep 600").await;
    let mut streams = pod.sandbox.exec(shell("echo up; sleep 600")).await.unwrap();
    let mut stdout = streams.stdout.take().unwrap();
    read_until(&mut stdout, "up").await;
    pod.sandbox.stop("c", 0).await.unwrap();
    assert_eq!(pod.ended("c").await.0, 137);
    assert_eq!(exit(&mut streams).await, Ok(137));
}

#[tokio::test]
async fn fifty_at_once_and_a_lot_of_output_unread() {
    let machine = Machine::new();
    let pod = machine.pod("fifty").await;
    pod.start("c", "sleep 600").await;
    // Somebody who does not read must not be in anybody's way.
    let lazy = pod.sandbox.exec(shell("yes")).await.unwrap();
    let all = (0..50).map(|n| {
        let sandbox = pod.sandbox.clone();
        async move {
            let streams = sandbox.exec(shell(&format!("seq 20000; exit {n}"))).await.unwrap();
            let (stdout, _, code) = finish(streams).await;
            assert_eq!((stdout.lines().count(), code), (20_000, n));
        }
    });
    futures::future::join_all(all).await;
    assert_eq!(out(&pod, shell("echo still")).await, "still\n");
    drop(lazy);
}

#[tokio::test]
async fn those_attached_see_what_comes_and_the_log_has_all() {
    let machine = Machine::new();
    let pod = machine.pod("attach").await;
    let script = "echo before; while read line; do echo got $line; echo err >&2; done; seq 100000; exit 4";
    let mut container = machine.container("c", script);
    container.stdin = Stdin::Once;
    let log = container.log_path.clone();
    pod.sandbox.start(container).await.unwrap();
    eventually("before", || text(&log).contains("before"));
    let watch = Attach { container: "c".into(), stdin: false, stdout: true, stderr: true };
    let mut watching = pod.sandbox.attach(watch.clone()).await.unwrap();
    let mut driving = pod.sandbox.attach(Attach { stdin: true, ..watch }).await.unwrap();
    assert!(watching.stdin.is_none() && !driving.ends_with_input);
    let mut stdin = driving.stdin.take().unwrap();
    stdin.write_all(b"this\n").await.unwrap();
    // The end of the only input there will be.
    drop(stdin);
    // All at once: whoever does not read holds the others up.
    let (seen, errors, driven, _) = tokio::join!(
        read(watching.stdout.take()),
        read(watching.stderr.take()),
        read(driving.stdout.take()),
        read(driving.stderr.take())
    );
    assert!(seen.starts_with("got this\n1\n") && seen.ends_with("\n100000\n"), "{}", seen.len());
    assert!(seen == driven && errors == "err\n", "{} {} {errors}", seen.len(), driven.len());
    assert_eq!((exit(&mut watching).await, exit(&mut driving).await), (Ok(4), Ok(4)));
    assert!(text(&log).ends_with("\n100000\n"));
}

#[tokio::test]
async fn open_input_outlives_those_who_come_and_go() {
    let machine = Machine::new();
    let pod = machine.pod("open").await;
    let mut container = machine.container("c", "while read line; do echo got $line; done; echo end");
    container.stdin = Stdin::Open;
    let log = container.log_path.clone();
    pod.sandbox.start(container).await.unwrap();
    for word in ["one", "two"] {
        let attach = Attach { container: "c".into(), stdin: true, stdout: true, stderr: false };
        let mut streams = pod.sandbox.attach(attach).await.unwrap();
        assert!(streams.ends_with_input);
        let mut stdin = streams.stdin.take().unwrap();
        stdin.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        read_until(streams.stdout.as_mut().unwrap(), &format!("got {word}\n")).await;
    }
    assert_eq!(text(&log), "got one\ngot two\n");
}

#[tokio::test]
async fn a_containers_own_terminal() {
    let machine = Machine::new();
    let pod = machine.pod("own-tty").await;
    let mut container = machine
        .container("c", "test -t 1 && echo tty; echo on console > /dev/console; read line; echo got $line; exit 5");
    let mut process = container.spec.process().clone().unwrap();
    process.set_terminal(Some(true));
    container.spec.set_process(Some(process));
    container.stdin = Stdin::Open;
    let log = container.log_path.clone();
    pod.sandbox.start(container).await.unwrap();
    eventually("its first words", || text(&log).contains("on console"));
    let attach = Attach { container: "c".into(), stdin: true, stdout: true, stderr: true };
    let mut streams = pod.sandbox.attach(attach).await.unwrap();
    assert!(streams.ends_with_input);
    streams.resize.as_ref().unwrap()(80, 24);
    streams.stdin.as_mut().unwrap().write_all(b"word\r").await.unwrap();
    let seen = read(streams.stdout.take()).await;
    assert_eq!(seen, "word\r\ngot word\r\n");
    assert_eq!(exit(&mut streams).await, Ok(5));
    assert_eq!(text(&log), "tty\non console\nword\ngot word\n");
    assert!(fs::read_to_string(&log).unwrap().contains(" stdout F got word\r\n"), "as the terminal had it");
}

#[tokio::test]
async fn a_terminal_without_input_can_be_looked_at_only() {
    let machine = Machine::new();
    let pod = machine.pod("look").await;
    let mut container = machine.container("c", "sleep 600");
    let mut process = container.spec.process().clone().unwrap();
    process.set_terminal(Some(true));
    container.spec.set_process(Some(process));
    pod.sandbox.start(container).await.unwrap();
    let attach = Attach { container: "c".into(), stdin: true, stdout: true, stderr: false };
    let streams = pod.sandbox.attach(attach).await.unwrap();
    assert!(streams.stdin.is_none() && !streams.ends_with_input);
    assert!(streams.stdout.is_some() && streams.resize.is_some());
}

#[tokio::test]
async fn ports_of_a_pod_are_reached_from_outside() {
    let machine = Machine::new();
    let pod = machine.pod("ports").await;
    let mut container = machine.container("c", "echo up; nc -l -p 8080 -e cat; sleep 600");
    container.spec = container.spec.clone();
    let log = container.log_path.clone();
    pod.sandbox.start(container).await.unwrap();
    eventually("up", || text(&log).contains("up"));
    let mut stream = loop {
        let sockets = pod.sandbox.sockets().await.unwrap();
        assert!(sockets.ipv6.is_some());
        let socket = tokio::net::TcpSocket::from_std_stream(sockets.ipv4.into());
        match socket.connect("127.0.0.1:8080".parse().unwrap()).await {
            Ok(stream) => break stream,
            // The listener comes a moment after it said so.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused),
        }
    };
    stream.write_all(b"there and back").await.unwrap();
    let mut back = [0; 14];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"there and back");
}

#[tokio::test]
async fn a_server_that_dies_takes_sessions_along_and_not_the_pod() {
    let machine = Machine::new();
    let pod = machine.pod("dies").await;
    pod.start("c", "sleep 600").await;
    // A thread with a runtime of its own stands for a server: what it holds is closed when it ends, as when a process does.
    let state = machine.state_dir();
    let server = std::thread::spawn(move || {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let runtime =
                agent::runtime::builtin::BuiltIn::with_executable(state, crate::harness::supervisor()).unwrap();
            let sandbox = runtime.recover().await.remove(0);
            let mut streams = sandbox.exec(shell("echo up; sleep 777")).await.unwrap();
            let mut stdout = streams.stdout.take().unwrap();
            read_until(&mut stdout, "up").await;
            std::mem::forget(streams.stdin.take());
        });
    });
    server.join().unwrap();
    let start = std::time::Instant::now();
    while out(&pod, shell("ps")).await.contains("sleep 777") {
        assert!(start.elapsed() < PATIENCE);
    }
    let (code, _) = {
        pod.sandbox.stop("c", 0).await.unwrap();
        ended(&*pod.sandbox, "c").await
    };
    assert_eq!(code, 137);
}
