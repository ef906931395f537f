//! Jobs: retries, counts, images, variables.

use super::*;

fn restarted() -> Value {
    with_pod(job(), "restartPolicy", "OnFailure".into())
}

#[test]
fn retries_have_to_end() {
    let indexed = with(with(job(), "spec/completionMode", "Indexed".into()), "spec/completions", 3.into());
    let policy =
        |action: &str| json!({"rules": [{"action": action, "onExitCodes": {"operator": "In", "values": [75]}}]});
    let disruption =
        json!({"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]});
    let to_do = "add spec.activeDeadlineSeconds, or try fewer times";
    for (object, expect) in [
        (with(restarted(), "spec/backoffLimit", 2_147_483_647.into()), vec![format!(
            "spec.backoffLimit: 2147483647 retries of what always fails take 20428 years, and no deadline ends them -> {to_do}"
        )]),
        (with(job(), "spec/backoffLimit", 1_000.into()), vec![format!(
            "spec.backoffLimit: 1000 retries of what always fails take 6 days, and no deadline ends them -> {to_do}"
        )]),
        (with(indexed, "spec/backoffLimitPerIndex", 1_000.into()), vec![format!(
            "spec.backoffLimitPerIndex: 1000 retries of what always fails take 6 days, and no deadline ends them -> {to_do}"
        )]),
        (with(job(), "spec/podFailurePolicy", policy("Ignore")), vec![
            "spec.podFailurePolicy.rules[0]: a pod that always ends so is tried again for ever -> add spec.activeDeadlineSeconds, or use \
             action: Count".to_owned(),
        ]),
        (with(job(), "spec/podFailurePolicy", policy("Count")), vec![]),
        (with(job(), "spec/podFailurePolicy", disruption), vec![]),
        (with(with(restarted(), "spec/backoffLimit", 10_000.into()), "spec/activeDeadlineSeconds", 600.into()), vec![]),
        (with(job(), "spec/backoffLimit", 20.into()), vec![]),
        (restarted(), vec![]),
    ] {
        let expect: Vec<String> = expect.iter().map(|text| format!("warning: {text}")).collect();
        check(&[object], &expect.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let cron = with(cronjob(), "spec/jobTemplate/spec/backoffLimit", 1_000.into());
    assert_eq!(found(&[cron])[0].field, "spec.jobTemplate.spec.backoffLimit");
}

#[test]
fn containers_that_restart_by_themselves_have_to_end() {
    let to_do = "add spec.activeDeadlineSeconds, or leave it out";
    let rules = json!([{"action": "Restart", "exitCodes": {"operator": "In", "values": [75]}}]);
    let own = |policy: &str| with_container(job(), "restartPolicy", policy.into());
    let container = "spec.template.spec.containers[0]";
    for (object, expect) in [
        (own("Always"), Some(format!("{container}.restartPolicy: the Job never completes"))),
        (
            own("OnFailure"),
            Some(format!("{container}.restartPolicy: a container that always fails is started again for ever")),
        ),
        (
            with_container(own("Never"), "restartPolicyRules", rules),
            Some(format!("{container}.restartPolicyRules: a container that always ends so is started again for ever")),
        ),
        (own("Never"), None),
        (with_pod(own("OnFailure"), "restartPolicy", "OnFailure".into()), None),
        (with(own("OnFailure"), "spec/activeDeadlineSeconds", 600.into()), None),
    ] {
        let expect: Vec<String> = expect.into_iter().map(|what| format!("warning: {what} -> {to_do}")).collect();
        check(&[object], &expect.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn containers_that_never_end_are_sidecars() {
    let to_do = "make it a sidecar: one of initContainers, with restartPolicy: Always; sidecars end with the others";
    let expect = format!(
        "warning: spec.template.spec.containers[0]: the Job never completes: this container does not end -> {to_do}"
    );
    for (command, is_told) in [
        (json!(["sh", "-c", "tail -F /opt/logs.txt"]), true),
        (json!(["sleep", "infinity"]), true),
        (json!(["sleep", "30"]), false),
        (json!(["tail", "-n", "5", "/x"]), false),
        (json!(["sh", "-c", "tail -f /x & sleep 5; kill $!"]), false),
        (json!(["sh", "-c", "tail -f /x | grep -m1 done"]), false),
    ] {
        let expect = [expect.as_str()];
        check(&[with_container(job(), "command", command)], if is_told { &expect } else { &[] });
    }
    let endless = with_container(job(), "command", json!(["sleep", "infinity"]));
    check(&[with(endless, "spec/activeDeadlineSeconds", 60.into())], &[]);
    let sidecar =
        json!([{"name": "s", "image": "busybox:1.36", "restartPolicy": "Always", "command": ["sleep", "infinity"]}]);
    check(&[with_pod(job(), "initContainers", sidecar)], &[]);
}

#[test]
fn counts_that_do_not_mean_what_they_seem_to() {
    let many = |at_once: i64| with(job(), "spec/parallelism", at_once.into());
    for (object, expect) in [
        (
            with(many(5), "spec/completions", 3.into()),
            vec![
                "warning: spec.parallelism: never more than 3 pods run at once -> write parallelism: 3, or more completions",
            ],
        ),
        (
            many(3),
            vec![
                "warning: spec.parallelism: without completions the first success ends the Job -> write completions: N for N pods that have to \
             succeed; leave it out for a queue of work only",
            ],
        ),
        (many(1), vec![]),
        (with(many(3), "spec/completions", 3.into()), vec![]),
        (with(job(), "spec/completions", 3.into()), vec![]),
        (
            with(many(3), "spec/ttlSecondsAfterFinished", Value::Null),
            vec![
                "warning: spec.parallelism: without completions the first success ends the Job -> write completions: N for N pods that have to \
             succeed; leave it out for a queue of work only",
            ],
        ),
    ] {
        check(&[object], &expect);
    }
}

#[test]
fn images_name_their_version() {
    let image = |image: &str| with_container(job(), "image", image.into());
    for (name, is_told) in [
        ("busybox", true),
        ("busybox:latest", true),
        ("localhost:5000/team/tool", true),
        ("localhost:5000/team/tool:1", false),
        ("busybox:1.36", false),
        ("busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000", false),
        ("kiln/demo", false),
        ("kiln/host", false),
    ] {
        let expect = format!(
            "warning: spec.template.spec.containers[0].image: the image {name:?} is whatever is newest when it starts -> name a version, \
             e.g. busybox:1.36, or say imagePullPolicy: IfNotPresent"
        );
        let expect = [expect.as_str()];
        check(&[image(name)], if is_told { &expect } else { &[] });
    }
    check(&[with_container(image("busybox"), "imagePullPolicy", "IfNotPresent".into())], &[]);
}

#[test]
fn no_shell_reads_values_of_variables() {
    let to_do =
        "set the variable before it, or do it in a script: command: [\"sh\", \"-c\", \"…\"]; $$( says that it is meant";
    let env = |value: &str| {
        with_container(job(), "env", json!([{"name": "BASE", "value": "x"}, {"name": "ID", "value": value}]))
    };
    let expect = |name: &str| {
        format!("warning: spec.template.spec.containers[0].env[1].value: $({name}) stays as it is -> {to_do}")
    };
    for (value, name) in [
        ("batch-$(date +%Y%m%d)", Some("date +%Y%m%d")),
        ("$(LATER)", Some("LATER")),
        ("$(BASE)/x", None),
        ("$$(date)", None),
        ("$(DB_SERVICE_HOST)", None),
    ] {
        let expect: Vec<String> = name.into_iter().map(expect).collect();
        check(&[env(value)], &expect.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let runs = |command: Value| with_container(job(), "command", command);
    let expect = format!("warning: spec.template.spec.containers[0].command[1]: $(date) stays as it is -> {to_do}");
    check(&[runs(json!(["echo", "$(date)"]))], &[&expect]);
    for command in
        [json!(["/bin/bash", "-c", "echo $(date)"]), json!(["awk", "{print $(NF)}"]), json!(["echo", "$$(date)"])]
    {
        check(&[runs(command)], &[]);
    }
    check(&[with_container(runs(Value::Null), "args", json!(["$(date)"]))], &[]);
}
