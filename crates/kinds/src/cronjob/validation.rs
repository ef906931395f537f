//! Rules for CronJobs (K:pkg/apis/batch/validation/validation.go). Finds every mistake at once.
//!
//! Kubernetes lets CronJobs from before some of these rules keep their ways; here there are none from before.

use super::kind::NAMES;
use super::schedule::{Schedule, is_zone};
use crate::at::At;
use crate::job::validation::check_job_template;
use crate::metadata;
use meta::field::FieldError;
use meta::{names, object};
use serde_json::Value;

/// A Job's name adds 11 characters, and must be a label.
const NAME_BYTES: usize = 52;
const NOT_SCHEDULED: &str = "this version of kiln stores CronJobs but does not run them on schedule yet; \
     make a Job now with: kubectl create job NAME --from=cronjob/";

/// Every mistake in a CronJob.
pub(super) fn validate(cronjob: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(cronjob, NAMES.scope, names::dns_subdomain_errors);
    let root = At::root(cronjob);
    let spec = root.field("spec");
    check_schedule(&spec.field("schedule"), &mut errors);
    spec.field("startingDeadlineSeconds").check_not_negative(&mut errors);
    check_time_zone(&spec.field("timeZone"), &mut errors);
    let policy = spec.field("concurrencyPolicy");
    match policy.text() {
        "" => errors.push(policy.required("")),
        _ => policy.check_among(&["Allow", "Forbid", "Replace"], &mut errors),
    }
    check_job_template(&spec.field("jobTemplate"), &mut errors);
    spec.field("successfulJobsHistoryLimit").check_not_negative(&mut errors);
    spec.field("failedJobsHistoryLimit").check_not_negative(&mut errors);
    let name = root.fields(&["metadata", "name"]);
    if NAME_BYTES < name.text().len() {
        errors.push(name.invalid(&format!("must be no more than {NAME_BYTES} characters")));
    }
    errors
}

/// What may surprise, though it is no mistake.
pub(super) fn warnings(cronjob: &Value) -> Vec<String> {
    let mut warnings = vec![format!("{NOT_SCHEDULED}{}", object::name(cronjob))];
    let wrong = names::dns_label_errors(object::name(cronjob));
    if !wrong.is_empty() {
        warnings.push(format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; \
             a DNS label is recommended: [{}]",
            wrong.join(" ")
        ));
    }
    warnings
}

fn check_schedule(schedule: &At<'_>, errors: &mut Vec<FieldError>) {
    if schedule.text().is_empty() {
        errors.push(schedule.required(""));
        return;
    }
    if let Err(wrong) = schedule.text().parse::<Schedule>() {
        errors.push(schedule.invalid(&wrong));
    }
    if schedule.text().contains("TZ") {
        errors.push(schedule.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
    }
}

fn check_time_zone(time_zone: &At<'_>, errors: &mut Vec<FieldError>) {
    if !time_zone.is_set() {
        return;
    }
    let name = time_zone.text();
    if name.is_empty() {
        errors.push(time_zone.invalid("timeZone must be nil or non-empty string"));
        return;
    }
    let unknown = format!("unknown time zone {name}");
    if !name.split('/').all(is_zone_part) {
        errors.push(time_zone.invalid(&unknown));
        return;
    }
    if name.eq_ignore_ascii_case("Local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.push(time_zone.invalid(detail));
    }
    if !is_zone(name) {
        errors.push(time_zone.invalid(&unknown));
    }
}

/// Zones are looked up as files: one part may not lead elsewhere.
fn is_zone_part(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
    let is_bounded = (1..=14).contains(&part.len());
    is_bounded && part.bytes().all(allowed) && !matches!(part, "." | "..") && !part.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cronjob::CronJob;
    use crate::kind::Kind;
    use crate::testing::check_errors;
    use serde_json::json;

    fn cronjob(spec: Value) -> Value {
        let mut object = json!({"metadata": {"name": "tick", "namespace": "n"}, "spec": {"schedule": "* * * * *",
            "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}}});
        object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        object
    }

    #[track_caller]
    fn check(spec: Value, expect: &[&str]) {
        check_errors(&CronJob, &cronjob(spec), expect);
    }

    #[test]
    fn schedules_are_read_and_their_mistakes_told() {
        for schedule in ["5/15 * * * *", "0 0 ? * ?", "0 0 * * MON-FRI", "@every 1m", "59 23 31 2 *", "@daily"] {
            check(json!({ "schedule": schedule }), &[]);
        }
        check(json!({"schedule": ""}), &["spec.schedule: Required value"]);
        check(
            json!({"schedule": "x"}),
            &["spec.schedule: Invalid value: \"x\": expected exactly 5 fields, found 1: [x]"],
        );
        check(
            json!({"schedule": "TZ=UTC 0 2 * * *"}),
            &[
                "spec.schedule: Invalid value: \"TZ=UTC 0 2 * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            ],
        );
    }

    #[test]
    fn time_zones_are_known_names() {
        for zone in ["Europe/Berlin", "Etc/UTC", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            check(json!({ "timeZone": zone }), &[]);
        }
        check(
            json!({"timeZone": ""}),
            &["spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string"],
        );
        for zone in ["Mars/X", "../etc", "europe/berlin", "-x", "a//b", "Europe/NoSuchCityAtAll"] {
            check(
                json!({ "timeZone": zone }),
                &[&format!("spec.timeZone: Invalid value: \"{zone}\": unknown time zone {zone}")],
            );
        }
        check(
            json!({"timeZone": "Local"}),
            &[
                "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
            ],
        );
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        check(
            json!({"concurrencyPolicy": "Never", "startingDeadlineSeconds": -1, "successfulJobsHistoryLimit": -1, "failedJobsHistoryLimit": -2}),
            &[
                "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
                "spec.concurrencyPolicy: Unsupported value: \"Never\": supported values: \"Allow\", \"Forbid\", \"Replace\"",
                "spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
                "spec.failedJobsHistoryLimit: Invalid value: -2: must be greater than or equal to 0",
            ],
        );
    }

    #[test]
    fn the_job_template_keeps_a_jobs_rules_but_has_no_selector() {
        let template = json!({"selector": {"matchLabels": {"a": "b"}}, "manualSelector": true, "ttlSecondsAfterFinished": 5,
            "template": {"spec": {"containers": [{"name": "c"}]}}});
        check(
            json!({"jobTemplate": {"spec": template}}),
            &[
                "spec.jobTemplate.spec.template.spec.containers[0].image: Required value",
                "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
                "spec.jobTemplate.spec.ttlSecondsAfterFinished: Forbidden: not supported by this version of kiln: leave it out and delete the job when it is no longer needed",
                "spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: `selector` will be auto-generated",
                "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\"",
            ],
        );
    }

    #[test]
    fn names_leave_room_for_the_jobs() {
        let mut object = cronjob(json!({}));
        object["metadata"]["name"] = "a".repeat(52).into();
        check_errors(&CronJob, &object, &[]);
        let long = "a".repeat(53);
        object["metadata"]["name"] = long.as_str().into();
        check_errors(
            &CronJob,
            &object,
            &[&format!("metadata.name: Invalid value: \"{long}\": must be no more than 52 characters")],
        );
    }

    #[test]
    fn a_warning_says_that_nothing_runs_yet() {
        let warnings = CronJob.warnings(&cronjob(json!({})));
        assert_eq!(
            warnings,
            [
                "this version of kiln stores CronJobs but does not run them on schedule yet; make a Job now with: kubectl create job NAME --from=cronjob/tick"
            ]
        );
    }
}
