//! Probes and hooks of real containers, as kubectl shows them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Stdio};
use support::{Kubectl, Server, create, kubectl, wait_for};

/// A container `name` of this machine's programs.
fn container(name: &str, script: &str, more: Value) -> Value {
    let mut container = json!({"name": name, "image": "kiln/host", "command": ["sh", "-c", script]});
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    container
}

fn pod(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

fn sh(script: &str) -> Value {
    json!({"exec": {"command": ["sh", "-c", script]}})
}

fn probe(handler: Value, failures: i32) -> Value {
    let mut probe = json!({"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": failures});
    probe.as_object_mut().unwrap().extend(handler.as_object().unwrap().clone());
    probe
}

#[track_caller]
fn wait_until(server: &Server, kubectl: &Kubectl, object: &str, path: &str, expect: &str) {
    let path = format!("jsonpath={{{path}}}");
    wait_for(&format!("{path} of {object} to be {expect}"), || {
        (server.ok(kubectl, &["get", object, "-o", &path]) == expect).then_some(())
    });
}

#[track_caller]
fn wait_until_told(server: &Server, kubectl: &Kubectl, text: &str) {
    wait_for(&format!("an event that says {text}"), || {
        let path = "jsonpath={range .items[*]}{.type} {.reason} {.message}{\"\\n\"}{end}";
        let events = server.ok(kubectl, &["get", "events", "-o", path]);
        events.lines().any(|event| event == text).then_some(())
    });
}

/// `kubectl logs -f`, line by line.
struct Log(Child, Lines<BufReader<ChildStdout>>);

impl Log {
    fn follow(server: &Server, kubectl: &Kubectl, pod: &str) -> Self {
        let mut command = server.kubectl(kubectl, &["logs", "-f", pod]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self(child, lines)
    }

    fn next(&mut self) -> String {
        self.1.next().expect("the log goes on").unwrap()
    }

    fn rest(mut self) -> Vec<String> {
        let rest = self.1.by_ref().map(Result::unwrap).collect();
        self.0.wait().unwrap();
        rest
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_job_counts_pods_as_ready_that_their_probes_call_ready() {
    let (server, kubectl) = (Server::start(), kubectl());
    let get = json!({"httpGet": {"path": "/ready", "port": "web"}});
    let more = json!({"readinessProbe": probe(get, 1), "ports": [{"name": "web", "containerPort": 8080}]});
    let script = "mkdir /tmp/w; exec busybox httpd -f -p 8080 -h /tmp/w";
    let template = json!({"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
        "containers": [container("c", script, more)]}});
    create(
        &server,
        &kubectl,
        &json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}}),
    );
    wait_until(&server, &kubectl, "job/j", ".status.active", "1");
    let name = server.ok(&kubectl, &["get", "pods", "-o", "name"]).trim().to_owned();
    let pod = name.trim_start_matches("pod/");
    wait_until(&server, &kubectl, &name, ".status.phase", "Running");
    wait_until_told(
        &server,
        &kubectl,
        "Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404",
    );
    wait_until(&server, &kubectl, "job/j", ".status.ready", "0");
    let status = ".status.conditions[?(@.type==\"Ready\")].reason";
    wait_until(&server, &kubectl, &name, status, "ContainersNotReady");
    assert!(server.ok(&kubectl, &["get", "pods"]).contains(" 0/1 "));
    server.ok(&kubectl, &["exec", pod, "--", "touch", "/tmp/w/ready"]);
    wait_until(&server, &kubectl, "job/j", ".status.ready", "1");
    server.ok(&kubectl, &["wait", "--for=condition=Ready", &name, "--timeout=90s"]);
    server.ok(&kubectl, &["exec", pod, "--", "rm", "/tmp/w/ready"]);
    wait_until(&server, &kubectl, "job/j", ".status.ready", "0");
    wait_until(&server, &kubectl, &name, ".status.containerStatuses[0].restartCount", "0");
    server.ok(&kubectl, &["delete", "job", "j"]);
    wait_for("the pod to go", || server.ok(&kubectl, &["get", "pods", "-o", "name"]).is_empty().then_some(()));
    wait_for("its supervisor, mounts and cgroups to go", || server.traces().is_empty().then_some(()));
}

#[test]
fn a_container_that_stops_answering_is_killed_and_restarted() {
    let (server, kubectl) = (Server::start(), kubectl());
    let more = json!({"livenessProbe": probe(sh("test ! -e /tmp/dead || { echo it is dead; exit 3; }"), 2)});
    let script = "trap 'exit 0' TERM; sleep 6000 & wait";
    let spec = json!({"restartPolicy": "OnFailure", "containers": [container("c", script, more)]});
    create(&server, &kubectl, &pod("p", spec));
    wait_until(&server, &kubectl, "pod/p", ".status.phase", "Running");
    server.ok(&kubectl, &["exec", "p", "--", "touch", "/tmp/dead"]);
    wait_until(&server, &kubectl, "pod/p", ".status.containerStatuses[0].restartCount", "1");
    wait_until(&server, &kubectl, "pod/p", ".status.containerStatuses[0].ready", "true");
    wait_until_told(&server, &kubectl, "Warning Unhealthy Liveness probe failed: it is dead");
    wait_until_told(&server, &kubectl, "Normal Killing Container c failed liveness probe, will be restarted");
    server.ok(&kubectl, &["delete", "pod", "p"]);
}

#[test]
fn an_encrypted_port_is_probed_whatever_its_certificate() {
    let (server, kubectl) = (Server::start(), kubectl());
    let get = json!({"httpGet": {"path": "/", "port": 8443, "scheme": "HTTPS"}});
    let script = "cd /tmp; openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=nobody -keyout k -out c 2>/dev/null; \
                  exec openssl s_server -quiet -accept 8443 -key k -cert c -www";
    let spec = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
        "containers": [container("c", script, json!({"readinessProbe": probe(get, 1)}))]});
    create(&server, &kubectl, &pod("p", spec));
    server.ok(&kubectl, &["wait", "--for=condition=Ready", "pod/p", "--timeout=90s"]);
    server.ok(&kubectl, &["delete", "pod", "p"]);
}

#[test]
fn a_pod_on_the_hosts_network_is_probed_there() {
    let (server, kubectl) = (Server::start(), kubectl());
    let privileged = "pod-security.kubernetes.io/enforce=privileged";
    server.ok(&kubectl, &["label", "--overwrite", "namespace", "default", privileged]);
    // Free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = format!("until [ -e /tmp/go ]; do sleep 0.1; done; exec busybox httpd -f -p {port} -h /tmp");
    let more = json!({"readinessProbe": probe(json!({"tcpSocket": {"port": port}}), 1),
        "startupProbe": probe(sh("touch /tmp/asked"), 1)});
    let spec = json!({"restartPolicy": "Never", "hostNetwork": true, "terminationGracePeriodSeconds": 1,
        "containers": [container("c", &script, more)]});
    create(&server, &kubectl, &pod("p", spec));
    wait_until(&server, &kubectl, "pod/p", ".status.containerStatuses[0].started", "true");
    let ip = server.ok(&kubectl, &["get", "pod", "p", "-o", "jsonpath={.status.hostIP}"]);
    let text = format!("Warning Unhealthy Readiness probe failed: dial tcp {ip}:{port}: connect: connection refused");
    wait_until_told(&server, &kubectl, &text);
    server.ok(&kubectl, &["exec", "p", "--", "touch", "/tmp/go"]);
    server.ok(&kubectl, &["wait", "--for=condition=Ready", "pod/p", "--timeout=90s"]);
    server.ok(&kubectl, &["delete", "pod", "p"]);
}

#[test]
fn a_sidecar_serves_before_the_container_that_needs_it_starts() {
    let (server, kubectl) = (Server::start(), kubectl());
    let more = json!({"restartPolicy": "Always", "startupProbe": probe(json!({"tcpSocket": {"port": 8080}}), 60)});
    let sidecar = container("s", "mkdir /tmp/w; echo served > /tmp/w/f; exec busybox httpd -f -p 8080 -h /tmp/w", more);
    let main = container("c", "busybox wget -q -O - http://127.0.0.1:8080/f", json!({}));
    let template = json!({"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
        "initContainers": [sidecar], "containers": [main]}});
    let spec = json!({"backoffLimit": 0, "template": template});
    create(
        &server,
        &kubectl,
        &json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec}),
    );
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/j", "--timeout=90s"]);
    assert_eq!(server.ok(&kubectl, &["logs", "job/j", "-c", "c"]), "served\n");
}

/// Says `bye` when it is asked to stop.
const POLITE: &str = "trap 'echo bye; exit 0' TERM; echo begun; sleep 6000 & wait";

#[test]
fn hooks_run_after_the_start_and_before_the_stop_of_a_suspended_job() {
    let (server, kubectl) = (Server::start(), kubectl());
    let hooks = json!({"postStart": sh("until [ -e /tmp/go ]; do sleep 0.1; done; echo hello > /proc/1/fd/1"),
        "preStop": sh("echo closing > /proc/1/fd/1; exit 1")});
    let script = format!("touch /tmp/here; {POLITE}");
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [container("c", &script, json!({"lifecycle": hooks}))]}});
    create(
        &server,
        &kubectl,
        &json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}}),
    );
    let name = wait_for("the pod", || {
        let name = server.ok(&kubectl, &["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]);
        (!name.is_empty()).then_some(name)
    });
    wait_until_told(&server, &kubectl, "Normal Started Container started");
    // It runs, and counts as waiting.
    wait_for("its program", || {
        server
            .kubectl(&kubectl, &["exec", &name, "--", "test", "-e", "/tmp/here"])
            .output()
            .unwrap()
            .status
            .success()
            .then_some(())
    });
    let object = format!("pod/{name}");
    let state =
        server.ok(&kubectl, &["get", &object, "-o", "jsonpath={.status.phase} {.status.containerStatuses[0].state}"]);
    assert_eq!(state, r#"Pending {"waiting":{"reason":"ContainerCreating"}}"#);
    server.ok(&kubectl, &["exec", &name, "--", "touch", "/tmp/go"]);
    wait_until(&server, &kubectl, &object, ".status.phase", "Running");
    let mut log = Log::follow(&server, &kubectl, &name);
    assert_eq!([log.next(), log.next()], ["begun", "hello"]);
    server.ok(&kubectl, &["patch", "job", "j", "-p", r#"{"spec":{"suspend":true}}"#]);
    assert_eq!(log.rest(), ["closing", "bye"]);
    wait_until_told(&server, &kubectl, "Normal Killing Stopping container c");
    wait_until_told(&server, &kubectl, "Warning FailedPreStopHook PreStopHook failed");
    wait_for("the pod to go", || server.ok(&kubectl, &["get", "pods", "-o", "name"]).is_empty().then_some(()));
}

#[test]
fn a_container_whose_first_hook_fails_is_killed() {
    let (server, kubectl) = (Server::start(), kubectl());
    let more = json!({"lifecycle": {"postStart": sh("echo no; exit 5")}});
    let spec = json!({"restartPolicy": "Never", "containers": [container("c", POLITE, more)]});
    create(&server, &kubectl, &pod("p", spec));
    wait_until_told(&server, &kubectl, "Warning FailedPostStartHook PostStartHook failed");
    wait_until_told(&server, &kubectl, "Normal Killing FailedPostStartHook");
    wait_for("the pod to end", || {
        let phase = server.ok(&kubectl, &["get", "pod", "p", "-o", "jsonpath={.status.phase}"]);
        ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(())
    });
    assert!(server.ok(&kubectl, &["logs", "p"]).contains("bye"));
}

#[test]
fn a_stop_goes_on_when_the_server_is_killed_in_the_middle_of_its_hook() {
    let (mut server, kubectl) = (Server::start(), kubectl());
    let hooks = json!({"postStart": sh("echo hello > /proc/1/fd/1"),
        "preStop": sh("echo closing > /proc/1/fd/1; until [ -e /tmp/go ]; do sleep 0.1; done; echo closed > /proc/1/fd/1")});
    let spec = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 600,
        "containers": [container("c", POLITE, json!({"lifecycle": hooks}))]});
    create(&server, &kubectl, &pod("p", spec));
    wait_until(&server, &kubectl, "pod/p", ".status.phase", "Running");
    server.ok(&kubectl, &["delete", "pod", "p", "--wait=false"]);
    let n_closing = |server: &Server| server.ok(&kubectl, &["logs", "p"]).matches("closing").count();
    wait_for("the hook to begin", || (n_closing(&server) == 1).then_some(()));
    server.kill();
    server.restart();
    // What the server took along is run again; what was over is not.
    wait_for("the hook to begin again", || (n_closing(&server) == 2).then_some(()));
    let log = Log::follow(&server, &kubectl, "p");
    server.ok(&kubectl, &["exec", "p", "--", "touch", "/tmp/go"]);
    assert_eq!(log.rest(), ["begun", "hello", "closing", "closing", "closed", "bye"]);
    wait_for("the pod to go", || server.ok(&kubectl, &["get", "pods", "-o", "name"]).is_empty().then_some(()));
}

#[test]
fn a_container_is_stopped_with_the_signal_it_asks_for() {
    let (server, kubectl) = (Server::start(), kubectl());
    let script = "trap 'echo as I asked; exit 0' USR1; trap '' TERM; echo begun; sleep 6000 & wait";
    let more = json!({"lifecycle": {"stopSignal": "SIGUSR1"}});
    let spec = json!({"restartPolicy": "Never", "os": {"name": "linux"}, "containers": [container("c", script, more)]});
    create(&server, &kubectl, &pod("p", spec));
    wait_until(&server, &kubectl, "pod/p", ".status.containerStatuses[0].stopSignal", "SIGUSR1");
    wait_until(&server, &kubectl, "pod/p", ".status.phase", "Running");
    let mut log = Log::follow(&server, &kubectl, "p");
    assert_eq!(log.next(), "begun");
    server.ok(&kubectl, &["delete", "pod", "p"]);
    assert_eq!(log.rest(), ["as I asked"]);
}
