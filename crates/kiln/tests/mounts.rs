//! subPath, hostPath, resourceFieldRef, privileged containers, seccomp profiles and sysctls: real kubectl, real containers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use serde_json::{Value, json};
use support::{Kubectl, Server, create, start_privileged, stderr, stdout, wait_for};

/// A pod of this machine's own programs, which runs a script once.
fn pod(name: &str, script: &str, container: &Value, spec: &Value) -> Value {
    let mut main = json!({"name": "main", "image": "kiln/host", "command": ["sh", "-euc", script]});
    main.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    let mut whole = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [main]});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole})
}

/// Runs a pod to its end, which must be a success; gives its log.
#[track_caller]
fn log_of(server: &Server, kubectl: &Kubectl, pod: &Value) -> String {
    create(server, kubectl, pod);
    let name = pod["metadata"]["name"].as_str().unwrap();
    let phase = wait_for(&format!("pod {name} to end"), || {
        let phase = server.ok(kubectl, &["get", "pod", name, "-o", "jsonpath={.status.phase}"]);
        matches!(phase.as_str(), "Succeeded" | "Failed").then_some(phase)
    });
    let log = server.ok(kubectl, &["logs", name]);
    assert_eq!(phase, "Succeeded", "{log}{}", server.ok(kubectl, &["describe", "pod", name]));
    log
}

/// Waits until the pod's container waits for this reason, and gives the message.
#[track_caller]
fn message_of(server: &Server, kubectl: &Kubectl, name: &str, reason: &str) -> String {
    wait_for(&format!("pod {name} to wait for {reason}"), || {
        let path = "jsonpath={.status.containerStatuses[0].state.waiting.reason}|{.status.containerStatuses[0].state.waiting.message}";
        let found = server.ok(kubectl, &["get", "pod", name, "-o", path]);
        let (found, message) = found.split_once('|')?;
        (found == reason).then(|| message.to_owned())
    })
}

#[test]
fn parts_of_a_volume_are_mounted_and_nothing_outside_it() {
    let (server, kubectl) = start_privileged();
    server.ok(
        &kubectl,
        &["create", "configmap", "settings", "--from-literal=app.conf=colour=red", "--from-literal=other=x"],
    );
    let mounts = json!([
        {"name": "work", "mountPath": "/all"},
        {"name": "work", "mountPath": "/part", "subPath": "a/b"},
        {"name": "work", "mountPath": "/logs", "subPathExpr": "logs/$(POD)"},
        {"name": "work", "mountPath": "/reading", "subPath": "a", "readOnly": true},
        {"name": "settings", "mountPath": "/opt/app.conf", "subPath": "app.conf"},
    ]);
    let container = json!({"volumeMounts": mounts,
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]});
    let volumes =
        json!({"volumes": [{"name": "work", "emptyDir": {}}, {"name": "settings", "configMap": {"name": "settings"}}]});
    let script = "echo one >/part/file; echo two >/logs/log; cat /all/a/b/file /all/logs/parts/log /opt/app.conf; echo
        stat -c %a /all/a/b; touch /reading/x 2>&1 || echo refused; test ! -e /opt/other";
    let log = log_of(&server, &kubectl, &pod("parts", script, &container, &volumes));
    assert_eq!(
        log.lines().filter(|line| !line.contains("touch")).collect::<Vec<_>>(),
        ["one", "two", "colour=red", "777", "refused"]
    );

    // A first container leaves links; what they lead to is not the next one's to see.
    for (name, link, path) in
        [("root", "/", "escape/etc"), ("up", "../../../..", "escape"), ("proc", "/proc/1/root", "escape")]
    {
        let spec = json!({
            "volumes": [{"name": "work", "emptyDir": {}}],
            "initContainers": [{"name": "trap", "image": "kiln/host", "command": ["ln", "-s", link, "/work/escape"],
                "volumeMounts": [{"name": "work", "mountPath": "/work"}]}],
        });
        let container = json!({"volumeMounts": [{"name": "work", "mountPath": "/part", "subPath": path}]});
        let name = format!("trap-{name}");
        create(&server, &kubectl, &pod(&name, "ls /part", &container, &spec));
        let message = message_of(&server, &kubectl, &name, "CreateContainerConfigError");
        assert!(
            message.starts_with("failed to create subPath directory for volumeMount \"work\" of container \"main\""),
            "{message}"
        );
        server.ok(&kubectl, &["delete", "pod", &name]);
    }
    let container = json!({"volumeMounts": [{"name": "work", "mountPath": "/part", "subPathExpr": "$(NOBODY)"}]});
    create(
        &server,
        &kubectl,
        &pod("nobody", "ls", &container, &json!({"volumes": [{"name": "work", "emptyDir": {}}]})),
    );
    assert_eq!(message_of(&server, &kubectl, "nobody", "CreateContainerConfigError"), "missing value for \"NOBODY\"");
}

/// While one container changes a directory into a link to the machine's root and back, others that mount it see one volume only.
#[test]
fn a_link_that_comes_and_goes_leads_nowhere_else() {
    let (server, kubectl) = start_privileged();
    let swap = "mkdir -p /work/real; touch /work/real/mine; ln -sfn / /work/other; ln -sfn real /work/turn; echo ready >/work/ready
        while :; do ln -sfn / /work/new; mv -T /work/new /work/turn; ln -sfn real /work/new; mv -T /work/new /work/turn; done";
    let volumes = json!([{"name": "work", "hostPath": {"path": server.directory.path().join("shared"), "type": "DirectoryOrCreate"}}]);
    let whole = json!({"volumeMounts": [{"name": "work", "mountPath": "/work"}]});
    create(&server, &kubectl, &pod("swap", swap, &whole, &json!({"volumes": volumes})));
    wait_for("the links to turn", || server.directory.path().join("shared/ready").exists().then_some(()));
    let look = json!({"volumeMounts": [{"name": "work", "mountPath": "/part", "subPath": "turn"}]});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "look"}, "spec": {
        "completions": 6, "parallelism": 3, "template": {"spec": pod("x", "test ! -e /part/etc; test -e /part/mine", &look, &json!({"volumes": volumes}))["spec"]}}});
    create(&server, &kubectl, &job);
    wait_for("six pods to look", || {
        let path = "jsonpath={.status.succeeded}|{.status.failed}";
        let counts = server.ok(&kubectl, &["get", "job", "look", "-o", path]);
        assert!(
            counts.ends_with('|'),
            "a pod saw something else: {}",
            server.ok(&kubectl, &["describe", "job", "look"])
        );
        (counts == "6|").then_some(())
    });
    server.ok(&kubectl, &["delete", "pod", "swap", "--force"]);
}

#[test]
fn the_machines_files_are_mounted_if_they_are_of_the_type() {
    let (server, kubectl) = start_privileged();
    let shared = server.directory.path().join("shared");
    let volume = |name: &str, path: &std::path::Path, kind: &str| json!({"name": name, "hostPath": {"path": path, "type": kind}});
    let spec = json!({"volumes": [
        volume("made", &shared.join("made"), "DirectoryOrCreate"), volume("file", &shared.join("file"), "FileOrCreate"),
        volume("plain", &shared.join("plain/deep"), ""), volume("null", "/dev/null".as_ref(), "CharDevice"),
    ]});
    let container = json!({"volumeMounts": [
        {"name": "made", "mountPath": "/made"}, {"name": "file", "mountPath": "/file"}, {"name": "plain", "mountPath": "/plain"},
        {"name": "null", "mountPath": "/zero"},
    ]});
    let script = "echo kept >/made/kept; echo text >/file; touch /plain/x; echo gone >/zero; cat /file";
    assert_eq!(log_of(&server, &kubectl, &pod("files", script, &container, &spec)), "text\n");
    assert_eq!(std::fs::read_to_string(shared.join("made/kept")).unwrap(), "kept\n");
    assert!(shared.join("plain/deep/x").exists());

    let spec = json!({"volumes": [volume("wrong", &shared.join("file"), "Directory")]});
    let container = json!({"volumeMounts": [{"name": "wrong", "mountPath": "/wrong"}]});
    create(&server, &kubectl, &pod("wrong", "ls", &container, &spec));
    let expect = format!(
        "MountVolume.SetUp failed for volume \"wrong\" : hostPath type check failed: {} is not a directory",
        shared.join("file").display()
    );
    wait_for("the event", || server.ok(&kubectl, &["events", "--for", "pod/wrong"]).contains(&expect).then_some(()));
    let baseline = "pod-security.kubernetes.io/enforce=baseline";
    server.ok(&kubectl, &["label", "--overwrite", "namespace", "default", baseline]);
    let refused = server.with_input(&kubectl, &["create", "-f", "-"], &pod("no", "ls", &container, &spec).to_string());
    assert!(stderr(&refused).contains("hostPath volumes (volume \"wrong\")"), "{}", stderr(&refused));
}

#[test]
fn a_privileged_container_has_the_machines_devices_and_no_mask() {
    let (server, kubectl) = start_privileged();
    let script = "grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; ls -d /dev/kmsg; grep -q CPU /proc/interrupts && echo seen
        echo 1 >/proc/sys/net/ipv4/ip_forward && echo wrote";
    let privileged = json!({"securityContext": {"privileged": true}});
    let log = log_of(&server, &kubectl, &pod("may", script, &privileged, &json!({})));
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[1..], ["Seccomp:\t0", "/dev/kmsg", "seen", "wrote"], "{log}");
    let script = "grep Seccomp: /proc/self/status; test ! -e /dev/kmsg; ! grep -q CPU /proc/interrupts; ! (echo 1 >/proc/sys/net/ipv4/ip_forward) 2>/dev/null";
    assert_eq!(log_of(&server, &kubectl, &pod("may-not", script, &json!({}), &json!({}))), "Seccomp:\t2\n");
}

#[test]
fn a_seccomp_profile_of_this_machine_holds() {
    let (server, kubectl) = start_privileged();
    let profiles = server.data_dir().join("seccomp/team");
    std::fs::create_dir_all(&profiles).unwrap();
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]});
    std::fs::write(profiles.join("no-mkdir.json"), profile.to_string()).unwrap();
    let local =
        |name: &str| json!({"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": name}}});
    let script = "mkdir /tmp/x 2>&1 || echo failed; touch /tmp/y && echo touched";
    let log = log_of(&server, &kubectl, &pod("of-pod", script, &json!({}), &local("team/no-mkdir.json")));
    assert!(log.contains("Operation not supported") && log.ends_with("failed\ntouched\n"), "{log}");

    create(&server, &kubectl, &pod("absent", script, &local("team/absent.json"), &json!({})));
    let message = message_of(&server, &kubectl, "absent", "CreateContainerError");
    let path = profiles.join("absent.json");
    let expect = format!("cannot load seccomp profile \"{}\": No such file or directory (os error 2)", path.display());
    assert_eq!(message, expect);
    std::fs::copy(profiles.join("no-mkdir.json"), path).unwrap();
    wait_for("the container to start once the profile is there", || {
        let phase = server.ok(&kubectl, &["get", "pod", "absent", "-o", "jsonpath={.status.phase}"]);
        (phase == "Succeeded").then_some(())
    });
}

#[test]
fn resources_and_kernel_parameters_of_the_pods_own() {
    let (server, kubectl) = start_privileged();
    let container = json!({
        "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "64Mi"}},
        "env": [
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu", "divisor": "1m"}}},
            {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        ],
    });
    let spec =
        json!({"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}});
    let script = "echo $CPU $MEMORY; cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    assert_eq!(log_of(&server, &kubectl, &pod("own", script, &container, &spec)), "250 64\n80\n");

    let spec = json!({"securityContext": {"sysctls": [{"name": "kernel.sem", "value": "1"}]}});
    create(&server, &kubectl, &pod("forbidden", "true", &json!({}), &spec));
    wait_for("the pod to be rejected", || {
        let path = "jsonpath={.status.phase} {.status.message}";
        let status = server.ok(&kubectl, &["get", "pod", "forbidden", "-o", path]);
        status
            .starts_with("Failed")
            .then(|| assert!(status.contains("forbidden sysctl: \"kernel.sem\" not allowlisted"), "{status}"))
    });
}

#[test]
fn files_follow_what_they_are_made_of() {
    let (server, kubectl) = start_privileged();
    server.ok(&kubectl, &["create", "configmap", "c", "--from-literal=a=one"]);
    server.ok(&kubectl, &["create", "secret", "generic", "s", "--from-literal=k=first"]);
    let volumes = json!({"volumes": [
        {"name": "c", "configMap": {"name": "c"}}, {"name": "s", "secret": {"secretName": "s"}},
        {"name": "d", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "p", "projected": {"sources": [{"configMap": {"name": "late", "optional": true}}]}}]});
    let mounts = json!({"volumeMounts": [
        {"name": "c", "mountPath": "/c"}, {"name": "c", "mountPath": "/fixed", "subPath": "a"},
        {"name": "s", "mountPath": "/s"}, {"name": "d", "mountPath": "/d"}, {"name": "p", "mountPath": "/p"}]});
    let script = "last=; while [ ! -e /c/end ]; do
        now=\"$(cat /c/a) $(cat /s/k) $(cat /d/labels) $(cat /p/x 2>/dev/null || true)\"
        [ \"$now\" = \"$last\" ] || echo \"$now\"; last=$now; sleep 0.05; done; ls /c; cat /fixed";
    create(&server, &kubectl, &pod("reader", script, &mounts, &volumes));
    let sees = |line: &str| {
        wait_for(&format!("the pod to see {line:?}"), || {
            let log = server.kubectl(&kubectl, &["logs", "reader"]).output().unwrap();
            (stdout(&log).lines().next_back() == Some(line)).then_some(())
        });
    };
    sees("one first  ");
    server.ok(&kubectl, &["patch", "configmap", "c", "-p", r#"{"data": {"a": "two"}}"#]);
    sees("two first  ");
    server.ok(&kubectl, &["patch", "secret", "s", "-p", r#"{"stringData": {"k": "second"}}"#]);
    sees("two second  ");
    server.ok(&kubectl, &["label", "pod", "reader", "tier=back"]);
    sees("two second tier=\"back\" ");
    server.ok(&kubectl, &["create", "configmap", "late", "--from-literal=x=there"]);
    sees("two second tier=\"back\" there");
    // What a pod cannot do without is kept.
    server.ok(&kubectl, &["delete", "secret", "s"]);
    server.ok(&kubectl, &["delete", "configmap", "late"]);
    server.ok(&kubectl, &["create", "secret", "generic", "s", "--from-literal=k=third"]);
    sees("two third tier=\"back\" ");
    server.ok(&kubectl, &["patch", "configmap", "c", "-p", r#"{"data": {"a": null, "end": "", "b": "x"}}"#]);
    sees("one");
    assert!(
        server.ok(&kubectl, &["logs", "reader"]).ends_with("\nb\nend\none\n"),
        "{}",
        server.ok(&kubectl, &["logs", "reader"])
    );
}

#[test]
fn a_pod_that_fills_the_disk_is_evicted() {
    let (server, kubectl) = start_privileged();
    let fill = |file: &str| format!("head -c 3000000 /dev/zero >{file}; sync; sleep 1000");
    let volume = json!({"volumes": [{"name": "work", "emptyDir": {"sizeLimit": "2Mi"}}]});
    let mounted = json!({"volumeMounts": [{"name": "work", "mountPath": "/work"}]});
    let limited = json!({"resources": {"limits": {"ephemeral-storage": "2Mi"}}});
    create(&server, &kubectl, &pod("volume", &fill("/work/big"), &mounted, &volume));
    create(&server, &kubectl, &pod("layer", &fill("/tmp/big"), &limited, &json!({})));
    create(&server, &kubectl, &pod("modest", "head -c 1000000 /dev/zero >/tmp/big; sleep 1000", &limited, &volume));
    for (name, message) in [
        ("volume", "Usage of EmptyDir volume \"work\" exceeds the limit \"2Mi\". "),
        ("layer", "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "),
    ] {
        wait_for(&format!("pod {name} to be evicted"), || {
            let path = "jsonpath={.status.phase}|{.status.reason}|{.status.message}";
            let status = server.ok(&kubectl, &["get", "pod", name, "-o", path]);
            (status == format!("Failed|Evicted|{message}")).then_some(())
        });
        let events = server.ok(
            &kubectl,
            &[
                "get",
                "events",
                "--field-selector",
                &format!("involvedObject.name={name},reason=Evicted"),
                "-o",
                "jsonpath={.items[*].message}",
            ],
        );
        assert_eq!(events, message);
    }
    assert_eq!(server.ok(&kubectl, &["get", "pod", "modest", "-o", "jsonpath={.status.phase}"]), "Running");
    server.ok(&kubectl, &["delete", "pod", "modest", "--force"]);
}
