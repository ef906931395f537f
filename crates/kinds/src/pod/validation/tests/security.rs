//! Who containers run as: contexts, profiles, sysctls, operating systems, annotations.

use super::{check_container_rules, check_rules, pod};
use crate::at::At;
use crate::kind::Kind;
use crate::pod::Pod;
use crate::testing::{created, texts};
use serde_json::{Value, json};

const S: &str = "spec.containers[0].securityContext";

#[test]
fn sound_contexts_pass() {
    check_rules(
        json!({"hostUsers": false, "os": {"name": "linux"}, "securityContext": {"fsGroupChangePolicy": "OnRootMismatch", "supplementalGroupsPolicy": "Strict",
                "seLinuxChangePolicy": "MountOption", "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}, {"name": "kernel/shm_rmid_forced", "value": "0"}],
                "seccompProfile": {"type": "Localhost", "localhostProfile": "a/b.json"}, "appArmorProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "image": "i", "securityContext": {"procMount": "Unmasked", "appArmorProfile": {"type": "Localhost", "localhostProfile": "x"}}}]}),
        &[],
    );
}

#[test]
fn profiles_are_local_or_named() {
    check_container_rules(
        json!({"securityContext": {"seccompProfile": {"type": "Localhost"}, "appArmorProfile": {"type": "Localhost", "localhostProfile": " x"}, "procMount": "Unmasked"}}),
        &[
            &format!("{S}.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`"),
            &format!("{S}.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"),
            &format!("{S}.appArmorProfile.localhostProfile: Invalid value: \" x\": must not be padded with whitespace"),
        ],
    );
    check_container_rules(
        json!({"securityContext": {"seccompProfile": {"type": "Unconfined", "localhostProfile": "x"},
            "appArmorProfile": {"type": "Unconfined", "localhostProfile": "x"}, "procMount": "Odd"}}),
        &[
            &format!("{S}.procMount: Unsupported value: \"Odd\": supported values: \"Default\", \"Unmasked\""),
            &format!(
                "{S}.seccompProfile.localhostProfile: Invalid value: {{\"type\":\"Unconfined\",\"localhostProfile\":\"x\"}}: can only be set when seccomp type is Localhost"
            ),
            &format!(
                "{S}.appArmorProfile.localhostProfile: Invalid value: \"x\": can only be set when AppArmor type is Localhost"
            ),
        ],
    );
    check_container_rules(
        json!({"securityContext": {"appArmorProfile": {}, "seccompProfile": {"type": "Mine"}}}),
        &[
            &format!(
                "{S}.seccompProfile.type: Unsupported value: \"Mine\": supported values: \"Localhost\", \"RuntimeDefault\", \"Unconfined\""
            ),
            &format!("{S}.appArmorProfile.type: Required value: type is required when appArmorProfile is set"),
        ],
    );
}

#[test]
fn the_privileged_cannot_be_kept_from_escalating() {
    check_container_rules(
        json!({"securityContext": {"allowPrivilegeEscalation": false, "privileged": true}}),
        &[&format!(
            "{S}: Invalid value: {{\"allowPrivilegeEscalation\":false,\"privileged\":true}}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        )],
    );
}

#[test]
fn sysctls_have_names_and_a_namespace_of_the_pods_own() {
    let at = "spec.securityContext.sysctls";
    let rule = r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
    check_rules(
        json!({"hostNetwork": true, "hostIPC": true, "securityContext": {"sysctls": [{}, {"name": "A"}, {"name": "net.a"}, {"name": "kernel.sem"}, {"name": "kernel.sem"}, {"name": "net/b.c"}]}}),
        &[
            &format!("{at}[0].name: Required value"),
            &format!("{at}[1].name: Invalid value: \"A\": {rule}"),
            &format!("{at}[2].name: Invalid value: \"net.a\": may not be specified when 'hostNetwork' is true"),
            &format!("{at}[3].name: Invalid value: \"kernel.sem\": may not be specified when 'hostIPC' is true"),
            &format!("{at}[4].name: Duplicate value: \"kernel.sem\""),
            &format!("{at}[4].name: Invalid value: \"kernel.sem\": may not be specified when 'hostIPC' is true"),
            &format!("{at}[5].name: Invalid value: \"net/b.c\": may not be specified when 'hostNetwork' is true"),
        ],
    );
}

#[test]
fn policies_of_a_pod_are_known_and_go_together() {
    check_rules(
        json!({"hostUsers": false, "hostPID": true, "hostNetwork": true, "shareProcessNamespace": true,
            "securityContext": {"fsGroup": -1, "fsGroupChangePolicy": "Maybe", "supplementalGroupsPolicy": "Some", "seLinuxChangePolicy": "None"}}),
        &[
            "spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
            "spec.securityContext.fsGroupChangePolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnRootMismatch\"",
            "spec.securityContext.supplementalGroupsPolicy: Unsupported value: \"Some\": supported values: \"Merge\", \"Strict\"",
            "spec.securityContext.seLinuxChangePolicy: Unsupported value: \"None\": supported values: \"MountOption\", \"Recursive\"",
            "spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false",
            "spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false",
        ],
    );
}

#[test]
fn operating_systems_have_what_is_theirs() {
    check_rules(json!({"os": {}}), &["spec.os.name: Required value: cannot be empty"]);
    check_rules(
        json!({"os": {"name": "plan9"}}),
        &["spec.os: Unsupported value: \"plan9\": supported values: \"linux\", \"windows\""],
    );
    let options = json!({"windowsOptions": {"runAsUserName": "a"}});
    check_rules(
        json!({"os": {"name": "linux"}, "securityContext": options}),
        &["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"],
    );
    check_rules(
        json!({"os": {"name": "windows"}, "hostPID": false, "hostIPC": true, "securityContext": {"runAsUser": 1},
            "containers": [{"name": "c", "image": "i", "securityContext": {"privileged": false}}]}),
        &[
            "spec.hostIPC: Forbidden: cannot be set for a windows pod",
            "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
            "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod",
        ],
    );
}

#[test]
fn windows_users_and_host_processes_are_sound() {
    let at = "spec.securityContext.windowsOptions";
    let user = |name: &str| json!({"securityContext": {"windowsOptions": {"runAsUserName": name}}});
    for (name, wrong) in [
        ("", " cannot be an empty string"),
        ("a\\b\\c", " cannot contain more than one backslash"),
        ("*\\b", "'s Domain doesn't match the NetBios nor the DNS format"),
        ("d\\", "'s User cannot be empty"),
        ("..", "'s User cannot contain only periods or spaces"),
        ("a@b", "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"),
    ] {
        let shown = meta::field::quote(name);
        check_rules(user(name), &[&format!("{at}.runAsUserName: Invalid value: {shown}: runAsUserName{wrong}")]);
    }
    check_rules(user("NT AUTHORITY\\SYSTEM"), &[]);
    check_rules(
        json!({"containers": [{"name": "a", "image": "i", "securityContext": {"windowsOptions": {"hostProcess": true}}}, {"name": "b", "image": "i"}]}),
        &[
            "spec: Invalid value: \"\": If pod contains any hostProcess containers then all containers must be HostProcess containers",
            "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
        ],
    );
}

#[test]
fn annotations_that_mean_something_are_sound() {
    let check = |annotations: Value, spec: Value, expect: &[&str]| {
        let mut pod = pod(spec);
        pod["metadata"]["annotations"] = annotations;
        assert_eq!(texts(&crate::pod::validation::validate_pod(&created(&Pod, &pod))), expect);
    };
    let at = "metadata.annotations";
    check(
        json!({"controller.kubernetes.io/pod-deletion-cost": "+1", "kubernetes.io/config.mirror": "x",
            "seccomp.security.alpha.kubernetes.io/pod": "odd", "container.seccomp.security.alpha.kubernetes.io/c": "localhost/../x",
            "container.apparmor.security.beta.kubernetes.io/d": "odd"}),
        json!({}),
        &[
            &format!(
                "{at}[controller.kubernetes.io/pod-deletion-cost]: Invalid value: \"+1\": must be a 32bit integer"
            ),
            &format!(
                "{at}[kubernetes.io/config.mirror]: Invalid value: \"x\": must set spec.nodeName if mirror pod annotation is set"
            ),
            &format!(
                "{at}.seccomp.security.alpha.kubernetes.io/pod: Invalid value: \"odd\": must be a valid seccomp profile"
            ),
            &format!(
                "{at}.container.seccomp.security.alpha.kubernetes.io/c: Invalid value: \"../x\": must not contain '..'"
            ),
            &format!(
                "{at}[container.apparmor.security.beta.kubernetes.io/d]: Invalid value: \"d\": container not found"
            ),
            &format!(
                "{at}[container.apparmor.security.beta.kubernetes.io/d]: Invalid value: \"odd\": invalid AppArmor profile name: \"odd\""
            ),
        ],
    );
    for cost in ["0", "-5", "2147483647"] {
        check(json!({"controller.kubernetes.io/pod-deletion-cost": cost}), json!({}), &[]);
    }
    check(
        json!({"seccomp.security.alpha.kubernetes.io/pod": "unconfined", "container.apparmor.security.beta.kubernetes.io/c": "localhost/a"}),
        json!({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "image": "i", "securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": "b"}}}]}),
        &[
            "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match",
            "spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: apparmor profile in annotation and field must match",
        ],
    );
}

#[test]
fn templates_have_no_ephemeral_containers_and_may_have_padded_images() {
    let template = json!({"metadata": {"labels": {"a": "b c"}}, "spec": {"containers": [{"name": "c", "image": " i"}],
        "ephemeralContainers": [{"name": "e", "image": "i"}]}});
    let mut object = json!({"template": template});
    crate::pod::defaults::default_template(&mut object["template"]);
    let mut errors = Vec::new();
    crate::pod::validation::check_template(&At::root(&object).field("template"), &mut errors);
    assert_eq!(
        texts(&errors),
        [
            "template.labels: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            "template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template",
        ]
    );
    assert!(!Pod.validate(&json!({"spec": template["spec"]})).is_empty());
}
