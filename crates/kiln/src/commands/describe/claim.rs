//! A claim's description, with the pods that use it. Pure.

use serde_json::Value;

use super::page::{Page, items, text_or};

/// As kubectl's.
pub fn describe(page: &mut Page, claim: &Value, pods: &[Value]) {
    let (spec, status) = (&claim["spec"], &claim["status"]);
    page.field("Name", meta::object::name(claim));
    page.field("Namespace", meta::object::namespace(claim));
    page.field("StorageClass", text_or(&spec["storageClassName"], ""));
    match meta::object::is_being_deleted(claim) {
        true => page.field("Status", "Terminating"),
        false => page.field("Status", text_or(&status["phase"], "")),
    }
    page.field("Volume", text_or(&spec["volumeName"], ""));
    page.labels("Labels", &claim["metadata"]["labels"]);
    page.annotations("Annotations", &claim["metadata"]["annotations"]);
    page.field("Finalizers", format!("[{}]", meta::object::finalizers(claim).collect::<Vec<_>>().join(" ")));
    let is_bound = spec["volumeName"].as_str().is_some_and(|name| !name.is_empty());
    let modes: Vec<&str> = items(&status["accessModes"]).filter_map(Value::as_str).map(short).collect();
    page.field("Capacity", if is_bound { text_or(&status["capacity"]["storage"], "0") } else { String::new() });
    page.field("Access Modes", if is_bound { modes.join(",") } else { String::new() });
    page.field_if("VolumeMode", &spec["volumeMode"]);
    let uses = |pod: &&Value| {
        let mut volumes = items(&pod["spec"]["volumes"]);
        volumes.any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"])
    };
    page.lines_of("Used By", pods.iter().filter(uses).map(|pod| meta::object::name(pod).to_owned()));
}

fn short(mode: &str) -> &str {
    match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    }
}
