//! configMap: the keys of a ConfigMap as files.

use super::payload::{Payload, Projection};
use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource};
use std::collections::BTreeMap;

/// The files; the error is FailedMount's.
pub(super) fn payload(source: &ConfigMapVolumeSource, found: Option<&ConfigMap>) -> Result<Payload, String> {
    let is_optional = source.optional == Some(true);
    let Some(config_map) = found else {
        if is_optional {
            return Ok(Payload::default());
        }
        return Err(format!("configmap \"{}\" not found", source.name));
    };
    let text = config_map.data.iter().flatten();
    let binary = config_map.binary_data.iter().flatten();
    let data: BTreeMap<&str, &[u8]> = text
        .map(|(key, value)| (key.as_str(), value.as_bytes()))
        .chain(binary.map(|(key, value)| (key.as_str(), value.0.as_slice())))
        .collect();
    let projection = Projection { items: source.items.as_deref(), default_mode: source.default_mode, is_optional };
    projection.apply(&data).map_err(|key| format!("configmap references non-existent config key: {key}"))
}
