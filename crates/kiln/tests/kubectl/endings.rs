//! How Jobs end when they do not simply complete: failures, deadlines, restarts in place, and deletions of every kind.

use crate::support::{Kubectl, Server, kubectl, stderr, wait_for};
use crate::{watch_until, with_every_kubectl};
use serde_json::{Value, json};

/// Creates a Job of one container of `image`, with these fields beside the template's.
#[track_caller]
fn create(server: &Server, kubectl: &Kubectl, name: &str, spec: Value, pod: Value, image: &str, command: &[&str]) {
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec});
    job["spec"]["template"]["spec"] = pod;
    let mounts = job["spec"]["template"]["spec"]["volumes"].as_array().map(|volumes| {
        let mount = |volume: &Value| json!({"name": volume["name"], "mountPath": format!("/{}", volume["name"].as_str().unwrap())});
        volumes.iter().map(mount).collect::<Vec<_>>()
    });
    job["spec"]["template"]["spec"]["containers"] =
        json!([{"name": "c", "image": image, "command": command, "volumeMounts": mounts.unwrap_or_default()}]);
    let made = server.with_input(kubectl, &["create", "-f", "-"], &job.to_string());
    assert!(made.status.success(), "{}", stderr(&made));
}

fn object(server: &Server, kubectl: &Kubectl, arguments: &[&str]) -> Value {
    serde_json::from_str(&server.ok(kubectl, &[arguments, &["-o", "json"]].concat())).unwrap()
}

/// Waits until the Job has failed and gives the condition's reason.
#[track_caller]
fn failure(server: &Server, kubectl: &Kubectl, name: &str) -> String {
    server.ok(kubectl, &["wait", "--for=condition=failed", &format!("job/{name}"), "--timeout=90s"]);
    let reason = "jsonpath={.status.conditions[?(@.type=='Failed')].reason}";
    server.ok(kubectl, &["get", "job", name, "-o", reason])
}

#[track_caller]
fn wait_until_one_runs(server: &Server, kubectl: &Kubectl, namespace: &str) {
    let phase = ["get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].status.phase}"];
    wait_for("a running pod", || (server.ok(kubectl, &phase) == "Running").then_some(()));
}

#[track_caller]
fn wait_until_no_pod_is_left(server: &Server, kubectl: &Kubectl) {
    wait_for("no pods", || server.ok(kubectl, &["get", "pods", "-o", "name"]).is_empty().then_some(()));
}

#[test]
fn deleting_a_namespace_leaves_nothing_of_what_ran_in_it() {
    let (server, kubectl) = (Server::start(), kubectl());
    server.ok(&kubectl, &["create", "namespace", "brief"]);
    server.ok(&kubectl, &["create", "configmap", "settings", "-n", "brief", "--from-literal=a=b"]);
    server.ok(&kubectl, &["create", "job", "busy", "-n", "brief", "--image=kiln/demo", "--", "sleep", "600"]);
    wait_until_one_runs(&server, &kubectl, "brief");
    // kubectl itself waits until the namespace is gone.
    server.ok(&kubectl, &["delete", "namespace", "brief"]);
    let gone = server.fails(&kubectl, &["get", "namespace", "brief"]);
    assert!(gone.contains(r#"namespaces "brief" not found"#), "{gone}");
    let left =
        server.ok(&kubectl, &["get", "jobs,pods,configmaps,serviceaccounts,events", "-n", "brief", "-o", "name"]);
    assert_eq!(left, "");
    let own = format!("process {}", server.pid());
    wait_for("the container's supervisor, mounts and cgroups to go", || {
        let left: Vec<String> = server.traces().into_iter().filter(|trace| *trace != own).collect();
        left.iter().all(|trace| trace.starts_with("cgroup ") && !trace.contains("pod-")).then_some(())
    });
}

#[test]
fn a_job_deleted_with_cascade_orphan_leaves_its_pods_running() {
    let (server, kubectl) = (Server::start(), kubectl());
    server.ok(&kubectl, &["create", "job", "left", "--image=kiln/demo", "--", "sleep", "600"]);
    wait_until_one_runs(&server, &kubectl, "default");
    server.ok(&kubectl, &["delete", "job", "left", "--cascade=orphan"]);
    let jobs = server.ok(&kubectl, &["get", "jobs", "-o", "name"]);
    assert_eq!(jobs, "");
    let pods = object(&server, &kubectl, &["get", "pods"]);
    let pod = &pods["items"][0];
    assert_eq!(pods["items"].as_array().unwrap().len(), 1);
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(
        (&pod["metadata"]["deletionTimestamp"], &pod["metadata"]["ownerReferences"]),
        (&Value::Null, &Value::Null)
    );
    // Nobody counts it any more, so nothing holds it up.
    wait_for("the finalizer to go", || {
        let pods = object(&server, &kubectl, &["get", "pods"]);
        pods["items"][0]["metadata"]["finalizers"].is_null().then_some(())
    });
    server.ok(&kubectl, &["delete", "pods", "--all"]);
    wait_until_no_pod_is_left(&server, &kubectl);
}

#[test]
fn a_job_deleted_with_cascade_foreground_goes_after_its_pods() {
    let (server, kubectl) = (Server::start(), kubectl());
    server.ok(&kubectl, &["create", "job", "last", "--image=kiln/demo", "--", "sleep", "600"]);
    wait_until_one_runs(&server, &kubectl, "default");
    server.ok(&kubectl, &["delete", "job", "last", "--cascade=foreground"]);
    // kubectl waited for the Job, and the Job for its pods.
    assert_eq!(server.ok(&kubectl, &["get", "jobs,pods", "-o", "name"]), "");
}

#[test]
fn a_failed_pod_is_replaced_after_ten_seconds_and_then_the_job_fails() {
    let (server, kubectl) = (Server::start(), kubectl());
    let pod = json!({"restartPolicy": "Never"});
    create(&server, &kubectl, "broken", json!({"backoffLimit": 1}), pod, "kiln/demo", &["fail", "3"]);
    assert_eq!(failure(&server, &kubectl, "broken"), "BackoffLimitExceeded");
    let arguments = ["get", "pods", "--sort-by=.metadata.creationTimestamp"];
    let pods = object(&server, &kubectl, &arguments);
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 2, "{pods:#?}");
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let ended = &pods[0]["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["exitCode"], 3);
    let waited = time(&pods[1]["metadata"]["creationTimestamp"]).duration_since(time(&ended["finishedAt"]));
    assert!(10 <= waited.as_secs(), "waited only {waited}");
    let job = object(&server, &kubectl, &["get", "job", "broken"]);
    assert_eq!(job["status"]["failed"], 2);
    assert!(job["status"]["uncountedTerminatedPods"].as_object().is_none_or(|listed| listed.is_empty()), "{job:#}");
}

#[test]
fn a_job_past_its_deadline_fails_and_its_pods_are_stopped() {
    let (server, kubectl) = (Server::start(), kubectl());
    let spec = json!({"activeDeadlineSeconds": 2, "parallelism": 2, "completions": 2});
    create(&server, &kubectl, "slow", spec, json!({"restartPolicy": "Never"}), "kiln/demo", &["sleep", "600"]);
    assert_eq!(failure(&server, &kubectl, "slow"), "DeadlineExceeded");
    let job = object(&server, &kubectl, &["get", "job", "slow"]);
    assert_eq!((&job["status"]["failed"], &job["status"]["active"]), (&json!(2), &Value::Null), "{job:#}");
    let described = server.ok(&kubectl, &["describe", "job", "slow"]);
    assert!(described.contains("Job was active longer than specified deadline"), "{described}");
    wait_until_no_pod_is_left(&server, &kubectl);
}

#[test]
fn a_container_restarts_in_place_keeps_its_empty_dir_and_fails_the_job_at_the_limit() {
    let (server, kubectl) = (Server::start(), kubectl());
    let pod = json!({"restartPolicy": "OnFailure", "volumes": [{"name": "notes", "emptyDir": {}}]});
    let script = "echo run >> /notes/runs; grep -c run /notes/runs; exit 3";
    create(&server, &kubectl, "stubborn", json!({"backoffLimit": 2}), pod, "kiln/host", &["sh", "-c", script]);
    let restarted =
        "jsonpath={range .items[*].status.containerStatuses[0]}{.restartCount} {.state.waiting.reason}{end}";
    wait_for("the second run to end", || {
        (server.ok(&kubectl, &["get", "pods", "-o", restarted]) == "1 CrashLoopBackOff").then_some(())
    });
    assert_eq!(
        server.ok(&kubectl, &["logs", "job/stubborn"]),
        "2\n",
        "the second run finds what the first has written"
    );
    let columns = "custom-columns=R:.status.containerStatuses[0].restartCount,D:.metadata.deletionTimestamp";
    let lines = watch_until(&server, &kubectl, &["get", "pods", "-w", "--no-headers", "-o", columns], |line| {
        !line.ends_with("<none>")
    });
    let last = lines.last().unwrap();
    assert!(last.starts_with("2 "), "stopped at the second restart: {lines:?}");
    assert_eq!(failure(&server, &kubectl, "stubborn"), "BackoffLimitExceeded");
    let job = object(&server, &kubectl, &["get", "job", "stubborn"]);
    assert_eq!(job["status"]["failed"], 1);
    wait_until_no_pod_is_left(&server, &kubectl);
}

/// A Job that fails, and what of it is told: reason, text, `describe`'s count of its pods.
type Failing = (&'static str, Value, &'static [&'static str], &'static str, &'static str, &'static str);

fn failing() -> [Failing; 5] {
    let rules = json!([
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]);
    let each = |more: Value| {
        let mut spec = json!({"completionMode": "Indexed", "completions": 2, "backoffLimitPerIndex": 0});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    [
        (
            "policy",
            json!({"podFailurePolicy": {"rules": rules}}),
            &["fail", "42"],
            "PodFailurePolicy",
            "failed with exit code 42 matching FailJob rule at index 1",
            "0 Succeeded / 1 Failed",
        ),
        (
            "limit",
            json!({"backoffLimit": 0}),
            &["fail", "3"],
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
            "0 Succeeded / 1 Failed",
        ),
        (
            "deadline",
            json!({"activeDeadlineSeconds": 1, "parallelism": 2, "completions": 2}),
            &["sleep", "600"],
            "DeadlineExceeded",
            "Job was active longer than specified deadline",
            "0 Succeeded / 2 Failed",
        ),
        (
            "indexes",
            each(json!({"parallelism": 2})),
            &["fail", "3"],
            "FailedIndexes",
            "Job has failed indexes",
            "0 Succeeded / 2 Failed",
        ),
        (
            "most",
            each(json!({"maxFailedIndexes": 0})),
            &["fail", "3"],
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
            "0 Succeeded / 1 Failed",
        ),
    ]
}

#[test]
fn describe_tells_why_a_job_has_failed() {
    with_every_kubectl(|server, kubectl| {
        for (name, spec, command, ..) in failing() {
            create(server, kubectl, name, spec, json!({"restartPolicy": "Never"}), "kiln/demo", command);
        }
        for (name, _, _, reason, message, counts) in failing() {
            assert_eq!(failure(server, kubectl, name), reason);
            let text = "jsonpath={.status.conditions[?(@.type=='Failed')].message}";
            let told = server.ok(kubectl, &["get", "job", name, "-o", text]);
            assert!(told.ends_with(message), "{told}");
            let line = server.ok(kubectl, &["get", "job", name, "--no-headers"]);
            let columns: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(columns[..2], [name, "Failed"], "{line}");
            // The event is written a moment after the condition.
            let described = wait_for("the event", || {
                let described = server.ok(kubectl, &["describe", "job", name]);
                described.contains(&told).then_some(described)
            });
            let event = described.lines().find(|line| line.contains(&told)).unwrap();
            let words: Vec<&str> = event.split_whitespace().collect();
            assert_eq!((words[0], words[1], words[3]), ("Warning", reason, "job-controller"), "{described}");
            assert!(described.contains(counts), "{counts} is missing from\n{described}");
        }
        let pod = server.ok(kubectl, &["get", "pods", "-l", "job-name=policy", "-o", "name"]);
        let described = server.ok(kubectl, &["describe", pod.trim()]);
        let exit = described.lines().find(|line| line.contains("Exit Code:")).unwrap();
        assert!(exit.ends_with(" 42"), "{described}");
    });
}
