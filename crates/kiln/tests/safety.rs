//! Pods that take all they can get: the server and its other pods do not notice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use serde_json::{Map, Value, json};
use support::{Kubectl, Server, create, kiln, start_privileged, stderr, stdout, wait_for};

/// A pod of this machine's own programs, which runs a script once.
fn pod(name: &str, script: &str, more: &Value) -> Value {
    let mut main = json!({"name": "main", "image": "kiln/host", "command": ["bash", "-c", script]});
    main.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [main]}})
}

#[track_caller]
fn until_log(server: &Server, kubectl: &Kubectl, name: &str, line: &str) -> String {
    wait_for(&format!("{name} to print {line:?}"), || {
        let log = stdout(&server.kubectl(kubectl, &["logs", name]).output().unwrap());
        log.lines().any(|each| each == line).then_some(log)
    })
}

/// Another pod runs as if nothing were.
#[track_caller]
fn others_run(server: &Server, kubectl: &Kubectl) {
    create(server, kubectl, &pod("other", "(true | cat); echo fine", &json!({})));
    until_log(server, kubectl, "other", "fine");
}

#[test]
fn a_fork_bomb_reaches_its_pods_limit_and_no_further() {
    let (server, kubectl) = start_privileged();
    let bomb = "bomb() { while :; do bomb & done; }; (bomb) 2>/dev/null & echo begun; wait";
    create(&server, &kubectl, &pod("bomb", bomb, &json!({})));
    until_log(&server, &kubectl, "bomb", "begun");
    let instance = agent::cgroups::instance(&server.data_dir().join("agent"));
    let uid = server.ok(&kubectl, &["get", "pod", "bomb", "-o", "jsonpath={.metadata.uid}"]);
    let counts = || {
        let find = ["/sys/fs/cgroup", "-path", &format!("*/{instance}/pod-{uid}/pids.current")];
        let found = std::process::Command::new("find").args(find).output().unwrap();
        let path = stdout(&found).lines().next()?.to_owned();
        std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    };
    let n = wait_for("the bomb to meet its limit", || counts().filter(|n| 3_500 < *n));
    assert!(n <= 4_096, "{n}");
    others_run(&server, &kubectl);
    server.ok(&kubectl, &["delete", "pod", "bomb", "--timeout=60s"]);
    wait_for("the processes to be gone", || counts().is_none().then_some(()));
}

#[test]
fn the_limit_of_processes_may_be_chosen() {
    for wrong in ["0", "-2", "many"] {
        let output = kiln(&["server", "--pod-max-pids", wrong]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("give a number above 0, or -1 for no limit"), "{}", stderr(&output));
    }
}

#[test]
fn descriptors_and_memory_without_end_are_the_pods_own() {
    let (server, kubectl) = start_privileged();
    let files = "n=0; while exec {fd}</dev/null; do n=$((n+1)); done 2>/dev/null; echo opened; exec sleep 1000";
    create(&server, &kubectl, &pod("files", files, &json!({})));
    until_log(&server, &kubectl, "files", "opened");
    let hog = "echo begun; exec tail /dev/zero";
    let limited = json!({"resources": {"limits": {"memory": "64Mi"}}});
    create(&server, &kubectl, &pod("hog", hog, &limited));
    let reason = wait_for("the hog to be killed", || {
        let path = "jsonpath={.status.containerStatuses[0].state.terminated.reason}";
        Some(server.ok(&kubectl, &["get", "pod", "hog", "-o", path])).filter(|reason| !reason.is_empty())
    });
    assert_eq!(reason, "OOMKilled");
    others_run(&server, &kubectl);
}

#[test]
fn a_config_map_of_ten_thousand_keys_is_ten_thousand_files() {
    let (server, kubectl) = start_privileged();
    let data: Map<String, Value> = (0..10_000).map(|n| (format!("k{n:05}"), json!(n.to_string()))).collect();
    create(
        &server,
        &kubectl,
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "many"}, "data": data}),
    );
    // The links of keys that are gone go last.
    let script = "ls /many | wc -l; cat /many/k09999; echo
        until [ -e /many/new ] && ! [ -L /many/k00000 ]; do sleep 0.1; done; ls /many | wc -l; echo done";
    let mut reader = pod("reader", script, &json!({"volumeMounts": [{"name": "v", "mountPath": "/many"}]}));
    reader["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "many"}}]);
    create(&server, &kubectl, &reader);
    until_log(&server, &kubectl, "reader", "9999");
    server.ok(&kubectl, &["patch", "configmap", "many", "-p", r#"{"data": {"new": "", "k00000": null}}"#]);
    assert_eq!(until_log(&server, &kubectl, "reader", "done"), "10000\n9999\n10000\ndone\n");
}
