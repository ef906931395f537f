//! CronJobs as the guide's sections 15.2, 15.3 and 15.5 use them, and a server that is killed between their runs.

use crate::support::{Kubectl, Server, kubectl, stderr, stdout, wait_for};
use crate::with_every_kubectl;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn objects(server: &Server, kubectl: &Kubectl, arguments: &[&str]) -> Vec<Value> {
    let list: Value = serde_json::from_str(&server.ok(kubectl, &[arguments, &["-o", "json"]].concat())).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn jobs_of(server: &Server, kubectl: &Kubectl, cronjob: &str) -> Vec<String> {
    let label = format!("cronjob-name={cronjob}");
    let names = server.ok(kubectl, &["get", "jobs", "-l", &label, "-o", "name"]);
    names.lines().map(str::to_owned).collect()
}

#[test]
fn section_15_2_cronjobs_are_created_triggered_suspended_and_deleted() {
    with_every_kubectl(|server, kubectl| {
        let create = [
            "create",
            "cronjob",
            "backup-job",
            "--image=kiln/demo",
            "--schedule=0 2 * * *",
            "--",
            "echo",
            "Backing up",
        ];
        let created = server.kubectl(kubectl, &create).output().unwrap();
        assert_eq!(stdout(&created), "cronjob.batch/backup-job created\n");
        assert_eq!(stderr(&created), "");
        let table = server.ok(kubectl, &["get", "cronjobs", "--no-headers"]);
        let row: Vec<&str> = table.split_whitespace().collect();
        assert_eq!(row[..6], ["backup-job", "0", "2", "*", "*", "*"]);

        server.ok(kubectl, &["create", "job", "--from=cronjob/backup-job", "manual-backup-test"]);
        server.ok(kubectl, &["wait", "--for=condition=complete", "job/manual-backup-test", "--timeout=90s"]);
        assert_eq!(server.ok(kubectl, &["logs", "job/manual-backup-test"]), "Backing up\n");
        assert_eq!(jobs_of(server, kubectl, "backup-job"), ["job.batch/manual-backup-test"]);

        server.ok(kubectl, &["patch", "cronjob", "backup-job", "-p", r#"{"spec":{"suspend":true}}"#]);
        server.ok(kubectl, &["patch", "cronjob", "backup-job", "-p", r#"{"spec":{"schedule":"@every 1s"}}"#]);
        assert_eq!(jobs_of(server, kubectl, "backup-job").len(), 1);
        server.ok(kubectl, &["patch", "cronjob", "backup-job", "-p", r#"{"spec":{"suspend":false}}"#]);
        wait_for("two runs", || (3 <= jobs_of(server, kubectl, "backup-job").len()).then_some(()));
        server.ok(kubectl, &["patch", "cronjob", "backup-job", "-p", r#"{"spec":{"suspend":true}}"#]);
        wait_for("the runs to end", || {
            let active = ["get", "cronjob", "backup-job", "-o", "jsonpath={.status.active}"];
            server.ok(kubectl, &active).is_empty().then_some(())
        });
        let last =
            ["get", "cronjob", "backup-job", "-o", "jsonpath={.status.lastScheduleTime} {.status.lastSuccessfulTime}"];
        assert_eq!(server.ok(kubectl, &last).split(' ').filter(|time| time.ends_with('Z')).count(), 2);
        let described = server.ok(kubectl, &["describe", "cronjob", "backup-job"]);
        for expect in
            ["Suspend:                       True", "SuccessfulCreate", "SawCompletedJob", "cronjob-controller"]
        {
            assert!(described.contains(expect), "{expect} is missing:\n{described}");
        }
        // The limit is three, the manual one included.
        wait_for("the history to be kept", || (jobs_of(server, kubectl, "backup-job").len() <= 3).then_some(()));

        server.ok(kubectl, &["delete", "cronjob", "backup-job"]);
        wait_for("jobs and pods to go", || {
            server.ok(kubectl, &["get", "jobs,pods", "-o", "name"]).is_empty().then_some(())
        });
    });
}

#[test]
fn a_server_that_is_killed_between_runs_starts_nothing_twice() {
    let (mut server, kubectl) = (Server::start(), kubectl());
    let create = ["create", "cronjob", "tick", "--image=kiln/demo", "--schedule=@every 1s", "--", "echo", "tick"];
    server.ok(&kubectl, &create);
    let keep = r#"{"spec":{"successfulJobsHistoryLimit":1000,"failedJobsHistoryLimit":1000}}"#;
    server.ok(&kubectl, &["patch", "cronjob", "tick", "-p", keep]);
    for n in [2, 5, 8] {
        wait_for("more runs", || (n <= jobs_of(&server, &kubectl, "tick").len()).then_some(()));
        server.kill();
        server.restart();
    }
    wait_for("more runs", || (11 <= jobs_of(&server, &kubectl, "tick").len()).then_some(()));
    server.ok(&kubectl, &["patch", "cronjob", "tick", "-p", r#"{"spec":{"suspend":true}}"#]);
    wait_for("the runs to end", || {
        let active = ["get", "cronjob", "tick", "-o", "jsonpath={.status.active}"];
        server.ok(&kubectl, &active).is_empty().then_some(())
    });
    let jobs = objects(&server, &kubectl, &["get", "jobs"]);
    let pods = objects(&server, &kubectl, &["get", "pods"]);
    for job in &jobs {
        // A pod that was running when the server died is still that instant's.
        let is_its = |pod: &&Value| pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"];
        let restarts: Vec<&Value> =
            pods.iter().filter(is_its).map(|pod| &pod["status"]["containerStatuses"][0]["restartCount"]).collect();
        assert_eq!(restarts, [&json!(0)], "{}", job["metadata"]["name"]);
    }
    let tick = |job: &Value| {
        let annotation = &job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
        annotation.as_str().unwrap().to_owned()
    };
    let ticks: BTreeSet<String> = jobs.iter().map(tick).collect();
    assert_eq!(ticks.len(), jobs.len(), "an instant has two jobs");
    assert_eq!(pods.len(), jobs.len(), "pods of jobs that are no more");
    for job in &jobs {
        assert!(job["metadata"]["finalizers"].is_null(), "{}", job["metadata"]);
    }
    let cronjob = &objects(&server, &kubectl, &["get", "cronjobs"])[0];
    assert_eq!(cronjob["status"]["lastScheduleTime"].as_str(), ticks.last().map(String::as_str));
    let metrics = server.ok(&kubectl, &["get", "--raw", "/metrics"]);
    for expect in [r#"kiln_cron_ticks_total{result="ran",reason=""}"#, "kiln_cron_start_lag_seconds_bucket"] {
        assert!(metrics.contains(expect), "{expect} is missing");
    }
}
