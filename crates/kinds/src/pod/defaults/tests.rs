//! Defaults, field by field.

use super::*;
use crate::at::is_same;

#[test]
fn a_bare_pod_is_filled_in() {
    let mut pod = json!({"spec": {"containers": [{"name": "c", "image": "busybox"}]}});
    default_pod(&mut pod);
    let expect = json!({"spec": {
        "containers": [{"name": "c", "image": "busybox", "imagePullPolicy": "Always", "resources": {},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler", "securityContext": {}, "enableServiceLinks": true}});
    assert_eq!(pod, expect);
    default_pod(&mut pod);
    assert_eq!(pod, expect, "defaulting twice changes nothing");
}

#[test]
fn images_that_may_change_are_always_pulled() {
    for (image, expect) in [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1.36", "IfNotPresent"),
        ("host:5000/busybox", "Always"),
        ("host:5000/busybox:1", "IfNotPresent"),
        ("busybox@sha256:00", "IfNotPresent"),
        ("busybox:latest@sha256:00", "Always"),
        ("kiln/demo", "Always"),
    ] {
        assert_eq!(containers::pull_policy(image), expect, "for {image}");
    }
}

#[test]
fn volumes_ports_and_references_are_filled_in() {
    let mut template = json!({"metadata": {"creationTimestamp": null}, "spec": {
        "serviceAccount": "me",
        "initContainers": [{"name": "i", "image": "a:1", "imagePullPolicy": "Never"}],
        "containers": [{"name": "c", "image": "a:1", "ports": [{"containerPort": 1}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"limits": {"cpu": "1"}}}],
        "volumes": [{"name": "e"}, {"name": "c", "configMap": {"name": "c"}}, {"name": "s", "secret": {"defaultMode": 256}}]}});
    default_template(&mut template);
    assert_eq!(template["metadata"], json!({}));
    let spec = &template["spec"];
    assert_eq!(spec["serviceAccountName"], "me");
    assert_eq!(spec["initContainers"][0]["imagePullPolicy"], "Never");
    assert_eq!(spec["containers"][0]["ports"][0]["protocol"], "TCP");
    assert_eq!(spec["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
    assert_eq!(
        spec["containers"][0]["resources"],
        json!({"limits": {"cpu": "1"}}),
        "only pods request what is limited"
    );
    assert_eq!(spec["volumes"][0], json!({"name": "e", "emptyDir": {}}));
    assert_eq!(spec["volumes"][1]["configMap"]["defaultMode"], 420);
    assert_eq!(spec["volumes"][2]["secret"]["defaultMode"], 256);
    assert!(spec["enableServiceLinks"].is_null());
}

#[test]
fn sources_of_volumes_are_filled_in() {
    for (source, expect) in [
        (json!({"hostPath": {"path": "/a"}}), json!({"hostPath": {"path": "/a", "type": ""}})),
        (
            json!({"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}, {"path": "b", "resourceFieldRef": {"resource": "limits.cpu"}}]}}),
            json!({"downwardAPI": {"defaultMode": 420, "items": [{"path": "a", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
                {"path": "b", "resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}]}}),
        ),
        (
            json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}),
            json!({"projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}}),
        ),
        (json!({"iscsi": {}}), json!({"iscsi": {"iscsiInterface": "default"}})),
        (
            json!({"rbd": {"image": "i"}}),
            json!({"rbd": {"image": "i", "pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}}),
        ),
        (
            json!({"azureDisk": {}}),
            json!({"azureDisk": {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": false}}),
        ),
        (json!({"scaleIO": {}}), json!({"scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"}})),
        (
            json!({"ephemeral": {"volumeClaimTemplate": {"spec": {}}}}),
            json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}}}),
        ),
        (json!({"image": {"reference": "a:1"}}), json!({"image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}})),
        (json!({"nfs": {"server": "s"}}), json!({"nfs": {"server": "s"}})),
    ] {
        let mut pod = json!({"spec": {"volumes": [source]}});
        default_pod(&mut pod);
        assert_eq!(pod["spec"]["volumes"][0], expect);
    }
}

#[test]
fn probes_and_hooks_are_filled_in() {
    let mut pod = json!({"spec": {"containers": [{
        "livenessProbe": {"httpGet": {"port": 80}, "timeoutSeconds": 0},
        "readinessProbe": {"grpc": {"port": 1}, "periodSeconds": 5},
        "lifecycle": {"preStop": {"httpGet": {"port": "http"}}, "postStart": {"sleep": {"seconds": 1}}}}]}});
    default_pod(&mut pod);
    let container = &pod["spec"]["containers"][0];
    assert!(is_same(
        &container["livenessProbe"],
        &json!({"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
            "successThreshold": 1, "failureThreshold": 3})
    ));
    assert!(is_same(
        &container["readinessProbe"],
        &json!({"grpc": {"port": 1, "service": ""}, "timeoutSeconds": 1, "periodSeconds": 5, "successThreshold": 1,
            "failureThreshold": 3})
    ));
    assert_eq!(
        container["lifecycle"],
        json!({"preStop": {"httpGet": {"port": "http", "path": "/", "scheme": "HTTP"}}, "postStart": {"sleep": {"seconds": 1}}})
    );
}

#[test]
fn on_the_hosts_network_ports_are_the_hosts() {
    let mut pod = json!({"spec": {"hostNetwork": true, "containers": [{"ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 82}]}]}});
    default_template(&mut pod);
    assert!(pod["spec"]["containers"][0]["ports"][0]["hostPort"].is_null(), "a template leaves it open");
    default_pod(&mut pod);
    let ports = &pod["spec"]["containers"][0]["ports"];
    assert_eq!(ports[0]["hostPort"], 80);
    assert_eq!(ports[1]["hostPort"], 82);
}

#[test]
fn pods_request_what_they_limit() {
    let mut pod = json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}}]}});
    default_pod(&mut pod);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "500m", "memory": "1Gi"}));
}

#[test]
fn a_pod_as_a_whole_requests_what_its_containers_do_or_its_limit() {
    let check = |spec: Value, expect: Value| {
        let mut pod = json!({ "spec": spec });
        default_pod(&mut pod);
        assert!(is_same(&pod["spec"]["resources"], &expect), "{}", pod["spec"]["resources"]);
    };
    let container = json!({"resources": {"requests": {"cpu": "250m"}}});
    check(
        json!({"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}, "containers": [container, container]}),
        json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}),
    );
    let limited = json!({"resources": {"limits": {"cpu": "1"}}});
    check(
        json!({"resources": {"requests": {"cpu": "2"}}, "containers": [limited, limited]}),
        json!({"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}),
    );
    check(json!({"containers": [limited]}), json!(null));
}

#[test]
fn quantities_are_rounded_up_to_a_thousandth() {
    let mut pod = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "100u", "memory": "1Gi"}}}]}});
    default_pod(&mut pod);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "1m", "memory": "1Gi"}));
}

#[test]
fn pods_of_any_shape_are_left_alone() {
    for mut odd in [
        json!(null),
        json!({"spec": []}),
        json!({"spec": {"containers": 1, "volumes": [1, {"name": 2}], "resources": 3}}),
        json!({"spec": {"containers": [{"livenessProbe": 1, "lifecycle": [], "resources": {"limits": 1}, "ports": [3]}],
            "hostNetwork": true, "volumes": [{"projected": {"sources": [1]}, "image": 2}], "resources": {"limits": {"cpu": 1}}}}),
    ] {
        default_pod(&mut odd);
        default_template(&mut odd);
    }
}
