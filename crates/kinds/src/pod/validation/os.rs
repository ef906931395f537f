//! Rules for pods that say which operating system they are for: nothing of the other one.

use super::Pod;
use meta::field::FieldError;

/// Of a pod's spec, what Windows has not.
const NOT_ON_WINDOWS: [&str; 15] = [
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "securityContext.seccompProfile",
    "securityContext.fsGroup",
    "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls",
    "shareProcessNamespace",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
];
/// The same of a container's securityContext.
const NOT_IN_WINDOWS_CONTAINERS: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

pub(super) fn check(pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let os = pod.spec.field("os");
    if !os.is_set() {
        return;
    }
    match os.field("name").text() {
        "" => errors.push(os.field("name").required("cannot be empty")),
        "linux" => check_linux(pod, errors),
        "windows" => check_windows(pod, errors),
        other => errors.push(FieldError::not_supported(&os.path, other, &["linux", "windows"])),
    }
}

fn check_linux(pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let contexts = std::iter::once(pod.spec.field("securityContext"))
        .chain(pod.all_containers().map(|container| container.field("securityContext")));
    for options in contexts.map(|context| context.field("windowsOptions")).filter(|options| options.is_set()) {
        errors.push(options.forbidden("windows options cannot be set for a linux pod"));
    }
}

fn check_windows(pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let refusal = "cannot be set for a windows pod";
    for path in NOT_ON_WINDOWS {
        let at = path.split('.').fold(pod.spec.clone(), |at, field| at.field(field));
        // The host's namespaces are no pointers in Go: false is as good as nothing.
        let is_false_by_nature = matches!(path, "hostPID" | "hostIPC") && !at.is_true();
        if at.is_set() && !is_false_by_nature {
            errors.push(at.forbidden(refusal));
        }
    }
    for container in pod.all_containers() {
        for field in NOT_IN_WINDOWS_CONTAINERS.map(|field| container.field("securityContext").field(field)) {
            if field.is_set() {
                errors.push(field.forbidden(refusal));
            }
        }
    }
}
