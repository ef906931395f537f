//! RuntimeClasses: pods run by another OCI runtime, runc, are what they are with the built-in one. Real kubectl, real containers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

#[path = "runtimes/corpus.rs"]
mod corpus;
#[path = "runtimes/seen.rs"]
mod seen;

use corpus::Case;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use support::{Kubectl, Server, create, kubectl, stderr, wait_for};

/// The same pods, by their namespace: those of the built-in runtime, and those of runc.
const NAMESPACES: [(&str, Option<&str>); 2] = [("ours", None), ("theirs", Some("runc"))];

fn start() -> (Server, Kubectl) {
    let runc = ["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc"];
    assert!(runc.iter().any(|path| Path::new(path).exists()), "these tests need runc: apt-get install runc");
    let (server, kubectl) = (Server::start(), kubectl());
    for (name, handler) in [("runc", "runc"), ("lost", "nobody")] {
        create(&server, &kubectl, &class(name, handler));
    }
    (server, kubectl)
}

fn class(name: &str, handler: &str) -> Value {
    json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler})
}

/// A pod of this machine's own programs.
fn pod(name: &str, class: Option<&str>, container: &Value, spec: &Value) -> Value {
    let mut main = json!({"name": "main", "image": "kiln/host"});
    main.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    let mut whole = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [main],
        "runtimeClassName": class});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole})
}

fn script(text: &str) -> Value {
    json!({"command": ["sh", "-c", text]})
}

/// Waits for a pod's end and gives its phase.
#[track_caller]
fn phase(server: &Server, kubectl: &Kubectl, namespace: &str, name: &str) -> String {
    wait_for(&format!("pod {namespace}/{name} to end"), || {
        let phase = server.ok(kubectl, &["get", "pod", "-n", namespace, name, "-o", "jsonpath={.status.phase}"]);
        matches!(phase.as_str(), "Succeeded" | "Failed").then_some(phase)
    })
}

fn probing(case: &Case, class: Option<&str>, namespace: &str) -> Value {
    let probe = include_str!("runtimes/probe.sh");
    let mut command = vec!["sh", "-c", probe, "probe"];
    command.extend(case.listed);
    let mut container = json!({"command": command});
    container.as_object_mut().unwrap().extend(case.container.as_object().unwrap().clone());
    let mut pod = pod(case.name, class, &container, &case.spec);
    pod["metadata"]["namespace"] = namespace.into();
    pod
}

#[test]
fn what_a_container_sees_is_the_same_by_both_runtimes() {
    let (server, kubectl) = start();
    let shared: PathBuf = server.directory.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("file"), "text\n").unwrap();
    let corpus = corpus::corpus(&shared);
    let mut list = Vec::new();
    for (namespace, class) in NAMESPACES {
        server.ok(&kubectl, &["create", "namespace", namespace]);
        let label = "pod-security.kubernetes.io/enforce=privileged";
        server.ok(&kubectl, &["label", "--overwrite", "namespace", namespace, label]);
        server.ok(&kubectl, &["create", "configmap", "-n", namespace, "settings", "--from-literal=colour=red"]);
        server.ok(&kubectl, &["create", "secret", "generic", "-n", namespace, "keys", "--from-literal=key=k"]);
        list.extend(corpus.iter().map(|case| probing(case, class, namespace)));
    }
    create(&server, &kubectl, &json!({"apiVersion": "v1", "kind": "List", "items": list}));

    let mut differences = Vec::new();
    let mut excused = vec![0; seen::EXCEPTIONS.len()];
    for case in &corpus {
        let [ours, theirs] = NAMESPACES.map(|(namespace, _)| {
            let phase = phase(&server, &kubectl, namespace, case.name);
            let log = server.ok(&kubectl, &["logs", "-n", namespace, case.name]);
            let told = || server.ok(&kubectl, &["describe", "pod", "-n", namespace, case.name]);
            assert!(phase == "Succeeded" && log.contains("== end"), "{namespace}/{}: {log}{}", case.name, told());
            let uid =
                server.ok(&kubectl, &["get", "pod", "-n", namespace, case.name, "-o", "jsonpath={.metadata.uid}"]);
            let ip = server.ok(&kubectl, &["get", "pod", "-n", namespace, case.name, "-o", "jsonpath={.status.podIP}"]);
            seen::read(&log, &[(&uid, "UID"), (&ip, "ADDRESS"), (&format!("{namespace}.svc"), "NAMESPACE.svc")])
        });
        if case.name == "node-maker" {
            // Whoever may make nodes must not read the machine's disk through one.
            let expect = ["/tmp does not work", "/dev does not work"];
            assert_eq!(
                (&ours["devices-made"][..], &theirs["devices-made"][..]),
                (&expect.map(String::from)[..], &expect.map(String::from)[..])
            );
        }
        if case.name == "neighbours" {
            let common: Vec<_> = theirs["neighbours"].iter().filter(|line| line.ends_with("common")).collect();
            assert_eq!(common, ["ipc in common", "net in common", "user in common", "uts in common"]);
        }
        differences.extend(seen::compare(case.name, &ours, &theirs, &mut excused));
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    for (exception, n) in seen::EXCEPTIONS.iter().zip(excused) {
        assert!(0 < n, "an exception that nothing needs any more: {}", exception.reason);
    }
}

/// What the status says of a pod's only container.
#[track_caller]
fn state(server: &Server, kubectl: &Kubectl, namespace: &str, name: &str) -> Value {
    phase(server, kubectl, namespace, name);
    let path = "jsonpath={.status.containerStatuses[0]}";
    let text = server.ok(kubectl, &["get", "pod", "-n", namespace, name, "-o", path]);
    let mut status: Value = serde_json::from_str(&text).unwrap();
    for moment in ["startedAt", "finishedAt", "containerID"] {
        status["state"]["terminated"].as_object_mut().unwrap().remove(moment);
    }
    json!({"state": status["state"], "restarts": status["restartCount"]})
}

fn wait_until_nothing_is_left(server: &Server) {
    wait_for("supervisors, mounts and cgroups to go", || server.traces().is_empty().then_some(()));
}

#[test]
fn ends_are_the_same_by_both_runtimes() {
    let (server, kubectl) = start();
    let limited = json!({"command": ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"],
        "resources": {"limits": {"memory": "16Mi"}}});
    let restarted = json!({"restartPolicy": "OnFailure", "volumes": [{"name": "work", "emptyDir": {}}]});
    let mut twice = script("test -e /work/was || { touch /work/was; exit 4; }; echo done >/dev/termination-log");
    twice["volumeMounts"] = json!([{"name": "work", "mountPath": "/work"}]);
    let cases = [
        ("code", script("exit 7"), json!({})),
        ("memory", limited, json!({})),
        ("words", script("echo last words >/dev/termination-log; exit 3"), json!({})),
        ("deadline", script("trap 'exit 9' TERM; while :; do sleep 0.05; done"), json!({"activeDeadlineSeconds": 1})),
        ("missing", json!({"command": ["no-such-program"]}), json!({})),
        ("missing-path", json!({"command": ["/no/such/program"]}), json!({})),
        ("refused", json!({"command": ["/etc/hostname"]}), json!({})),
        ("twice", twice, restarted),
    ];
    let mut list = Vec::new();
    for (namespace, class) in NAMESPACES {
        server.ok(&kubectl, &["create", "namespace", namespace]);
        let label = "pod-security.kubernetes.io/enforce=privileged";
        server.ok(&kubectl, &["label", "--overwrite", "namespace", namespace, label]);
        for (name, container, spec) in &cases {
            let mut pod = pod(name, class, container, spec);
            pod["metadata"]["namespace"] = namespace.into();
            list.push(pod);
        }
    }
    create(&server, &kubectl, &json!({"apiVersion": "v1", "kind": "List", "items": list}));
    for (name, ..) in &cases {
        let [ours, theirs] = NAMESPACES.map(|(namespace, _)| state(&server, &kubectl, namespace, name));
        assert_eq!(ours, theirs, "{name}");
    }
    let memory = state(&server, &kubectl, "theirs", "memory");
    assert_eq!(memory["state"]["terminated"]["reason"], "OOMKilled");
    assert_eq!(state(&server, &kubectl, "theirs", "twice")["restarts"], 1);
    server.ok(&kubectl, &["delete", "namespace", "ours", "theirs"]);
    wait_until_nothing_is_left(&server);
}

#[test]
fn a_pod_of_runc_has_probes_hooks_and_further_programs_and_outlives_the_server() {
    let (mut server, kubectl) = start();
    let privileged = "pod-security.kubernetes.io/enforce=privileged";
    server.ok(&kubectl, &["label", "--overwrite", "namespace", "default", privileged]);
    let mut container = script(
        "trap 'echo stopping; exit 0' TERM; echo begun; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.1; done",
    );
    container["lifecycle"] = json!({
        "postStart": {"exec": {"command": ["sh", "-c", "echo hooked >/work/hooked"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo asked >/work/asked"]}}});
    container["readinessProbe"] = json!({"exec": {"command": ["test", "-e", "/work/hooked"]}, "periodSeconds": 1});
    let shared = server.directory.path().join("shared");
    container["volumeMounts"] = json!([{"name": "work", "mountPath": "/work"}]);
    let spec = json!({"volumes": [{"name": "work", "hostPath": {"path": shared, "type": "DirectoryOrCreate"}}],
        "initContainers": [{"name": "first", "image": "kiln/host", "command": ["sh", "-c", "hostname"]}],
        "terminationGracePeriodSeconds": 30});
    create(&server, &kubectl, &pod("whole", Some("runc"), &container, &spec));
    server.ok(&kubectl, &["wait", "--for=condition=Ready", "pod/whole", "--timeout=60s"]);
    assert_eq!(server.ok(&kubectl, &["logs", "whole", "-c", "first"]), "whole\n");
    let inside = ["exec", "whole", "--", "sh", "-c", "cat /proc/1/comm /work/hooked; hostname"];
    assert_eq!(server.ok(&kubectl, &inside), "sh\nhooked\nwhole\n");
    let failing = server.kubectl(&kubectl, &["exec", "whole", "--", "sh", "-c", "exit 6"]).output().unwrap();
    assert_eq!(failing.status.code(), Some(6), "{}", stderr(&failing));

    server.kill();
    server.restart();
    let count = || server.ok(&kubectl, &["logs", "whole"]).lines().count();
    let before = count();
    wait_for("the pod to go on", || (before < count()).then_some(()));
    assert_eq!(server.ok(&kubectl, &["exec", "whole", "--", "hostname"]), "whole\n");
    let log = server.ok(&kubectl, &["logs", "whole"]);
    let numbers: Vec<usize> = log.lines().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len()), "no line is lost or written twice: {log}");
    let status = "jsonpath={.status.containerStatuses[0].restartCount} {.status.phase}";
    assert_eq!(server.ok(&kubectl, &["get", "pod", "whole", "-o", status]), "0 Running");

    server.ok(&kubectl, &["delete", "pod", "whole"]);
    assert_eq!(std::fs::read_to_string(shared.join("asked")).unwrap(), "asked\n");
    wait_until_nothing_is_left(&server);
}

#[test]
fn a_class_whose_runtime_is_not_there_is_warned_of_and_its_pods_wait() {
    let (server, kubectl) = start();
    let handlers = server.ok(&kubectl, &["get", "nodes", "-o", "jsonpath={.items[0].status.runtimeHandlers[*].name}"]);
    assert_eq!(handlers.split_whitespace().collect::<Vec<_>>(), ["kiln", "runc"]);
    let demo = json!({"image": "kiln/demo", "command": ["echo", "hello"]});
    let said = create(&server, &kubectl, &pod("waits", Some("lost"), &demo, &json!({})));
    assert!(
        said.contains(
            "RuntimeClass \"lost\" has the handler \"nobody\", which this node does not have; it has: kiln, runc"
        ),
        "{said}"
    );
    let refused =
        server.with_input(&kubectl, &["create", "-f", "-"], &pod("no", Some("none"), &demo, &json!({})).to_string());
    assert!(stderr(&refused).contains("pod rejected: RuntimeClass \"none\" not found"), "{}", stderr(&refused));

    let expect = "Failed to create pod sandbox: failed to get sandbox runtime: no runtime for \"nobody\" is configured";
    wait_for("the event", || {
        let selector = "involvedObject.name=waits,reason=FailedCreatePodSandBox";
        let events =
            server.ok(&kubectl, &["get", "events", "--field-selector", selector, "-o", "jsonpath={.items[*].message}"]);
        (events == expect).then_some(())
    });
    let status = "jsonpath={.status.phase} {.status.containerStatuses[0].state.waiting.reason}";
    assert_eq!(server.ok(&kubectl, &["get", "pod", "waits", "-o", status]), "Pending ContainerCreating");

    // A class of kiln's own runtime is one like any other, and may cost something.
    let mut own = class("own", "kiln");
    own["overhead"] = json!({"podFixed": {"memory": "16Mi"}});
    create(&server, &kubectl, &own);
    create(&server, &kubectl, &pod("runs", Some("own"), &demo, &json!({})));
    assert_eq!(phase(&server, &kubectl, "default", "runs"), "Succeeded");
    assert_eq!(server.ok(&kubectl, &["get", "pod", "runs", "-o", "jsonpath={.spec.overhead.memory}"]), "16Mi");
    server.ok(&kubectl, &["delete", "pod", "waits", "runs", "--force"]);
}
