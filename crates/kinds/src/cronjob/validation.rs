//! Rules for CronJobs (K:pkg/apis/batch/validation/validation.go). Finds every mistake at once.

use super::kind::NAMES;
use super::schedule::{Schedule, is_zone};
use crate::at::At;
use crate::job::validation::{check_job_template, name_warnings, spec_warnings};
use crate::metadata;
use meta::field::FieldError;
use meta::{names, object};
use serde_json::Value;

/// A Job's name adds 11 characters, and must be a label.
const NAME_BYTES: usize = 52;

/// Every mistake in a new CronJob.
pub(super) fn validate(cronjob: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(cronjob, NAMES.scope, names::dns_subdomain_errors);
    check_spec(cronjob, &Value::Null, &mut errors);
    let name = At::root(cronjob).fields(&["metadata", "name"]);
    if NAME_BYTES < name.text().len() {
        errors.push(name.invalid(&format!("must be no more than {NAME_BYTES} characters")));
    }
    errors
}

/// Every mistake in a changed one. Its name is what it is; a zone in its schedule may stay, and a zone is asked for
/// again only when it is another: zones come and go.
pub(super) fn validate_changed(cronjob: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate_changed(cronjob, NAMES.scope);
    check_spec(cronjob, &old["spec"], &mut errors);
    errors
}

fn check_spec(cronjob: &Value, old_spec: &Value, errors: &mut Vec<FieldError>) {
    let spec = At::root(cronjob).field("spec");
    let had_zone = old_spec["schedule"].as_str().is_some_and(|schedule| schedule.contains("TZ"));
    check_schedule(&spec, had_zone, errors);
    spec.field("startingDeadlineSeconds").check_not_negative(errors);
    let time_zone = spec.field("timeZone");
    if old_spec.is_null() || time_zone.value != &old_spec["timeZone"] {
        check_time_zone(&time_zone, errors);
    }
    spec.field("concurrencyPolicy").check_choice(&["Allow", "Forbid", "Replace"], errors);
    check_job_template(&spec.field("jobTemplate"), errors);
    spec.field("successfulJobsHistoryLimit").check_not_negative(errors);
    spec.field("failedJobsHistoryLimit").check_not_negative(errors);
}

/// What may surprise in a new CronJob, though it is no mistake.
pub(super) fn warnings(cronjob: &Value) -> Vec<String> {
    let mut warnings = name_warnings(cronjob);
    warnings.extend(template_warnings(cronjob));
    warnings
}

/// The same for a changed one.
pub(super) fn update_warnings(cronjob: &Value, old: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    if object::generation(cronjob) != object::generation(old) {
        warnings = template_warnings(cronjob);
    }
    if At::root(cronjob).fields(&["spec", "schedule"]).text().contains("TZ") {
        // The path is Kubernetes' own.
        warnings.push(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see \
             https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
                .to_owned(),
        );
    }
    warnings
}

fn template_warnings(cronjob: &Value) -> Vec<String> {
    spec_warnings(&At::root(cronjob).fields(&["spec", "jobTemplate", "spec"]))
}

fn check_schedule(spec: &At<'_>, may_have_zone: bool, errors: &mut Vec<FieldError>) {
    let schedule = spec.field("schedule");
    if schedule.text().is_empty() {
        errors.push(schedule.required(""));
        return;
    }
    if let Err(wrong) = schedule.text().parse::<Schedule>() {
        errors.push(schedule.invalid(&wrong));
    }
    match (schedule.text().contains("TZ"), may_have_zone) {
        (true, false) => {
            errors.push(schedule.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
        }
        (true, true) if spec.field("timeZone").is_set() => {
            errors.push(schedule.invalid("cannot use both timeZone field and TZ or CRON_TZ in schedule"));
        }
        _ => {}
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
                "spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: `selector` will be auto-generated",
                "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\"",
            ],
        );
    }

    #[test]
    fn a_zone_in_an_old_schedule_may_stay() {
        let with = |spec: Value| crate::testing::created(&CronJob, &cronjob(spec));
        let old = with(json!({"schedule": "TZ=UTC 0 2 * * *"}));
        let change = |spec: Value| {
            let new = with(spec);
            let errors = crate::testing::texts(&CronJob.validate_changed(&new, &old, crate::Part::Spec));
            (errors, CronJob.update_warnings(&new, &old))
        };
        let warning = "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details";
        assert_eq!(change(json!({"schedule": "TZ=UTC 0 3 * * *"})), (vec![], vec![warning.to_owned()]));
        assert_eq!(
            change(json!({"schedule": "TZ=UTC 0 3 * * *", "timeZone": "UTC"})).0,
            [
                "spec.schedule: Invalid value: \"TZ=UTC 0 3 * * *\": cannot use both timeZone field and TZ or CRON_TZ in schedule"
            ]
        );
        assert_eq!(change(json!({"schedule": "0 3 * * *"})), (vec![], vec![]));
    }

    #[test]
    fn what_is_there_is_not_judged_by_later_rules() {
        let mut old = cronjob(json!({"timeZone": "Mars/X"}));
        old["metadata"]["name"] = "a".repeat(60).into();
        let old = crate::testing::created(&CronJob, &old);
        let mut new = old.clone();
        new["spec"]["suspend"] = true.into();
        let errors = |new: &Value, part| crate::testing::texts(&CronJob.validate_changed(new, &old, part));
        assert!(errors(&new, crate::Part::Spec).is_empty());
        new["spec"]["timeZone"] = "Mars/Y".into();
        assert_eq!(
            errors(&new, crate::Part::Spec),
            ["spec.timeZone: Invalid value: \"Mars/Y\": unknown time zone Mars/Y"]
        );
        assert!(errors(&new, crate::Part::Status).is_empty());
        new["metadata"]["labels"] = json!({"a": "b c"});
        assert_eq!(errors(&new, crate::Part::Status).len(), 1, "metadata is looked at with every write");
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
}
