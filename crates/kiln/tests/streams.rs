//! Real kubectl, every version there is, in running containers: exec, cp, attach, run, port-forward. Up to 1.29 they come over SPDY, later
//! ones over WebSockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Kubectl, Server, kubectls, stderr, stdout, wait_for};

/// Runs `test` for every kubectl, newest first, with a pod `p` whose containers `a` and `b` sleep.
fn with_every_kubectl(test: impl Fn(&Server, &Kubectl)) {
    let server = Server::start();
    pod(
        &server,
        &newest(),
        "p",
        json!([container("a", "sleep 6000"), container("b", "echo I am b > /tmp/who; sleep 6000")]),
    );
    for kubectl in kubectls().iter().rev() {
        eprintln!("kubectl 1.{}", kubectl.version);
        test(&server, kubectl);
    }
}

fn newest() -> Kubectl {
    support::kubectl()
}

/// The newest and the oldest: one of each protocol.
fn two_kubectls() -> Vec<Kubectl> {
    let mut all = kubectls();
    all.dedup_by_key(|kubectl| kubectl.version < 30);
    all
}

fn container(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "kiln/host", "command": ["sh", "-c", script]})
}

/// Creates a pod and waits until it runs.
#[track_caller]
fn pod(server: &Server, kubectl: &Kubectl, name: &str, containers: Value) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 0, "restartPolicy": "Never", "containers": containers}});
    let made = server.with_input(kubectl, &["create", "-f", "-"], &pod.to_string());
    assert!(made.status.success(), "{}", stderr(&made));
    wait_for("the pod to run", || (phase(server, kubectl, name) == "Running").then_some(()));
}

fn phase(server: &Server, kubectl: &Kubectl, name: &str) -> String {
    server.ok(kubectl, &["get", "pod", name, "-o", "jsonpath={.status.phase}"])
}

/// Runs a script in container `a` of `p`.
#[track_caller]
fn sh(server: &Server, kubectl: &Kubectl, script: &str) -> String {
    server.ok(kubectl, &["exec", "p", "-c", "a", "--", "sh", "-c", script])
}

#[test]
fn exec_gives_output_exit_codes_and_reasons() {
    with_every_kubectl(|server, kubectl| {
        let script = "echo out; echo err >&2; exit 7";
        let output = server.kubectl(kubectl, &["exec", "p", "-c", "a", "--", "sh", "-c", script]).output().unwrap();
        assert_eq!((stdout(&output).as_str(), output.status.code()), ("out\n", Some(7)));
        assert_eq!(stderr(&output), "err\ncommand terminated with exit code 7\n");
        let who = server.ok(kubectl, &["exec", "p", "-c", "b", "--", "cat", "/tmp/who"]);
        assert_eq!(who, "I am b\n");
        let output = server.with_input(kubectl, &["exec", "-i", "p", "-c", "a", "--", "cat"], "through\n");
        assert_eq!((stdout(&output).as_str(), output.status.code()), ("through\n", Some(0)));
        let missing = server.fails(kubectl, &["exec", "p", "-c", "a", "--", "no-such-program"]);
        let expect = "OCI runtime exec failed: exec failed: unable to start container process: \
                      exec: \"no-such-program\": executable file not found in $PATH: unknown";
        assert!(missing.contains(expect), "{missing}");
        let nowhere = server.fails(kubectl, &["exec", "p", "-c", "x", "--", "true"]);
        assert!(
            nowhere.contains("container x is not valid for pod p") || nowhere.contains("container not found"),
            "{nowhere}"
        );
    });
}

#[test]
fn files_are_copied_both_ways() {
    with_every_kubectl(|server, kubectl| {
        let directory = server.directory.path().join(format!("cp-{}", kubectl.version));
        std::fs::create_dir_all(directory.join("sub")).unwrap();
        let text: String = (0..300_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(directory.join("sub/file"), &text).unwrap();
        let there = format!("p:/tmp/cp-{}", kubectl.version);
        server.ok(kubectl, &["cp", directory.to_str().unwrap(), &there, "-c", "a"]);
        let back = directory.join("back");
        server.ok(kubectl, &["cp", &there, back.to_str().unwrap(), "-c", "a"]);
        assert!(std::fs::read_to_string(back.join("sub/file")).unwrap() == text);
    });
}

#[test]
fn fifty_megabytes_arrive_whole() {
    let server = Server::start();
    pod(&server, &newest(), "p", json!([container("a", "sleep 6000")]));
    let big = server.directory.path().join("big");
    let made =
        Command::new("dd").args(["if=/dev/urandom", "bs=1M", "count=50"]).arg(format!("of={}", big.display())).output();
    assert!(made.unwrap().status.success());
    let sum = |input: Stdio| {
        let output = Command::new("sha256sum").stdin(input).output().unwrap();
        stdout(&output)
    };
    let expect = sum(File::open(&big).unwrap().into());
    for kubectl in two_kubectls() {
        let script = "cat > /tmp/big; sha256sum < /tmp/big";
        let mut command = server.kubectl(&kubectl, &["exec", "-i", "p", "--", "sh", "-c", script]);
        let output = command.stdin(File::open(&big).unwrap()).output().unwrap();
        assert_eq!(stdout(&output), expect, "in, kubectl 1.{}: {}", kubectl.version, stderr(&output));
        let mut child =
            server.kubectl(&kubectl, &["exec", "p", "--", "cat", "/tmp/big"]).stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(sum(child.stdout.take().unwrap().into()), expect, "out, kubectl 1.{}", kubectl.version);
        child.wait().unwrap();
    }
}

#[test]
fn a_terminal_has_the_clients_size_and_echoes() {
    let script = "until test \"$(stty size)\" = '31 87'; do sleep 0.05; done; tty; echo $TERM; read word; exit $word";
    let arguments = ["exec", "-it", "p", "-c", "a", "--", "sh", "-c", script];
    with_every_kubectl(|server, kubectl| talks_through_a_terminal(server.kubectl(kubectl, &arguments)));
    let server = Server::start();
    pod(&server, &newest(), "p", json!([container("a", "sleep 6000")]));
    talks_through_a_terminal(ours(&server, &arguments));
}

/// Runs it on a terminal of 31 lines and 87 columns, and types `5`, with which it is to end.
#[track_caller]
fn talks_through_a_terminal(mut command: Command) {
    let size = Winsize { ws_row: 31, ws_col: 87, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).unwrap();
    let before = nix::sys::termios::tcgetattr(&terminal.slave).unwrap();
    let slave = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
    drop(command);
    let mut master = File::from(terminal.master.try_clone().unwrap());
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("xterm\r\n") {
        let mut piece = [0; 1024];
        let length = master.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..length]);
    }
    assert!(String::from_utf8_lossy(&seen).contains("/dev/pts/"));
    master.write_all(b"5\r").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{}", String::from_utf8_lossy(&seen));
    // The terminal is as it was.
    let after = nix::sys::termios::tcgetattr(&terminal.slave).unwrap();
    assert_eq!(after.local_flags, before.local_flags);
}

/// kiln's own verbs against this server.
fn ours(server: &Server, arguments: &[&str]) -> Command {
    let mut command = support::kiln(arguments);
    command.env("KILN_KUBECONFIG", server.kubeconfig()).env("HOME", server.directory.path());
    command
}

#[test]
fn kilns_own_exec_is_kubectls() {
    let server = Server::start();
    let kubectl = newest();
    let containers = json!([container("a", "sleep 6000"), container("b", "echo I am b > /tmp/who; sleep 6000")]);
    pod(&server, &kubectl, "p", containers);
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": {"spec":
        {"terminationGracePeriodSeconds": 0, "restartPolicy": "Never", "containers": [container("a", "sleep 6000")]}}}});
    assert!(server.with_input(&kubectl, &["create", "-f", "-"], &job.to_string()).status.success());
    let ready = "jsonpath={.status.ready}";
    wait_for("the Job's pod to run", || (server.ok(&kubectl, &["get", "job", "j", "-o", ready]) == "1").then_some(()));
    let script = "echo out; echo err >&2; exit 7";
    for (arguments, input) in [
        (&["exec", "p", "-c", "a", "--", "sh", "-c", script][..], ""),
        (&["exec", "p", "--", "true"], ""),
        (&["exec", "-q", "pod/p", "--", "echo", "quiet"], ""),
        (&["exec", "p", "-c", "b", "--", "cat", "/tmp/who"], ""),
        (&["exec", "-i", "p", "-c", "a", "--", "cat"], "through\n"),
        (&["exec", "-i", "job/j", "--", "sort"], "b\na\n"),
        (&["exec", "-it", "p", "-c", "a", "--", "cat"], "no terminal\n"),
    ] {
        let theirs = server.with_input(&kubectl, arguments, input);
        let ours = support::fed(&mut ours(&server, arguments), input);
        let said = |output: &std::process::Output| (output.status.code(), stdout(output), stderr(output));
        assert_eq!(said(&ours), said(&theirs), "{arguments:?}");
    }
    // A reader that has seen enough ends it.
    let mut flood = ours(&server, &["exec", "p", "-c", "a", "--", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(flood.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!((line.as_str(), flood.wait().unwrap().code()), ("y\n", Some(0)));
    for (arguments, why) in [
        (&["exec", "p", "-c", "a", "--", "no-such-program"][..], "executable file not found in $PATH"),
        (&["exec", "p", "-c", "x", "--", "true"], "container x is not valid for pod p"),
        (&["exec", "none", "--", "true"], "pods \"none\" not found"),
        (&["exec", "job/none", "--", "true"], "jobs.batch \"none\" not found"),
        (&["exec", "cm/x", "--", "true"], "a ConfigMap has no containers"),
    ] {
        let output = ours(&server, arguments).output().unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {}", output.status);
        assert!(stderr(&output).contains(why), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn run_attaches_feeds_and_tells_the_exit_code() {
    let server = Server::start();
    for kubectl in kubectls().iter().rev() {
        let name = format!("once-{}", kubectl.version);
        let arguments =
            ["run", "-i", "--rm", "--restart=Never", &name, "--image=kiln/host", "--", "sh", "-c", "sort; exit 4"];
        let output = server.with_input(kubectl, &arguments, "b\na\n");
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert!(stdout(&output).contains("a\nb\n"), "kubectl 1.{}: {}", kubectl.version, stdout(&output));
        assert!(server.ok(kubectl, &["get", "pods", "-o", "name"]).is_empty());
    }
}

#[test]
fn attach_shows_what_comes_and_leaves_the_container_alone() {
    let server = Server::start();
    pod(&server, &newest(), "p", json!([container("a", "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.1; done")]));
    for kubectl in two_kubectls() {
        let mut child =
            server.kubectl(&kubectl, &["attach", "p"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let ticks: Vec<_> = lines.filter(|line| line.starts_with("tick ")).take(3).collect();
        assert_eq!(ticks.len(), 3);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(phase(&server, &kubectl, "p"), "Running");
    }
}

#[test]
fn ports_are_forwarded_by_every_kubectl() {
    let server = Server::start();
    let script = "mkdir /tmp/w; seq 200000 > /tmp/w/f; echo up; exec busybox httpd -f -p 8080 -h /tmp/w";
    pod(&server, &newest(), "p", json!([container("a", script)]));
    wait_for("the listener", || server.ok(&newest(), &["logs", "p"]).contains("up").then_some(()));
    let expect: String = (1..=200_000).map(|n| format!("{n}\n")).collect();
    for kubectl in kubectls().iter().rev() {
        let mut command = server.kubectl(kubectl, &["port-forward", "p", ":8080"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        // Forwarding from 127.0.0.1:45677 -> 8080
        let port: u16 = line.split([':', ' ']).find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        std::thread::scope(|scope| {
            let fetches: Vec<_> = (0..5).map(|_| scope.spawn(|| fetch(port))).collect();
            for fetched in fetches {
                assert!(fetched.join().unwrap().ends_with(&expect), "kubectl 1.{}", kubectl.version);
            }
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn fetch(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /f HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn fifty_at_once() {
    let server = Server::start();
    pod(&server, &newest(), "p", json!([container("a", "sleep 6000")]));
    for kubectl in two_kubectls() {
        // The cache of discovery is written once.
        sh(&server, &kubectl, "true");
        let children: Vec<_> = (0..50)
            .map(|n| {
                let script = format!("seq 5000; exit {n}");
                let mut command = server.kubectl(&kubectl, &["exec", "p", "--", "sh", "-c", &script]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut n_discarded = 0;
        for (n, child) in children.into_iter().enumerate() {
            let output = child.wait_with_output().unwrap();
            // kubectl's own race, when it hardly gets a processor: it reads before it has anywhere to put what it reads
            // (kubernetes/kubernetes#131189, in 1.29 to 1.33), and says so.
            if stderr(&output).contains("discarding message") {
                n_discarded += 1;
                continue;
            }
            assert_eq!(output.status.code(), i32::try_from(n).ok(), "{}", stderr(&output));
            assert_eq!(stdout(&output).lines().count(), 5000, "kubectl 1.{} {n}: {}", kubectl.version, stderr(&output));
        }
        assert!(n_discarded < 5, "kubectl 1.{} threw away {n_discarded} of 50", kubectl.version);
    }
}

/// Processes of this machine whose command line is exactly that.
fn processes(line: &[&str]) -> usize {
    let expect: Vec<u8> = line.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|seen| seen == expect)).count()
}

#[test]
fn a_client_that_is_killed_leaves_nothing_running() {
    let server = Server::start();
    pod(&server, &newest(), "p", json!([container("a", "sleep 6000")]));
    // A number that no other test sleeps for.
    let seconds = format!("{}", 100_000 + std::process::id());
    let script = format!("(trap '' HUP TERM; sleep {seconds} & wait) & sleep {seconds}");
    for kubectl in two_kubectls() {
        let mut child = server.kubectl(&kubectl, &["exec", "p", "--", "sh", "-c", &script]).spawn().unwrap();
        wait_for("both to run", || (processes(&["sleep", &seconds]) == 2).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        wait_for("both to be gone", || (processes(&["sleep", &seconds]) == 0).then_some(()));
        assert_eq!(phase(&server, &kubectl, "p"), "Running");
    }
}

#[test]
fn a_server_that_is_killed_ends_the_exec_and_not_the_pod() {
    let mut server = Server::start();
    let kubectl = newest();
    pod(&server, &kubectl, "p", json!([container("a", "sleep 6000")]));
    let seconds = format!("{}", 200_000 + std::process::id());
    let mut child = server.kubectl(&kubectl, &["exec", "p", "--", "sleep", &seconds]).spawn().unwrap();
    wait_for("it to run", || (processes(&["sleep", &seconds]) == 1).then_some(()));
    server.kill();
    assert_ne!(child.wait().unwrap().code(), Some(0));
    wait_for("it to be gone", || (processes(&["sleep", &seconds]) == 0).then_some(()));
    server.restart();
    assert_eq!(phase(&server, &kubectl, "p"), "Running");
    assert_eq!(sh(&server, &kubectl, "echo again"), "again\n");
}

#[test]
fn an_exec_ends_with_its_pod() {
    let server = Server::start();
    for kubectl in two_kubectls() {
        pod(&server, &kubectl, "p", json!([container("a", "sleep 6000")]));
        let mut child = server
            .kubectl(&kubectl, &["exec", "p", "--", "sh", "-c", "echo up; sleep 6000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        server.ok(&kubectl, &["delete", "pod", "p"]);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(137), "{}", stderr(&output));
    }
    let kubectl = newest();
    let made = server.with_input(&kubectl, &["create", "-f", "-"], &finished().to_string());
    assert!(made.status.success(), "{}", stderr(&made));
    wait_for("the pod to end", || (phase(&server, &kubectl, "done") == "Succeeded").then_some(()));
    let over = server.fails(&kubectl, &["exec", "done", "--", "true"]);
    assert!(over.contains("cannot exec into a container in a completed pod; current phase is Succeeded"), "{over}");
    assert!(Path::new(&server.data_dir()).exists());
}

fn finished() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "done"},
        "spec": {"restartPolicy": "Never", "containers": [container("a", "true")]}})
}

#[test]
fn nothing_is_left_behind_when_the_pod_goes() {
    let server = Server::start();
    let kubectl = newest();
    pod(&server, &kubectl, "p", json!([container("a", "sleep 6000")]));
    sh(&server, &kubectl, "sleep 5999 </dev/null >/dev/null 2>&1 &");
    let mut child = server.kubectl(&kubectl, &["exec", "p", "--", "sleep", "5998"]).spawn().unwrap();
    server.ok(&kubectl, &["delete", "pod", "p"]);
    child.wait().unwrap();
    wait_for("every trace to go", || server.traces().is_empty().then_some(()));
    support::signal(server.pid(), Signal::SIGTERM);
}
