//! Scripts in volumes, modes, and directories that are not shared.

use super::*;

fn script() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "scripts"}, "data": {"run.sh": "#!/bin/sh\ndate\n"}})
}

/// A Job that runs this with the ConfigMap's files in /scripts.
fn job_with(volume: Value, command: Value) -> Value {
    let object = with_pod(job(), "volumes", json!([with(volume, "name", "s".into())]));
    let mounted = with_container(object, "volumeMounts", json!([{"name": "s", "mountPath": "/scripts"}]));
    with_container(mounted, "command", command)
}

const COMMAND: &str = "spec.template.spec.containers[0].command";
const VOLUME: &str = "spec.template.spec.volumes[0]";

fn denied(place: &str, source: &str) -> String {
    let path = "/scripts/run.sh";
    format!(
        "warning: {place}: {path} may not be executed: Permission denied -> add defaultMode: 0755 to {VOLUME}.{source}, or let a shell \
         read it: command: [\"sh\", \"{path}\"]"
    )
}

#[test]
fn a_script_that_is_executed_needs_the_mode_for_it() {
    let map = |rest: Value| {
        let mut source = json!({"name": "scripts"});
        source.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"configMap": source})
    };
    let direct = json!(["/scripts/run.sh"]);
    for (volume, command, expect) in [
        (map(json!({})), direct.clone(), Some("[0]")),
        (map(json!({"defaultMode": 0o644})), direct.clone(), Some("[0]")),
        (map(json!({})), json!(["sh", "-c", "/scripts/run.sh --all"]), Some("[2]")),
        (
            map(json!({"defaultMode": 0o755, "items": [{"key": "run.sh", "path": "run.sh", "mode": 0o600}]})),
            direct.clone(),
            Some("[0]"),
        ),
        (map(json!({"defaultMode": 0o755})), direct.clone(), None),
        (map(json!({"defaultMode": 0o555})), direct.clone(), None),
        (map(json!({"items": [{"key": "run.sh", "path": "run.sh", "mode": 0o755}]})), direct, None),
        (map(json!({})), json!(["sh", "/scripts/run.sh"]), None),
        (map(json!({})), json!(["sh", "-c", "sh /scripts/run.sh"]), None),
        (map(json!({})), json!(["sh", "-c", "cat /scripts/run.sh"]), None),
        (map(json!({})), json!(["/bin/true"]), None),
    ] {
        let expect: Vec<String> =
            expect.into_iter().map(|word| denied(&format!("{COMMAND}{word}"), "configMap")).collect();
        check(&[script(), job_with(volume, command)], &expect.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn scripts_come_from_secrets_and_projections_as_well() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "scripts"}, "stringData": {"run.sh": "date"}});
    let direct = json!(["/scripts/run.sh"]);
    check(
        &[secret, job_with(json!({"secret": {"secretName": "scripts"}}), direct.clone())],
        &[&denied(&format!("{COMMAND}[0]"), "secret")],
    );
    let projected = json!({"projected": {"sources": [{"configMap": {"name": "scripts"}}]}});
    check(&[script(), job_with(projected, direct.clone())], &[&denied(&format!("{COMMAND}[0]"), "projected")]);
    let mut args = job_with(json!({"configMap": {"name": "scripts"}}), Value::Null);
    args["spec"]["template"]["spec"]["containers"][0]["args"] = direct;
    check(&[script(), args], &[&denied("spec.template.spec.containers[0].args[0]", "configMap")]);
    let hook = with_container(
        job_with(json!({"configMap": {"name": "scripts"}}), json!(["sh"])),
        "lifecycle",
        json!({"preStop": {"exec": {"command": ["/scripts/run.sh"]}}}),
    );
    check(
        &[script(), hook],
        &[&denied("spec.template.spec.containers[0].lifecycle.preStop.exec.command[0]", "configMap")],
    );
    let mut one_file = job_with(json!({"configMap": {"name": "scripts"}}), json!(["/usr/bin/run"]));
    one_file["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "s", "mountPath": "/usr/bin/run", "subPath": "run.sh"}]);
    assert_eq!(
        found(&[script(), one_file])[0].what,
        format!("{COMMAND}[0]: /usr/bin/run may not be executed: Permission denied")
    );
}

#[test]
fn a_script_has_to_be_in_its_volume() {
    let volume = json!({"configMap": {"name": "scripts", "defaultMode": 0o755}});
    let expect = format!(
        "warning: {COMMAND}[1]: there will be no file /scripts/other.sh -> it has run.sh; a file is called as its key is"
    );
    check(&[script(), job_with(volume.clone(), json!(["sh", "/scripts/other.sh"]))], &[&expect]);
    let renamed = json!({"configMap": {"name": "scripts", "items": [{"key": "run.sh", "path": "other.sh"}]}});
    check(&[script(), job_with(renamed, json!(["sh", "/scripts/other.sh"]))], &[]);
    let unknown = found(&[job_with(volume, json!(["/scripts/other.sh"]))]);
    assert_eq!(unknown.len(), 1, "only that the ConfigMap is missing: {unknown:?}");
}

#[test]
fn modes_are_octal() {
    let volume = |mode: i64| job_with(json!({"configMap": {"name": "scripts", "defaultMode": mode}}), json!(["sh"]));
    let path = format!("{VOLUME}.configMap.defaultMode");
    check(
        &[script(), volume(755)],
        &[&format!(
            "error: {path}: Invalid value: 755: must be a number between 0 and 0777 (octal), both inclusive -> modes are octal: write 0755 in \
         YAML, which is 493 in JSON"
        )],
    );
    check(
        &[script(), volume(444)],
        &[&format!("warning: {path}: 444 is the mode 0674 -> write 0444 in YAML, which is 292 in JSON")],
    );
    check(&[script(), volume(0o644)], &[]);
}

#[test]
fn pods_do_not_share_an_empty_directory() {
    let mut object = with(with(job(), "spec/parallelism", 4.into()), "spec/completions", 10.into());
    object["spec"]["template"]["spec"]["volumes"] = json!([{"name": "shared-results", "emptyDir": {}}]);
    let mount = json!([{"name": "shared-results", "mountPath": "/results"}]);
    object = with_container(object, "volumeMounts", mount.clone());
    let expect = "warning: spec.template.spec.volumes[0].emptyDir: the pods do not share \"shared-results\" -> keep what has to outlive the \
                  pods in a PersistentVolumeClaim";
    check(&[object.clone()], &[expect]);
    let beside = json!({"name": "beside", "image": "busybox:1.36", "volumeMounts": mount});
    check(&[with_pod(object.clone(), "initContainers", json!([beside]))], &[]);
    check(&[with(with(object, "spec/parallelism", 1.into()), "spec/completions", 1.into())], &[]);
}

#[test]
fn small_images_have_no_bash() {
    let script = with(script(), "data", json!({"run.sh": "#!/bin/bash\ndate\n"}));
    let volume = json!({"configMap": {"name": "scripts", "defaultMode": 0o755}});
    let expect = format!(
        "warning: {COMMAND}[0]: /scripts/run.sh asks for bash, which busybox:1.36 has not: not found -> write #!/bin/sh, if it needs no more, \
         or take an image that has bash"
    );
    let direct = job_with(volume.clone(), json!(["/scripts/run.sh"]));
    check(&[script.clone(), direct.clone()], &[&expect]);
    check(&[script.clone(), with_container(direct, "image", "debian:12".into())], &[]);
    check(&[script, job_with(volume, json!(["sh", "/scripts/run.sh"]))], &[]);
}

/// A Job whose script writes to a new volume at /data.
fn writing(script: &str, volume: Value) -> Value {
    let object = with_pod(job(), "volumes", json!([with(volume, "name", "store".into())]));
    let object = with_container(object, "volumeMounts", json!([{"name": "store", "mountPath": "/data"}]));
    with_container(object, "command", json!(["sh", "-c", script]))
}

#[test]
fn a_new_volume_has_no_directories() {
    let told = |path: &str| {
        format!("warning: {path}: nothing makes the directory /data/results -> write mkdir -p /data/results before it")
    };
    let empty = json!({"emptyDir": {}});
    for (script, is_told) in [
        ("date > /data/results/x.txt", true),
        ("FILE=\"/data/results/x-${HOSTNAME}.json\"\ncat > \"$FILE\" <<EOF\n{}\nEOF", true),
        ("mkdir -p /data/work\ndate | tee /data/results/x.txt", true),
        ("mkdir -p /data/results && date > /data/results/x.txt", false),
        ("DIR=/data/results\nmkdir -p \"$DIR\"\ndate > $DIR/x.txt", false),
        ("date > /data/x.txt", false),
        ("date > /tmp/results/x.txt", false),
        ("cat /data/results/x.txt > /dev/null", false),
    ] {
        let expect = told(&format!("{COMMAND}[2]"));
        let expect = [expect.as_str()];
        check(&[writing(script, empty.clone())], if is_told { &expect } else { &[] });
    }
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let claimed = writing("date > /data/results/x.txt", json!({"persistentVolumeClaim": {"claimName": "c"}}));
    check(&[claim, claimed.clone()], &[&told(&format!("{COMMAND}[2]"))]);
    let found = found(&[claimed]);
    assert_eq!(found.len(), 1, "what an old volume holds nobody knows: {found:?}");
}

#[test]
fn scripts_in_files_are_read_too() {
    let script = with(script(), "data", json!({"run.sh": "date > /data/results/x.txt"}));
    let mut object = writing("", json!({"emptyDir": {}}));
    let pod = &mut object["spec"]["template"]["spec"];
    pod["volumes"].as_array_mut().unwrap().push(json!({"name": "s", "configMap": {"name": "scripts"}}));
    pod["containers"][0]["volumeMounts"].as_array_mut().unwrap().push(json!({"name": "s", "mountPath": "/scripts"}));
    pod["containers"][0]["command"] = json!(["sh", "/scripts/run.sh"]);
    let expect = format!(
        "warning: {COMMAND}[1]: nothing makes the directory /data/results -> write mkdir -p /data/results before it"
    );
    check(&[script, object], &[&expect]);
}
