//! Claims with real kubectl, real containers and a real disk: section 15.5 of the guide, pods that share a volume, and what
//! outlives whom.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use support::{Kubectl, Server, create, kiln, kubectl, repository, stderr, stdout, wait_for};

fn claim(name: &str, mode: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}})
}

/// A pod spec that runs `script` with the claim at /data.
fn pod_spec(claim: &str, script: &str, restart_policy: &str) -> Value {
    json!({"restartPolicy": restart_policy, "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "c", "image": "kiln/host", "command": ["sh", "-c", script], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]})
}

fn pod(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

#[track_caller]
fn wait_for_phase(server: &Server, kubectl: &Kubectl, what: &str, phase: &str) {
    wait_for(&format!("{what} to be {phase}"), || {
        (server.ok(kubectl, &["get", what, "-o", "jsonpath={.status.phase}"]) == phase).then_some(())
    });
}

/// The directories of the server's volumes.
fn directories(server: &Server) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(server.data_dir().join("volumes")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[track_caller]
fn wait_until_nothing_is_left(server: &Server, kubectl: &Kubectl) {
    wait_for("the volume and its data to go", || {
        let volumes = server.ok(kubectl, &["get", "pv", "-o", "name"]);
        (volumes.is_empty() && directories(server).is_empty()).then_some(())
    });
}

#[test]
fn section_15_5_the_backup_leaves_its_file_on_the_volume() {
    let (server, kubectl) = (Server::start(), kubectl());
    let built = Command::new(repository().join("tests/images/build.sh")).arg("busybox").output().unwrap();
    assert!(built.status.success(), "{}", stderr(&built));
    let (archive, data_dir) = (stdout(&built), server.data_dir());
    let import = ["image", "import", archive.trim(), "--data-dir", data_dir.to_str().unwrap()];
    assert!(kiln(&import).output().unwrap().status.success());
    let example = repository().join("examples/backup-cronjob.yaml");
    server.ok(&kubectl, &["apply", "-f", example.to_str().unwrap()]);
    wait_for_phase(&server, &kubectl, "pvc/backup-storage-pvc", "Bound");
    server.ok(&kubectl, &["create", "job", "manual-backup", "--from=cronjob/backup-job"]);
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/manual-backup", "--timeout=90s"]);
    let log = server.ok(&kubectl, &["logs", "job/manual-backup"]);
    assert!(log.contains("Backup completed successfully at"), "{log}");
    let volume = directories(&server).pop().expect("one volume");
    let written: Vec<_> = std::fs::read_dir(&volume).unwrap().flatten().collect();
    assert_eq!(written.len(), 1);
    let text = std::fs::read_to_string(written[0].path()).unwrap();
    assert!(text.starts_with("Backup summary: "), "{text}");
    // A claim that finished pods still name stays until they are gone.
    server.ok(&kubectl, &["delete", "pvc", "backup-storage-pvc", "--wait=false"]);
    let terminating = server.ok(&kubectl, &["get", "pvc", "backup-storage-pvc"]);
    assert!(terminating.contains("Terminating"), "{terminating}");
    assert!(written[0].path().exists());
    server.ok(&kubectl, &["delete", "job", "manual-backup"]);
    wait_until_nothing_is_left(&server, &kubectl);
}

#[test]
fn five_pods_write_to_one_volume_at_the_same_time() {
    let (server, kubectl) = (Server::start(), kubectl());
    create(&server, &kubectl, &claim("shared", "ReadWriteMany"));
    // Each ends only when it has seen all five.
    let script = "echo $HOSTNAME >>/data/all; until [ $(sort -u /data/all | wc -l) = 5 ]; do sleep 0.1; done";
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "five"}, "spec": {
        "parallelism": 5, "completions": 5, "template": {"spec": pod_spec("shared", script, "Never")}}});
    create(&server, &kubectl, &job);
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/five", "--timeout=90s"]);
    let described = server.ok(&kubectl, &["describe", "pvc", "shared"]);
    for expect in [
        "Status:        Bound",
        "StorageClass:  standard",
        "Access Modes:  RWX",
        "Capacity:      1Gi",
        "Used By:       five-",
        "kubernetes.io/pvc-protection",
        "Successfully provisioned volume pvc-",
    ] {
        assert!(described.contains(expect), "{expect} is not in\n{described}");
    }
    let table = server.ok(&kubectl, &["get", "pvc,pv,sc"]);
    for expect in ["standard (default)", "kiln.dev/local", "default/shared", "Delete", "RWX"] {
        assert!(table.contains(expect), "{table}");
    }
    server.ok(&kubectl, &["delete", "job", "five"]);
    server.ok(&kubectl, &["delete", "pvc", "shared"]);
    wait_until_nothing_is_left(&server, &kubectl);
}

#[test]
fn a_volume_outlives_pods_and_the_server_and_belongs_to_the_pods_group() {
    let (mut server, kubectl) = (Server::start(), kubectl());
    let pending = pod("patient", pod_spec("late", "id; cat /data/twice", "Never"));
    create(&server, &kubectl, &pending);
    wait_for("the scheduler's complaint", || {
        let described = server.ok(&kubectl, &["describe", "pod", "patient"]);
        described.contains("0/1 nodes are available: persistentvolumeclaim \"late\" not found.").then_some(())
    });
    server.ok(&kubectl, &["delete", "pod", "patient"]);
    create(&server, &kubectl, &claim("late", "ReadWriteOnce"));
    // Fails the first time, while the server is dead; the second run is the next server's.
    let script = "echo $(id -u) >>/data/twice; [ $(wc -l </data/twice) = 2 ] || { sleep 2; exit 1; }";
    let mut writer = pod("writer", pod_spec("late", script, "OnFailure"));
    writer["spec"]["securityContext"] = json!({"runAsUser": 1234, "runAsGroup": 1234, "fsGroup": 4321});
    create(&server, &kubectl, &writer);
    let volume = wait_for("the volume", || directories(&server).pop());
    wait_for("the first line", || std::fs::read_to_string(volume.join("twice")).ok().filter(|text| text == "1234\n"));
    server.kill();
    server.restart();
    wait_for_phase(&server, &kubectl, "pod/writer", "Succeeded");
    let written = std::fs::metadata(volume.join("twice")).unwrap();
    assert_eq!((written.uid(), written.gid()), (1234, 4321));
    server.ok(&kubectl, &["delete", "pod", "writer"]);
    create(&server, &kubectl, &pending);
    wait_for_phase(&server, &kubectl, "pod/patient", "Succeeded");
    assert!(server.ok(&kubectl, &["logs", "patient"]).ends_with("1234\n1234\n"));
    // Read-only is read-only.
    let mut reader = pod("reader", pod_spec("late", "echo >/data/new", "Never"));
    reader["spec"]["volumes"][0]["persistentVolumeClaim"]["readOnly"] = true.into();
    create(&server, &kubectl, &reader);
    wait_for_phase(&server, &kubectl, "pod/reader", "Failed");
    assert!(server.ok(&kubectl, &["logs", "reader"]).contains("Read-only file system"));
    server.ok(&kubectl, &["delete", "pod", "--all"]);
    server.ok(&kubectl, &["delete", "pvc", "late"]);
    wait_until_nothing_is_left(&server, &kubectl);
}

#[test]
fn the_official_python_client_uses_claims_volumes_and_classes() {
    support::python::drive("with_kubernetes_volumes.py");
}
