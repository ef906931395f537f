//! Rules for pods, as tables of manifests and their mistakes.

use crate::kind::Kind;
use crate::pod::Pod;
use crate::testing::{check_errors, created, texts};
use serde_json::{Value, json};

mod hooks;
mod placement;
mod resources;
mod security;
mod volumes;

const SUBDOMAIN: &str = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// A pod with these fields in its spec, and the rules alone: without what the agent cannot do yet.
#[track_caller]
fn check_rules(spec: Value, expect: &[&str]) {
    let errors = super::validate_pod(&created(&Pod, &pod(spec)));
    assert_eq!(texts(&errors), expect);
}

/// The same for its container.
#[track_caller]
fn check_container_rules(container: Value, expect: &[&str]) {
    let mut whole = json!({"name": "c", "image": "i"});
    whole.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    check_rules(json!({"containers": [whole], "volumes": [{"name": "v"}]}), expect);
}

fn pod(spec: Value) -> Value {
    let mut pod =
        json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    pod
}

/// A pod with these fields in its spec.
#[track_caller]
fn check(spec: Value, expect: &[&str]) {
    check_errors(&Pod, &pod(spec), expect);
}

/// A pod whose container has these fields.
#[track_caller]
fn check_container(container: Value, expect: &[&str]) {
    let mut whole = json!({"name": "c", "image": "i"});
    whole.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    check(json!({"containers": [whole], "volumes": [{"name": "v"}]}), expect);
}

#[test]
fn ordinary_pods_have_no_mistakes() {
    check(json!({}), &[]);
    check(
        json!({"restartPolicy": "OnFailure", "nodeSelector": {"kubernetes.io/hostname": "box"}, "hostname": "h",
            "activeDeadlineSeconds": 5, "terminationGracePeriodSeconds": 0, "serviceAccountName": "me",
            "securityContext": {"runAsUser": 1000, "fsGroup": 0, "supplementalGroups": [1], "seccompProfile": {"type": "RuntimeDefault"}},
            "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5}],
            "initContainers": [{"name": "i", "image": "i"}],
            "volumes": [{"name": "e"}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                {"name": "cm", "configMap": {"name": "c", "items": [{"key": "k", "path": "a/b", "mode": 511}]}},
                {"name": "s", "secret": {"secretName": "s", "defaultMode": 256, "optional": true}}]}),
        &[],
    );
    check_container(
        json!({"command": ["x"], "args": ["$(A)"], "workingDir": "/", "ports": [{"name": "http", "containerPort": 80}],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "envFrom": [{"prefix": "X_", "configMapRef": {"name": "c"}}],
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": true}],
            "securityContext": {"runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}, "privileged": false,
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true}}),
        &[],
    );
}

#[test]
fn containers_have_names_and_images() {
    check(json!({"containers": []}), &["spec.containers: Required value"]);
    check(
        json!({"containers": [{}, {"name": "a.b", "image": " i"}]}),
        &[
            "spec.containers[0].name: Required value",
            "spec.containers[0].image: Required value",
            "spec.containers[1].name: Invalid value: \"a.b\": must not contain dots",
            "spec.containers[1].image: Invalid value: \" i\": must not have leading or trailing whitespace",
        ],
    );
    check(
        json!({"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}], "initContainers": [{"name": "c", "image": "i"}]}),
        &["spec.containers[1].name: Duplicate value: \"c\"", "spec.initContainers[0].name: Duplicate value: \"c\""],
    );
}

#[test]
fn choices_are_known() {
    check_container(
        json!({"imagePullPolicy": "Maybe", "terminationMessagePolicy": "None"}),
        &[
            "spec.containers[0].terminationMessagePolicy: Unsupported value: \"None\": supported values: \"File\", \"FallbackToLogsOnError\"",
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ],
    );
    check(
        json!({"restartPolicy": "Once", "dnsPolicy": "Mine"}),
        &[
            "spec.restartPolicy: Unsupported value: \"Once\": supported values: \"Always\", \"OnFailure\", \"Never\"",
            "spec.dnsPolicy: Unsupported value: \"Mine\": supported values: \"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\"",
        ],
    );
}

#[test]
fn ports_are_ports() {
    check_container(
        json!({"ports": [{"name": "a", "containerPort": 1}, {"name": "a", "containerPort": 0}, {"containerPort": 70000, "protocol": "X"}, {"name": "80", "containerPort": 80}]}),
        &[
            "spec.containers[0].ports[1].name: Duplicate value: \"a\"",
            "spec.containers[0].ports[1].containerPort: Required value",
            "spec.containers[0].ports[2].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.containers[0].ports[2].protocol: Unsupported value: \"X\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
            "spec.containers[0].ports[3].name: Invalid value: \"80\": must contain at least one letter (a-z)",
        ],
    );
}

#[test]
fn variables_have_names_and_one_source() {
    let env = "spec.containers[0].env";
    check_container(
        json!({"env": [
            {},
            {"name": "a=b"},
            {"name": "A", "valueFrom": {}},
            {"name": "A", "value": "x", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}, "secretKeyRef": {"name": "", "key": ""}}}]}),
        &[
            &format!("{env}[0].name: Required value"),
            &format!(
                "{env}[1].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='"
            ),
            &format!(
                "{env}[2].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            ),
            &format!("{env}[3].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"),
            &format!("{env}[4].valueFrom.secretKeyRef.name: Invalid value: \"\": {SUBDOMAIN}"),
            &format!("{env}[4].valueFrom.secretKeyRef.key: Required value"),
            &format!("{env}[4].valueFrom: Invalid value: \"\": may not have more than one field specified at a time"),
        ],
    );
}

#[test]
fn variables_take_known_fields_of_their_pod() {
    let from = |path: &str| json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]});
    let at = "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath";
    for good in ["metadata.name", "status.podIP", "metadata.annotations['a.b/c']", "metadata.labels['x']"] {
        check_container(from(good), &[]);
    }
    check_container(from(""), &[&format!("{at}: Required value")]);
    check_container(
        from("spec.nodename"),
        &[&format!(
            "{at}: Invalid value: \"spec.nodename\": error converting fieldPath: field label not supported: spec.nodename"
        )],
    );
    check_container(
        from("metadata.labels"),
        &[&format!(
            "{at}: Unsupported value: \"metadata.labels\": supported values: \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", \"status.podIPs\""
        )],
    );
    check_container(
        from("metadata.name['x']"),
        &[&format!(
            "{at}: Invalid value: \"metadata.name['x']\": error converting fieldPath: field label does not support subscript: metadata.name['x']"
        )],
    );
}

#[test]
fn sources_of_many_variables_name_one_object() {
    check_container(
        json!({"envFrom": [{}, {"configMapRef": {"name": ""}}, {"prefix": "=", "configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}]}),
        &[
            "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`",
            "spec.containers[0].envFrom[1].configMapRef.name: Required value",
            "spec.containers[0].envFrom[2].prefix: Invalid value: \"=\": a valid environment variable name must consist only of printable ASCII characters other than '='",
            "spec.containers[0].envFrom: Invalid value: \"\": may not have more than one field specified at a time",
        ],
    );
}

#[test]
fn mounts_name_a_volume_and_a_place_of_their_own() {
    check_container(
        json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "x", "mountPath": "/a"}, {}]}),
        &[
            "spec.containers[0].volumeMounts[1].name: Not found: \"x\"",
            "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique",
            "spec.containers[0].volumeMounts[2].name: Required value",
            "spec.containers[0].volumeMounts[2].name: Not found: \"\"",
            "spec.containers[0].volumeMounts[2].mountPath: Required value",
        ],
    );
}

#[test]
fn requests_stay_below_limits() {
    check_container(
        json!({"resources": {"limits": {"cpu": "1", "memory": "-1", "gpu": "1"}, "requests": {"cpu": "2", "memory": "x"}}}),
        &[
            "spec.containers[0].resources.limits[memory]: Invalid value: \"-1\": must be greater than or equal to 0",
            "spec.containers[0].resources.limits[gpu]: Invalid value: \"gpu\": must be a standard resource type or fully qualified",
            "spec.containers[0].resources.limits[gpu]: Invalid value: \"gpu\": must be a standard resource for containers",
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            "spec.containers[0].resources.requests[memory]: Invalid value: \"x\": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            "spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource type or fully qualified",
            "spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource for containers",
        ],
    );
}

#[test]
fn volumes_have_names_one_source_and_sound_modes() {
    check(
        json!({"volumes": [
            {"name": "a", "emptyDir": {}, "secret": {"secretName": "s"}},
            {"name": "b", "configMap": {"defaultMode": 512, "items": [{"key": "", "path": "../x", "mode": -1}, {"key": "k", "path": "/y"}, {"key": "k", "path": "..z"}]}},
            {"emptyDir": {"sizeLimit": "-1"}}]}),
        &[
            "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
            "spec.volumes[1].configMap.name: Required value",
            "spec.volumes[1].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
            "spec.volumes[1].configMap.items[0].key: Required value",
            "spec.volumes[1].configMap.items[0].path: Invalid value: \"../x\": must not contain '..'",
            "spec.volumes[1].configMap.items[0].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive",
            "spec.volumes[1].configMap.items[1].path: Invalid value: \"/y\": must be a relative path",
            "spec.volumes[1].configMap.items[2].path: Invalid value: \"..z\": must not start with '..'",
            "spec.volumes[2].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity",
            "spec.volumes[2].name: Required value",
        ],
    );
}

#[test]
fn ids_deadlines_and_profiles_are_bounded() {
    check(
        json!({"activeDeadlineSeconds": 0, "terminationGracePeriodSeconds": -1, "hostname": "a.b",
            "securityContext": {"runAsUser": -1, "supplementalGroups": [2147483648u32], "seccompProfile": {}}}),
        &[
            "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            "spec.securityContext.supplementalGroups[0]: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive",
            "spec.securityContext.seccompProfile.type: Required value: type is required when seccompProfile is set",
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
            "spec.hostname: Invalid value: \"a.b\": must not contain dots",
        ],
    );
    check_container(
        json!({"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"add": ["CAP_SYS_ADMIN"]}}}),
        &[
            "spec.containers[0].securityContext: Invalid value: {\"allowPrivilegeEscalation\":false,\"capabilities\":{\"add\":[\"CAP_SYS_ADMIN\"]}}: cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
        ],
    );
}

#[test]
fn tolerations_and_host_aliases_are_sound() {
    check(
        json!({"tolerations": [{"key": ""}, {"key": "a", "operator": "Exists", "value": "b"}, {"key": "a", "tolerationSeconds": 1}, {"key": "a", "operator": "Near"}],
            "hostAliases": [{"ip": "nowhere", "hostnames": ["A"]}]}),
        &[
            "spec.tolerations[0].operator: Invalid value: \"\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            "spec.tolerations[1].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
            "spec.tolerations[2].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set",
            "spec.tolerations[3].operator: Unsupported value: \"Near\": supported values: \"Equal\", \"Exists\"",
            "spec.hostAliases[0].ip: Invalid value: \"nowhere\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            r#"spec.hostAliases[0].hostnames[0]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
        ],
    );
}

#[test]
fn what_the_agent_cannot_do_yet_is_refused_by_name() {
    for (spec, field, way_out) in [
        (json!({"hostPID": true}), "hostPID", "leave it out"),
        (json!({"hostIPC": true}), "hostIPC", "leave it out"),
        (json!({"securityContext": {"seLinuxOptions": {}}}), "securityContext.seLinuxOptions", "leave it out"),
        (
            json!({"volumes": [{"name": "p", "nfs": {"server": "s", "path": "/"}}]}),
            "volumes[0].nfs",
            "use emptyDir, configMap, secret, projected, downwardAPI, hostPath, persistentVolumeClaim or ephemeral",
        ),
    ] {
        check(spec, &[&format!("spec.{field}: Forbidden: not supported by this version of kiln: {way_out}")]);
    }
    for (container, field, way_out) in [
        (
            json!({"lifecycle": {"preStop": {"tcpSocket": {"port": 1}}}}),
            "lifecycle.preStop.tcpSocket",
            "use exec, httpGet or sleep",
        ),
        (json!({"securityContext": {"seLinuxOptions": {}}}), "securityContext.seLinuxOptions", "leave it out"),
    ] {
        let expect = format!("spec.containers[0].{field}: Forbidden: not supported by this version of kiln: {way_out}");
        check_container(container, &[&expect]);
    }
}

#[test]
fn pods_of_any_shape_are_judged_without_a_panic() {
    for spec in [json!(null), json!(1), json!({"containers": [1, null, {"env": 3, "ports": [7]}], "volumes": ["x"]})] {
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec});
        assert!(!Pod.validate(&pod).is_empty());
        Pod.validate_update(&pod, &pod, crate::Part::Spec);
        created(&Pod, &pod);
    }
}
