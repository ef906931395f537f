//! Rules for who containers run as and what they may do.

use super::{files, windows};
use crate::at::At;
use meta::field::FieldError;
use std::collections::BTreeSet;

const MOST_IDS: i64 = i32::MAX as i64;
const SYSCTL_BYTES: usize = 253;
const SYSCTL_RULE: &str = r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
/// PATH_MAX - 1.
const PROFILE_BYTES: usize = 4095;
const PROFILE_TYPES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];

/// `securityContext` of a pod, and the host's namespaces it shares.
pub(super) fn check_pod(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let context = spec.field("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        context.field(field).check_within(0..=MOST_IDS, errors);
    }
    context.field("supplementalGroups").items().for_each(|group| group.check_within(0..=MOST_IDS, errors));
    if spec.field("shareProcessNamespace").is_true() && spec.field("hostPID").is_true() {
        // Kubernetes keeps this field in the securityContext internally.
        let share = At { path: context.field("shareProcessNamespace").path, ..spec.field("shareProcessNamespace") };
        errors.push(share.invalid("ShareProcessNamespace and HostPID cannot both be enabled"));
    }
    check_sysctls(&context.field("sysctls"), spec, errors);
    context.field("fsGroupChangePolicy").check_among(&["Always", "OnRootMismatch"], errors);
    check_seccomp(&context.field("seccompProfile"), errors);
    windows::check(&context.field("windowsOptions"), errors);
    check_app_armor(&context.field("appArmorProfile"), errors);
    context.field("supplementalGroupsPolicy").check_among(&["Merge", "Strict"], errors);
    context.field("seLinuxChangePolicy").check_among(&["MountOption", "Recursive"], errors);
}

/// `securityContext` of a container.
pub(super) fn check_container(context: &At<'_>, has_host_users: bool, errors: &mut Vec<FieldError>) {
    for field in ["runAsUser", "runAsGroup"] {
        context.field(field).check_within(0..=MOST_IDS, errors);
    }
    let proc_mount = context.field("procMount");
    proc_mount.check_among(&["Default", "Unmasked"], errors);
    if has_host_users && proc_mount.text() == "Unmasked" {
        errors.push(proc_mount.invalid("`hostUsers` must be false to use `Unmasked`"));
    }
    check_seccomp(&context.field("seccompProfile"), errors);
    check_escalation(context, errors);
    windows::check(&context.field("windowsOptions"), errors);
    check_app_armor(&context.field("appArmorProfile"), errors);
}

/// Who is privileged could escalate anyway.
fn check_escalation(context: &At<'_>, errors: &mut Vec<FieldError>) {
    if !context.field("allowPrivilegeEscalation").is_false() {
        return;
    }
    if context.field("privileged").is_true() {
        errors.push(context.invalid("cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    }
    if context.fields(&["capabilities", "add"]).items().any(|capability| capability.text() == "CAP_SYS_ADMIN") {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        errors.push(context.invalid(detail));
    }
}

/// Users of one's own do not go with the machine's other namespaces.
pub(super) fn check_host_users(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    if !spec.field("hostUsers").is_false() {
        return;
    }
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec.field(field).is_true() {
            errors.push(spec.field(shown).forbidden("when `pod.Spec.HostUsers` is false"));
        }
    }
}

fn check_seccomp(profile: &At<'_>, errors: &mut Vec<FieldError>) {
    if !profile.is_set() {
        return;
    }
    let (kind, local) = (profile.field("type"), profile.field("localhostProfile"));
    match kind.text() {
        "" => errors.push(kind.required("type is required when seccompProfile is set")),
        _ => kind.check_among(PROFILE_TYPES, errors),
    }
    if kind.text() != "Localhost" {
        if local.is_set() {
            let detail = "can only be set when seccomp type is Localhost";
            errors.push(FieldError::invalid(&local.path, profile.value.clone(), detail));
        }
    } else if local.is_set() {
        files::check_descending(&local, errors);
    } else {
        errors.push(local.required("must be set when seccomp type is Localhost"));
    }
}

fn check_app_armor(profile: &At<'_>, errors: &mut Vec<FieldError>) {
    if !profile.is_set() {
        return;
    }
    let (kind, local) = (profile.field("type"), profile.field("localhostProfile"));
    match kind.text() {
        "" => errors.push(kind.required("type is required when appArmorProfile is set")),
        "Localhost" => {
            if local.text() != local.text().trim() {
                errors.push(local.invalid("must not be padded with whitespace"));
            } else if local.text().is_empty() {
                errors.push(local.required("must be set when AppArmor type is Localhost"));
            }
            if PROFILE_BYTES < local.text().len() {
                errors.push(FieldError::too_long(&local.path, PROFILE_BYTES));
            }
        }
        "RuntimeDefault" | "Unconfined" if local.is_set() => {
            errors.push(local.invalid("can only be set when AppArmor type is Localhost"));
        }
        _ => kind.check_among(PROFILE_TYPES, errors),
    }
}

fn check_sysctls(sysctls: &At<'_>, spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for sysctl in sysctls.items() {
        let name = sysctl.field("name");
        let text = name.text();
        if text.is_empty() {
            errors.push(name.required(""));
        } else if SYSCTL_BYTES < text.len() || !text.split(['.', '/']).all(is_sysctl_part) {
            errors.push(name.invalid(SYSCTL_RULE));
        } else if seen.contains(text) {
            errors.push(FieldError::duplicate(&name.path, text));
        }
        match namespace(text) {
            Some("net") if spec.field("hostNetwork").is_true() => {
                errors.push(name.invalid("may not be specified when 'hostNetwork' is true"));
            }
            Some("ipc") if spec.field("hostIPC").is_true() => {
                errors.push(name.invalid("may not be specified when 'hostIPC' is true"));
            }
            _ => {}
        }
        seen.insert(text);
    }
}

fn is_sysctl_part(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends_well = bytes.first().copied().is_some_and(alphanumeric) && bytes.last().copied().is_some_and(alphanumeric);
    ends_well && bytes.iter().all(|byte| alphanumeric(*byte) || matches!(byte, b'-' | b'_'))
}

/// The namespace that a sysctl belongs to (K:component-helpers/node/util/sysctl).
fn namespace(name: &str) -> Option<&'static str> {
    // Whichever of `.` and `/` comes first separates; the other belongs to a name.
    let name = match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('/') => name.replace('.', "\0").replace('/', "."),
        _ => name.to_owned(),
    };
    match name.as_str() {
        "kernel.sem" => Some("ipc"),
        name if name.starts_with("net.") => Some("net"),
        name if ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|prefix| name.starts_with(prefix)) => Some("ipc"),
        _ => None,
    }
}
