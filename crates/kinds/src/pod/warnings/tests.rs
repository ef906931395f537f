//! Warnings, text by text.

use super::*;
use serde_json::json;

/// A pod with these fields in its spec.
#[track_caller]
fn check(spec: Value, expect: &[&str]) {
    assert_eq!(of_pod(&json!({"metadata": {"name": "p"}, "spec": spec})), expect);
}

#[test]
fn ordinary_pods_are_no_surprise() {
    check(
        json!({"nodeSelector": {"kubernetes.io/arch": "amd64"}, "imagePullSecrets": [{"name": "a"}, {"name": "b"}],
            "containers": [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}],
                "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}],
                "resources": {"limits": {"memory": "1.5Gi"}}}],
            "volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"path": "a"}, {"path": "ab"}, {"path": "b/c"}, {"path": "b/d"}]}}]}),
        &[],
    );
}

#[test]
fn old_names_of_node_labels_are_told() {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    check(
        json!({"nodeSelector": {"beta.kubernetes.io/arch": "amd64"},
            "affinity": {"nodeAffinity": {(required): {"nodeSelectorTerms": [{"matchExpressions": [{"key": "beta.kubernetes.io/os"}]}]},
                "preferredDuringSchedulingIgnoredDuringExecution": [{"preference": {"matchExpressions": [{"key": "a", "values": ["b c"]}]}}]},
                "podAffinity": {(required): [{"topologyKey": "a"}]}},
            "topologySpreadConstraints": [{"topologyKey": "failure-domain.beta.kubernetes.io/zone"}]}),
        &[
            "spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use \"kubernetes.io/arch\" instead",
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is deprecated since v1.14; use \"kubernetes.io/os\" instead",
            "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[0]: b c is invalid, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            "spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
            "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
            "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod",
        ],
    );
}

#[test]
fn what_stands_twice_is_told() {
    check(
        json!({"hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}],
            "imagePullSecrets": [{"name": "a"}, {"name": "a"}, {"name": ""}],
            "containers": [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "A", "value": "$(A)"},
                {"name": "A", "valueFrom": {}}]}]}),
        &[
            "spec.hostAliases[1].ip: duplicate ip \"1.1.1.1\"",
            "spec.imagePullSecrets[1].name: duplicate name \"a\"",
            "spec.imagePullSecrets[2].name: invalid empty name \"\"",
            "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply",
            "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when using apply",
            "spec.containers[0].env[3]: hides previous definition of \"A\", which may be dropped when using apply",
        ],
    );
}

#[test]
fn ports_that_collide_are_told() {
    let port = |host_ip: &str, host_port: i64| json!({"containerPort": 80, "protocol": "TCP", "hostIP": host_ip, "hostPort": host_port});
    let ports = |list: Value| json!({"containers": [{"name": "c", "ports": list}]});
    let at = "spec.containers[0].ports";
    check(ports(json!([port("", 0), port("", 0)])), &[&format!("{at}[1]: duplicate port definition with {at}[0]")]);
    check(
        ports(json!([port("", 0), port("", 8080)])),
        &[&format!("{at}[1]: overlapping port definition with {at}[0]")],
    );
    check(
        ports(json!([port("", 8080), port("10.0.0.1", 8080)])),
        &[&format!("{at}[1]: dangerously ambiguous port definition with {at}[0]")],
    );
    check(ports(json!([port("", 8080), port("", 8081)])), &[]);
    check(
        ports(json!([port("10.0.0.1", 0)])),
        &[&format!(
            "{at}[0]: hostIP set without hostPort: {{Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}}"
        )],
    );
}

#[test]
fn fractions_of_a_byte_and_negative_grace_are_told() {
    check(
        json!({"terminationGracePeriodSeconds": -1, "overhead": {"memory": "100m"},
            "containers": [{"name": "c", "resources": {"limits": {"memory": "100m", "cpu": "100m"}, "requests": {"ephemeral-storage": "1500m"}}}]}),
        &[
            "spec.overhead[memory]: fractional byte value \"100m\" is invalid, must be an integer",
            "spec.containers[0].resources.limits[memory]: fractional byte value \"100m\" is invalid, must be an integer",
            "spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value \"1500m\" is invalid, must be an integer",
            "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
        ],
    );
}

#[test]
fn files_in_each_others_way_are_told() {
    check(
        json!({"volumes": [
            {"name": "c", "configMap": {"name": "m", "items": [{"path": "a"}, {"path": "a/b"}, {"path": "a/"}]}},
            {"name": "g", "gitRepo": {}},
            {"name": "p", "projected": {"sources": [{"secret": {"name": "s", "items": [{"path": "x"}]}}, {"serviceAccountToken": {"path": "x/y"}}, {}]}}]}),
        &[
            "spec.volumes[1].gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
            "volume \"c\" (ConfigMap \"m\"): overlapping paths: \"a/b\" with \"a\"",
            "volume \"c\" (ConfigMap \"m\"): overlapping paths: \"a\" with \"a\"",
            "volume \"p\" (Projected ServiceAccountToken): overlapping paths: \"x/y\" with \"x\"",
            "volume \"p\" (Projected) has no sources provided",
        ],
    );
}

#[test]
fn annotations_with_a_field_of_their_own_are_told() {
    let seccomp = "container.seccomp.security.alpha.kubernetes.io/c";
    let armor = "container.apparmor.security.beta.kubernetes.io/c";
    let whole = json!({"metadata": {"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": "", (seccomp): "x", (armor): "x"}},
        "spec": {"containers": [{"name": "c"}]}});
    let critical = "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" field instead";
    let old_seccomp =
        format!("metadata.annotations[{seccomp}]: non-functional in v1.27+; use the \"seccompProfile\" field instead");
    assert_eq!(of_pod(&whole), [critical, &old_seccomp]);
    let template = At { value: &whole, path: "spec.template".to_owned() };
    let old_armor = format!(
        "spec.template.metadata.annotations[{armor}]: deprecated since v1.30; use the \"appArmorProfile\" field instead"
    );
    assert_eq!(of_template(&template).last(), Some(&old_armor));
}
