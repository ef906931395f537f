//! Writes down what a person with `kubectl get jobs,pods,events -w` would have seen, with random names replaced by a, b, c ….

use crate::chance::VirtualClock;
use crate::invariants::Invariants;
use agent::runtime::fake::FakeRuntime;
use futures::future::{Either, select};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
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
    last: HashMap<String, String>,
    /// Broken invariants.
    pub wrong: Vec<String>,
}

impl Recording {
    /// The whole recording.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn alias(&mut self, name: &str) -> String {
        let n = self.names.len();
        let letter = char::from(b'a' + (n % 26) as u8);
        let alias = if n < 26 { letter.to_string() } else { format!("{letter}{}", n / 26) };
        self.names.entry(name.into()).or_insert(alias).clone()
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
pub async fn run(store: Store, clock: Arc<VirtualClock>, runtime: FakeRuntime, recording: Arc<Mutex<Recording>>) {
    let mut invariants = Invariants::new(runtime);
    let begin = store.revision();
    let watch = |prefix: &str| store.watch(prefix, begin).expect("nothing is compacted yet");
    let (mut jobs, mut pods) = (watch("/batch/jobs/"), watch("/core/pods/"));
    let mut events = watch("/core/events/");
    loop {
        let batch = next(&mut jobs, &mut pods, &mut events).await;
        let at = moment(&clock);
        let mut recording = recording.lock();
        for event in batch {
            write_down(&mut recording, &at, &event);
        }
        let wrong = invariants.look_at(&store);
        recording.wrong.extend(wrong.into_iter().map(|what| format!("{at} {what}")));
    }
}

/// Seconds since the world began, to the millisecond.
pub fn moment(clock: &VirtualClock) -> String {
    format!("{:.3}s", clock.elapsed().as_secs_f64())
}

async fn next(jobs: &mut Watcher, pods: &mut Watcher, events: &mut Watcher) -> Vec<Event> {
    let first = select(Box::pin(jobs.next()), Box::pin(pods.next()));
    let batch = match select(first, Box::pin(events.next())).await {
        Either::Left((Either::Left((batch, _)) | Either::Right((batch, _)), _)) => batch,
        Either::Right((batch, _)) => batch,
    };
    batch.expect("the recorder keeps up")
}

fn write_down(recording: &mut Recording, at: &str, event: &Event) {
    let (record, gone) = match event {
        Event::Put { record, .. } => (record, false),
        Event::Delete { previous, .. } => (previous, true),
    };
    let Ok(object) = serde_json::from_slice::<Value>(&record.value) else { return };
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    match record.key.split('/').nth(2) {
        Some("jobs") => {
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
        Some("events") if !gone && object["involvedObject"]["kind"] == "Job" => {
            let message = object["message"].as_str().unwrap_or_default();
            let mut shown = message.to_owned();
            if let Some((text, pod)) = message.rsplit_once(": ")
                && text.ends_with("pod")
            {
                shown = format!("{text}: {}", recording.alias(pod));
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

fn job_line(job: &Value) -> String {
    let status = &job["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let mut line =
        format!("{} active, {} succeeded, {} failed", number("active"), number("succeeded"), number("failed"));
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
