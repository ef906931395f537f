//! What a container means where it says nothing.

use super::resources;
use crate::at::{items_mut, set_default};
use serde_json::{Value, json};

pub(super) fn default_container(container: &mut Value) {
    let policy = pull_policy(container["image"].as_str().unwrap_or(""));
    set_default(container, "imagePullPolicy", policy);
    set_default(container, "resources", json!({}));
    set_default(container, "terminationMessagePath", "/dev/termination-log");
    set_default(container, "terminationMessagePolicy", "File");
    for port in items_mut(container, "ports") {
        set_default(port, "protocol", "TCP");
    }
    for variable in items_mut(container, "env") {
        if let Some(source) = variable.get_mut("valueFrom") {
            default_reference(source);
        }
        let file = variable.get_mut("valueFrom").and_then(|source| source.get_mut("fileKeyRef"));
        if let Some(file) = file {
            set_default(file, "optional", false);
        }
    }
    for list in ["limits", "requests"] {
        container.get_mut("resources").and_then(|own| own.get_mut(list)).into_iter().for_each(resources::round_up);
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        container.get_mut(probe).into_iter().for_each(default_probe);
    }
    for hook in ["postStart", "preStop"] {
        container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(hook)).into_iter().for_each(default_http);
    }
}

/// `fieldRef` speaks of v1 unless it says otherwise; a divisor is there, if only as nothing.
pub(super) fn default_reference(source: &mut Value) {
    if let Some(field) = source.get_mut("fieldRef") {
        set_default(field, "apiVersion", "v1");
    }
    if let Some(resource) = source.get_mut("resourceFieldRef") {
        set_default(resource, "divisor", "0");
    }
}

fn default_probe(probe: &mut Value) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        // Zero is no number of seconds, nor of attempts.
        if probe[field] == 0 && probe.is_object() {
            probe[field] = value.into();
        }
        set_default(probe, field, value);
    }
    default_http(probe);
    if let Some(grpc) = probe.get_mut("grpc").filter(|grpc| grpc.is_object() && grpc["service"].is_null()) {
        grpc["service"] = "".into();
    }
}

fn default_http(handler: &mut Value) {
    if let Some(get) = handler.get_mut("httpGet") {
        set_default(get, "path", "/");
        set_default(get, "scheme", "HTTP");
    }
}

/// On the host's network a container's port is the host's.
pub(super) fn default_host_ports(container: &mut Value) {
    for port in items_mut(container, "ports") {
        if port["hostPort"].as_i64().unwrap_or(0) == 0 && port["containerPort"].is_i64() {
            port["hostPort"] = port["containerPort"].clone();
        }
    }
}

/// Images that may change under their name are pulled each time: those tagged `latest`, or not at all.
pub(super) fn pull_policy(image: &str) -> &'static str {
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
