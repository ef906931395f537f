//! Fields that are misspelt, or stand where they do not belong.

use super::*;

fn unknown(path: &str, remedy: &str) -> String {
    format!("error: unknown field {path:?} -> {remedy}")
}

#[test]
fn misspelt_fields_name_the_nearest() {
    let text = |text: &str| Value::String(text.to_owned());
    for (object, path, name) in [
        (
            with(cronjob(), "spec/startingDelineSeconds", 300.into()),
            "spec.startingDelineSeconds",
            "startingDeadlineSeconds",
        ),
        (
            with(cronjob(), "spec/jobTemplate/spec/activeDeradlineSeconds", 1800.into()),
            "spec.jobTemplate.spec.activeDeradlineSeconds",
            "activeDeadlineSeconds",
        ),
        (with(job(), "spec/paralellism", 1.into()), "spec.paralellism", "parallelism"),
        (with(job(), "spec/backofflimit", 1.into()), "spec.backofflimit", "backoffLimit"),
        (
            with_container(job(), "imagePullpolicy", text("Always")),
            "spec.template.spec.containers[0].imagePullpolicy",
            "imagePullPolicy",
        ),
        (with(job(), "metadata/label", json!({"a": "b"})), "metadata.label", "labels"),
    ] {
        check(&[object], &[&unknown(path, &format!("did you mean {name:?}?"))]);
    }
}

#[test]
fn one_mistake_does_not_lead_to_others() {
    let mut object = job();
    let pod = &mut object["spec"]["template"]["spec"];
    pod["container"] = pod["containers"].take();
    pod.as_object_mut().unwrap().shift_remove("containers");
    check(&[object], &[&unknown("spec.template.spec.container", "did you mean \"containers\"?")]);
    let both = with_pod(job(), "container", json!([{"name": "other"}]));
    check(&[both], &[&unknown("spec.template.spec.container", "did you mean \"containers\"?")]);
}

#[test]
fn misplaced_fields_name_their_place() {
    let cron = |pointer: &str, value: Value| with(cronjob(), pointer, value);
    let mut bare = job();
    bare["spec"]["template"]["spec"].as_object_mut().unwrap().shift_remove("restartPolicy");
    for (object, path, right) in [
        (cron("spec/jobTemplate/schedule", "@daily".into()), "spec.jobTemplate.schedule", "spec.schedule"),
        (cron("spec/jobTemplate/spec/schedule", "@daily".into()), "spec.jobTemplate.spec.schedule", "spec.schedule"),
        (
            cron("spec/jobTemplate/spec/concurrencyPolicy", "Forbid".into()),
            "spec.jobTemplate.spec.concurrencyPolicy",
            "spec.concurrencyPolicy",
        ),
        (
            cron("spec/jobTemplate/spec/template/spec/backoffLimit", 1.into()),
            "spec.jobTemplate.spec.template.spec.backoffLimit",
            "spec.jobTemplate.spec.backoffLimit",
        ),
        (
            cron("spec/activeDeadlineSeconds", 9.into()),
            "spec.activeDeadlineSeconds",
            "spec.jobTemplate.spec.activeDeadlineSeconds",
        ),
        (cron("spec/image", "x:1".into()), "spec.image", "spec.jobTemplate.spec.template.spec.containers[].image"),
        (cron("schedule", "@daily".into()), "schedule", "spec.schedule"),
        (with_pod(job(), "backoffLimit", 1.into()), "spec.template.spec.backoffLimit", "spec.backoffLimit"),
        (
            with_pod(job(), "command", json!(["a"])),
            "spec.template.spec.command",
            "spec.template.spec.containers[].command",
        ),
        (
            with_pod(job(), "runAsUser", 1.into()),
            "spec.template.spec.runAsUser",
            "spec.template.spec.securityContext.runAsUser",
        ),
        // It belongs to the pods, and then it is there: that it is missing is not said too.
        (with(bare, "spec/restartPolicy", "Never".into()), "spec.restartPolicy", "spec.template.spec.restartPolicy"),
        (with(job(), "spec/containers", json!([])), "spec.containers", "spec.template.spec.containers"),
        (with(job(), "spec/labels", json!({})), "spec.labels", "metadata.labels"),
        (
            with_container(job(), "volumes", json!([])),
            "spec.template.spec.containers[0].volumes",
            "spec.template.spec.volumes",
        ),
        (
            with_container(job(), "limits", json!({})),
            "spec.template.spec.containers[0].limits",
            "spec.template.spec.containers[0].resources.limits",
        ),
    ] {
        check(&[object], &[&unknown(path, &format!("write it as {right}"))]);
    }
}

#[test]
fn a_field_that_nobody_knows_shows_those_that_there_are() {
    let expect = unknown("spec.template.spec.containers[0].env[0].nonsense", "here may stand name, value, valueFrom");
    check(&[with_container(job(), "env", json!([{"name": "A", "nonsense": 1}]))], &[&expect]);
}

#[test]
fn a_deadline_may_stand_in_the_job_and_in_its_pods() {
    let object = with(job(), "spec/activeDeadlineSeconds", 9.into());
    check(&[with_pod(object, "activeDeadlineSeconds", 9.into())], &[]);
}
