//! What is no object of a known kind, and what its kind refuses.

use super::*;

#[test]
fn what_is_no_object_of_a_known_kind_says_what_it_could_be() {
    for (object, expect) in [
        (
            json!([1]),
            vec![
                "error: is no object -> write fields: apiVersion, kind, metadata, spec; documents of a file are separated by a line with ---",
            ],
        ),
        (
            json!({"metadata": {"name": "x"}}),
            vec![
                "error: kind: Required value: kind not set -> say what it is, e.g. kind: Job",
                "error: apiVersion: Required value: apiVersion not set -> say of which API it is, e.g. apiVersion: batch/v1 for Jobs and CronJobs, v1 for ConfigMaps",
            ],
        ),
        (
            json!({"kind": "CronJob"}),
            vec!["error: apiVersion: Required value: apiVersion not set -> cronjobs are of apiVersion: batch/v1"],
        ),
        (
            json!({"kind": "CronJob", "apiVersion": "batch/v1beta1"}),
            vec!["error: no matches for kind \"CronJob\" in version \"batch/v1beta1\" -> write apiVersion: batch/v1"],
        ),
        (
            json!({"kind": "Cronjob", "apiVersion": "batch/v1"}),
            vec![
                "error: no matches for kind \"Cronjob\" in version \"batch/v1\" -> did you mean kind: CronJob (apiVersion: batch/v1)?",
            ],
        ),
        (
            json!({"kind": "ConfigMaps", "apiVersion": "v1"}),
            vec![
                "error: no matches for kind \"ConfigMaps\" in version \"v1\" -> did you mean kind: ConfigMap (apiVersion: v1)?",
            ],
        ),
    ] {
        check(&[object], &expect);
    }
    let deployment = found(&[json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web"}})]);
    let remedy = deployment[0].remedy.clone().unwrap();
    assert!(remedy.starts_with("kiln has no such kind; there are ConfigMap, Event, "), "{remedy}");
    assert_eq!(deployment[0].object, "deployment/web");
}

#[test]
fn what_a_server_refuses_is_told_in_its_words() {
    let schedule = |schedule: &str| with(cronjob(), "spec/schedule", schedule.into());
    for (object, expect) in [
        (
            with_pod(job(), "restartPolicy", Value::Null),
            vec![
                "error: spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\" -> write restartPolicy: Never \
             (a failed container ends its pod, the Job makes another) or OnFailure (it is restarted in its pod), beside containers",
            ],
        ),
        (
            with(job(), "metadata/name", "Good_Job".into()),
            vec![
                "error: metadata.name: Invalid value: \"Good_Job\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
             characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            ],
        ),
        (
            with(job(), "spec/backoffLimit", (-1).into()),
            vec!["error: spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            with_container(job(), "resources", json!({"limits": {"memory": "64Mi"}, "requests": {"memory": "128Mi"}})),
            vec![
                "error: spec.template.spec.containers[0].resources.requests: Invalid value: \"128Mi\": must be less than or equal to memory limit of 64Mi",
            ],
        ),
        (
            with_container(job(), "volumeMounts", json!([{"name": "x", "mountPath": "/x"}])),
            vec![
                "error: spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"x\" -> add a volume of this name under volumes, beside containers",
            ],
        ),
        (
            with_container(job(), "image", Value::Null),
            vec![
                "error: spec.template.spec.containers[0].image: Required value -> name an image, e.g. image: busybox:1.36",
            ],
        ),
        (
            schedule("0 3 * * 7"),
            vec![
                "error: spec.schedule: Invalid value: \"0 3 * * 7\": end of range (7) above maximum (6): 7 -> days of the week are 0, Sunday, to 6, or SUN to SAT",
            ],
        ),
        (
            schedule("every day"),
            vec![
                "error: spec.schedule: Invalid value: \"every day\": expected exactly 5 fields, found 2: [every day] -> write five fields: \
             minute hour day-of-month month day-of-week, e.g. \"30 3 * * 1-5\"; or @daily, @every 90m",
            ],
        ),
        (
            with(cronjob(), "spec/timeZone", "Berlin".into()),
            vec![
                "error: spec.timeZone: Invalid value: \"Berlin\": unknown time zone Berlin -> use a name of the IANA database, e.g. Europe/Berlin or \
             Etc/UTC; capital letters matter",
            ],
        ),
        (
            with(job(), "metadata", json!({})),
            vec!["error: metadata.name: Required value: name or generateName is required -> add metadata.name"],
        ),
        (with(job(), "metadata", json!({"generateName": "good-"})), vec![]),
    ] {
        check(&[object], &expect);
    }
}

#[test]
fn a_containers_restart_policy_is_not_its_pods() {
    let object = with_container(with_pod(job(), "restartPolicy", Value::Null), "restartPolicy", "Never".into());
    let cause = "spec.template.spec.containers[0].restartPolicy is about this container alone";
    assert_eq!(found(&[object])[0].cause.as_deref(), Some(cause));
}

#[test]
fn wrong_types_say_how_to_write_it() {
    for (object, expect) in [
        (
            with_container(job(), "env", json!([{"name": "N", "value": 5}])),
            vec![
                "error: json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string -> \
             write it between quotes, as \"1\" or \"true\": it has to be text",
            ],
        ),
        (
            with(job(), "spec/completions", "3".into()),
            vec![
                "error: json: cannot unmarshal string into Go struct field JobSpec.spec.completions of type int32 -> write a whole number, without quotes",
            ],
        ),
        (
            with_container(job(), "command", "date".into()),
            vec![
                "error: json: cannot unmarshal string into Go struct field Container.spec.template.spec.containers.command of type []string -> \
             write a list: each item on a line of its own after \"- \", or [\"a\", \"b\"]",
            ],
        ),
        (
            with(job(), "spec/suspend", "yes".into()),
            vec![
                "error: json: cannot unmarshal string into Go struct field JobSpec.spec.suspend of type bool -> write true or false, without quotes",
            ],
        ),
    ] {
        check(&[object], &expect);
    }
}

#[test]
fn every_wrong_type_is_told_where_it_stands() {
    let mut object = with_container(job(), "env", json!([{"name": "A", "value": "1"}, {"name": "B", "value": true}]));
    object["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["echo", 1]);
    object["spec"]["completions"] = json!(1.5);
    object["metadata"]["labels"] = json!({"example.org/n": 1});
    let fields: Vec<String> = found(&[object]).into_iter().map(|finding| finding.field).collect();
    let container = "spec.template.spec.containers[0]";
    let expect = [
        "metadata.labels[example.org/n]",
        &format!("{container}.command[1]"),
        &format!("{container}.env[1].value"),
        "spec.completions",
    ];
    assert_eq!(fields, expect);
}

#[test]
fn kubernetes_warnings_are_told() {
    let twice = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
    let expect = "warning: spec.template.spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply";
    check(&[with_container(job(), "env", twice)], &[expect]);
}

#[test]
fn an_object_stands_once() {
    let expect = "error: metadata.name: Duplicate value: \"good\" -> give one of them another name, or leave one out";
    check(&[job(), job()], &[expect]);
    let elsewhere = with(job(), "metadata/namespace", "kube-public".into());
    let generated = with(job(), "metadata", json!({"generateName": "good-"}));
    check(&[job(), cronjob(), elsewhere, generated.clone(), generated], &[]);
}

#[test]
fn fields_that_stand_twice_are_told_once() {
    let manifest = Manifest {
        file: "x.yaml".to_owned(),
        document: 1,
        object: job(),
        lines: Lines::default(),
        repeated: vec!["spec.template".to_owned()],
    };
    let circumstances = Circumstances {
        now: Timestamp::UNIX_EPOCH,
        local: TimeZone::UTC,
        namespace: "default".into(),
        is_complete: true,
    };
    let found: Vec<String> = findings(&[manifest], &circumstances).iter().map(told).collect();
    assert_eq!(found, ["error: duplicate field \"spec.template\" -> keep one of them"]);
}
