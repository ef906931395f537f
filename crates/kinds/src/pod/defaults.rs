//! What a pod, or a template for pods, means where it says nothing (K:pkg/apis/core/v1/defaults.go).

use crate::at::{items_mut, set_default};
use meta::object;
use serde_json::{Value, json};

const CONTAINER_LISTS: [&str; 2] = ["initContainers", "containers"];
/// 0644: what files of ConfigMaps and Secrets may be read by.
const FILE_MODE: i64 = 0o644;

/// Fills in a pod. Idempotent.
pub(super) fn default_pod(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec") else { return };
    default_spec(spec);
    set_default(spec, "enableServiceLinks", true);
    for list in CONTAINER_LISTS {
        items_mut(spec, list).for_each(request_what_is_limited);
    }
}

/// Fills in a template for pods. Idempotent.
pub(crate) fn default_template(template: &mut Value) {
    if template.is_object() && template["metadata"]["creationTimestamp"].is_null() {
        // Older clients write an empty timestamp.
        if let Some(Value::Object(metadata)) = template.get_mut("metadata") {
            metadata.shift_remove("creationTimestamp");
        }
    }
    if let Some(spec) = template.get_mut("spec") {
        default_spec(spec);
    }
}

fn default_spec(spec: &mut Value) {
    set_default(spec, "restartPolicy", "Always");
    set_default(spec, "terminationGracePeriodSeconds", 30);
    set_default(spec, "dnsPolicy", "ClusterFirst");
    set_default(spec, "schedulerName", "default-scheduler");
    set_default(spec, "securityContext", json!({}));
    mirror_service_account(spec);
    for list in CONTAINER_LISTS {
        items_mut(spec, list).for_each(default_container);
    }
    items_mut(spec, "volumes").for_each(default_volume);
}

/// The account has an old name and a new one; both are shown, the new one counts.
fn mirror_service_account(spec: &mut Value) {
    let text = |field: &str| spec[field].as_str().filter(|text| !text.is_empty());
    let account = text("serviceAccountName").or_else(|| text("serviceAccount")).map(str::to_owned);
    if let (Some(account), Value::Object(spec)) = (account, spec) {
        spec.insert("serviceAccountName".to_owned(), account.clone().into());
        spec.insert("serviceAccount".to_owned(), account.into());
    }
}

fn default_container(container: &mut Value) {
    let policy = pull_policy(container["image"].as_str().unwrap_or(""));
    set_default(container, "imagePullPolicy", policy);
    set_default(container, "resources", json!({}));
    set_default(container, "terminationMessagePath", "/dev/termination-log");
    set_default(container, "terminationMessagePolicy", "File");
    for port in items_mut(container, "ports") {
        set_default(port, "protocol", "TCP");
    }
    for variable in items_mut(container, "env") {
        if let Some(reference) = variable.get_mut("valueFrom").and_then(|source| source.get_mut("fieldRef")) {
            set_default(reference, "apiVersion", "v1");
        }
    }
}

/// Images that may change under their name are pulled each time: those tagged `latest`, or not at all.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let last_part = name.rsplit('/').next().unwrap_or("");
    let tag = last_part.split_once(':').map(|(_, tag)| tag);
    match (tag, digest) {
        (Some("latest"), _) | (None, None) => "Always",
        _ => "IfNotPresent",
    }
}

fn default_volume(volume: &mut Value) {
    let Value::Object(fields) = volume else { return };
    let has_source = fields.iter().any(|(key, value)| key != "name" && !value.is_null());
    if !has_source {
        fields.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(source) {
            set_default(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(path) = volume.get_mut("hostPath") {
        set_default(path, "type", "");
    }
    let default_fields = |source: &mut Value| {
        for item in items_mut(source, "items") {
            if let Some(reference) = item.get_mut("fieldRef") {
                set_default(reference, "apiVersion", "v1");
            }
        }
    };
    if let Some(source) = volume.get_mut("downwardAPI") {
        default_fields(source);
    }
    if let Some(projected) = volume.get_mut("projected") {
        for source in items_mut(projected, "sources") {
            if let Some(fields) = source.get_mut("downwardAPI") {
                default_fields(fields);
            }
            if let Some(token) = source.get_mut("serviceAccountToken") {
                set_default(token, "expirationSeconds", 3600);
            }
        }
    }
}

/// Pods (not templates): whoever names a limit asks for as much.
fn request_what_is_limited(container: &mut Value) {
    let Some(resources) = container.get_mut("resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    if limits.is_empty() {
        return;
    }
    let requests = object::map(resources, "requests");
    for (resource, limit) in limits {
        requests.entry(resource).or_insert(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(pull_policy(image), expect, "for {image}");
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
    fn pods_request_what_they_limit() {
        let mut pod = json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}}]}});
        default_pod(&mut pod);
        assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "500m", "memory": "1Gi"}));
    }

    #[test]
    fn pods_of_any_shape_are_left_alone() {
        for mut odd in
            [json!(null), json!({"spec": []}), json!({"spec": {"containers": 1, "volumes": [1, {"name": 2}]}})]
        {
            default_pod(&mut odd);
            default_template(&mut odd);
        }
    }
}
