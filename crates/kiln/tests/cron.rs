//! `kiln cron` beside real kubectl, on one server, and on files without one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::process::{Command, Output};

use serde_json::{Value, json};
use support::{Kubectl, Server, kiln, stderr, stdout, wait_for};

fn command(server: &Server, arguments: &[&str]) -> Command {
    let mut command = kiln(arguments);
    command.env("KILN_KUBECONFIG", server.kubeconfig()).env("HOME", server.directory.path());
    command
}

/// Ended, with this code and stdout; and says so on stderr.
#[track_caller]
fn check(output: &Output, code: i32, out: &str, talk: &str) {
    let seen = (output.status.code(), stdout(output), stderr(output));
    assert_eq!((seen.0, seen.1.as_str()), (Some(code), out), "{seen:?}");
    assert!(seen.2.contains(talk), "{talk:?} is not in {seen:?}");
}

/// Due once a year, so that nothing runs but what is triggered.
fn cronjob(name: &str, spec: &Value) -> Value {
    let template = json!({
        "metadata": {"labels": {"team": "data"}, "annotations": {"why": "test"}},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [
            {"name": "main", "image": "kiln/demo", "command": ["echo"], "args": ["by", "schedule"],
             "env": [{"name": "DAY", "value": "today"}]}]}}},
    });
    let mut spec = spec.clone();
    spec["jobTemplate"] = template;
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec})
}

fn apply(server: &Server, kubectl: &Kubectl, object: &Value) {
    let output = server.with_input(kubectl, &["apply", "-f", "-"], &object.to_string());
    assert!(output.status.success(), "{}", stderr(&output));
}

fn get(server: &Server, kubectl: &Kubectl, what: &[&str]) -> Value {
    serde_json::from_str(&server.ok(kubectl, &[&["get", "-o", "json"], what].concat())).unwrap()
}

const FROM: &str = "--from=2026-03-27T12:00:00Z";
const RUNS: &str = "\
CRONJOB   NEXT                        ZONE            IN
nightly   2026-03-28T02:30:00+01:00   Europe/Berlin   13h
nightly   2026-03-30T02:30:00+02:00   Europe/Berlin   2d12h
";

#[test]
fn the_coming_runs_of_a_file_need_no_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jobs.json");
    let nightly = cronjob("nightly", &json!({"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}));
    let list = json!({"kind": "List", "items": [nightly, {"kind": "ConfigMap", "apiVersion": "v1"}]});
    std::fs::write(&file, list.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let gap = "on 2026-03-29 the clock of Europe/Berlin goes forward from 02:00 to 03:00: the run of 02:30 is left out";
    check(&kiln(&["cron", "next", "-f", file, "-n", "2", FROM]).output().unwrap(), 0, RUNS, gap);

    let output = kiln(&["cron", "next", "-f", file, "-n", "1", FROM, "-o", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told[0]["runs"], json!([{"at": "2026-03-28T01:30:00Z", "local": "2026-03-28T02:30:00+01:00"}]));
    assert_eq!(told[0]["clockChanges"][1]["effect"], "Repeated");

    // Several documents, on standard input; what is not a CronJob is passed over.
    let documents =
        format!("kind: Namespace\n---\n{}\n---\n{nightly}\n", cronjob("often", &json!({"schedule": "@every 9h"})));
    let mut command = kiln(&["cron", "next", "-f", "-", "-n", "1", FROM]);
    let expect = "\
CRONJOB   NEXT                        ZONE            IN
often     2026-03-27T21:00:00+00:00   UTC             9h
nightly   2026-03-28T02:30:00+01:00   Europe/Berlin   13h
";
    let counts = "cronjob.batch/often: \"@every 9h\" counts from when the server gets the CronJob";
    check(&support::fed(command.env("TZ", "UTC"), &documents), 0, expect, counts);

    for (text, talk) in [
        (
            cronjob("x", &json!({"schedule": "61 * * * *"})).to_string(),
            "spec.schedule: Invalid value: \"61 * * * *\": end of range (61)",
        ),
        (cronjob("x", &json!({"schedule": "@daily", "timeZone": "Berlin"})).to_string(), "unknown time zone Berlin"),
        ("kind: Job\napiVersion: batch/v1\n".to_owned(), "there is no CronJob in the file"),
        ("a: [".to_owned(), "not valid YAML"),
    ] {
        std::fs::write(file, text).unwrap();
        check(&kiln(&["cron", "next", "-f", file]).output().unwrap(), 2, "", talk);
    }
}

#[test]
fn the_coming_runs_of_cronjobs_on_the_server() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let none = command(&server, &["cron", "next"]).output().unwrap();
    check(&none, 0, "", "");
    apply(&server, &kubectl, &cronjob("nightly", &json!({"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"})));
    for name in ["nightly", "cronjob/nightly", "cj/nightly"] {
        let output = command(&server, &["cron", "next", name, "-n", "2", FROM]).output().unwrap();
        check(&output, 0, RUNS, "left out");
    }
    check(&command(&server, &["cron", "next", "-n", "2", FROM]).output().unwrap(), 0, RUNS, "left out");
    let absent = command(&server, &["cron", "next", "nighty"]).output().unwrap();
    check(&absent, 1, "", "cronjobs.batch \"nighty\" not found");
    check(&command(&server, &["cron", "next", "job/nightly"]).output().unwrap(), 2, "", "is not a CronJob");

    // Suspended: told by suspend, by next, and by kubectl's column.
    let suspend = |verb: &str, names: &[&str]| command(&server, &[&["cron", verb], names].concat()).output().unwrap();
    check(&suspend("suspend", &["nightly"]), 0, "cronjob.batch/nightly suspended\n", "");
    check(&suspend("suspend", &["nightly"]), 0, "cronjob.batch/nightly is suspended already\n", "");
    let output = command(&server, &["cron", "next", "nightly", "-n", "2", FROM]).output().unwrap();
    check(&output, 0, RUNS, "is suspended: nothing runs until `kiln cron resume nightly`");
    let next = || {
        let wide = server.ok(&kubectl, &["get", "cronjobs", "-o", "wide"]);
        let (head, row) = wide.split_once('\n').unwrap();
        row[head.find("NEXT SCHEDULE").unwrap()..].trim().to_owned()
    };
    assert_eq!(next(), "<none>");
    check(&suspend("resume", &["--all"]), 0, "cronjob.batch/nightly resumed\n", "");
    check(&suspend("resume", &["nightly", "absent"]), 1, "cronjob.batch/nightly is not suspended\n", "not found");
    assert!(next().ends_with(['s', 'm', 'h']), "{}", next());
    assert!(!server.ok(&kubectl, &["get", "cronjobs"]).contains("NEXT"));
}

#[test]
fn a_triggered_job_is_what_create_job_from_makes() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    apply(&server, &kubectl, &cronjob("yearly", &json!({"schedule": "0 0 1 1 *", "suspend": true})));
    server.ok(&kubectl, &["create", "job", "theirs", "--from=cronjob/yearly"]);
    let trigger = |more: &[&str]| command(&server, &[&["cron", "trigger", "yearly"], more].concat()).output().unwrap();
    check(&trigger(&["--name=ours"]), 0, "job.batch/ours created\n", "");
    let (mut theirs, mut ours) = (get(&server, &kubectl, &["job/theirs"]), get(&server, &kubectl, &["job/ours"]));
    for job in [&mut theirs, &mut ours] {
        job.as_object_mut().unwrap().remove("status");
        let metadata = job["metadata"].as_object_mut().unwrap();
        metadata.retain(|field, _| {
            !["name", "uid", "resourceVersion", "creationTimestamp", "generation"].contains(&field.as_str())
        });
        let name = job["spec"]["template"]["metadata"]["labels"]["job-name"].take();
        assert!(name == "theirs" || name == "ours");
        job["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"].take();
        for label in ["controller-uid", "batch.kubernetes.io/controller-uid"] {
            job["spec"]["template"]["metadata"]["labels"][label].take();
        }
        job["spec"]["selector"].take();
    }
    assert_eq!(ours, theirs);
    assert_eq!(ours["metadata"]["labels"]["cronjob-name"], "yearly");
    assert_eq!(ours["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"], "manual");

    // Other arguments, other environment, to the end.
    let output = trigger(&["--wait", "--", "by", "hand"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "by hand\n"), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("job.batch/yearly-manual-"), "{}", stderr(&output));
    check(&trigger(&["--name=other", "--env", "DAY=2026-01-31"]), 0, "job.batch/other created\n", "");
    let container = &get(&server, &kubectl, &["job/other"])["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"], json!([{"name": "DAY", "value": "2026-01-31"}]));
    assert_eq!(container["args"], json!(["by", "schedule"]));

    let output = trigger(&["--dry-run=server", "-o", "jsonpath={.spec.template.spec.containers[0].args}", "--", "x"]);
    check(&output, 0, "[\"x\"]", "");
    for (more, code, talk) in [
        (vec!["--env", "DAY"], 2, "is not of the form NAME=VALUE"),
        (vec!["-c", "man", "--", "x"], 2, "choose one with -c: main"),
        (vec!["--name=other"], 1, "already exists"),
        (vec!["--name=Bad_Name"], 1, "metadata.name: Invalid value: \"Bad_Name\""),
    ] {
        check(&trigger(&more), code, "", talk);
    }
    check(
        &command(&server, &["cron", "trigger", "absent"]).output().unwrap(),
        1,
        "",
        "cronjobs.batch \"absent\" not found",
    );

    wait_for("the Jobs to end", || {
        let jobs = get(&server, &kubectl, &["jobs"]);
        jobs["items"].as_array().unwrap().iter().all(|job| job["status"]["succeeded"] == 1).then_some(())
    });
}
