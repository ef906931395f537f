//! What a Job means where it says nothing (K:pkg/apis/batch/v1/defaults.go).

use crate::at::{items_mut, set_default};
use crate::cronjob::CRONJOB_LABEL;
use crate::pod::defaults::default_template;
use meta::object;
use serde_json::Value;

/// Fills in defaults. Idempotent: it runs on every read.
pub(super) fn default(job: &mut Value) {
    inherit_labels(job);
    let Some(spec) = job.get_mut("spec") else { return };
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        set_default(spec, "completions", 1);
    }
    set_default(spec, "parallelism", 1);
    let is_limited_per_index = !spec["backoffLimitPerIndex"].is_null();
    set_default(spec, "backoffLimit", if is_limited_per_index { i32::MAX } else { 6 });
    set_default(spec, "completionMode", "NonIndexed");
    set_default(spec, "suspend", false);
    set_default(spec, "manualSelector", false);
    let has_failure_policy = !spec["podFailurePolicy"].is_null();
    let replacement = if has_failure_policy { "Failed" } else { "TerminatingOrFailed" };
    set_default(spec, "podReplacementPolicy", replacement);
    if let Some(policy) = spec.get_mut("podFailurePolicy") {
        for pattern in items_mut(policy, "rules").flat_map(|rule| items_mut(rule, "onPodConditions")) {
            set_default(pattern, "status", "True");
        }
    }
    if let Some(template) = spec.get_mut("template") {
        default_template(template);
    }
}

/// A Job without labels takes its template's. On read that includes the generated ones. The label that it has of its CronJob
/// does not count.
fn inherit_labels(job: &mut Value) {
    if object::labels(job).any(|(key, _)| key != CRONJOB_LABEL) {
        return;
    }
    let of_cronjob = object::label(job, CRONJOB_LABEL).map(str::to_owned);
    let Some(labels) = job["spec"]["template"]["metadata"]["labels"].as_object() else { return };
    if labels.is_empty() {
        return;
    }
    let mut labels = labels.clone();
    if let Some(of_cronjob) = of_cronjob {
        labels.insert(CRONJOB_LABEL.to_owned(), of_cronjob.into());
    }
    object::metadata(job).insert("labels".to_owned(), labels.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at::is_same;
    use serde_json::json;

    #[track_caller]
    fn check(spec: Value, expect: &[(&str, Value)]) {
        let mut job = json!({"metadata": {"name": "j"}, "spec": spec});
        default(&mut job);
        for (field, value) in expect {
            assert!(is_same(&job["spec"][*field], value), "{field} is {}", job["spec"][*field]);
        }
        let once = job.clone();
        default(&mut job);
        assert_eq!(job, once, "defaulting twice changes nothing");
    }

    #[test]
    fn an_empty_spec_means_one_pod_six_retries() {
        check(
            json!({}),
            &[
                ("completions", json!(1)),
                ("parallelism", json!(1)),
                ("backoffLimit", json!(6)),
                ("completionMode", json!("NonIndexed")),
                ("suspend", json!(false)),
                ("manualSelector", json!(false)),
                ("podReplacementPolicy", json!("TerminatingOrFailed")),
            ],
        );
    }

    #[test]
    fn completions_stay_open_when_only_parallelism_is_given() {
        check(json!({"parallelism": 3}), &[("completions", json!(null)), ("parallelism", json!(3))]);
        check(json!({"completions": 3}), &[("completions", json!(3)), ("parallelism", json!(1))]);
        check(json!({"completions": null}), &[("completions", json!(1))]);
    }

    #[test]
    fn policies_change_other_defaults() {
        check(json!({"backoffLimitPerIndex": 1}), &[("backoffLimit", json!(2147483647))]);
        let rules = json!([{"onPodConditions": [{"type": "X"}]}]);
        let filled = json!([{"onPodConditions": [{"type": "X", "status": "True"}]}]);
        check(
            json!({"podFailurePolicy": {"rules": rules}}),
            &[("podReplacementPolicy", json!("Failed")), ("podFailurePolicy", json!({"rules": filled}))],
        );
    }

    #[test]
    fn a_job_without_labels_takes_its_templates() {
        let template = json!({"metadata": {"labels": {"a": "b"}}});
        let mut bare = json!({"metadata": {"name": "j"}, "spec": {"template": template}});
        default(&mut bare);
        assert_eq!(bare["metadata"]["labels"], json!({"a": "b"}));
        let mut labelled = json!({"metadata": {"labels": {"c": "d"}}, "spec": {"template": template}});
        default(&mut labelled);
        assert_eq!(labelled["metadata"]["labels"], json!({"c": "d"}));
        let mut made = json!({"metadata": {"labels": {"cronjob-name": "tick"}}, "spec": {"template": template}});
        default(&mut made);
        assert_eq!(made["metadata"]["labels"], json!({"a": "b", "cronjob-name": "tick"}));
    }

    #[test]
    fn objects_of_any_shape_are_left_alone() {
        for mut odd in [json!(null), json!([]), json!({"spec": 1}), json!({"spec": {"template": []}, "metadata": 7})] {
            default(&mut odd);
        }
    }
}
