//! What may change in a Job (K:pkg/apis/batch/validation, pkg/registry/batch/job/strategy.go).
//!
//! | field | may change |
//! |---|---|
//! | completions | NonIndexed: until the Job has its outcome, not below what succeeded, not to or from nil (kiln's own rule) |
//! | template | scheduling directives, labels, annotations, resources of a Job that is suspended and has no pods |
//! | selector, completionMode, podFailurePolicy, backoffLimitPerIndex, managedBy, successPolicy | never |
//! | the rest | always |

use crate::at::{At, IMMUTABLE, is_same};
use crate::table;
use meta::field::FieldError;
use meta::object;
use serde_json::Value;

/// Every mistake in changing `old` into `job`.
pub(super) fn validate_update(job: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (spec, old_spec) = (At::root(job).field("spec"), At::root(old).field("spec"));
    check_completions(&spec, old, &mut errors);
    spec.field("selector").check_immutable(&old_spec.field("selector"), &mut errors);
    check_template(&spec, old, &mut errors);
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        spec.field(field).check_immutable(&old_spec.field(field), &mut errors);
    }
    errors
}

fn check_completions(spec: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    let completions = spec.field("completions");
    let old_completions = &old["spec"]["completions"];
    if is_same(completions.value, old_completions) {
        return;
    }
    if spec.field("completionMode").text() == "Indexed" {
        if completions.is_set() && completions.value != spec.field("parallelism").value {
            errors.push(completions.invalid("can only be modified in tandem with spec.parallelism"));
        }
        return;
    }
    let has_outcome =
        ["SuccessCriteriaMet", "Complete", "Failed"].iter().any(|outcome| table::has_condition(old, outcome));
    let (Some(wanted), Some(_), false) = (completions.int(), old_completions.as_i64(), has_outcome) else {
        errors.push(completions.invalid(IMMUTABLE));
        return;
    };
    let succeeded = n_succeeded(&old["status"]);
    if wanted < succeeded {
        let detail = format!("must be greater than or equal to {succeeded}, the number of pods that already succeeded");
        errors.push(completions.invalid(&detail));
    }
}

/// Counted successes and those about to be.
fn n_succeeded(status: &Value) -> i64 {
    let counted = status["succeeded"].as_i64().unwrap_or(0);
    let uncounted = status["uncountedTerminatedPods"]["succeeded"].as_array().map_or(0, Vec::len);
    counted.saturating_add(i64::try_from(uncounted).unwrap_or(i64::MAX))
}

fn check_template(spec: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    let template = spec.field("template");
    let mut allowed = old["spec"]["template"].clone();
    if !is_quiet(old) {
        template.check_immutable(&At { value: &allowed, path: String::new() }, errors);
        return;
    }
    take_over(&mut allowed, template.value);
    let pod_spec = template.field("spec");
    if !is_same(pod_spec.value, &allowed["spec"]) {
        errors.push(pod_spec.invalid(IMMUTABLE));
    } else if !is_same(template.value, &allowed) {
        errors.push(template.invalid(IMMUTABLE));
    }
}

/// Suspended, and none of its pods is left: its template may be placed anew before it goes on.
fn is_quiet(job: &Value) -> bool {
    let status = &job["status"];
    let is_suspended = job["spec"]["suspend"] == true;
    let has_settled = status["startTime"].is_null() || table::has_condition(job, "Suspended");
    let n_active = status["active"].as_i64().unwrap_or(0);
    is_suspended && has_settled && n_active == 0
}

/// Takes over from `new` whatever a quiet Job's template may change.
fn take_over(template: &mut Value, new: &Value) {
    copy_fields(template, new, "metadata", &["labels", "annotations"]);
    copy_fields(template, new, "spec", &["nodeSelector", "tolerations", "schedulingGates"]);
    let affinity = &new["spec"]["affinity"];
    let Some(spec) = template.get_mut("spec") else { return };
    copy_fields(spec, &new["spec"], "affinity", &["nodeAffinity"]);
    // Without an affinity at all an empty one is as good.
    let is_bare = spec["affinity"].as_object().is_some_and(|affinity| affinity.values().all(Value::is_null));
    if affinity.is_null() && is_bare {
        object::as_map(spec).shift_remove("affinity");
    }
    for list in ["containers", "initContainers"] {
        let new = new["spec"][list].as_array().map_or(&[][..], Vec::as_slice);
        let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) else { continue };
        if containers.len() != new.len() {
            continue;
        }
        for (container, new) in containers.iter_mut().zip(new) {
            if container["name"] == new["name"] {
                object::as_map(container).insert("resources".to_owned(), new["resources"].clone());
            }
        }
    }
}

/// Copies `FROM.within.FIELD` for each field, or its absence.
fn copy_fields(to: &mut Value, from: &Value, within: &str, fields: &[&str]) {
    if to[within].is_null() && from[within].is_null() {
        return;
    }
    let target = object::map(to, within);
    for field in fields {
        match &from[within][*field] {
            Value::Null => {
                target.shift_remove(*field);
            }
            value => {
                target.insert((*field).to_owned(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;
    use crate::kind::Kind;
    use crate::testing::{defaulted, texts};
    use serde_json::json;

    fn job(spec: Value, status: Value) -> Value {
        let mut job = json!({"metadata": {"name": "j"}, "spec": {
            "completions": 3, "parallelism": 1,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never",
                "containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "1"}}}]}}}, "status": status});
        merge(&mut job["spec"], spec);
        defaulted(&Job, &job)
    }
    fn merge(to: &mut Value, from: Value) {
        match from {
            Value::Object(fields) => {
                for (key, value) in fields {
                    merge(object::as_map(to).entry(key).or_insert(Value::Null), value);
                }
            }
            value => *to = value,
        }
    }
    fn conditions(types: &[&str]) -> Value {
        let conditions: Vec<Value> = types.iter().map(|t| json!({"type": t, "status": "True"})).collect();
        json!({"succeeded": 1, "conditions": conditions})
    }

    #[track_caller]
    fn check(old: (Value, Value), new: Value, expect: &[&str]) {
        let old = job(old.0, old.1);
        let mut changed = old.clone();
        merge(&mut changed["spec"], new);
        assert_eq!(texts(&Job.validate_update(&changed, &old, crate::Part::Spec)), expect);
    }

    #[test]
    fn completions_of_a_running_job_may_change() {
        let running = || (json!({}), json!({"succeeded": 1, "uncountedTerminatedPods": {"succeeded": ["u"]}}));
        check(running(), json!({"completions": 5, "parallelism": 3}), &[]);
        check(running(), json!({"completions": 2}), &[]);
        check(
            running(),
            json!({"completions": 1}),
            &[
                "spec.completions: Invalid value: 1: must be greater than or equal to 2, the number of pods that already succeeded",
            ],
        );
    }

    #[test]
    fn completions_of_a_decided_job_and_to_or_from_nil_may_not() {
        let immutable = "spec.completions: Invalid value: 5: field is immutable";
        for decided in [&["SuccessCriteriaMet"][..], &["SuccessCriteriaMet", "Complete"], &["FailureTarget", "Failed"]]
        {
            check((json!({}), conditions(decided)), json!({"completions": 5}), &[immutable]);
        }
        check((json!({"completions": null}), json!({})), json!({"completions": 5}), &[immutable]);
        let to_nil = "spec.completions: Invalid value: \"null\": field is immutable";
        check((json!({}), json!({})), json!({"completions": null}), &[to_nil]);
    }

    #[test]
    fn what_can_always_change() {
        check(
            (json!({}), json!({})),
            json!({"parallelism": 9, "backoffLimit": 1, "activeDeadlineSeconds": 5, "suspend": true}),
            &[],
        );
    }

    #[test]
    fn what_never_changes() {
        check(
            (json!({}), json!({})),
            json!({"selector": {"matchLabels": {"a": "c"}}, "completionMode": "Indexed", "managedBy": "a.b/c"}),
            &[
                "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable",
                "spec.completionMode: Invalid value: \"Indexed\": field is immutable",
                "spec.managedBy: Invalid value: \"a.b/c\": field is immutable",
            ],
        );
    }

    #[test]
    fn the_template_of_a_running_job_does_not_change() {
        let old = job(json!({}), json!({}));
        for path in ["/spec/template/metadata/labels/x", "/spec/template/spec/terminationGracePeriodSeconds"] {
            let mut new = old.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            new.pointer_mut(parent).unwrap()[field] = 1.into();
            let errors = texts(&Job.validate_update(&new, &old, crate::Part::Spec));
            assert_eq!(errors.len(), 1, "{path}");
            assert!(errors[0].starts_with("spec.template: Invalid value: {"), "{errors:?}");
            assert!(errors[0].ends_with(": field is immutable"), "{errors:?}");
        }
    }

    #[test]
    fn a_suspended_job_without_pods_may_be_placed_anew() {
        let placed = json!({"template": {
            "metadata": {"labels": {"x": "y"}, "annotations": {"x": "y"}},
            "spec": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}],
                "affinity": {"nodeAffinity": {"x": 1}},
                "containers": [{"name": "c", "image": "i", "imagePullPolicy": "Always",
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    "resources": {"limits": {"cpu": "2"}}}]}}});
        let suspended = || json!({"suspend": true});
        check((suspended(), json!({})), placed.clone(), &[]);
        let stopped =
            json!({"startTime": "2026-01-01T00:00:00Z", "conditions": [{"type": "Suspended", "status": "True"}]});
        check((suspended(), stopped), placed.clone(), &[]);
        for (spec, status) in [
            (json!({}), json!({})),
            (suspended(), json!({"active": 1})),
            (suspended(), json!({"startTime": "2026-01-01T00:00:00Z"})),
        ] {
            let old = job(spec, status);
            let mut new = old.clone();
            merge(&mut new["spec"], placed.clone());
            assert_eq!(Job.validate_update(&new, &old, crate::Part::Spec).len(), 1);
        }
    }

    #[test]
    fn even_a_suspended_job_keeps_its_image() {
        let old = job(json!({"suspend": true}), json!({}));
        let mut new = old.clone();
        new["spec"]["template"]["spec"]["containers"][0]["image"] = "other".into();
        let errors = texts(&Job.validate_update(&new, &old, crate::Part::Spec));
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("spec.template.spec: Invalid value: {"), "{errors:?}");
    }
}
