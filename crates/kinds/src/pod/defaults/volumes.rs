//! What a volume means where it says nothing.

use super::containers::{default_reference, pull_policy};
use crate::at::{items_mut, set_default};
use serde_json::{Value, json};

/// 0644: what files of ConfigMaps and Secrets may be read by.
const FILE_MODE: i64 = 0o644;
const HOUR_SECONDS: i64 = 3600;

pub(super) fn default_volume(volume: &mut Value) {
    let Value::Object(fields) = volume else { return };
    let has_source = fields.iter().any(|(key, value)| key != "name" && !value.is_null());
    if !has_source {
        fields.insert("emptyDir".to_owned(), json!({}));
    }
    for (kind, source) in fields.iter_mut() {
        default_source(kind, source);
    }
}

fn default_source(kind: &str, source: &mut Value) {
    match kind {
        "configMap" | "secret" => set_default(source, "defaultMode", FILE_MODE),
        "downwardAPI" => {
            set_default(source, "defaultMode", FILE_MODE);
            items_mut(source, "items").for_each(default_reference);
        }
        "projected" => {
            set_default(source, "defaultMode", FILE_MODE);
            items_mut(source, "sources").for_each(default_projection);
        }
        "hostPath" => set_default(source, "type", ""),
        "iscsi" => set_default(source, "iscsiInterface", "default"),
        "rbd" => {
            set_default(source, "pool", "rbd");
            set_default(source, "user", "admin");
            set_default(source, "keyring", "/etc/ceph/keyring");
        }
        "azureDisk" => {
            set_default(source, "cachingMode", "ReadWrite");
            set_default(source, "kind", "Shared");
            set_default(source, "fsType", "ext4");
            set_default(source, "readOnly", false);
        }
        "scaleIO" => {
            set_default(source, "storageMode", "ThinProvisioned");
            set_default(source, "fsType", "xfs");
        }
        "ephemeral" => {
            let claim = source.get_mut("volumeClaimTemplate").and_then(|template| template.get_mut("spec"));
            claim.into_iter().for_each(|claim| set_default(claim, "volumeMode", "Filesystem"));
        }
        "image" => {
            let policy = pull_policy(source["reference"].as_str().unwrap_or(""));
            set_default(source, "pullPolicy", policy);
        }
        _ => {}
    }
}

fn default_projection(source: &mut Value) {
    if let Some(fields) = source.get_mut("downwardAPI") {
        items_mut(fields, "items").for_each(default_reference);
    }
    if let Some(token) = source.get_mut("serviceAccountToken") {
        set_default(token, "expirationSeconds", HOUR_SECONDS);
    }
}
