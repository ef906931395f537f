//! What a pod, or a template for pods, means where it says nothing (K:pkg/apis/core/v1/defaults.go).

mod containers;
mod resources;
mod volumes;

use crate::at::{items_mut, set_default};
use serde_json::{Value, json};

const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Fills in a pod. Idempotent.
pub(super) fn default_pod(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec") else { return };
    default_spec(spec);
    set_default(spec, "enableServiceLinks", true);
    resources::default_requests(spec);
    if spec["hostNetwork"] == true {
        for list in ["containers", "initContainers"] {
            items_mut(spec, list).for_each(containers::default_host_ports);
        }
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
        items_mut(spec, list).for_each(containers::default_container);
    }
    items_mut(spec, "volumes").for_each(volumes::default_volume);
    for list in ["resources.limits", "resources.requests", "overhead"] {
        let list = list.split('.').try_fold(&mut *spec, |at, field| at.get_mut(field));
        list.into_iter().for_each(resources::round_up);
    }
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

#[cfg(test)]
mod tests;
