//! What a pod may use of the disk, what it uses, and what is said when that is too much (K:pkg/kubelet/eviction, localStorageEviction).
//! The judgement is pure; `measure` looks.

use crate::trees;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, PodSpec};
use meta::quantity::Quantity;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How often it is looked, as the kubelet does.
pub const PERIOD: SignedDuration = SignedDuration::from_secs(10);

const RESOURCE: &str = "ephemeral-storage";

/// Where things are whose size counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places {
    /// Of emptyDirs on the disk, by volume.
    pub volumes: BTreeMap<String, Vec<PathBuf>>,
    /// What containers have written to their root and to their logs, by container.
    pub containers: BTreeMap<String, Vec<PathBuf>>,
}

/// Bytes of the disk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// By volume.
    pub volumes: BTreeMap<String, u64>,
    /// By container.
    pub containers: BTreeMap<String, u64>,
}

/// Whether a pod sets any limit.
pub fn is_limited(spec: &PodSpec) -> bool {
    spec.volumes.iter().flatten().any(|volume| volume.empty_dir.as_ref().is_some_and(|dir| size_limit(dir).is_some()))
        || super::all_containers(spec).any(|container| limit(container).is_some())
}

/// Whether it lies on the disk.
pub fn is_on_disk(source: &EmptyDirVolumeSource) -> bool {
    source.medium.as_deref() != Some("Memory")
}

fn size_limit(source: &EmptyDirVolumeSource) -> Option<Quantity> {
    let limit: Quantity = source.size_limit.as_ref()?.0.parse().ok()?;
    (is_on_disk(source) && 0 < limit.value()).then_some(limit)
}

fn limit(container: &Container) -> Option<Quantity> {
    container.resources.as_ref()?.limits.as_ref()?.get(RESOURCE)?.0.parse().ok()
}

/// Looks. Blocking. What cannot be read counts nothing.
pub fn measure(places: &Places) -> Usage {
    let sum = |paths: &Vec<PathBuf>| paths.iter().map(|path| trees::used(path)).sum();
    let of = |places: &BTreeMap<String, Vec<PathBuf>>| {
        places.iter().map(|(name, paths)| (name.clone(), sum(paths))).collect()
    };
    Usage { volumes: of(&places.volumes), containers: of(&places.containers) }
}

/// The message of the first limit that is exceeded: of a volume, of the pod, of a container.
pub fn excess(spec: &PodSpec, usage: &Usage) -> Option<String> {
    let is_over = |used: u64, limit: &Quantity| u64::try_from(limit.value()).is_ok_and(|limit| limit < used);
    for volume in spec.volumes.iter().flatten() {
        let limit = volume.empty_dir.as_ref().and_then(size_limit);
        let used = usage.volumes.get(&volume.name).copied().unwrap_or(0);
        if let Some(limit) = limit.filter(|limit| is_over(used, limit)) {
            return Some(format!("Usage of EmptyDir volume \"{}\" exceeds the limit \"{limit}\". ", volume.name));
        }
    }
    let total: u64 = usage.volumes.values().chain(usage.containers.values()).sum();
    let limits: Vec<Quantity> = spec.containers.iter().filter_map(limit).collect();
    let whole: Quantity = limits.iter().copied().sum();
    if !limits.is_empty() && is_over(total, &whole) {
        return Some(format!("Pod ephemeral local storage usage exceeds the total limit of containers {whole}. "));
    }
    super::all_containers(spec).find_map(|container| {
        let used = usage.containers.get(&container.name).copied().unwrap_or(0);
        let limit = limit(container).filter(|limit| is_over(used, limit))?;
        Some(format!("Container {} exceeded its local ephemeral storage limit \"{limit}\". ", container.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(volumes: Value, limits: &[Option<&str>]) -> PodSpec {
        let container = |(index, limit): (usize, &Option<&str>)| json!({"name": format!("c{index}"), "resources": {"limits": limit.map(|limit| json!({RESOURCE: limit}))}});
        let containers: Vec<Value> = limits.iter().enumerate().map(container).collect();
        serde_json::from_value(json!({"containers": containers, "volumes": volumes})).unwrap()
    }

    fn usage(volume: u64, containers: &[u64]) -> Usage {
        let named = |(index, bytes): (usize, &u64)| (format!("c{index}"), *bytes);
        Usage {
            volumes: [("v".to_owned(), volume)].into(),
            containers: containers.iter().enumerate().map(named).collect(),
        }
    }

    #[test]
    fn the_first_limit_that_is_exceeded_is_named() {
        const MIB: u64 = 1 << 20;
        let small = json!([{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]);
        let memory = json!([{"name": "v", "emptyDir": {"sizeLimit": "1Mi", "medium": "Memory"}}]);
        for (volumes, limits, used, expect) in [
            (&small, vec![None], usage(MIB, &[0]), None),
            (
                &small,
                vec![None],
                usage(MIB + 1, &[0]),
                Some("Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". "),
            ),
            (&memory, vec![None], usage(MIB + 1, &[0]), None),
            (&json!([{"name": "v", "emptyDir": {}}]), vec![None], usage(1 << 40, &[1 << 40]), None),
            (&json!([]), vec![Some("1Mi"), None], usage(0, &[MIB, 0]), None),
            (
                &json!([]),
                vec![Some("1Mi"), Some("1Gi")],
                usage(0, &[MIB + 1, 0]),
                Some("Container c0 exceeded its local ephemeral storage limit \"1Mi\". "),
            ),
            (
                &json!([]),
                vec![Some("1Mi"), Some("1Mi")],
                usage(MIB, &[MIB, 1]),
                Some("Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "),
            ),
        ] {
            assert_eq!(
                excess(&spec(volumes.clone(), &limits), &used).as_deref(),
                expect,
                "{volumes} {limits:?} {used:?}"
            );
        }
    }

    #[test]
    fn who_sets_no_limit_is_not_looked_at() {
        assert!(!is_limited(&spec(json!([{"name": "v", "emptyDir": {}}]), &[None])));
        assert!(!is_limited(&spec(
            json!([{"name": "v", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}}]),
            &[None]
        )));
        assert!(is_limited(&spec(json!([{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]), &[None])));
        assert!(is_limited(&spec(json!([]), &[None, Some("1Gi")])));
    }
}
