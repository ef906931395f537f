//! What must hold of containers, whenever the agent died: statuses tell what really happened, and nothing happens twice.

use agent::runtime::fake::{FakeRuntime, RunId};
use serde_json::Value;
use std::collections::BTreeMap;

/// Compares what a pod's status says of its containers with what they did.
pub fn check(pod: &Value, runtime: &FakeRuntime) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    for status in pod["status"]["containerStatuses"].as_array().into_iter().flatten() {
        for state in ["state", "lastState"] {
            if let Some(what) = check_end(&status[state]["terminated"], pod, status, runtime) {
                wrong.push(format!("pod {name}: {state} {what}"));
            }
        }
    }
    wrong
}

/// What is wrong with one record of an end.
fn check_end(end: &Value, pod: &Value, status: &Value, runtime: &FakeRuntime) -> Option<String> {
    if end.is_null() {
        return None;
    }
    let told = end["exitCode"].as_i64();
    let Some(id) = end["containerID"].as_str() else {
        // The record of a container that nobody will ever start.
        let (uid, container) = (pod["metadata"]["uid"].as_str(), status["name"].as_str());
        let has_run = runtime.started().iter().any(|run| Some(&*run.0) == uid && Some(&*run.1) == container);
        return has_run.then(|| format!("is {end}, but it has run"));
    };
    let Some(run) = parse(id) else { return Some(format!("has the odd container id {id}")) };
    match runtime.exit_code(&run) {
        Some(truth) if Some(i64::from(truth)) == told => None,
        Some(truth) => Some(format!("says {told:?}, but {id} exited with {truth}")),
        None => Some(format!("says {told:?}, but {id} has not ended")),
    }
}

/// `kiln://UID/CONTAINER/ATTEMPT`
fn parse(id: &str) -> Option<RunId> {
    let mut parts = id.strip_prefix("kiln://")?.split('/');
    let (uid, container, attempt) = (parts.next()?, parts.next()?, parts.next()?);
    Some((uid.into(), container.into(), attempt.parse().ok()?))
}

/// The runs of every container are 0, 1, 2 …, each once and in this order.
pub fn check_starts(started: &[RunId]) -> Vec<String> {
    let mut n_runs: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (uid, container, attempt) in started {
        let n = n_runs.entry((uid, container)).or_default();
        if attempt != n {
            wrong.push(format!("pod {uid}: run {attempt} of {container} was started after {n} runs"));
        }
        *n = attempt + 1;
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_started_twice_or_skipped_are_noticed() {
        let run = |uid: &str, attempt| (uid.to_owned(), "main".to_owned(), attempt);
        for (started, n_wrong) in [
            (vec![run("a", 0), run("b", 0), run("a", 1)], 0),
            (vec![run("a", 0), run("a", 0)], 1),
            (vec![run("a", 0), run("a", 2)], 1),
            (vec![run("a", 1)], 1),
        ] {
            assert_eq!(check_starts(&started).len(), n_wrong, "{started:?}");
        }
    }

    #[test]
    fn container_ids_name_runs() {
        assert_eq!(parse("kiln://u/main/3"), Some(("u".into(), "main".into(), 3)));
        assert_eq!(parse("kiln://u/main"), None);
        assert_eq!(parse("docker://u/main/3"), None);
    }
}
