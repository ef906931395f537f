//! Fields of a pod's spec that the agent and the scheduler do not honour yet. Whoever makes them honour one takes its
//! row away.

use crate::at::At;
use crate::unsupported::{Unsupported, When, refuse};
use meta::field::FieldError;

const LEAVE_OUT: &str = "leave it out";
const OTHER_HOOKS: &str = "use exec, httpGet or sleep";

/// Names every refused field in a pod's spec.
pub(crate) fn check(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    crate::unsupported::check(spec, POD, errors);
    for container in ["initContainers", "containers"].iter().flat_map(|list| spec.field(list).items()) {
        crate::unsupported::check(&container, CONTAINER, errors);
    }
}

/// Paths start at the pod's spec.
const POD: &[Unsupported] = &[
    refuse(
        "volumes[]",
        When::HasOther(&[
            "name",
            "emptyDir",
            "configMap",
            "secret",
            "projected",
            "downwardAPI",
            "persistentVolumeClaim",
            "ephemeral",
            "hostPath",
        ]),
        "use emptyDir, configMap, secret, projected, downwardAPI, hostPath, persistentVolumeClaim or ephemeral",
    ),
    refuse(
        "volumes[].projected.sources[]",
        When::HasOther(&["serviceAccountToken", "configMap", "secret", "downwardAPI"]),
        "use serviceAccountToken, configMap, secret or downwardAPI",
    ),
    refuse("volumes[].emptyDir.medium", When::IsNot(&["", "Memory"]), "leave it out or use Memory"),
    refuse("hostPID", When::True, LEAVE_OUT),
    refuse("hostIPC", When::True, LEAVE_OUT),
    refuse("hostUsers", When::False, LEAVE_OUT),
    refuse("shareProcessNamespace", When::True, LEAVE_OUT),
    refuse("ephemeralContainers", When::Set, LEAVE_OUT),
    refuse("os.name", When::IsNot(&["linux"]), "use linux"),
    refuse("resources", When::Set, "set resources on the containers"),
    refuse("resourceClaims", When::Set, LEAVE_OUT),
    refuse("readinessGates", When::Set, LEAVE_OUT),
    refuse(
        "securityContext",
        When::HasOther(&[
            "runAsUser",
            "runAsGroup",
            "runAsNonRoot",
            "fsGroup",
            "fsGroupChangePolicy",
            "supplementalGroups",
            "supplementalGroupsPolicy",
            "sysctls",
            "seccompProfile",
        ]),
        LEAVE_OUT,
    ),
];

/// Paths start at a container, of either list.
const CONTAINER: &[Unsupported] = &[
    // The kubelet takes them and fails each container that has one.
    refuse("lifecycle.postStart.tcpSocket", When::Set, OTHER_HOOKS),
    refuse("lifecycle.preStop.tcpSocket", When::Set, OTHER_HOOKS),
    refuse("volumeDevices", When::Set, "mount a volume instead"),
    refuse("volumeMounts[].mountPropagation", When::IsNot(&["None"]), LEAVE_OUT),
    refuse("volumeMounts[].recursiveReadOnly", When::IsNot(&["Disabled"]), LEAVE_OUT),
    refuse("env[].valueFrom.fileKeyRef", When::Set, "use configMapKeyRef or secretKeyRef"),
    refuse("resources.claims", When::Set, LEAVE_OUT),
    refuse(
        "securityContext",
        When::HasOther(&[
            "runAsUser",
            "runAsGroup",
            "runAsNonRoot",
            "readOnlyRootFilesystem",
            "allowPrivilegeEscalation",
            "capabilities",
            "seccompProfile",
            "privileged",
            "procMount",
        ]),
        LEAVE_OUT,
    ),
    refuse("securityContext.procMount", When::IsNot(&["Default"]), LEAVE_OUT),
];
