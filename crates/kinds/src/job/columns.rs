//! Rows of `kubectl get jobs`.

use crate::kind::{Column, Row};
use crate::table;
use jiff::Timestamp;
use meta::{duration, object};
use serde_json::Value;

pub(super) const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Status", "Where the job is on its way."),
    table::column("Completions", "How many pods succeeded, of how many that have to."),
    table::column("Duration", "How long it ran, or has been running."),
    table::AGE,
    table::CONTAINERS,
    table::IMAGES,
    table::SELECTOR,
];

pub(super) fn row(job: &Value, now: Timestamp) -> Row {
    let [containers, images] = table::containers_and_images(&job["spec"]["template"]["spec"]);
    let cells = vec![
        table::name(job),
        status(job).into(),
        completions(job).into(),
        duration(job, now).into(),
        table::age(job, now),
        containers,
        images,
        table::selector(&job["spec"]["selector"]),
    ];
    Row { cells, ..Row::default() }
}

/// The first of these that holds is the one shown.
fn status(job: &Value) -> &'static str {
    let has = |condition_type| table::has_condition(job, condition_type);
    match () {
        () if has("Complete") => "Complete",
        () if has("Failed") => "Failed",
        () if object::is_being_deleted(job) => "Terminating",
        () if has("Suspended") => "Suspended",
        () if has("FailureTarget") => "FailureTarget",
        () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(job: &Value) -> String {
    let succeeded = job["status"]["succeeded"].as_i64().unwrap_or(0);
    let parallelism = job["spec"]["parallelism"].as_i64().unwrap_or(0);
    match job["spec"]["completions"].as_i64() {
        Some(completions) => format!("{succeeded}/{completions}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

/// Nothing before the start. A failed job has no completion time, so its duration keeps growing, as in Kubernetes.
fn duration(job: &Value, now: Timestamp) -> String {
    let Some(start) = table::instant(&job["status"]["startTime"]) else {
        return String::new();
    };
    let end = table::instant(&job["status"]["completionTime"]).unwrap_or(now);
    duration::human(end.duration_since(start))
}

#[cfg(test)]
mod tests {
    use crate::job::Job;
    use crate::testing::cells;
    use serde_json::{Value, json};

    fn job(status: Value) -> Value {
        json!({"metadata": {"name": "pi", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"completions": 5, "parallelism": 2, "selector": {"matchLabels": {"a": "b"}},
                "template": {"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}}},
            "status": status})
    }

    #[test]
    fn the_row_shows_progress() {
        let status = json!({"succeeded": 3, "startTime": "2026-01-01T00:55:00Z"});
        let expect = ["pi", "Running", "3/5", "5m", "60m", "c,d", "i,j", "a=b"];
        assert_eq!(cells(&Job, &job(status)), expect);
    }

    #[test]
    fn the_duration_ends_with_completion_and_is_empty_before_the_start() {
        let status = json!({"startTime": "2026-01-01T00:55:00Z", "completionTime": "2026-01-01T00:55:07Z"});
        assert_eq!(cells(&Job, &job(status))[3], "7s");
        assert_eq!(cells(&Job, &job(json!({})))[3], "");
    }

    #[test]
    fn completions_without_a_number_count_up_to_one() {
        let mut job = job(json!({"succeeded": 0}));
        job["spec"].as_object_mut().unwrap().remove("completions");
        assert_eq!(cells(&Job, &job)[2], "0/1 of 2");
        job["spec"]["parallelism"] = 1.into();
        assert_eq!(cells(&Job, &job)[2], "0/1");
    }

    #[test]
    fn the_weightiest_condition_is_the_status() {
        let with = |types: &[&str]| {
            let conditions = types.iter().map(|t| json!({"type": t, "status": "True"})).collect::<Vec<_>>();
            cells(&Job, &job(json!({ "conditions": conditions })))[1].clone()
        };
        assert_eq!(with(&["SuccessCriteriaMet", "Complete"]), "Complete");
        assert_eq!(with(&["FailureTarget", "Failed"]), "Failed");
        assert_eq!(with(&["FailureTarget"]), "FailureTarget");
        assert_eq!(with(&["SuccessCriteriaMet"]), "SuccessCriteriaMet");
        assert_eq!(with(&["SuccessCriteriaMet", "Suspended"]), "Suspended");
        let mut dying = job(json!({"conditions": [{"type": "Suspended", "status": "True"}]}));
        dying["metadata"]["deletionTimestamp"] = "2026-01-01T00:59:00Z".into();
        assert_eq!(cells(&Job, &dying)[1], "Terminating");
        dying["status"]["conditions"][0]["type"] = "Complete".into();
        assert_eq!(cells(&Job, &dying)[1], "Complete");
    }
}
