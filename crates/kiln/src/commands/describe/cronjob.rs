//! A CronJob's description. Pure.

use serde_json::Value;

use super::page::{Page, View, capital, items, text_of, text_or};
use super::{job, template};

/// As kubectl's.
pub fn describe(page: &mut Page, cron_job: &Value, view: &View) {
    let (spec, status) = (&cron_job["spec"], &cron_job["status"]);
    let job_spec = &spec["jobTemplate"]["spec"];
    page.field("Name", meta::object::name(cron_job));
    page.field("Namespace", meta::object::namespace(cron_job));
    page.labels("Labels", &cron_job["metadata"]["labels"]);
    page.annotations("Annotations", &cron_job["metadata"]["annotations"]);
    page.field("Schedule", text_or(&spec["schedule"], ""));
    page.field("Concurrency Policy", text_or(&spec["concurrencyPolicy"], ""));
    page.field("Suspend", capital(&spec["suspend"]));
    page.field("Successful Job History Limit", text_or(&spec["successfulJobsHistoryLimit"], "<unset>"));
    page.field("Failed Job History Limit", text_or(&spec["failedJobsHistoryLimit"], "<unset>"));
    page.field("Starting Deadline Seconds", seconds(&spec["startingDeadlineSeconds"]).unwrap_or("<unset>".into()));
    match job_spec["selector"].is_object() {
        true => page.field("Selector", job::selector(&job_spec["selector"])),
        false => page.field("Selector", "<unset>"),
    }
    page.field("Parallelism", text_or(&job_spec["parallelism"], "<unset>"));
    page.field("Completions", text_or(&job_spec["completions"], "<unset>"));
    if let Some(deadline) = seconds(&job_spec["activeDeadlineSeconds"]) {
        page.field("Active Deadline Seconds", deadline);
    }
    template::describe(page, &job_spec["template"]);
    match status["lastScheduleTime"].is_string() {
        true => page.field("Last Schedule Time", view.time(&status["lastScheduleTime"])),
        false => page.field("Last Schedule Time", "<unset>"),
    }
    let active: Vec<String> = items(&status["active"]).map(|job| text_or(&job["name"], "")).collect();
    page.field("Active Jobs", if active.is_empty() { "<none>".into() } else { active.join(", ") });
}

fn seconds(value: &Value) -> Option<String> {
    text_of(value).map(|seconds| format!("{seconds}s"))
}
