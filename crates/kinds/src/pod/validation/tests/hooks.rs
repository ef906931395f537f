//! Probes, lifecycle hooks, restart policies, ephemeral containers.

use super::{check_container_rules, check_rules};
use serde_json::{Value, json};

const C: &str = "spec.containers[0]";

#[test]
fn sound_probes_and_hooks_pass() {
    check_container_rules(
        json!({"livenessProbe": {"httpGet": {"port": 80, "httpHeaders": [{"name": "X-A", "value": "b"}]}, "terminationGracePeriodSeconds": 5},
            "readinessProbe": {"tcpSocket": {"port": "http"}, "successThreshold": 3}, "startupProbe": {"grpc": {"port": 1}},
            "lifecycle": {"postStart": {"exec": {"command": ["x"]}}, "preStop": {"sleep": {"seconds": 30}}}}),
        &[],
    );
}

#[test]
fn a_probe_has_one_sound_handler() {
    check_container_rules(
        json!({"livenessProbe": {}, "readinessProbe": {"exec": {}, "tcpSocket": {"port": 80}},
            "startupProbe": {"httpGet": {"port": 0, "scheme": "ftp", "path": "", "httpHeaders": [{"name": "a b"}]}}}),
        &[
            &format!("{C}.livenessProbe: Required value: must specify a handler type"),
            &format!("{C}.readinessProbe.exec.command: Required value"),
            &format!("{C}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"),
            &format!("{C}.startupProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"),
            &format!(
                "{C}.startupProbe.httpGet.scheme: Unsupported value: \"ftp\": supported values: \"HTTP\", \"HTTPS\""
            ),
            &format!(
                "{C}.startupProbe.httpGet.httpHeaders: Invalid value: \"a b\": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
            ),
        ],
    );
    check_container_rules(
        json!({"livenessProbe": {"tcpSocket": {"port": "No"}}, "readinessProbe": {"grpc": {"port": 70000}}}),
        &[
            &format!(
                "{C}.livenessProbe.tcpSocket.port: Invalid value: \"No\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            ),
            &format!("{C}.readinessProbe.grpc.port: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        ],
    );
}

#[test]
fn numbers_of_probes_are_bounded() {
    let with = |rest: Value| {
        let mut probe = json!({"tcpSocket": {"port": 80}});
        probe.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        probe
    };
    check_container_rules(
        json!({"livenessProbe": with(json!({"initialDelaySeconds": -1, "timeoutSeconds": -2, "periodSeconds": -3, "successThreshold": 2,
                "failureThreshold": -4, "terminationGracePeriodSeconds": 0})),
            "startupProbe": with(json!({"successThreshold": -1})),
            "readinessProbe": with(json!({"terminationGracePeriodSeconds": 5}))}),
        &[
            &format!("{C}.livenessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0"),
            &format!("{C}.livenessProbe.timeoutSeconds: Invalid value: -2: must be greater than or equal to 0"),
            &format!("{C}.livenessProbe.periodSeconds: Invalid value: -3: must be greater than or equal to 0"),
            &format!("{C}.livenessProbe.failureThreshold: Invalid value: -4: must be greater than or equal to 0"),
            &format!("{C}.livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"),
            &format!("{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"),
            &format!(
                "{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes"
            ),
            &format!("{C}.startupProbe.successThreshold: Invalid value: -1: must be greater than or equal to 0"),
            &format!("{C}.startupProbe.successThreshold: Invalid value: -1: must be 1"),
        ],
    );
}

#[test]
fn hooks_fit_into_the_grace_period() {
    check_container_rules(
        json!({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}, "postStart": {}, "stopSignal": "SIGTERM"}}),
        &[
            &format!("{C}.lifecycle.postStart: Required value: must specify a handler type"),
            &format!(
                "{C}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"
            ),
            &format!("{C}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"),
        ],
    );
    let signal = |signal: &str| json!({"os": {"name": "linux"}, "containers": [{"name": "c", "image": "i", "lifecycle": {"stopSignal": signal}}]});
    check_rules(signal("SIGUSR1"), &[]);
}

#[test]
fn only_sidecars_among_init_containers_have_hooks() {
    let init = |rest: Value| {
        let mut container = json!({"name": "i", "image": "i", "startupProbe": {"tcpSocket": {"port": 1}}, "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}});
        container.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"initContainers": [container]})
    };
    let refusal = "Forbidden: may not be set for init containers without restartPolicy=Always";
    check_rules(init(json!({"restartPolicy": "Always"})), &[]);
    check_rules(
        init(json!({})),
        &[
            &format!("spec.initContainers[0].lifecycle: {refusal}"),
            &format!("spec.initContainers[0].startupProbe: {refusal}"),
        ],
    );
}

#[test]
fn containers_may_have_a_restart_policy_with_rules() {
    let rule = json!({"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}});
    check_container_rules(json!({"restartPolicy": "Never", "restartPolicyRules": [rule]}), &[]);
    check_container_rules(
        json!({"restartPolicyRules": [rule]}),
        &[&format!("{C}.restartPolicy: Required value: must specify restartPolicy when restart rules are used")],
    );
    check_container_rules(
        json!({"restartPolicy": "Maybe", "restartPolicyRules": [{"action": "Stop"}, {"action": "Restart", "exitCodes": {"operator": "Is"}}]}),
        &[
            &format!(
                "{C}.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\", \"OnFailure\""
            ),
            &format!("{C}.restartPolicyRules[0].action: Unsupported value: \"Stop\": supported values: \"Restart\""),
            &format!("{C}.restartPolicyRules[0].exitCodes: Required value: must be specified"),
            &format!(
                "{C}.restartPolicyRules[1].exitCodes.operator: Unsupported value: \"Is\": supported values: \"In\", \"NotIn\""
            ),
        ],
    );
    let many = json!({"restartPolicy": "Never", "restartPolicyRules": vec![rule; 21]});
    check_container_rules(many, &[&format!("{C}.restartPolicyRules: Too many: 21: must have at most 20 items")]);
}

#[test]
fn ephemeral_containers_come_later_and_have_less() {
    check_rules(
        json!({"ephemeralContainers": [{"name": "c", "image": "i", "targetContainerName": "x", "ports": [{"containerPort": 1}],
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "s"}]}], "volumes": [{"name": "v"}]}),
        &[
            "spec.ephemeralContainers[0].name: Duplicate value: \"c\"",
            "spec.ephemeralContainers[0].targetContainerName: Not found: \"x\"",
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
            "spec.ephemeralContainers[0].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container",
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ],
    );
}
