//! `kiln wait` and `kiln run` on Jobs that succeed, fail, are suspended, deleted, or outlive their server: real containers, real server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::process::{Child, Output, Stdio};

use support::{Kubectl, Server, kiln, stderr, stdout, wait_for};

/// Longer than any of these tests: whoever hangs until then is found by it.
const TIMEOUT: &str = "--timeout=250s";

fn job(name: &str, command: &str) -> String {
    let command: Vec<&str> = command.split_whitespace().collect();
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      \
         restartPolicy: Never\n      containers: [{{name: main, image: kiln/demo, command: {command:?}}}]\n"
    )
}

fn create(server: &Server, kubectl: &Kubectl, manifest: &str) {
    let output = server.with_input(kubectl, &["create", "-f", "-"], manifest);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn command(server: &Server, arguments: &[&str]) -> std::process::Command {
    let mut command = kiln(arguments);
    command.env("KILN_KUBECONFIG", server.kubeconfig());
    command
}

fn wait(server: &Server, arguments: &[&str]) -> Output {
    command(server, &[&["wait", TIMEOUT], arguments].concat()).output().unwrap()
}

/// Ended, with this code; and says so.
#[track_caller]
fn check(output: &Output, code: i32, out: &str, talk: &str) {
    let seen = (output.status.code(), stdout(output), stderr(output));
    assert_eq!((seen.0, seen.1.as_str()), (Some(code), out), "{seen:?}");
    assert!(seen.2.contains(talk), "{talk:?} is not in {seen:?}");
}

fn begin(server: &Server, arguments: &[&str]) -> Child {
    command(server, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_until_running(server: &Server, kubectl: &Kubectl, job: &str) {
    wait_for("the Job to run", || {
        (server.ok(kubectl, &["get", "job", job, "--ignore-not-found", "-o", "jsonpath={.status.ready}"]) == "1")
            .then_some(())
    });
}

#[test]
fn the_exit_code_is_the_jobs() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    create(&server, &kubectl, &job("good", "echo fine"));
    create(&server, &kubectl, &job("bad", "fail 42"));
    check(&wait(&server, &["job/good"]), 0, "job.batch/good condition met\n", "");
    check(&wait(&server, &["job", "bad"]), 42, "", "job.batch/bad failed: BackoffLimitExceeded: Job has reached");
    check(&wait(&server, &["job/bad"]), 42, "", "container main of pod/bad-");
    // As kubectl's: what is waited for comes true.
    check(&wait(&server, &["jobs.batch/bad", "--for=condition=failed"]), 0, "job.batch/bad condition met\n", "");
    let both = ["--for=condition=complete", "--for=condition=failed"];
    check(&wait(&server, &[&["job/bad"], &both[..]].concat()), 42, "job.batch/bad condition met: failed\n", "");
    check(&wait(&server, &[&["job/good"], &both[..]].concat()), 0, "job.batch/good condition met: complete\n", "");
    check(
        &wait(&server, &["job/good", "--for=condition=failed"]),
        1,
        "",
        "has ended, and what is waited for will not come",
    );
    let all = wait(&server, &["jobs", "--all"]);
    assert_eq!(all.status.code(), Some(42), "{all:?}");
    assert_eq!(stdout(&all), "job.batch/good condition met\n");
    let succeeded = wait(&server, &["job/good", "--for=jsonpath={.status.succeeded}=1"]);
    check(&succeeded, 0, "job.batch/good condition met\n", "");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), job("good", "echo fine")).unwrap();
    check(&wait(&server, &["-f", file.path().to_str().unwrap()]), 0, "job.batch/good condition met\n", "");
    let chosen = wait(&server, &["jobs", "-l", "job-name=good"]);
    check(&chosen, 0, "job.batch/good condition met\n", "");
    check(&wait(&server, &["pod", "-l", "job-name=good", "--for=condition=Ready"]), 1, "", "its phase is Succeeded");
}

#[test]
fn mistakes_are_told_at_once() {
    let server = Server::start();
    check(&wait(&server, &["job/none"]), 1, "", "error: there is no job.batch/none");
    check(&wait(&server, &["job/none", "--for=delete"]), 0, "job.batch/none condition met\n", "");
    check(&wait(&server, &["pods", "--all"]), 2, "", "--for is missing");
    check(&wait(&server, &["jobs"]), 2, "", "which jobs?");
    check(&wait(&server, &["jobs", "-l", "a=b"]), 1, "", "no matching resources found");
    check(&wait(&server, &["jbos/x"]), 2, "", "did you mean \"jobs\"?");
    check(
        &wait(&server, &["job/x", "--for=complete"]),
        2,
        "",
        "condition=NAME[=STATUS], jsonpath=PATH[=VALUE], delete",
    );
    check(&command(&server, &["wait", "job/x", "--for=create", "--timeout=0"]).output().unwrap(), 124, "", "timed out");
    let nowhere = kiln(&["wait", "job/x", "--kubeconfig", "/nowhere"]).output().unwrap();
    check(&nowhere, 2, "", "cannot use the kubeconfig /nowhere");
}

#[test]
fn a_suspended_job_ends_the_waiting_unless_it_is_waited_through() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    create(&server, &kubectl, &job("held", "echo fine").replace("backoffLimit", "suspend: true\n  backoffLimit"));
    check(&wait(&server, &["job/held", "--for=condition=Suspended"]), 0, "job.batch/held condition met\n", "");
    check(&wait(&server, &["job/held"]), 1, "", "error: job.batch/held is suspended, so it does not go on by itself");
    let patient = begin(&server, &["wait", TIMEOUT, "job/held", "--while-suspended"]);
    let hopeful = begin(&server, &["wait", TIMEOUT, "job/held", "--for=condition=Suspended=false"]);
    server.ok(&kubectl, &["patch", "job", "held", "-p", r#"{"spec":{"suspend":false}}"#]);
    check(&patient.wait_with_output().unwrap(), 0, "job.batch/held condition met\n", "");
    check(&hopeful.wait_with_output().unwrap(), 0, "job.batch/held condition met\n", "");
    // One that is suspended while it is waited for, and run.
    create(&server, &kubectl, &job("runs", "sleep 600"));
    let waiting = begin(&server, &["wait", TIMEOUT, "job/runs"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), job("run", "sleep 600")).unwrap();
    let running = begin(&server, &["run", TIMEOUT, "-f", file.path().to_str().unwrap()]);
    for name in ["runs", "run"] {
        wait_until_running(&server, &kubectl, name);
        server.ok(&kubectl, &["patch", "job", name, "-p", r#"{"spec":{"suspend":true}}"#]);
    }
    check(&waiting.wait_with_output().unwrap(), 1, "", "is suspended");
    check(&running.wait_with_output().unwrap(), 1, "", "job/run is suspended");
}

#[test]
fn a_job_that_is_deleted_meanwhile_ends_the_waiting() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    create(&server, &kubectl, &job("gone", "sleep 600"));
    let waiting = begin(&server, &["wait", TIMEOUT, "job/gone"]);
    let going = begin(&server, &["wait", TIMEOUT, "job/gone", "--for=delete"]);
    let coming = begin(&server, &["wait", TIMEOUT, "job/run", "--for=create"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), job("run", "sleep 600")).unwrap();
    let running = begin(&server, &["run", TIMEOUT, "-f", file.path().to_str().unwrap()]);
    check(&coming.wait_with_output().unwrap(), 0, "job.batch/run condition met\n", "");
    for name in ["gone", "run"] {
        wait_until_running(&server, &kubectl, name);
        server.ok(&kubectl, &["delete", "job", name, "--wait=false"]);
    }
    check(&going.wait_with_output().unwrap(), 0, "job.batch/gone condition met\n", "");
    // It may have been gone before the first look.
    let waited = waiting.wait_with_output().unwrap();
    assert!(["was deleted", "there is no"].iter().any(|talk| stderr(&waited).contains(talk)), "{waited:?}");
    assert_eq!(waited.status.code(), Some(1));
    check(&running.wait_with_output().unwrap(), 1, "", "job/run was deleted while it ran");
}

#[test]
fn a_server_that_dies_and_comes_back_is_waited_for() {
    let (mut server, kubectl) = (Server::start(), support::kubectl());
    create(&server, &kubectl, &job("long", "sleep 4"));
    wait_until_running(&server, &kubectl, "long");
    let copy = tempfile::NamedTempFile::new().unwrap();
    std::fs::copy(server.kubeconfig(), copy.path()).unwrap();
    let address = server.ok(&kubectl, &["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    // Of one object, which no controller does.
    let watch = r#"{verb="WATCH",group="batch",version="v1",resource="jobs",subresource="",scope="resource","#;
    let mut waiting = kiln(&["wait", TIMEOUT, "job/long", "--kubeconfig", copy.path().to_str().unwrap()]);
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("kiln wait to watch", || server.ok(&kubectl, &["get", "--raw", "/metrics"]).contains(watch).then_some(()));
    server.kill();
    server.restart_at(address.trim_start_matches("https://"));
    let ended = waiting.wait_with_output().unwrap();
    check(&ended, 0, "job.batch/long condition met\n", "warning: lost the server, trying again");
}
