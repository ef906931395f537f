//! `kiln server`: readiness, ending, the second server, and pods that outlive a killed server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use support::{Server, kiln, kubectl, stderr, wait_for};

const SLOW_JOB: &str = r#"{
  "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "slow"},
  "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{
    "name": "c", "image": "kiln/host",
    "command": ["sh", "-c", "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; sleep 0.1; done; exit 0"]}]}}}}"#;

#[test]
fn the_kubeconfig_is_private_and_goes_with_a_clean_exit() {
    use std::os::unix::fs::PermissionsExt;
    let mut server = Server::start();
    let mode = std::fs::metadata(server.kubeconfig()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let data_mode = std::fs::metadata(server.data_dir()).unwrap().permissions().mode();
    assert_eq!(data_mode & 0o777, 0o700);
    let context =
        server.ok(&kubectl(), &["config", "view", "-o", "jsonpath={.current-context} {.contexts[0].context}"]);
    assert!(context.starts_with("kiln ") && context.contains(r#""namespace":"default""#), "{context}");
    assert_eq!(server.ok(&kubectl(), &["get", "--raw", "/readyz"]), "ok");
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    assert!(!server.kubeconfig().exists());
}

#[test]
fn a_second_server_on_the_same_data_directory_names_the_first() {
    let server = Server::start();
    let second =
        kiln(&["server", "--listen", "127.0.0.1:0"]).arg("--data-dir").arg(server.data_dir()).output().unwrap();
    assert_eq!(second.status.code(), Some(125));
    let expect = format!("data directory {} is in use by pid {}", server.data_dir().display(), server.pid());
    assert!(stderr(&second).contains(&expect), "{}", stderr(&second));
}

#[test]
fn an_address_that_is_taken_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let output =
        kiln(&["server", "--listen", &address]).arg("--data-dir").arg(directory.path().join("d")).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains(&format!("failed to listen on {address}")), "{}", stderr(&output));
}

#[test]
fn a_pod_outlives_a_killed_server_and_nothing_of_it_is_lost() {
    let mut server = Server::start();
    let kubectl = kubectl();
    let made = server.with_input(&kubectl, &["create", "-f", "-"], SLOW_JOB);
    assert!(made.status.success(), "{}", stderr(&made));
    wait_for("the pod's first lines", || {
        let log = server.kubectl(&kubectl, &["logs", "job/slow"]).output().unwrap();
        support::stdout(&log).contains("line 3").then_some(())
    });
    server.kill();
    server.restart();
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/slow", "--timeout=60s"]);
    let log = server.ok(&kubectl, &["logs", "job/slow"]);
    let expect: String = (1..=60).map(|i| format!("line {i}\n")).collect();
    assert_eq!(log, expect, "the log is whole");
    let pods = server.ok(&kubectl, &["get", "pods", "-l", "job-name=slow", "-o", "name"]);
    assert_eq!(pods.lines().count(), 1, "no second pod was made: {pods}");
    let status = "jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode} {.items[0].status.containerStatuses[0].restartCount}";
    assert_eq!(server.ok(&kubectl, &["get", "pods", "-o", status]), "0 0");
}

#[test]
fn a_pod_that_ends_while_the_server_is_down_keeps_its_exit_code() {
    let mut server = Server::start();
    let kubectl = kubectl();
    let job = SLOW_JOB
        .replace("-lt 60", "-lt 40")
        .replace("exit 0", "exit 7")
        .replace(r#""spec": {"template""#, r#""spec": {"backoffLimit": 0, "template""#);
    let made = server.with_input(&kubectl, &["create", "-f", "-"], &job);
    assert!(made.status.success(), "{}", stderr(&made));
    wait_for("the pod to run", || {
        let phase = server.ok(&kubectl, &["get", "pods", "-o", "jsonpath={.items[*].status.phase}"]);
        (phase == "Running").then_some(())
    });
    server.kill();
    let records = server.data_dir().join("agent/pods");
    wait_for("the exit to be recorded by the supervisor", || {
        let pods = std::fs::read_dir(&records).ok()?.flatten();
        let exits = pods.flat_map(|pod| std::fs::read_dir(pod.path().join("exits")).into_iter().flatten().flatten());
        exits.map(|exit| exit.file_name()).any(|name| name.to_string_lossy().ends_with(".json")).then_some(())
    });
    server.restart();
    server.ok(&kubectl, &["wait", "--for=condition=failed", "job/slow", "--timeout=60s"]);
    let code = "jsonpath={.items[*].status.containerStatuses[0].state.terminated.exitCode}";
    assert_eq!(server.ok(&kubectl, &["get", "pods", "-o", code]), "7");
}

#[test]
fn a_deleted_job_leaves_nothing_on_the_machine() {
    let server = Server::start();
    let kubectl = kubectl();
    let made = server.with_input(&kubectl, &["create", "-f", "-"], &SLOW_JOB.replace("-lt 60", "-lt 6000"));
    assert!(made.status.success(), "{}", stderr(&made));
    wait_for("the pod to run", || {
        let phase = server.ok(&kubectl, &["get", "pods", "-o", "jsonpath={.items[*].status.phase}"]);
        (phase == "Running").then_some(())
    });
    server.ok(&kubectl, &["delete", "job", "slow"]);
    wait_for("the pod to go", || server.ok(&kubectl, &["get", "pods", "-o", "name"]).is_empty().then_some(()));
    wait_for("supervisors and cgroups to go", || {
        let instance_only = server.traces().iter().all(|trace| trace.starts_with("cgroup ") && !trace.contains("pod-"));
        instance_only.then_some(())
    });
    let pods = std::fs::read_dir(server.data_dir().join("agent/pods")).map(Iterator::count).unwrap_or(0);
    assert_eq!(pods, 0, "no pod directory is left");
}
