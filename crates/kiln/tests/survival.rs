//! kill -9 of the server, of supervisors and of both at many moments, and a machine that was switched off: real pods, real kubectl.
//! Every pod writes a line into a file of the machine when it begins, so that one which ran twice is seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Kubectl, Server, create, processes, signal, start_privileged, wait_for};

/// How many pods a Job has, two at a time.
const N_PODS: usize = 4;

/// Each of its pods notes in `DIRECTORY/begun` that it begins, and ends well after `seconds`.
fn job(name: &str, directory: &Path, seconds: &str, spec: &Value) -> Value {
    let script = format!("echo $NAME >>/notes/begun; echo begun; sleep {seconds}; echo over");
    let main = json!({"name": "main", "image": "kiln/host", "command": ["sh", "-c", script],
        "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": [{"name": "notes", "mountPath": "/notes"}]});
    let mut whole = json!({"completions": N_PODS, "parallelism": 2, "completionMode": "Indexed", "template": {"spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [main],
        "volumes": [{"name": "notes", "hostPath": {"path": directory}}]}}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": whole})
}

fn pods(server: &Server, kubectl: &Kubectl, job: &str) -> Vec<Value> {
    let selector = format!("job-name={job}");
    let list: Value =
        serde_json::from_str(&server.ok(kubectl, &["get", "pods", "-l", &selector, "-o", "json"])).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// How often each pod has begun.
fn begun(directory: &Path) -> BTreeMap<String, usize> {
    let mut n = BTreeMap::new();
    for line in std::fs::read_to_string(directory.join("begun")).unwrap_or_default().lines() {
        *n.entry(line.to_owned()).or_default() += 1;
    }
    n
}

fn supervisors(server: &Server) -> Vec<u32> {
    processes(&format!("{}/agent/pods/", server.data_dir().display()))
}

/// The moments in milliseconds after the Job was made: pods are scheduled, prepared, started, run, end and are followed by others.
const MOMENTS: [u64; 10] = [0, 15, 40, 70, 110, 160, 230, 330, 450, 650];

#[test]
fn no_pod_runs_twice_and_nothing_is_lost_whenever_the_server_is_killed() {
    let (mut server, kubectl) = start_privileged();
    for moment in MOMENTS {
        let directory = tempfile::tempdir().unwrap();
        let name = format!("at-{moment}");
        create(&server, &kubectl, &job(&name, directory.path(), "0.2", &json!({})));
        let begin = Instant::now();
        wait_for("the moment", || (Duration::from_millis(moment) <= begin.elapsed()).then_some(()));
        server.kill();
        server.restart();
        server.ok(&kubectl, &["wait", "--for=condition=complete", &format!("job/{name}"), "--timeout=60s"]);
        let begun = begun(directory.path());
        assert_eq!((begun.len(), begun.values().max()), (N_PODS, Some(&1)), "killed after {moment} ms: {begun:?}");
        for pod in pods(&server, &kubectl, &name) {
            let of = pod["metadata"]["name"].as_str().unwrap();
            let status = &pod["status"]["containerStatuses"][0];
            let ended = (&status["restartCount"], &status["state"]["terminated"]["exitCode"]);
            assert_eq!(ended, (&json!(0), &json!(0)), "killed after {moment} ms: {status}");
            assert_eq!(server.ok(&kubectl, &["logs", of]), "begun\nover\n", "killed after {moment} ms");
        }
        // The next moment is in the life of a deletion.
        server.ok(&kubectl, &["delete", "job", &name, "--wait=false"]);
    }
    wait_for("everything to be cleaned up", || server.traces().is_empty().then_some(()));
}

#[test]
fn what_dies_with_its_supervisor_is_told_so_and_done_again() {
    for with_server in [false, true] {
        let (mut server, kubectl) = start_privileged();
        let directory = tempfile::tempdir().unwrap();
        create(&server, &kubectl, &job("widow", directory.path(), "3", &json!({"completions": 1, "parallelism": 1})));
        wait_for("the pod to begin", || (begun(directory.path()).len() == 1).then_some(()));
        let [supervisor] = supervisors(&server)[..] else { panic!("{:?}", supervisors(&server)) };
        if with_server {
            server.kill();
        }
        signal(supervisor, Signal::SIGKILL);
        if with_server {
            server.restart();
        }
        server.ok(&kubectl, &["wait", "--for=condition=complete", "job/widow", "--timeout=60s"]);
        let failed =
            pods(&server, &kubectl, "widow").into_iter().find(|pod| pod["status"]["phase"] == "Failed").unwrap();
        let ended = &failed["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(137), &json!("ContainerStatusUnknown")), "{failed}");
        assert_eq!(begun(directory.path()).values().collect::<Vec<_>>(), [&1, &1], "each of two pods once");
        server.ok(&kubectl, &["delete", "job", "widow"]);
        wait_for("everything to be cleaned up", || server.traces().is_empty().then_some(()));
    }
}

#[test]
fn pods_of_a_machine_that_was_switched_off_are_told_so_and_done_again() {
    let (mut server, kubectl) = start_privileged();
    let directory = tempfile::tempdir().unwrap();
    let spec = json!({"completions": 2, "backoffLimit": 6});
    create(&server, &kubectl, &job("off", directory.path(), "2", &spec));
    wait_for("both pods to begin", || (begun(directory.path()).len() == 2).then_some(()));
    // What is left is what was on the disk: no process, and so no mount and no namespace of the pods.
    server.kill();
    for supervisor in supervisors(&server) {
        signal(supervisor, Signal::SIGKILL);
    }
    wait_for("the pods' processes to end", || supervisors(&server).is_empty().then_some(()));
    server.restart();
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/off", "--timeout=60s"]);
    let pods = pods(&server, &kubectl, "off");
    let phases = |phase: &str| pods.iter().filter(|pod| pod["status"]["phase"] == phase).count();
    assert_eq!((phases("Failed"), phases("Succeeded")), (2, 2), "{pods:#?}");
    assert_eq!(begun(directory.path()).values().collect::<Vec<_>>(), [&1, &1, &1, &1]);
    let off = pods.iter().find(|pod| pod["status"]["phase"] == "Failed").unwrap();
    let name = off["metadata"]["name"].as_str().unwrap();
    assert_eq!(server.ok(&kubectl, &["logs", name]), "begun\n", "the log is still there");
    server.ok(&kubectl, &["delete", "job", "off"]);
    wait_for("everything to be cleaned up", || server.traces().is_empty().then_some(()));
}
