//! Start, output, exit codes, stop.

use crate::harness::{Machine, eventually, spec, text};
use agent::logs::write::MAX_TEXT;
use agent::runtime::{RunState, RuntimeError};
use std::fs;
use std::time::Instant;

#[tokio::test]
async fn output_goes_to_the_log_with_times_and_streams() {
    let machine = Machine::new();
    let pod = machine.pod("echo").await;
    let container = machine.container("c", "echo one; echo two >&2; printf three");
    let log = container.log_path.clone();
    assert_eq!(pod.run(container).await.0, 0);
    let raw = fs::read_to_string(log).unwrap();
    let mut lines: Vec<_> = raw
        .lines()
        .map(|line| {
            let (time, rest) = line.split_once(' ').unwrap();
            time.parse::<jiff::Timestamp>().unwrap();
            rest
        })
        .collect();
    lines.sort();
    assert_eq!(lines, ["stderr F two", "stdout F one", "stdout F three"]);
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let machine = Machine::new();
    let pod = machine.pod("codes").await;
    for (attempt, (script, expect)) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        // A shell that is pid 1 cannot be killed by its own signal, its parent's kill comes from outside; so a child does it.
        ("sh -c 'kill -9 $$'; exit $?", 137),
    ]
    .into_iter()
    .enumerate()
    {
        let mut container = machine.container("c", script);
        container.attempt = attempt as u32;
        assert_eq!(pod.run(container).await.0, expect, "{script}");
    }
}

#[tokio::test]
async fn every_line_of_much_output_arrives() {
    let machine = Machine::new();
    let pod = machine.pod("much").await;
    let (code, text) = pod.script("seq 1 200000").await;
    assert_eq!((code, text.lines().count()), (0, 200_000));
    assert_eq!(text.lines().last(), Some("200000"));
}

#[tokio::test]
async fn a_long_line_is_cut_and_whole_when_joined() {
    let machine = Machine::new();
    let pod = machine.pod("long").await;
    let (_, text) = pod.script("head -c 50000 /dev/zero | od -An -v -tx1 | awk '{printf \"%s\", $0}'").await;
    assert_eq!(text.len(), 150_001);
    assert!(MAX_TEXT < text.len());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_127_and_one_that_cannot_run_126() {
    let machine = Machine::new();
    fs::write(machine.root().join("bin/data"), "\u{7f}nonsense").unwrap();
    fs::write(machine.root().join("bin/script"), "#!/no/such\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(machine.root().join("bin/script"), executable).unwrap();
    let pod = machine.pod("exec").await;
    for (program, code, message) in [
        ("foo", 127, "exec: \"foo\": executable file not found in $PATH"),
        ("/foo", 127, "exec: \"/foo\": stat /foo: no such file or directory"),
        ("data", 126, "exec: \"data\": permission denied"),
        ("/etc", 126, "exec: \"/etc\": permission denied"),
        ("script", 127, "exec: \"/bin/script\": no such file or directory"),
    ] {
        let mut container = machine.container("c", "");
        container.spec = spec(&[program]);
        match pod.sandbox.start(container).await {
            Err(RuntimeError::Start { message: seen, exit_code }) => {
                assert_eq!((seen.as_str(), exit_code), (message, code))
            }
            other => panic!("{program}: {other:?}"),
        }
    }
    assert_eq!(pod.sandbox.runs().await, [], "a failed start is no run");
    assert_eq!(pod.script("exit 4").await.0, 4, "and the pod goes on");
}

#[tokio::test]
async fn what_cannot_be_mounted_is_a_create_error_that_names_it() {
    let machine = Machine::new();
    let pod = machine.pod("create").await;
    let mut container = machine.container("c", "true");
    container.rootfs.lower = vec!["/no/such/layer".into()];
    let error = pod.sandbox.start(container).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Create(_)));
    assert!(error.to_string().contains("/no/such/layer"), "{error}");
}

#[tokio::test]
async fn stop_asks_first() {
    let machine = Machine::new();
    let pod = machine.pod("stop").await;
    let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let container = machine.container("c", script);
    let log = container.log_path.clone();
    pod.sandbox.start(container).await.unwrap();
    eventually("ready", || text(&log).contains("ready"));
    pod.sandbox.stop("c", 30).await.unwrap();
    assert_eq!(pod.ended("c").await, (7, false));
    assert_eq!(text(&log), "ready\nbye\n");
}

#[tokio::test]
async fn stop_kills_after_the_grace_period() {
    let machine = Machine::new();
    let pod = machine.pod("grace").await;
    let container = machine.container("c", "trap '' TERM; echo ready; while :; do sleep 1; done");
    let log = container.log_path.clone();
    pod.sandbox.start(container).await.unwrap();
    eventually("ready", || text(&log).contains("ready"));
    let asked = Instant::now();
    pod.sandbox.stop("c", 1).await.unwrap();
    assert_eq!(pod.ended("c").await, (137, false));
    assert!(1.0 <= asked.elapsed().as_secs_f64());
}

#[tokio::test]
async fn stop_without_grace_kills_at_once_and_is_idempotent() {
    let machine = Machine::new();
    let pod = machine.pod("now").await;
    pod.start("c", "while :; do sleep 1; done").await;
    pod.sandbox.stop("c", 0).await.unwrap();
    assert_eq!(pod.ended("c").await, (137, false));
    pod.sandbox.stop("c", 0).await.unwrap();
    pod.sandbox.stop("nobody", 5).await.unwrap();
}

#[tokio::test]
async fn a_restart_is_a_new_run_with_a_fresh_root() {
    let machine = Machine::new();
    let pod = machine.pod("again").await;
    let script = "test -e /mark && exit 9; touch /mark; exit 1";
    for attempt in 0..3 {
        let mut container = machine.container("c", script);
        container.attempt = attempt;
        assert_eq!(pod.run(container).await.0, 1);
        let runs = pod.sandbox.runs().await;
        assert_eq!((runs.len(), runs[0].attempt), (1, attempt));
    }
}

#[tokio::test]
async fn times_of_a_run_are_in_order() {
    let machine = Machine::new();
    let pod = machine.pod("times").await;
    let before = jiff::Timestamp::now();
    pod.script("true").await;
    let runs = pod.sandbox.runs().await;
    let RunState::Exited { started_at, finished_at, .. } = runs[0].state else {
        panic!("{runs:?}");
    };
    assert!(before <= started_at && started_at <= finished_at);
}
