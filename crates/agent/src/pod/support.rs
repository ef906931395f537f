//! What a pod may ask for that this version cannot give. Such a pod is rejected with the field's name, never half honoured.

use super::all_containers;
use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};

/// Names the first thing this version cannot do, and the way out; none if it can do everything.
pub fn refusal(spec: &PodSpec) -> Option<String> {
    let found = of_pod(spec)
        .or_else(|| sysctls(spec))
        .or_else(|| volumes(spec))
        .or_else(|| all_containers(spec).find_map(of_container))?;
    Some(found)
}

fn of_pod(spec: &PodSpec) -> Option<String> {
    let asked = [
        ("hostPID", spec.host_pid == Some(true)),
        ("hostIPC", spec.host_ipc == Some(true)),
        ("hostUsers", spec.host_users == Some(false)),
        ("shareProcessNamespace", spec.share_process_namespace == Some(true)),
        ("resourceClaims", is_some_and_not_empty(spec.resource_claims.as_deref())),
        ("readinessGates", is_some_and_not_empty(spec.readiness_gates.as_deref())),
    ];
    let (field, _) = asked.into_iter().find(|(_, is_asked)| *is_asked)?;
    Some(format!("spec.{field} is not supported by this version of kiln; remove it"))
}

/// Those that a pod may set without harm to others (K:pkg/kubelet/sysctl/safe_sysctls.go).
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

fn sysctls(spec: &PodSpec) -> Option<String> {
    let wanted = spec.security_context.as_ref()?.sysctls.as_deref()?.iter();
    let mut names = wanted.map(|sysctl| sysctl.name.replace('/', "."));
    let forbidden = names.find(|name| !SAFE_SYSCTLS.contains(&name.as_str()))?;
    Some(format!("forbidden sysctl: \"{forbidden}\" not allowlisted"))
}

fn is_some_and_not_empty<T>(list: Option<&[T]>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

fn volumes(spec: &PodSpec) -> Option<String> {
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    let volume = volumes.iter().find(|volume| !is_supported(volume))?;
    Some(format!(
        "volume \"{}\": this version of kiln has emptyDir, configMap, secret, projected, downwardAPI, hostPath, persistentVolumeClaim and \
         ephemeral volumes only; use one of these",
        volume.name
    ))
}

/// A volume without any source is an emptyDir (K: defaults).
fn is_supported(volume: &Volume) -> bool {
    let known = volume.empty_dir.is_some()
        || volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.projected.is_some()
        || volume.downward_api.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.ephemeral.is_some()
        || volume.host_path.is_some();
    let bare = Volume { name: volume.name.clone(), ..Volume::default() };
    known || *volume == bare
}

fn of_container(container: &Container) -> Option<String> {
    let context = container.security_context.as_ref();
    let asked = [
        (
            "restartPolicyRules[].action",
            container.restart_policy_rules.iter().flatten().any(|rule| rule.action != "Restart"),
        ),
        ("volumeDevices", is_some_and_not_empty(container.volume_devices.as_deref())),
        (
            "securityContext.procMount",
            context.and_then(|context| context.proc_mount.as_deref()).is_some_and(|mount| mount != "Default"),
        ),
        (
            "env[].valueFrom.fileKeyRef",
            container
                .env
                .iter()
                .flatten()
                .any(|variable| variable.value_from.as_ref().is_some_and(|from| from.file_key_ref.is_some())),
        ),
    ];
    let (field, _) = asked.into_iter().find(|(_, is_asked)| *is_asked)?;
    Some(format!("container \"{}\": {field} is not supported by this version of kiln; remove it", container.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refused(spec: Value) -> Option<String> {
        refusal(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn an_ordinary_pod_is_not_refused() {
        let spec = json!({
            "initContainers": [{"name": "i", "restartPolicy": "Always"}],
            "containers": [{"name": "a", "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "volumeMounts": [{"name": "v", "mountPath": "/v"}], "securityContext": {"procMount": "Default"}}],
            "volumes": [{"name": "v"}, {"name": "e", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}],
            "hostNetwork": true});
        assert_eq!(refused(spec), None);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (spec, name) in [
            (json!({"hostPID": true, "containers": []}), "spec.hostPID"),
            (
                json!({"securityContext": {"sysctls": [{"name": "net/ipv4/tcp_syncookies", "value": "1"}, {"name": "kernel.sem", "value": "1"}]}, "containers": []}),
                "forbidden sysctl: \"kernel.sem\" not allowlisted",
            ),
            (
                json!({"volumes": [{"name": "v", "nfs": {"path": "/", "server": "s"}}], "containers": []}),
                "volume \"v\"",
            ),
            (
                json!({"containers": [{"name": "a", "restartPolicyRules": [{"action": "RestartAllContainers"}]}]}),
                "container \"a\": restartPolicyRules[].action",
            ),
        ] {
            let refusal = refused(spec).unwrap();
            assert!(refusal.starts_with(name), "{refusal}");
        }
    }
}
