//! The Job that a CronJob asks the server to create: its template, named after the instant, owned and tracked.

use crate::cronjob::facts::CronJobFacts;
use crate::cronjob::{CRONJOB_LABEL, SCHEDULED_AT, TRACKING_FINALIZER};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use meta::object;
use serde_json::{Value, json};

/// The name of the Job of an instant: it ends in the unix minute, or in the unix second where instants are closer.
pub fn job_name(cronjob: &str, tick: Timestamp, is_under_a_minute: bool) -> String {
    let seconds = tick.as_second();
    let number = if is_under_a_minute { seconds } else { seconds.div_euclid(60) };
    format!("{cronjob}-{number}")
}

/// Whether a Job of this name can have been made for the instant.
pub fn is_name_of(job: &str, cronjob: &str, tick: Timestamp) -> bool {
    [false, true].iter().any(|is_under_a_minute| job == job_name(cronjob, tick, *is_under_a_minute))
}

/// The Job of an instant.
pub fn new_job(cronjob: &CronJobFacts, name: &str, tick: Timestamp) -> Value {
    let mut template: Value = serde_json::from_str(&cronjob.job_template).unwrap_or_default();
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {
        "name": name,
        "namespace": cronjob.namespace,
        "finalizers": [TRACKING_FINALIZER],
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": cronjob.name, "uid": cronjob.uid,
            "controller": true, "blockOwnerDeletion": true}],
    }});
    let given = &mut template["metadata"];
    let mut labels = given["labels"].take();
    // A label of the user's own of that name stays.
    object::as_map(&mut labels).entry(CRONJOB_LABEL).or_insert_with(|| cronjob.name.as_str().into());
    let mut annotations = given["annotations"].take();
    object::as_map(&mut annotations).insert(SCHEDULED_AT.into(), scheduled_at(tick, cronjob).into());
    job["metadata"]["labels"] = labels;
    job["metadata"]["annotations"] = annotations;
    job["spec"] = template["spec"].take();
    job
}

/// The instant in RFC 3339, in spec.timeZone, else in UTC (K:pkg/controller/cronjob/utils.go getJobFromTemplate2).
fn scheduled_at(tick: Timestamp, cronjob: &CronJobFacts) -> String {
    let named = cronjob.time_zone.as_deref().and_then(|zone| TimeZoneDatabase::bundled().get(zone).ok());
    let local = tick.to_zoned(named.unwrap_or(TimeZone::UTC));
    match local.offset().is_zero() {
        true => local.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        false => local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cronjob::testing::cronjob;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn names_end_in_the_minute_or_the_second() {
        let tick = at("2026-01-01T00:01:30Z");
        assert_eq!(job_name("tick", tick, false), "tick-29453761");
        assert_eq!(job_name("tick", tick, true), "tick-1767225690");
        assert!(is_name_of("tick-29453761", "tick", tick) && is_name_of("tick-1767225690", "tick", tick));
        assert!(!is_name_of("tick-29453762", "tick", tick));
    }

    #[test]
    fn the_job_is_the_template_owned_labelled_and_tracked() {
        let template = json!({
            "metadata": {"name": "ignored", "labels": {"app": "backup"}, "annotations": {"note": "n"}},
            "spec": {"backoffLimit": 1, "template": {"spec": {"restartPolicy": "Never"}}},
        });
        let facts = cronjob("0 2 * * *", json!({"timeZone": "Europe/Berlin", "jobTemplate": template}));
        let job = new_job(&facts, "tick-1", at("2026-07-01T00:00:00Z"));
        let expect = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "tick-1", "namespace": "n", "finalizers": [TRACKING_FINALIZER],
                "labels": {"app": "backup", "cronjob-name": "tick"},
                "annotations": {"note": "n", "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-07-01T02:00:00+02:00"},
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": "u",
                    "controller": true, "blockOwnerDeletion": true}]},
            "spec": {"backoffLimit": 1, "template": {"metadata": {}, "spec": {"containers": [], "restartPolicy": "Never"}}}});
        let mut got = job.clone();
        // What the typed template writes for what was not given says nothing.
        got["spec"]["template"]["metadata"] = json!({});
        assert_eq!(got, expect);
    }

    #[test]
    fn without_a_zone_the_instant_is_told_in_utc_and_the_users_label_stays() {
        let template = json!({"metadata": {"labels": {"cronjob-name": "mine"}}, "spec": {"template": {}}});
        let facts = cronjob("0 2 * * *", json!({"jobTemplate": template}));
        let job = new_job(&facts, "tick-1", at("2026-07-01T02:00:00Z"));
        assert_eq!(job["metadata"]["labels"], json!({"cronjob-name": "mine"}));
        assert_eq!(job["metadata"]["annotations"], json!({SCHEDULED_AT: "2026-07-01T02:00:00Z"}));
    }
}
