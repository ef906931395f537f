//! downwardAPI: what a pod says of itself, as files (K:pkg/fieldpath, pkg/api/v1/resource).

use super::payload::{File, Payload, is_inside, mode};
use crate::pod::{all_containers, name, namespace, uid};
use k8s_openapi::api::core::v1::{Container, DownwardAPIVolumeFile, Pod, ResourceFieldSelector};
use meta::quantity::Quantity;
use std::collections::BTreeMap;

/// The pod, and the machine that bounds whatever it does not bound itself.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The machine's CPUs.
    pub cpus: u64,
    /// The machine's memory.
    pub memory_bytes: u64,
}

/// The files; the error is FailedMount's.
pub(super) fn payload(
    items: &[DownwardAPIVolumeFile],
    default_mode: u32,
    subject: Subject<'_>,
) -> Result<Payload, String> {
    let mut files = BTreeMap::new();
    for item in items {
        if !is_inside(&item.path) {
            return Err(format!("invalid path: {}", item.path));
        }
        let text = match (&item.field_ref, &item.resource_field_ref) {
            (Some(reference), _) => field(&reference.field_path, subject.pod)?,
            (None, Some(reference)) => resource(reference, reference.container_name.as_deref().unwrap_or(""), subject)?,
            (None, None) => String::new(),
        };
        let mode = mode(item.mode).unwrap_or(default_mode);
        files.insert(item.path.clone(), File { mode, owner: None, bytes: text.into_bytes() });
    }
    Ok(Payload(files))
}

fn field(path: &str, pod: &Pod) -> Result<String, String> {
    let labels = pod.metadata.labels.as_ref();
    let annotations = pod.metadata.annotations.as_ref();
    let one = |map: Option<&BTreeMap<String, String>>, key: &str| {
        map.and_then(|map| map.get(key)).cloned().unwrap_or_default()
    };
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match map {
            "metadata.labels" => Ok(one(labels, key)),
            "metadata.annotations" => Ok(one(annotations, key)),
            _ => Err(format!("fieldPath \"{path}\" does not support subscript")),
        };
    }
    Ok(match path {
        "metadata.name" => name(pod).to_owned(),
        "metadata.namespace" => namespace(pod).to_owned(),
        "metadata.uid" => uid(pod).to_owned(),
        "metadata.labels" => lines(labels),
        "metadata.annotations" => lines(annotations),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// `key="value"` each, with Go's escapes (K:pkg/fieldpath FormatMap).
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> =
        map.into_iter().flatten().map(|(key, value)| format!("{key}={}", meta::field::quote(value))).collect();
    lines.join("\n")
}

/// A resource of the container of that name, whatever `reference` says of its name.
pub(crate) fn resource(
    reference: &ResourceFieldSelector,
    container_name: &str,
    subject: Subject<'_>,
) -> Result<String, String> {
    let mut containers = subject.pod.spec.iter().flat_map(all_containers);
    let container = containers
        .find(|container| container.name == container_name)
        .ok_or_else(|| format!("container {container_name} not found"))?;
    let unsupported = || format!("unsupported container resource : {}", reference.resource);
    let (list, what) = reference.resource.split_once('.').ok_or_else(unsupported)?;
    let asked = match list {
        "limits" => quantity(container, what, false),
        "requests" => quantity(container, what, true),
        _ => return Err(unsupported()),
    };
    let of_machine = |text: String| text.parse::<Quantity>().ok();
    let found = match (asked, list, what) {
        (Some(found), ..) => found,
        // Whoever is not limited may use all there is.
        (None, "limits", "cpu") => of_machine(subject.cpus.to_string()).ok_or_else(unsupported)?,
        (None, "limits", "memory") => of_machine(subject.memory_bytes.to_string()).ok_or_else(unsupported)?,
        (None, ..) => return Ok("0".into()),
    };
    let divisor = reference.divisor.as_ref().and_then(|divisor| divisor.0.parse::<Quantity>().ok());
    let divisor = divisor.filter(|divisor| !divisor.is_zero());
    let (amount, unit) = match what {
        "cpu" => (found.milli_value(), divisor.map_or(1000, |divisor| divisor.milli_value())),
        _ => (found.value(), divisor.map_or(1, |divisor| divisor.value())),
    };
    let unit = unit.max(1);
    // Rounded up, as the kubelet does.
    Ok((amount / unit + i64::from(amount % unit != 0)).to_string())
}

fn quantity(container: &Container, what: &str, of_requests: bool) -> Option<Quantity> {
    let resources = container.resources.as_ref()?;
    let list = if of_requests { &resources.requests } else { &resources.limits };
    list.as_ref()?.get(what)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn file(item: Value) -> Result<String, String> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"b": "2", "a": "1"},
                "annotations": {"say": "a \"word\"\nor two"}},
            "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "1Gi"}}}]}}))
        .unwrap();
        let subject = Subject { pod: &pod, cpus: 4, memory_bytes: 8 << 30 };
        let mut item = item;
        item["path"] = "f".into();
        let payload = payload(&[serde_json::from_value(item).unwrap()], 0o644, subject)?;
        Ok(String::from_utf8(payload.0["f"].bytes.clone()).unwrap())
    }

    #[test]
    fn fields_read_as_the_kubelet_writes_them() {
        for (path, expect) in [
            ("metadata.name", "p"),
            ("metadata.namespace", "n"),
            ("metadata.uid", "u"),
            ("metadata.labels", "a=\"1\"\nb=\"2\""),
            ("metadata.labels['b']", "2"),
            ("metadata.labels['none']", ""),
            ("metadata.annotations", r#"say="a \"word\"\nor two""#),
        ] {
            assert_eq!(file(json!({"fieldRef": {"fieldPath": path}})), Ok(expect.to_owned()), "{path}");
        }
        assert!(file(json!({"fieldRef": {"fieldPath": "status.podIP"}})).is_err());
    }

    #[test]
    fn resources_are_rounded_up_and_unlimited_ones_are_the_machines() {
        for (resource, divisor, expect) in [
            ("limits.cpu", "0", "2"),
            ("limits.cpu", "1m", "1500"),
            ("requests.memory", "1Mi", "1024"),
            ("requests.memory", "3Gi", "1"),
            ("limits.memory", "1Gi", "8"),
            ("requests.cpu", "1", "0"),
        ] {
            let item = json!({"resourceFieldRef": {"containerName": "c", "resource": resource, "divisor": divisor}});
            assert_eq!(file(item), Ok(expect.to_owned()), "{resource} {divisor}");
        }
        let item = json!({"resourceFieldRef": {"containerName": "none", "resource": "limits.cpu"}});
        assert_eq!(file(item), Err("container none not found".into()));
    }
}
