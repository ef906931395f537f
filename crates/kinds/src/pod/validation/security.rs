//! Rules for who containers run as.

use crate::at::At;
use meta::field::FieldError;

const MOST_IDS: i64 = i32::MAX as i64;

/// `securityContext` of a pod.
pub(super) fn check_pod(context: &At<'_>, errors: &mut Vec<FieldError>) {
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        check_id(&context.field(field), errors);
    }
    context.field("supplementalGroups").items().for_each(|group| check_id(&group, errors));
    check_seccomp(&context.field("seccompProfile"), errors);
}

/// `securityContext` of a container.
pub(super) fn check_container(context: &At<'_>, errors: &mut Vec<FieldError>) {
    for field in ["runAsUser", "runAsGroup"] {
        check_id(&context.field(field), errors);
    }
    check_seccomp(&context.field("seccompProfile"), errors);
    let escalation = context.field("allowPrivilegeEscalation");
    if escalation.value != &serde_json::Value::Bool(false) {
        return;
    }
    if context.field("privileged").is_true() {
        errors.push(escalation.invalid("cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    }
    let added = context.fields(&["capabilities", "add"]);
    if added.items().any(|capability| matches!(capability.text(), "SYS_ADMIN" | "CAP_SYS_ADMIN")) {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        errors.push(escalation.invalid(detail));
    }
}

fn check_id(id: &At<'_>, errors: &mut Vec<FieldError>) {
    if id.int().is_some_and(|id| !(0..=MOST_IDS).contains(&id)) {
        errors.push(id.invalid(&format!("must be between 0 and {MOST_IDS}, inclusive")));
    }
}

fn check_seccomp(profile: &At<'_>, errors: &mut Vec<FieldError>) {
    if !profile.is_set() {
        return;
    }
    let profile_type = profile.field("type");
    match profile_type.text() {
        "" => errors.push(profile_type.required("type is required when seccompProfile is set")),
        _ => profile_type.check_among(&["Localhost", "RuntimeDefault", "Unconfined"], errors),
    }
}
