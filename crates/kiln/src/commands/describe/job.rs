//! A Job's description. Pure.

use serde_json::Value;

use super::page::{Page, View, instant, text_of, text_or};
use super::template;

/// How much of a list of indexes is shown.
const MAX_INDEXES_WIDTH: usize = 50;

/// As kubectl's.
pub fn describe(page: &mut Page, job: &Value, view: &View) {
    let (spec, status) = (&job["spec"], &job["status"]);
    page.field("Name", meta::object::name(job));
    page.field("Namespace", meta::object::namespace(job));
    if spec["selector"].is_object() {
        page.field("Selector", selector(&spec["selector"]));
    }
    page.labels("Labels", &job["metadata"]["labels"]);
    page.annotations("Annotations", &job["metadata"]["annotations"]);
    page.controlled_by(job);
    page.field_if("Parallelism", &spec["parallelism"]);
    page.field("Completions", text_or(&spec["completions"], "<unset>"));
    page.field_if("Completion Mode", &spec["completionMode"]);
    page.field_if("Suspend", &spec["suspend"]);
    page.field_if("Backoff Limit", &spec["backoffLimit"]);
    page.field_if("TTL Seconds After Finished", &spec["ttlSecondsAfterFinished"]);
    times(page, status, view);
    if let Some(seconds) = text_of(&spec["activeDeadlineSeconds"]) {
        page.field("Active Deadline Seconds", format!("{seconds}s"));
    }
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let ended = format!("{} Succeeded / {} Failed", count("succeeded"), count("failed"));
    match status["ready"].as_i64() {
        Some(ready) => page.field("Pods Statuses", format!("{} Active ({ready} Ready) / {ended}", count("active"))),
        None => page.field("Pods Statuses", format!("{} Running / {ended}", count("active"))),
    }
    if spec["completionMode"] == "Indexed" {
        page.field("Completed Indexes", indexes(&status["completedIndexes"]));
    }
    template::describe(page, &spec["template"]);
}

fn times(page: &mut Page, status: &Value, view: &View) {
    if status["startTime"].is_string() {
        page.field("Start Time", view.time(&status["startTime"]));
    }
    if status["completionTime"].is_string() {
        page.field("Completed At", view.time(&status["completionTime"]));
    }
    if let (Some(start), Some(end)) = (instant(&status["startTime"]), instant(&status["completionTime"])) {
        page.field("Duration", meta::duration::human(end.duration_since(start)));
    }
}

/// The list, cut after a whole number when it is long.
fn indexes(indexes: &Value) -> String {
    let all = text_or(indexes, "<none>");
    if all.len() <= MAX_INDEXES_WIDTH {
        return all;
    }
    match all[..MAX_INDEXES_WIDTH].rsplit_once(',') {
        Some((kept, _)) => format!("{kept},..."),
        None => all,
    }
}

/// `a=b,c in (d,e),!f`
pub fn selector(selector: &Value) -> String {
    let labels = super::page::sorted(&selector["matchLabels"]).into_iter();
    let mut terms: Vec<(String, String)> =
        labels.map(|(key, value)| (key.clone(), format!("{key}={}", value.as_str().unwrap_or_default()))).collect();
    for expression in super::page::items(&selector["matchExpressions"]) {
        let key = expression["key"].as_str().unwrap_or_default();
        let mut values: Vec<&str> = super::page::items(&expression["values"]).filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let term = match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        };
        terms.push((key.to_owned(), term));
    }
    terms.sort();
    terms.into_iter().map(|(_, term)| term).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_lists_of_indexes_are_cut() {
        let long = (0..40).step_by(2).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(indexes(&json!(long)), "0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,...");
        assert_eq!(indexes(&json!("0-5")), "0-5");
        assert_eq!(indexes(&json!(null)), "<none>");
    }
}
