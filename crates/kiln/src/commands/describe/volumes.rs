//! A pod's volumes. Pure.

use serde_json::Value;

use super::page::{Page, items, text_or};

/// `Volumes:` and all within.
pub fn describe(page: &mut Page, volumes: &Value, indent: &str) {
    if items(volumes).next().is_none() {
        page.field(&format!("{indent}Volumes"), "<none>");
        return;
    }
    page.line(format!("{indent}Volumes:"));
    for volume in items(volumes) {
        page.line(format!("{}{}:", if indent.is_empty() { "  " } else { "   " }, text_or(&volume["name"], "")));
        for (name, value) in details(volume) {
            page.field(&format!("    {name}"), value);
        }
        if volume["downwardAPI"].is_object() {
            page.line("    Items:");
        }
        for item in items(&volume["downwardAPI"]["items"]) {
            let from = text_or(&item["fieldRef"]["fieldPath"], &text_or(&item["resourceFieldRef"]["resource"], ""));
            page.line(format!("      {from} -> {}", text_or(&item["path"], "")));
        }
    }
}

fn details(volume: &Value) -> Vec<(&'static str, String)> {
    let optional = |source: &Value| source["optional"].as_bool().unwrap_or(false).to_string();
    let source = |name: &str| volume.get(name).filter(|source| source.is_object());
    if let Some(directory) = source("emptyDir") {
        return vec![
            ("Type", "EmptyDir (a temporary directory that shares a pod's lifetime)".into()),
            ("Medium", text_or(&directory["medium"], "")),
            ("SizeLimit", text_or(&directory["sizeLimit"], "<unset>")),
        ];
    }
    if let Some(path) = source("hostPath") {
        return vec![
            ("Type", "HostPath (bare host directory volume)".into()),
            ("Path", text_or(&path["path"], "")),
            ("HostPathType", text_or(&path["type"], "")),
        ];
    }
    if let Some(secret) = source("secret") {
        return vec![
            ("Type", "Secret (a volume populated by a Secret)".into()),
            ("SecretName", text_or(&secret["secretName"], "")),
            ("Optional", optional(secret)),
        ];
    }
    if let Some(map) = source("configMap") {
        return vec![
            ("Type", "ConfigMap (a volume populated by a ConfigMap)".into()),
            ("Name", text_or(&map["name"], "")),
            ("Optional", optional(map)),
        ];
    }
    if let Some(claim) = source("persistentVolumeClaim") {
        return vec![
            ("Type", "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)".into()),
            ("ClaimName", text_or(&claim["claimName"], "")),
            ("ReadOnly", claim["readOnly"].as_bool().unwrap_or(false).to_string()),
        ];
    }
    if let Some(projected) = source("projected") {
        let kind = "Projected (a volume that contains injected data from multiple sources)";
        return std::iter::once(("Type", kind.into()))
            .chain(items(&projected["sources"]).flat_map(projection))
            .collect();
    }
    if source("downwardAPI").is_some() {
        return vec![("Type", "DownwardAPI (a volume populated by information about the pod)".into())];
    }
    if let Some(ephemeral) = source("ephemeral") {
        let spec = &ephemeral["volumeClaimTemplate"]["spec"];
        return vec![
            (
                "Type",
                "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)"
                    .into(),
            ),
            ("StorageClass", text_or(&spec["storageClassName"], "")),
            ("Capacity", text_or(&spec["resources"]["requests"]["storage"], "")),
        ];
    }
    vec![("Type", "<unknown>".into())]
}

fn projection(source: &Value) -> Vec<(&'static str, String)> {
    let optional = |source: &Value| source["optional"].as_bool().unwrap_or(false).to_string();
    let (secret, map) = (&source["secret"], &source["configMap"]);
    if secret.is_object() {
        return vec![("SecretName", text_or(&secret["name"], "")), ("Optional", optional(secret))];
    }
    if map.is_object() {
        return vec![("ConfigMapName", text_or(&map["name"], "")), ("Optional", optional(map))];
    }
    if source["downwardAPI"].is_object() {
        return vec![("DownwardAPI", "true".into())];
    }
    vec![("TokenExpirationSeconds", text_or(&source["serviceAccountToken"]["expirationSeconds"], ""))]
}
