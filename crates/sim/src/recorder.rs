//! Writes down what a person with `kubectl get cronjobs,jobs,pods,pvc,pv,events -w` would have seen, with random names replaced by a, b, c ….

use crate::chance::VirtualClock;
use crate::invariants::Invariants;
use crate::weather::Weather;
use agent::runtime::fake::FakeRuntime;
use futures::future::select_all;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use store::{Event, Store, Watcher};

/// What every pod goes through says nothing about a scenario.
const EVERY_PODS_EVENTS: [&str; 4] = ["Scheduled", "Pulled", "Created", "Started"];

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Recording {
    lines: Vec<String>,
    names: HashMap<String, String>,
    volumes: BTreeMap<String, String>,
    last: HashMap<String, String>,
    /// The instants of every Job that a CronJob ever made, by the CronJob's name.
    pub ticks: BTreeSet<(String, String)>,
    /// Broken invariants.
    pub wrong: Vec<String>,
}

impl Recording {
    /// The whole recording. What is told of an instant stands behind what happened in it, by subject: recorders write when
    /// they get to it, and a recording should not hang on that.
    pub fn text(&self) -> String {
        let moment = |line: &String| line.trim_start().split(' ').next().unwrap_or_default().to_owned();
        let is_note = |line: &String| line.contains("s  -- ");
        let same = |one: &String, two: &String| moment(one) == moment(two) && !is_note(one) && !is_note(two);
        let mut text = String::new();
        for instant in self.lines.chunk_by(same) {
            let told = |line: &&String| line.contains("  event on ");
            let (mut events, states): (Vec<&String>, Vec<&String>) = instant.iter().partition(told);
            events.sort_by_key(|line| line.split(": ").next().unwrap_or_default().to_owned());
            for line in states.into_iter().chain(events) {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }

    fn alias(&mut self, name: &str) -> String {
        let n = self.names.len();
        let letter = char::from(b'a' + (n % 26) as u8);
        let alias = if n < 26 { letter.to_string() } else { format!("{letter}{}", n / 26) };
        self.names.entry(name.into()).or_insert(alias).clone()
    }

    /// A volume that was made for a claim is called after it: its own name holds the claim's uid.
    fn volume(&mut self, name: &str, volume: &Value) -> String {
        let claim = volume["spec"]["claimRef"]["name"].as_str().unwrap_or_default();
        if name.starts_with("pvc-") {
            self.volumes.insert(name.into(), format!("pvc-of-{claim}"));
        }
        self.without_uids(name)
    }

    fn without_uids(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, alias) in &self.volumes {
            text = text.replace(name, alias);
        }
        // Its claim hears of a volume before there is one.
        let cut = text.split("pvc-").nth(1).is_some_and(|rest| rest.len() >= 36 && rest.as_bytes()[8] == b'-');
        match text.find("pvc-") {
            Some(start) if cut => format!("{}pvc-UID{}", &text[..start], &text[start + 40..]),
            _ => text,
        }
    }

    fn say(&mut self, at: &str, subject: &str, line: String) {
        if self.last.get(subject) != Some(&line) {
            self.lines.push(format!("{at:>8}  {subject}: {line}"));
            self.last.insert(subject.into(), line);
        }
    }

    /// A line of the scenario's own.
    pub fn note(&mut self, at: &str, text: &str) {
        self.lines.push(format!("{at:>8}  -- {text}"));
    }
}

/// Follows the store until dropped.
pub async fn run(
    store: Store,
    clock: Arc<VirtualClock>,
    runtime: FakeRuntime,
    weather: Weather,
    recording: Arc<Mutex<Recording>>,
) {
    let mut invariants = Invariants::new(runtime);
    let begin = store.revision();
    let watch = |prefix: &str| store.watch(prefix, begin).expect("nothing is compacted yet");
    let prefixes = [
        "batch/cronjobs",
        "batch/jobs",
        "core/pods",
        "core/events",
        "core/persistentvolumeclaims",
        "core/persistentvolumes",
    ];
    let mut watchers: Vec<Watcher> = prefixes.iter().map(|prefix| watch(&format!("/{prefix}/"))).collect();
    loop {
        // In order, not at random: recordings repeat.
        let (batch, _, _) = select_all(watchers.iter_mut().map(|watcher| Box::pin(watcher.next()))).await;
        let batch = batch.expect("the recorder keeps up");
        let at = moment(&clock);
        let mut recording = recording.lock();
        for event in batch {
            write_down(&mut recording, &at, &event);
        }
        let wrong = invariants.look_at(&store, clock.elapsed(), weather.staleness());
        recording.wrong.extend(wrong.into_iter().map(|what| format!("{at} {what}")));
    }
}

/// Seconds since the world began, to the millisecond.
pub fn moment(clock: &VirtualClock) -> String {
    format!("{:.3}s", clock.elapsed().as_secs_f64())
}

fn write_down(recording: &mut Recording, at: &str, event: &Event) {
    let (record, gone) = match event {
        Event::Put { record, .. } => (record, false),
        Event::Delete { previous, .. } => (previous, true),
    };
    let Ok(object) = serde_json::from_slice::<Value>(&record.value) else { return };
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    match record.key.split('/').nth(2) {
        Some("cronjobs") => {
            let line = if gone { "gone".into() } else { cronjob_line(&object) };
            recording.say(at, &format!("cronjob {name}"), line);
        }
        Some("events") if !gone && object["involvedObject"]["kind"] == "CronJob" => {
            let field = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            let line = format!("{} {} {} x{}", field("type"), field("reason"), field("message"), object["count"]);
            let subject = object["involvedObject"]["name"].as_str().unwrap_or_default();
            recording.say(at, &format!("event on {subject}"), line);
        }
        Some("jobs") => {
            let tick = &object["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
            let owner = &object["metadata"]["ownerReferences"][0]["name"];
            if let (Some(owner), Some(tick)) = (owner.as_str(), tick.as_str()) {
                recording.ticks.insert((owner.into(), tick.into()));
            }
            let line = if gone { "gone".into() } else { job_line(&object) };
            recording.say(at, &format!("job {name}"), line);
        }
        Some("pods") => {
            let alias = recording.alias(&name);
            let line = match gone {
                true => "gone".into(),
                false => pod_line(&object),
            };
            recording.say(at, &format!("pod {alias}"), line);
        }
        Some("persistentvolumeclaims") => {
            let line = if gone { "gone".into() } else { claim_line(&object) };
            recording.say(at, &format!("claim {name}"), recording.without_uids(&line));
        }
        Some("persistentvolumes") => {
            let alias = recording.volume(&name, &object);
            let line = if gone { "gone".into() } else { volume_line(&object) };
            recording.say(at, &format!("volume {alias}"), line);
        }
        Some("events") if !gone && object["involvedObject"]["kind"] == "PersistentVolumeClaim" => {
            let field = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            let message = recording.without_uids(&field("message"));
            let line = format!("{} {} {message} x{}", field("type"), field("reason"), object["count"]);
            let claim = object["involvedObject"]["name"].as_str().unwrap_or_default();
            recording.say(at, &format!("event on claim {claim}"), line);
        }
        Some("events") if !gone && object["involvedObject"]["kind"] == "Job" => {
            let message = object["message"].as_str().unwrap_or_default();
            let mut shown = message.to_owned();
            if let Some((text, pod)) = message.rsplit_once(": ")
                && text.ends_with("pod")
            {
                shown = format!("{text}: {}", recording.alias(pod));
            }
            // A pod that was never made has no letter.
            if let Some((begin, rest)) = message.split_once("pods \"")
                && let Some((_, end)) = rest.split_once('"')
            {
                shown = format!("{begin}pods \"…\"{end}");
            }
            let field = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            let line = format!("{} {} {shown} x{}", field("type"), field("reason"), object["count"]);
            let subject = format!("event on {}", object["involvedObject"]["name"].as_str().unwrap_or_default());
            recording.say(at, &subject, line);
        }
        Some("events") if !gone && object["involvedObject"]["kind"] == "Pod" => {
            let field = |name: &str| object[name].as_str().unwrap_or_default();
            if EVERY_PODS_EVENTS.contains(&field("reason")) {
                return;
            }
            let involved = |name: &str| object["involvedObject"][name].as_str().unwrap_or_default();
            let alias = recording.alias(involved("name"));
            let message = field("message").replace(involved("name"), &alias).replace(involved("uid"), "UID");
            let line = format!("{} {} {message} x{}", field("type"), field("reason"), object["count"]);
            recording.say(at, &format!("event on pod {alias}"), line);
        }
        _ => {}
    }
}

fn cronjob_line(cronjob: &Value) -> String {
    let time = |value: &Value| value.as_str().unwrap_or("never").trim_start_matches("2026-01-01T").to_owned();
    let status = &cronjob["status"];
    let n_active = status["active"].as_array().map_or(0, Vec::len);
    let mut line = format!("{n_active} active, last {}", time(&status["lastScheduleTime"]));
    let annotations = &cronjob["metadata"]["annotations"];
    let accounted = &annotations["kiln.dev/accounted-until"];
    if accounted.is_string() && *accounted != status["lastScheduleTime"] {
        write!(line, ", accounted until {}", time(accounted)).expect("strings take text");
    }
    let former = annotations["kiln.dev/scheduled-before"].as_str().and_then(|text| serde_json::from_str(text).ok());
    for former in former.iter().flat_map(|former: &Vec<Value>| former) {
        let text = |field: &str| former[field].as_str().unwrap_or_default();
        write!(line, ", was {} until {}", text("schedule"), time(&former["until"])).expect("strings take text");
    }
    if cronjob["spec"]["suspend"] == true {
        line.push_str(", suspended");
    }
    line
}

fn job_line(job: &Value) -> String {
    let status = &job["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let mut line =
        format!("{} active, {} succeeded, {} failed", number("active"), number("succeeded"), number("failed"));
    for (field, text) in [("completedIndexes", "done"), ("failedIndexes", "bad")] {
        if let Some(indexes) = status[field].as_str() {
            write!(line, ", {text} [{indexes}]").expect("strings take text");
        }
    }
    for (field, text) in [("ready", "ready"), ("terminating", "terminating")] {
        if number(field) != 0 {
            write!(line, ", {} {text}", number(field)).expect("strings take text");
        }
    }
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let part = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        write!(line, ", {}={} {}", part("type"), part("status"), part("reason")).expect("strings take text");
    }
    line
}

fn claim_line(claim: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut line = text(&claim["status"]["phase"]);
    for (value, before) in [(&claim["spec"]["volumeName"], "to"), (&claim["status"]["capacity"]["storage"], "with")] {
        if let Some(value) = value.as_str() {
            write!(line, " {before} {value}").expect("strings take text");
        }
    }
    if claim["metadata"]["deletionTimestamp"].is_string() {
        line.push_str(", deleting");
    }
    line
}

fn volume_line(volume: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut line = format!("{} {}", text(&volume["status"]["phase"]), text(&volume["spec"]["capacity"]["storage"]));
    if let Some(claim) = volume["spec"]["claimRef"]["name"].as_str() {
        write!(line, " for {claim}").expect("strings take text");
    }
    if volume["metadata"]["deletionTimestamp"].is_string() {
        line.push_str(", deleting");
    }
    line
}

fn pod_line(pod: &Value) -> String {
    let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
    let container = &pod["status"]["containerStatuses"][0];
    let restarts = container["restartCount"].as_i64().unwrap_or(0);
    let mut line = phase.to_owned();
    let (waiting, terminated) = (&container["state"]["waiting"], &container["state"]["terminated"]);
    if let Some(reason) = waiting["reason"].as_str() {
        write!(line, ", {reason}").expect("strings take text");
    }
    if let Some(reason) = terminated["reason"].as_str() {
        write!(line, ", {reason} {}", terminated["exitCode"]).expect("strings take text");
    }
    if restarts != 0 {
        write!(line, ", {restarts} restarts").expect("strings take text");
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        line.push_str(", deleting");
    }
    line
}
