//! What the server itself writes into a new Job: its selector and the labels that its pods carry.

use crate::cronjob::CRONJOB_LABEL;
use crate::strategy;
use meta::{names, object};
use serde_json::Value;

/// Label on pods: the Job's uid. The selector selects by it.
pub const CONTROLLER_UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
/// Label on pods: the Job's name.
pub const JOB_NAME_LABEL: &str = "batch.kubernetes.io/job-name";
/// As `CONTROLLER_UID_LABEL`, from before labels had prefixes.
pub const OLD_CONTROLLER_UID_LABEL: &str = "controller-uid";
/// As `JOB_NAME_LABEL`, from before labels had prefixes.
pub const OLD_JOB_NAME_LABEL: &str = "job-name";

pub(super) fn prepare_create(job: &mut Value) {
    strategy::begin(job);
    label_with_cronjob(job);
    if job["spec"]["manualSelector"] != true {
        generate_selector(job);
    }
}

/// A Job of a CronJob can be found by the CronJob's name, whoever made it: the controller or `create job --from`, which up to
/// kubectl 1.27 does not call the owner the controller.
fn label_with_cronjob(job: &mut Value) {
    let mut owners = job["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let Some(owner) = owners.find(|owner| owner["kind"] == "CronJob") else { return };
    let name = owner["name"].as_str().unwrap_or_default().to_owned();
    // What cannot be a label's value would turn a Job away that Kubernetes takes.
    if names::label_value_errors(&name).is_empty() && object::label(job, CRONJOB_LABEL).is_none() {
        object::set_label(job, CRONJOB_LABEL, &name);
    }
}

/// Labels for the pods and a selector for the Job, where the user has not written them.
fn generate_selector(job: &mut Value) {
    let (name, uid) = (object::name(job).to_owned(), object::uid(job).to_owned());
    let spec = object::map(job, "spec");
    let template = spec.entry("template").or_insert(Value::Null);
    let labels = object::as_map(object::metadata(template).entry("labels").or_insert(Value::Null));
    for (label, value) in [
        (OLD_JOB_NAME_LABEL, &name),
        (JOB_NAME_LABEL, &name),
        (OLD_CONTROLLER_UID_LABEL, &uid),
        (CONTROLLER_UID_LABEL, &uid),
    ] {
        labels.entry(label).or_insert_with(|| value.as_str().into());
    }
    let selector = spec.entry("selector").or_insert(Value::Null);
    object::as_map(selector);
    object::map(selector, "matchLabels").entry(CONTROLLER_UID_LABEL).or_insert_with(|| uid.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;
    use crate::testing::created;
    use serde_json::json;

    fn job(spec: Value) -> Value {
        json!({"metadata": {"name": "pi", "uid": "u1", "generation": 7}, "spec": spec, "status": {"succeeded": 4}})
    }

    #[test]
    fn pods_are_labelled_and_selected_by_uid() {
        let job = created(&Job, &job(json!({})));
        let labels = json!({"job-name": "pi", "batch.kubernetes.io/job-name": "pi",
            "controller-uid": "u1", "batch.kubernetes.io/controller-uid": "u1"});
        assert_eq!(job["spec"]["template"]["metadata"]["labels"], labels);
        assert_eq!(job["spec"]["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}}));
        assert_eq!(job["metadata"]["labels"], labels, "a Job without labels shows the generated ones");
        assert_eq!(job["status"], json!({}));
        assert_eq!(job["metadata"]["generation"], 1);
    }

    #[test]
    fn a_job_of_a_cronjob_is_labelled_with_its_name() {
        let labels = |owner: Value, labels: Value| {
            let mut object = job(json!({"template": {"metadata": {"labels": {"a": "b"}}}}));
            object["metadata"]["ownerReferences"] = json!([owner]);
            object["metadata"]["labels"] = labels;
            created(&Job, &object)["metadata"]["labels"].clone()
        };
        let owner = |kind: &str, name: &str| json!({"kind": kind, "name": name, "controller": true});
        assert_eq!(labels(owner("CronJob", "tick"), json!({})), json!({"a": "b", "cronjob-name": "tick"}));
        assert_eq!(labels(owner("CronJob", "tick"), json!({"c": "d"})), json!({"c": "d", "cronjob-name": "tick"}));
        assert_eq!(labels(owner("CronJob", "tick"), json!({"cronjob-name": "x"}))["cronjob-name"], "x");
        assert_eq!(labels(owner("CronJob", "no label"), json!({})), json!({"a": "b"}));
        assert_eq!(labels(owner("Other", "tick"), json!({})), json!({"a": "b"}));
        assert_eq!(labels(json!({"kind": "CronJob", "name": "tick"}), json!({}))["cronjob-name"], "tick");
    }

    #[test]
    fn what_the_user_wrote_stays() {
        let spec = json!({"template": {"metadata": {"labels": {"job-name": "mine", "a": "b"}}}});
        let job = created(&Job, &job(spec));
        let labels = &job["spec"]["template"]["metadata"]["labels"];
        assert_eq!(labels["job-name"], "mine");
        assert_eq!(labels["controller-uid"], "u1");
        assert_eq!(job["metadata"]["labels"], json!({"job-name": "mine", "a": "b"}));
    }

    #[test]
    fn a_manual_selector_generates_nothing() {
        let spec = json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}});
        let job = created(&Job, &job(spec));
        assert_eq!(job["spec"]["selector"], json!({"matchLabels": {"a": "b"}}));
        assert!(job["spec"]["template"].is_null());
    }
}
