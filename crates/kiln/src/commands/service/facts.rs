//! What `kiln status` tells, gathered from the server, its data directory and its disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use agent::userns;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::calls::{self, Refusal};
use super::super::cron;
use super::Ready;
use super::status::{Node, Run, State, Status, Warning};
use crate::output::Problem;
use crate::server::ADMIN_KUBECONFIG;

/// How far back warnings are told; events are not kept for longer.
const LATELY: SignedDuration = SignedDuration::from_hours(1);
/// Files whose sizes are added up; more are not waited for.
const MOST_FILES: usize = 200_000;

/// Of a server that answers.
pub async fn of_server(data_dir: &Path, ready: Ready, now: Timestamp) -> Result<Status, Problem> {
    let client = &ready.client;
    let get = async |path: &str| calls::get(client, path).await.map_err(Refusal::problem);
    let version = get("/version").await?;
    let nodes = get("/api/v1/nodes").await?;
    let pods = get("/api/v1/pods").await?;
    let jobs = get("/apis/batch/v1/jobs").await?;
    let cronjobs = get("/apis/batch/v1/cronjobs").await?;
    let events = get("/api/v1/events").await?;
    Ok(Status {
        state: State::Up,
        process: Some(ready.pid),
        since: since(data_dir),
        version: version["gitVersion"].as_str().map(str::to_owned),
        node: items(&nodes).next().map(node),
        pods: counted(items(&pods).map(|pod| pod["status"]["phase"].as_str().unwrap_or("Pending")), &PHASES),
        jobs: counted(items(&jobs).map(state_of_job), &JOB_STATES),
        next_runs: next_runs(&cronjobs, now),
        warnings: warnings(&events, now),
        url: Some(ready.url),
        pods_left: 0,
        ..of_directory(data_dir)
    })
}

/// Of a directory without a server.
pub fn of_directory(data_dir: &Path) -> Status {
    let nearest = data_dir.ancestors().find(|dir| dir.exists());
    let disk = nearest.and_then(|dir| rustix::fs::statvfs(dir).ok());
    Status {
        data_directory: data_dir.display().to_string(),
        used: used(data_dir),
        free: disk.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        pods_left: userns::supervisors(&data_dir.join("agent")).len(),
        ..Status::default()
    }
}

/// The kubeconfig is written when the server is ready.
fn since(data_dir: &Path) -> Option<Timestamp> {
    let written: SystemTime = std::fs::metadata(data_dir.join(ADMIN_KUBECONFIG)).ok()?.modified().ok()?;
    Timestamp::try_from(written).ok()
}

/// Bytes on the disk of all its files. What may not be read does not count.
fn used(dir: &Path) -> u64 {
    let (mut bytes, mut n_files, mut todo) = (0_u64, 0, vec![dir.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            n_files += 1;
            if MOST_FILES < n_files {
                return bytes;
            }
            // st_blocks counts in 512 bytes, whatever the file system's own blocks are.
            bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
            if metadata.is_dir() {
                todo.push(entry.path());
            }
        }
    }
    bytes
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

fn node(node: &Value) -> Node {
    let conditions = node["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let condition = match ready {
        Some(ready) if ready["status"] == "True" => "Ready".to_owned(),
        Some(ready) => format!("NotReady: {}", ready["message"].as_str().unwrap_or_default()),
        None => "Unknown".to_owned(),
    };
    Node { name: meta::object::name(node).to_owned(), condition }
}

const PHASES: [&str; 5] = ["Running", "Pending", "Succeeded", "Failed", "Unknown"];
const JOB_STATES: [&str; 4] = ["Active", "Suspended", "Complete", "Failed"];

fn counted<'a>(states: impl Iterator<Item = &'a str>, known: &[&str]) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = known.iter().map(|state| ((*state).to_owned(), 0)).collect();
    for state in states {
        if let Some((_, n)) = counts.iter_mut().find(|(known, _)| known == state) {
            *n += 1;
        }
    }
    counts
}

fn state_of_job(job: &Value) -> &'static str {
    let is = |kind: &str| {
        let conditions = job["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if is("Suspended") {
        "Suspended"
    } else {
        "Active"
    }
}

/// Soonest first.
fn next_runs(cronjobs: &Value, now: Timestamp) -> Vec<Run> {
    let run = |cronjob: &Value| {
        let at = cron::next_run(cronjob, now)?;
        Some(Run { cronjob: format!("{}/{}", meta::object::namespace(cronjob), meta::object::name(cronjob)), at })
    };
    let mut runs: Vec<Run> = items(cronjobs).filter_map(run).collect();
    runs.sort_by(|a, b| (a.at, &a.cronjob).cmp(&(b.at, &b.cronjob)));
    runs
}

/// Newest first.
fn warnings(events: &Value, now: Timestamp) -> Vec<Warning> {
    let warning = |event: &Value| {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let series = &event["series"];
        let times = [&series["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"]];
        let last_seen = times.iter().find_map(|time| time.as_str()?.parse::<Timestamp>().ok())?;
        let object = &event["involvedObject"];
        let name = |field: &str| object[field].as_str().unwrap_or_default();
        let is_recent = event["type"] == "Warning" && now.duration_since(last_seen) <= LATELY;
        is_recent.then(|| Warning {
            object: format!("{}/{}/{}", meta::object::namespace(event), name("kind").to_lowercase(), name("name")),
            last_seen,
            reason: text("reason"),
            message: text("message"),
            count: series["count"].as_i64().or(event["count"].as_i64()).unwrap_or(1),
        })
    };
    let mut warnings: Vec<Warning> = items(events).filter_map(warning).collect();
    warnings.sort_by_key(|warning| std::cmp::Reverse(warning.last_seen));
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn jobs_are_counted_by_how_they_stand() {
        let job = |condition: Option<&str>| {
            let conditions = condition.map(|kind| json!({ "type": kind, "status": "True" }));
            json!({ "status": { "conditions": conditions.into_iter().collect::<Vec<_>>() } })
        };
        for (condition, expect) in [
            (None, "Active"),
            (Some("FailureTarget"), "Active"),
            (Some("Suspended"), "Suspended"),
            (Some("Complete"), "Complete"),
            (Some("Failed"), "Failed"),
        ] {
            assert_eq!(state_of_job(&job(condition)), expect);
        }
        let counts = counted(["Active", "Failed", "Active"].into_iter(), &JOB_STATES);
        assert_eq!(counts.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2, 0, 0, 1]);
    }

    #[test]
    fn warnings_of_the_last_hour_are_told_newest_first() {
        let event = |kind: &str, reason: &str, last: &str| {
            json!({ "metadata": { "namespace": "a" }, "type": kind, "reason": reason, "message": "m", "count": 2,
                "lastTimestamp": last, "involvedObject": { "kind": "Pod", "name": "p" } })
        };
        let events = json!({ "items": [
            event("Warning", "old", "2026-01-01T10:59:59Z"),
            event("Warning", "first", "2026-01-01T11:00:00Z"),
            event("Normal", "fine", "2026-01-01T11:30:00Z"),
            event("Warning", "second", "2026-01-01T11:59:00Z"),
        ] });
        let told = warnings(&events, now());
        assert_eq!(told.iter().map(|warning| warning.reason.as_str()).collect::<Vec<_>>(), ["second", "first"]);
        assert_eq!((told[0].object.as_str(), told[0].count), ("a/pod/p", 2));
    }

    #[test]
    fn suspended_cronjobs_have_no_next_run() {
        let cronjob = |name: &str, schedule: &str, suspend: bool| {
            json!({ "metadata": { "name": name, "namespace": "a", "creationTimestamp": "2026-01-01T00:00:00Z" },
                "spec": { "schedule": schedule, "timeZone": "Etc/UTC", "suspend": suspend } })
        };
        let list = json!({ "items": [
            cronjob("daily", "0 3 * * *", false), cronjob("off", "* * * * *", true), cronjob("soon", "5 12 * * *", false)
        ] });
        let runs: Vec<String> =
            next_runs(&list, now()).into_iter().map(|run| format!("{} {}", run.cronjob, run.at)).collect();
        assert_eq!(runs, ["a/soon 2026-01-01T12:05:00Z", "a/daily 2026-01-02T03:00:00Z"]);
    }

    #[test]
    fn a_node_that_is_not_ready_says_why() {
        let of = |status: &str| {
            json!({ "metadata": { "name": "n" }, "status": { "conditions": [
            { "type": "MemoryPressure", "status": "False" }, { "type": "Ready", "status": status, "message": "no disk" }] } })
        };
        assert_eq!(node(&of("True")).condition, "Ready");
        assert_eq!(node(&of("False")).condition, "NotReady: no disk");
    }
}
