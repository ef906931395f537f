//! What may change in a pod (K:pkg/apis/core/validation, ValidatePodUpdate).

use crate::at::{At, is_same};
use crate::kind::Part;
use meta::field::FieldError;
use serde_json::Value;

const REFUSAL: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Every mistake in changing `old` into `pod`.
pub(super) fn validate_update(pod: &Value, old: &Value, part: Part) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if part != Part::Spec {
        check_phase(pod, old, &mut errors);
        return errors;
    }
    let spec = At::root(pod).field("spec");
    let old_spec = &old["spec"];
    check_deadline(&spec.field("activeDeadlineSeconds"), &old_spec["activeDeadlineSeconds"], &mut errors);
    check_tolerations(&spec.field("tolerations"), &old_spec["tolerations"], &mut errors);
    let mut allowed = old_spec.clone();
    take_over(&mut allowed, spec.value);
    if !is_same(spec.value, &allowed) {
        errors.push(spec.forbidden(REFUSAL));
    }
    errors
}

/// A pod that has ended does not come back.
fn check_phase(pod: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let phase = At::root(pod).fields(&["status", "phase"]);
    let old_phase = old["status"]["phase"].as_str().unwrap_or("");
    let had_ended = matches!(old_phase, "Succeeded" | "Failed");
    if had_ended && phase.text() != old_phase {
        let detail = format!("pod phase may not change once it is {old_phase}");
        errors.push(phase.invalid(&detail));
    }
}

/// A deadline may be set and shortened.
fn check_deadline(deadline: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    let Some(old) = old.as_i64() else { return };
    match deadline.int() {
        None => errors.push(deadline.invalid("must not update from a positive integer to nil value")),
        Some(seconds) if old < seconds => {
            errors.push(deadline.invalid(&format!("must be less than or equal to previous value: {old}")));
        }
        Some(_) => {}
    }
}

fn check_tolerations(tolerations: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    let is_kept = |old: &Value| tolerations.items().any(|toleration| is_same(toleration.value, old));
    if !old.as_array().into_iter().flatten().all(is_kept) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(tolerations.forbidden(detail));
    }
}

/// Takes over from `new` whatever may change.
fn take_over(spec: &mut Value, new: &Value) {
    let Value::Object(fields) = spec else { return };
    for field in ["activeDeadlineSeconds", "tolerations"] {
        fields.insert(field.to_owned(), new[field].clone());
    }
    let was_negative = fields.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|s| s < 0);
    if was_negative && new["terminationGracePeriodSeconds"] == 1 {
        fields.insert("terminationGracePeriodSeconds".to_owned(), 1.into());
    }
    for list in ["containers", "initContainers"] {
        let new = new[list].as_array().map_or(&[][..], Vec::as_slice);
        let Some(Value::Array(containers)) = fields.get_mut(list) else { continue };
        for (container, new) in containers.iter_mut().zip(new) {
            if let Value::Object(container) = container {
                container.insert("image".to_owned(), new["image"].clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::json;

    fn pod(spec: Value) -> Value {
        json!({"metadata": {"name": "p"}, "spec": spec})
    }

    #[track_caller]
    fn check(old: Value, new: Value, expect: &[&str]) {
        assert_eq!(texts(&validate_update(&pod(new), &pod(old), Part::Spec)), expect);
    }

    #[test]
    fn images_deadlines_and_more_tolerations_may_change() {
        check(
            json!({"containers": [{"name": "c", "image": "a"}], "activeDeadlineSeconds": 9, "tolerations": [{"key": "a"}]}),
            json!({"containers": [{"name": "c", "image": "b"}], "activeDeadlineSeconds": 5, "tolerations": [{"key": "a"}, {"key": "b"}]}),
            &[],
        );
        check(json!({"terminationGracePeriodSeconds": -1}), json!({"terminationGracePeriodSeconds": 1}), &[]);
    }

    #[test]
    fn nothing_else_may() {
        let refusal = format!("spec: Forbidden: {REFUSAL}");
        for (old, new) in [
            (json!({"nodeName": "a"}), json!({"nodeName": "b"})),
            (json!({"containers": [{"name": "c"}]}), json!({"containers": [{"name": "d"}]})),
            (json!({"containers": [{"name": "c"}]}), json!({"containers": [{"name": "c"}, {"name": "d"}]})),
            (json!({"terminationGracePeriodSeconds": 3}), json!({"terminationGracePeriodSeconds": 1})),
        ] {
            check(old, new, &[&refusal]);
        }
    }

    #[test]
    fn deadlines_only_shrink_and_tolerations_only_grow() {
        check(
            json!({"activeDeadlineSeconds": 5, "tolerations": [{"key": "a"}]}),
            json!({"activeDeadlineSeconds": 6, "tolerations": []}),
            &[
                "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value: 5",
                "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
            ],
        );
        check(
            json!({"activeDeadlineSeconds": 5}),
            json!({}),
            &["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"],
        );
    }

    #[test]
    fn a_pod_that_has_ended_does_not_come_back() {
        let at = |phase: &str| json!({"metadata": {"name": "p"}, "status": {"phase": phase}});
        let errors = validate_update(&at("Running"), &at("Failed"), Part::Status);
        assert_eq!(
            texts(&errors),
            ["status.phase: Invalid value: \"Running\": pod phase may not change once it is Failed"]
        );
        assert!(validate_update(&at("Succeeded"), &at("Running"), Part::Status).is_empty());
    }
}
