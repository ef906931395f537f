//! `kiln run`, as a newcomer uses it: real containers on an ephemeral server, and nothing left afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::io::Read;
use std::process::Stdio;

use support::{kiln, repository, stderr, stdout, wait_for};

/// Runs to the end in a temporary directory of its own, which must be empty afterwards.
#[track_caller]
fn run(arguments: &[&str]) -> std::process::Output {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = kiln(&[&["run", "--ephemeral"], arguments].concat());
    // An ephemeral run minds no other server, there or not.
    let output = command.env("TMPDIR", scratch.path()).env("KILN_KUBECONFIG", "/nowhere").output().unwrap();
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}\n{}", stderr(&output));
    assert_eq!(support::traces(&scratch.path().to_string_lossy()), Vec::<String>::new());
    output
}

#[test]
fn the_guides_pi_job_prints_two_thousand_digits() {
    let file = repository().join("examples/pi-job.yaml");
    let output = run(&["-f", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let digits = stdout(&output);
    assert!(digits.starts_with("3.14159265358979323846264338327950288"), "{digits}");
    assert_eq!(digits.trim_end().len(), 2001, "one digit, a point and 1999 more, as bpi(2000) prints");
    assert!(stderr(&output).contains("job/pi-calc complete in "), "{}", stderr(&output));
}

#[test]
fn a_failing_job_shows_reason_log_and_exit_code() {
    let file = repository().join("examples/fail-job.yaml");
    let output = run(&["-f", file.to_str().unwrap()]);
    let talk = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{talk}");
    assert!(talk.contains("failed after"), "{talk}");
    assert!(talk.contains("BackoffLimitExceeded: Job has reached the specified backoff limit"), "{talk}");
    assert!(talk.contains("  | "), "the last lines of the log: {talk}");
    assert!(talk.contains("ended with exit code 3 (Error)"), "{talk}");
}

#[test]
fn stdout_and_stderr_of_a_container_stay_apart() {
    let output = run(&["--image", "kiln/host", "--", "sh", "-c", "echo result; echo talk >&2"]);
    assert_eq!(stdout(&output), "result\n", "{}", stderr(&output));
    assert!(stderr(&output).contains("talk\n"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn environment_and_names_reach_the_container() {
    let output = run(&[
        "--image",
        "kiln/host",
        "--name",
        "probe",
        "--env",
        "COLOUR=teal",
        "--",
        "sh",
        "-c",
        "echo $COLOUR; hostname; echo $HOSTNAME",
    ]);
    let lines: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "teal", "{}", stderr(&output));
    assert!(lines[1].starts_with("probe-"), "{lines:?}");
    assert_eq!(lines[1], lines[2], "HOSTNAME is the pod's host name");
}

#[test]
fn nothing_secret_of_the_host_is_readable() {
    let script =
        "for f in /etc/shadow /etc/gshadow; do cat $f; done; ls /root /home /var/lib/kiln; id -u; ls -d /usr/bin";
    let output = run(&["--image", "kiln/host", "--", "sh", "-c", script]);
    assert_eq!(stdout(&output), "0\n/usr/bin\n", "{}", stderr(&output));
}

#[test]
fn an_image_that_is_not_there_says_what_to_do() {
    let output = run(&["--image", "busybox:never-heard-of", "--", "true"]);
    let talk = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{talk}");
    assert!(talk.contains("ErrImagePull") && talk.contains("kiln image import"), "{talk}");
}

#[test]
fn misspelt_fields_are_refused_with_what_was_meant() {
    let manifest = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nspec:\n  backofLimit: 1\n  activeDeradlineSeconds: 5\n  template: {spec: {restartPolicy: Never, containers: [{name: a, image: kiln/demo}]}}\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), manifest).unwrap();
    let output = run(&["-f", file.path().to_str().unwrap()]);
    let talk = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(talk.contains(r#"unknown field "spec.backofLimit" (did you mean "backoffLimit"?)"#), "{talk}");
    assert!(
        talk.contains(r#"unknown field "spec.activeDeradlineSeconds" (did you mean "activeDeadlineSeconds"?)"#),
        "{talk}"
    );
}

#[test]
fn what_nobody_will_ever_provide_is_not_waited_for() {
    for (pod, cause, remedy) in [
        (
            "volumes: [{name: v, configMap: {name: scripts}}]",
            "configmap \"scripts\" not found",
            "put the ConfigMap or Secret it names into the file",
        ),
        ("nodeSelector: {disk: ssd}", "0/1 nodes are available", "it is the only node"),
        ("nodeName: elsewhere", "\"elsewhere\"", "take `nodeName` out"),
    ] {
        let manifest = format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: x}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{{name: a, image: kiln/demo, command: [pi, '5']}}]\n      {pod}\n"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), manifest).unwrap();
        let output = run(&["--timeout", "60s", "-f", file.path().to_str().unwrap()]);
        let talk = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{pod}: {talk}");
        assert!(talk.contains(cause) && talk.contains(remedy), "{pod}: {talk}");
    }
}

#[test]
fn a_timeout_stops_the_job_and_says_so() {
    let output = run(&["--timeout", "1s", "--image", "kiln/demo", "--", "sleep", "600"]);
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
}

#[test]
fn a_command_that_does_not_exist_is_not_waited_for() {
    let output = run(&["--image", "kiln/demo", "--", "no-such-program"]);
    let talk = stderr(&output);
    assert_eq!(output.status.code(), Some(127), "{talk}");
    assert!(talk.contains("no-such-program"), "{talk}");
}

#[test]
fn ctrl_c_stops_an_ephemeral_jobs_pods() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command =
        kiln(&["run", "--ephemeral", "--image", "kiln/host", "--", "sh", "-c", "echo started; exec sleep 600"]);
    let mut child =
        command.env("TMPDIR", scratch.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    support::signal(child.id(), nix::sys::signal::Signal::SIGINT);
    let status = wait_for("kiln run to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    assert_eq!(support::traces(&scratch.path().to_string_lossy()), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn a_killed_run_takes_its_pods_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command =
        kiln(&["run", "--ephemeral", "--image", "kiln/host", "--", "sh", "-c", "echo started; exec sleep 600"]);
    let mut child = command.env("TMPDIR", scratch.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let path = scratch.path().to_string_lossy().into_owned();
    wait_for("supervisor, mounts and cgroups to be gone", || support::traces(&path).is_empty().then_some(()));
}

#[test]
fn a_run_on_a_server_removes_only_what_it_made() {
    let server = support::Server::start();
    let kubectl = support::kubectl();
    for name in ["kept", "bystander"] {
        server.ok(&kubectl, &["create", "configmap", name, "--from-literal=a=before"]);
    }
    let map =
        |metadata: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\ndata: {{a: during}}\n---\n");
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: kiln/demo, command: [echo]}]}}}\n";
    let manifest = [map("{name: kept}"), map("{name: made}"), map("{generateName: made-}"), job.into()].concat();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), manifest).unwrap();
    let kubeconfig = server.kubeconfig();
    let output =
        kiln(&["run", "-f", file.path().to_str().unwrap()]).arg("--kubeconfig").arg(kubeconfig).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let left =
        server.ok(&kubectl, &["get", "configmaps", "-o", "jsonpath={range .items[*]}{.metadata.name}={.data.a} {end}"]);
    assert_eq!(left, "bystander=before kept=during kube-root-ca.crt= ");
}
