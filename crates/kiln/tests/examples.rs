//! What a Job can do, as the examples show it: each is run to its end in real containers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use support::{Kubectl, Server, kiln, repository, stderr, stdout};

/// Runs an example on a server that keeps it, and gives what was said with the exit code.
fn run(server: &Server, kubectl: &Kubectl, example: &str) -> (String, String, Option<i32>) {
    let privileged = "pod-security.kubernetes.io/enforce=privileged";
    server.ok(kubectl, &["label", "--overwrite", "namespace", "default", privileged]);
    let file = repository().join("examples").join(example);
    let mut command = kiln(&["run", "--keep", "--timeout", "120s", "-f", file.to_str().unwrap()]);
    let output = command.env("KILN_KUBECONFIG", server.kubeconfig()).output().unwrap();
    (stdout(&output), stderr(&output), output.status.code())
}

fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn of_job(server: &Server, kubectl: &Kubectl, job: &str, path: &str) -> String {
    server.ok(kubectl, &["get", "job", job, "-o", &format!("jsonpath={path}")])
}

fn of_pods(server: &Server, kubectl: &Kubectl, job: &str, path: &str) -> String {
    let path = format!("jsonpath={{range .items[*]}}{path} {{end}}");
    server.ok(kubectl, &["get", "pods", "-l", &format!("job-name={job}"), "-o", &path])
}

const CONDITIONS: &str = "{range .status.conditions[*]}{.type}={.reason} {end}";

#[test]
fn the_pods_of_an_indexed_job_know_their_index() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let (out, talk, code) = run(&server, &kubectl, "indexed-job.yaml");
    assert_eq!((lines(&out), code), (vec!["part 0 of 3", "part 1 of 3", "part 2 of 3"], Some(0)), "{talk}");
    assert_eq!(of_job(&server, &kubectl, "indexed", "{.status.completedIndexes}"), "0-2");
    let hostnames = of_pods(&server, &kubectl, "indexed", "{.spec.hostname}");
    let hostnames: Vec<&str> = hostnames.split_whitespace().collect();
    assert_eq!(lines(&hostnames.join("\n")), ["indexed-0", "indexed-1", "indexed-2"]);
}

#[test]
fn exit_code_42_ends_the_job_at_once() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let (_, talk, code) = run(&server, &kubectl, "failure-policy-job.yaml");
    assert_eq!(code, Some(42), "{talk}");
    assert!(talk.contains("PodFailurePolicy: Container import for pod default/failure-policy-"), "{talk}");
    assert!(talk.contains(" failed with exit code 42 matching FailJob rule at index 1"), "{talk}");
    let conditions = of_job(&server, &kubectl, "failure-policy", CONDITIONS);
    assert_eq!(conditions, "FailureTarget=PodFailurePolicy Failed=PodFailurePolicy ");
    assert_eq!(of_pods(&server, &kubectl, "failure-policy", "{.status.phase}"), "Failed ", "one pod, no retry");
}

#[test]
fn the_leaders_success_completes_the_job() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let (out, talk, code) = run(&server, &kubectl, "success-policy-job.yaml");
    assert_eq!((out.as_str(), code), ("the leader is done\n", Some(0)), "{talk}");
    let conditions = of_job(&server, &kubectl, "success-policy", CONDITIONS);
    assert_eq!(conditions, "SuccessCriteriaMet=SuccessPolicy Complete=SuccessPolicy ");
    assert_eq!(of_job(&server, &kubectl, "success-policy", "{.status.completedIndexes}"), "0");
    assert_eq!(of_pods(&server, &kubectl, "success-policy", "{.status.phase}"), "Succeeded ", "the workers are gone");
}

#[test]
fn an_index_that_fails_for_good_spares_the_others() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let (out, talk, code) = run(&server, &kubectl, "per-index-retries-job.yaml");
    assert_eq!((lines(&out), code), (vec!["shard 0", "shard 1", "shard 1", "shard 2"], Some(7)), "{talk}");
    let indexes = of_job(&server, &kubectl, "per-index-retries", "{.status.completedIndexes}/{.status.failedIndexes}");
    assert_eq!(indexes, "0,2/1");
    let conditions = of_job(&server, &kubectl, "per-index-retries", CONDITIONS);
    assert_eq!(conditions, "FailureTarget=FailedIndexes Failed=FailedIndexes ");
}

#[test]
fn a_container_that_is_restarted_in_place_keeps_its_emptydir() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let (out, talk, code) = run(&server, &kubectl, "retry-in-place-job.yaml");
    assert_eq!((lines(&out), code), (vec!["try 1", "try 2", "try 3"], Some(0)), "{talk}");
    let restarts = of_pods(&server, &kubectl, "retry-in-place", "{.status.containerStatuses[0].restartCount}");
    assert_eq!(restarts, "2 ", "one pod, restarted twice");
}

#[test]
fn a_sidecar_does_not_keep_a_job_from_completing() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let (out, talk, code) = run(&server, &kubectl, "sidecar-job.yaml");
    assert_eq!((lines(&out), code), (vec!["step 1", "step 2", "step 3"], Some(0)), "{talk}");
    let ended = "{.status.phase} {.status.initContainerStatuses[0].state.terminated.exitCode}";
    assert_eq!(of_pods(&server, &kubectl, "sidecar", ended), "Succeeded 0 ");
}
