//! What `kiln demo` tells of its Jobs, from what a watch shows of them. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// What it is about.
pub const BEGINNING: &str = "\
in the namespace kiln-demo:
pi      a Job: a thousand digits of pi
parts   an Indexed Job: six parts, three at a time
fails   a Job that fails, is tried once more, and is given up
clock   a CronJob: a Job every minute

";

/// What to do now.
pub const END: &str = "
see for yourself:
  kiln get jobs,pods -n kiln-demo
  kiln logs -n kiln-demo job/parts
  kiln describe -n kiln-demo job/fails
  kiln cron next --namespace kiln-demo
  kiln get jobs -n kiln-demo -w
kubectl has the same but cron, and kiln demo --rm takes all of it away
";

const JOBS: [&str; 3] = ["pi", "parts", "fails"];

/// How far each Job is.
#[derive(Debug, Default)]
pub struct Story {
    jobs: BTreeMap<String, Chapter>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Chapter {
    n_succeeded: i64,
    n_wanted: i64,
    has_failed_once: bool,
    is_over: bool,
}

impl Story {
    /// Every Job has ended.
    pub fn is_over(&self) -> bool {
        JOBS.iter().all(|job| self.jobs.get(*job).is_some_and(|chapter| chapter.is_over))
    }

    /// Where it stands, in a line.
    pub fn standing(&self) -> String {
        let running = self.jobs.iter().filter(|(_, chapter)| !chapter.is_over);
        let told = running.map(|(name, chapter)| format!("{name} {}/{}", chapter.n_succeeded, chapter.n_wanted));
        told.collect::<Vec<_>>().join(" · ")
    }

    /// A Job as it is now: the lines that are new. Those of the CronJob are no part of it.
    pub fn take(&mut self, job: &Value, now: Timestamp) -> Vec<String> {
        let name = meta::object::name(job);
        if !JOBS.contains(&name) {
            return Vec::new();
        }
        let before = self.jobs.get(name).copied().unwrap_or_default();
        let status = &job["status"];
        let n = |field: &str| status[field].as_i64().unwrap_or(0);
        let ended = end(job);
        let chapter = Chapter {
            n_succeeded: n("succeeded"),
            n_wanted: job["spec"]["completions"].as_i64().unwrap_or(1),
            has_failed_once: before.has_failed_once || 0 < n("failed"),
            is_over: before.is_over || ended.is_some(),
        };
        self.jobs.insert(name.to_owned(), chapter);
        let mut told = Vec::new();
        if chapter.has_failed_once && !before.has_failed_once {
            told.push(line(name, "a pod has failed; another is tried ten seconds later"));
        }
        if let Some(ended) = ended.filter(|_| !before.is_over) {
            told.push(line(name, &ended.told(job, now)));
        }
        told
    }
}

/// A line about one object.
pub fn line(name: &str, text: &str) -> String {
    format!("{name:<7} {text}\n")
}

enum End {
    Complete,
    Failed(String),
}

fn end(job: &Value) -> Option<End> {
    let conditions = job["status"]["conditions"].as_array()?;
    let is =
        |kind: &str| conditions.iter().find(|condition| condition["type"] == kind && condition["status"] == "True");
    if is("Complete").is_some() {
        return Some(End::Complete);
    }
    is("Failed").map(|condition| End::Failed(condition["reason"].as_str().unwrap_or_default().to_owned()))
}

impl End {
    fn told(&self, job: &Value, now: Timestamp) -> String {
        let begun = job["status"]["startTime"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let took = meta::duration::human(now.duration_since(begun.unwrap_or(now)));
        match self {
            End::Complete => format!("complete after {took}"),
            End::Failed(reason) => format!("failed after {took}: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(name: &str, status: Value) -> Value {
        json!({ "metadata": { "name": name }, "spec": { "completions": 6 }, "status": status })
    }

    fn condition(kind: &str, reason: &str) -> Value {
        json!({ "startTime": "2026-01-01T00:00:00Z", "conditions": [{ "type": kind, "status": "True", "reason": reason }] })
    }

    #[test]
    fn every_job_is_told_of_once() {
        let now = "2026-01-01T00:00:12Z".parse().unwrap();
        let mut story = Story::default();
        let mut told = Vec::new();
        for job in [
            job("parts", json!({ "succeeded": 2 })),
            job("clock-29", condition("Complete", "")),
            job("fails", json!({ "failed": 1 })),
            job("fails", json!({ "failed": 2 })),
            job("pi", condition("Complete", "")),
            job("pi", condition("Complete", "")),
            job("parts", condition("Complete", "")),
        ] {
            assert!(!story.is_over());
            told.extend(story.take(&job, now));
        }
        assert_eq!(story.standing(), "fails 0/6");
        told.extend(story.take(&job("fails", condition("Failed", "BackoffLimitExceeded")), now));
        assert!(story.is_over());
        assert_eq!(
            told.concat(),
            "fails   a pod has failed; another is tried ten seconds later\npi      complete after 12s\nparts   complete after 12s\nfails   failed after 12s: BackoffLimitExceeded\n"
        );
    }

    #[test]
    fn a_job_that_was_seen_late_is_told_of_all_the_same() {
        let mut story = Story::default();
        let mut late = condition("Failed", "BackoffLimitExceeded");
        late["failed"] = 2.into();
        assert_eq!(story.take(&job("fails", late), "2026-01-01T00:00:00Z".parse().unwrap()).len(), 2);
    }
}
