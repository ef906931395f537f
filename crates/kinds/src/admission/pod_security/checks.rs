//! What each level forbids, with Kubernetes' texts (K:staging/src/k8s.io/pod-security-admission/policy).

use super::policy::{Level, Rules, Version};
use meta::field::quote;
use serde_json::Value;
use std::collections::BTreeSet;

/// One rule that a pod breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// `host namespaces`
    pub reason: String,
    /// `hostNetwork=true`
    pub detail: String,
}

/// `hostPort (container "c" uses hostPort 80), privileged (…)`.
pub(super) fn details(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations
        .iter()
        .map(|violation| match violation.detail.as_str() {
            "" => violation.reason.clone(),
            detail => format!("{} ({detail})", violation.reason),
        })
        .collect();
    texts.join(", ")
}

/// `hostPort, privileged`.
pub(super) fn reasons(violations: &[Violation]) -> String {
    let texts: Vec<&str> = violations.iter().map(|violation| violation.reason.as_str()).collect();
    texts.join(", ")
}

/// A pod, or a template for pods: its metadata and its spec.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pod<'a> {
    pub metadata: &'a Value,
    pub spec: &'a Value,
}

type Check = fn(Pod<'_>, Version) -> Option<Violation>;

/// Rules of both levels, in the order they are told.
const BASELINE: &[(u32, Check)] = &[
    (0, app_armor_profile),
    (0, host_namespaces),
    (0, host_ports),
    (34, probe_hosts),
    (0, privileged),
    (0, proc_mount),
    (0, se_linux_options),
    (0, sysctls),
    (0, windows_host_process),
];
/// Rules of `baseline` that `restricted` has in a stricter form.
const BASELINE_ALONE: &[(u32, Check)] = &[(0, capabilities_baseline), (0, host_path_volumes), (0, seccomp_baseline)];
const RESTRICTED: &[(u32, Check)] = &[
    (8, allow_privilege_escalation),
    (22, capabilities_restricted),
    (0, restricted_volumes),
    (0, run_as_non_root),
    (23, run_as_user),
    (19, seccomp_restricted),
];

/// Every rule that a pod breaks.
pub(super) fn evaluate(rules: Rules, pod: Pod<'_>) -> Vec<Violation> {
    let lists: [&[(u32, Check)]; 2] = match rules.level {
        Level::Privileged => [&[], &[]],
        Level::Baseline => [BASELINE, BASELINE_ALONE],
        Level::Restricted => [BASELINE, RESTRICTED],
    };
    let in_force = lists.into_iter().flatten().filter(|(since, _)| Version::Minor(*since) <= rules.version);
    in_force.filter_map(|(_, check)| check(pod, rules.version)).collect()
}

fn violation(reason: &str, detail: String) -> Option<Violation> {
    Some(Violation { reason: reason.to_owned(), detail })
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[field].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("")
}

impl<'a> Pod<'a> {
    fn containers(self) -> impl Iterator<Item = &'a Value> {
        ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(move |list| items(self.spec, list))
    }

    /// Names of the containers of which this is so.
    fn where_(self, is_so: impl Fn(&'a Value) -> bool) -> Vec<&'a str> {
        self.containers().filter(|container| is_so(container)).map(|container| text(container, "name")).collect()
    }
}

/// `"a", "b"`: each quoted.
fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| quote(name.as_ref())).collect();
    quoted.join(", ")
}

fn plural(one: &'static str, several: &'static str, n: usize) -> &'static str {
    if n == 1 { one } else { several }
}

/// `container "a"`, `containers "a", "b"`.
fn named(containers: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", containers.len()), quoted(containers))
}

/// Who sets something wrong: `pod and container "a"`. Empty: nobody.
fn setters(is_pod: bool, containers: &[&str]) -> String {
    let pod = is_pod.then(|| "pod".to_owned());
    let containers = (!containers.is_empty()).then(|| named(containers));
    pod.into_iter().chain(containers).collect::<Vec<_>>().join(" and ")
}

fn app_armor_profile(pod: Pod<'_>, _: Version) -> Option<Violation> {
    const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
    let mut values = BTreeSet::new();
    let mut is_bad = |context: &Value| {
        let profile = &context["securityContext"]["appArmorProfile"];
        let is_bad = profile.is_object() && !matches!(text(profile, "type"), "RuntimeDefault" | "Localhost");
        if is_bad {
            values.insert(text(profile, "type").to_owned());
        }
        is_bad
    };
    let is_pod = is_bad(pod.spec);
    let containers: Vec<&str> =
        pod.containers().filter(|container| is_bad(container)).map(|container| text(container, "name")).collect();
    let mut annotations: Vec<String> = pod.metadata["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
        .filter(|(key, _)| key.starts_with(ANNOTATION))
        .filter(|(_, value)| !(value.is_empty() || *value == "runtime/default" || value.starts_with("localhost/")))
        .map(|(key, value)| format!("{key}={}", quote(value)))
        .collect();
    annotations.sort();
    let mut who = setters(is_pod, &containers);
    if !annotations.is_empty() {
        let and = if who.is_empty() { "" } else { " and " };
        who = format!("{who}{and}{}", plural("annotation", "annotations", annotations.len()));
    }
    if who.is_empty() {
        return None;
    }
    let all: Vec<String> = values.into_iter().chain(annotations).collect();
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", all.len());
    violation(reason, format!("{who} must not set AppArmor profile type to {}", quoted(all)))
}

fn host_namespaces(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let set: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| pod.spec[field] == true)
        .map(|field| format!("{field}=true"))
        .collect();
    (!set.is_empty()).then(|| Violation { reason: "host namespaces".into(), detail: set.join(", ") })
}

fn host_ports(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let ports_of = |container: &Value| -> Vec<String> {
        let ports = items(container, "ports").filter_map(|port| port["hostPort"].as_i64());
        ports.filter(|port| *port != 0).map(|port| port.to_string()).collect()
    };
    let containers = pod.where_(|container| !ports_of(container).is_empty());
    if containers.is_empty() {
        return None;
    }
    let ports: BTreeSet<String> = pod.containers().flat_map(ports_of).collect();
    let detail = format!(
        "{} {} {} {}",
        named(&containers),
        plural("uses", "use", containers.len()),
        plural("hostPort", "hostPorts", ports.len()),
        ports.into_iter().collect::<Vec<_>>().join(", ")
    );
    violation("hostPort", detail)
}

fn probe_hosts(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let hosts_of = |container: &Value| -> Vec<String> {
        let probes = ["livenessProbe", "readinessProbe", "startupProbe"].map(|probe| &container[probe]);
        let hooks = ["postStart", "preStop"].map(|hook| &container["lifecycle"][hook]);
        let handlers = probes.into_iter().chain(hooks).flat_map(|handler| [&handler["httpGet"], &handler["tcpSocket"]]);
        handlers.map(|handler| text(handler, "host")).filter(|host| !host.is_empty()).map(String::from).collect()
    };
    let containers: BTreeSet<&str> = pod.where_(|container| !hosts_of(container).is_empty()).into_iter().collect();
    if containers.is_empty() {
        return None;
    }
    let containers: Vec<&str> = containers.into_iter().collect();
    let hosts: BTreeSet<String> = pod.containers().flat_map(hosts_of).collect();
    let detail = format!(
        "{} {} {} {}",
        named(&containers),
        plural("uses", "use", containers.len()),
        plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len()),
        quoted(hosts)
    );
    violation("probe or lifecycle host", detail)
}

fn privileged(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let containers = pod.where_(|container| container["securityContext"]["privileged"] == true);
    if containers.is_empty() {
        return None;
    }
    violation("privileged", format!("{} must not set securityContext.privileged=true", named(&containers)))
}

fn proc_mount(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let mount_of = |container: &Value| -> Option<String> {
        container["securityContext"]["procMount"].as_str().filter(|mount| *mount != "Default").map(String::from)
    };
    let containers = pod.where_(|container| mount_of(container).is_some());
    if containers.is_empty() {
        return None;
    }
    let mounts: BTreeSet<String> = pod.containers().filter_map(mount_of).collect();
    violation(
        "procMount",
        format!("{} must not set securityContext.procMount to {}", named(&containers), quoted(mounts)),
    )
}

fn se_linux_options(pod: Pod<'_>, version: Version) -> Option<Violation> {
    let (mut types, mut sets_user, mut sets_role) = (BTreeSet::new(), false, false);
    let mut is_bad = |context: &Value| {
        let options = &context["securityContext"]["seLinuxOptions"];
        let own = text(options, "type");
        let is_known = matches!(own, "" | "container_t" | "container_init_t" | "container_kvm_t")
            || (own == "container_engine_t" && Version::Minor(31) <= version);
        let (has_user, has_role) = (!text(options, "user").is_empty(), !text(options, "role").is_empty());
        if !is_known {
            types.insert(own.to_owned());
        }
        sets_user |= has_user;
        sets_role |= has_role;
        !is_known || has_user || has_role
    };
    let is_pod = is_bad(pod.spec);
    let containers: Vec<&str> =
        pod.containers().filter(|container| is_bad(container)).map(|container| text(container, "name")).collect();
    let who = setters(is_pod, &containers);
    if who.is_empty() {
        return None;
    }
    let n_types = types.len();
    let types = (n_types != 0).then(|| format!("{} {}", plural("type", "types", n_types), quoted(types)));
    let user = sets_user.then(|| "user may not be set".to_owned());
    let role = sets_role.then(|| "role may not be set".to_owned());
    let what: Vec<String> = [types, user, role].into_iter().flatten().collect();
    violation("seLinuxOptions", format!("{who} set forbidden securityContext.seLinuxOptions: {}", what.join("; ")))
}

/// Names, and the minor version since which they are safe.
const SAFE_SYSCTLS: &[(u32, &str)] = &[
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
];

fn sysctls(pod: Pod<'_>, version: Version) -> Option<Violation> {
    let is_safe =
        |name: &str| SAFE_SYSCTLS.iter().any(|(since, safe)| *safe == name && Version::Minor(*since) <= version);
    let forbidden: Vec<&str> = items(&pod.spec["securityContext"], "sysctls")
        .map(|sysctl| text(sysctl, "name"))
        .filter(|name| !is_safe(name))
        .collect();
    (!forbidden.is_empty()).then(|| Violation { reason: "forbidden sysctls".into(), detail: forbidden.join(", ") })
}

fn windows_host_process(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let is_set = |context: &Value| context["securityContext"]["windowsOptions"]["hostProcess"] == true;
    let who = setters(is_set(pod.spec), &pod.where_(is_set));
    if who.is_empty() {
        return None;
    }
    violation("hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true"))
}

const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Containers that add others than `allowed`, and what they add.
fn added<'a>(pod: Pod<'a>, allowed: &[&str]) -> Option<(Vec<&'a str>, BTreeSet<&'a str>)> {
    let forbidden_of = |container: &'a Value| {
        let added = items(&container["securityContext"]["capabilities"], "add").filter_map(Value::as_str);
        added.filter(|capability| !allowed.contains(capability)).collect::<Vec<_>>()
    };
    let containers = pod.where_(|container| !forbidden_of(container).is_empty());
    let forbidden = pod.containers().flat_map(forbidden_of).collect();
    (!containers.is_empty()).then_some((containers, forbidden))
}

fn capabilities_baseline(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let (containers, forbidden) = added(pod, &DEFAULT_CAPABILITIES)?;
    let detail =
        format!("{} must not include {} in securityContext.capabilities.add", named(&containers), quoted(forbidden));
    violation("non-default capabilities", detail)
}

fn host_path_volumes(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let volumes = items(pod.spec, "volumes").filter(|volume| volume["hostPath"].is_object());
    let names: Vec<&str> = volumes.map(|volume| text(volume, "name")).collect();
    if names.is_empty() {
        return None;
    }
    violation("hostPath volumes", format!("{} {}", plural("volume", "volumes", names.len()), quoted(&names)))
}

/// Who sets a seccomp profile that is none: pod and containers, and the types.
fn unconfined(pod: Pod<'_>) -> Option<Violation> {
    let type_of = |context: &Value| -> Option<String> {
        let profile = &context["securityContext"]["seccompProfile"];
        let is_bad = profile.is_object() && !matches!(text(profile, "type"), "RuntimeDefault" | "Localhost");
        is_bad.then(|| text(profile, "type").to_owned())
    };
    let who = setters(type_of(pod.spec).is_some(), &pod.where_(|container| type_of(container).is_some()));
    if who.is_empty() {
        return None;
    }
    let types: BTreeSet<String> = std::iter::once(pod.spec).chain(pod.containers()).filter_map(type_of).collect();
    violation("seccompProfile", format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(types)))
}

fn seccomp_baseline(pod: Pod<'_>, version: Version) -> Option<Violation> {
    if Version::Minor(19) <= version {
        return unconfined(pod);
    }
    // Until 1.18 it was annotations that said so.
    let is_bad =
        |value: &str| !(value == "runtime/default" || value == "docker/default" || value.starts_with("localhost/"));
    let keys =
        std::iter::once("seccomp.security.alpha.kubernetes.io/pod".to_owned())
            .chain(pod.containers().map(|container| {
                format!("container.seccomp.security.alpha.kubernetes.io/{}", text(container, "name"))
            }));
    let forbidden: BTreeSet<String> = keys
        .filter_map(|key| {
            let value = pod.metadata["annotations"].get(&key)?.as_str().filter(|value| is_bad(value))?;
            Some(format!("{key}={}", quote(value)))
        })
        .collect();
    if forbidden.is_empty() {
        return None;
    }
    let word = plural("annotation", "annotations", forbidden.len());
    violation("seccompProfile", format!("forbidden {word} {}", forbidden.into_iter().collect::<Vec<_>>().join(", ")))
}

fn allow_privilege_escalation(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let containers = pod.where_(|container| container["securityContext"]["allowPrivilegeEscalation"] != false);
    if containers.is_empty() {
        return None;
    }
    violation(
        "allowPrivilegeEscalation != false",
        format!("{} must set securityContext.allowPrivilegeEscalation=false", named(&containers)),
    )
}

fn capabilities_restricted(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let keeps_some = pod.where_(|container| {
        items(&container["securityContext"]["capabilities"], "drop").all(|dropped| dropped != "ALL")
    });
    let keeps = (!keeps_some.is_empty())
        .then(|| format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", named(&keeps_some)));
    let adds = added(pod, &["NET_BIND_SERVICE"]).map(|(containers, forbidden)| {
        format!("{} must not include {} in securityContext.capabilities.add", named(&containers), quoted(forbidden))
    });
    let details: Vec<String> = [keeps, adds].into_iter().flatten().collect();
    (!details.is_empty()).then(|| Violation { reason: "unrestricted capabilities".into(), detail: details.join("; ") })
}

fn restricted_volumes(pod: Pod<'_>, _: Version) -> Option<Violation> {
    const ALLOWED: [&str; 8] =
        ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
    let mut types = BTreeSet::new();
    let mut names = Vec::new();
    for volume in items(pod.spec, "volumes") {
        let sources = volume.as_object().into_iter().flatten();
        let sources: Vec<&str> = sources
            .filter(|(field, value)| *field != "name" && !value.is_null())
            .map(|(field, _)| field.as_str())
            .collect();
        let is_allowed = sources.iter().any(|source| ALLOWED.contains(source));
        if !is_allowed {
            names.push(text(volume, "name"));
            types.extend(if sources.is_empty() { vec!["unknown"] } else { sources });
        }
    }
    if names.is_empty() {
        return None;
    }
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", names.len()),
        quoted(&names),
        plural("uses", "use", names.len()),
        plural("restricted volume type", "restricted volume types", types.len()),
        quoted(types)
    );
    violation("restricted volume types", detail)
}

fn run_as_non_root(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let said = |context: &Value| context["securityContext"]["runAsNonRoot"].as_bool();
    let of_pod = said(pod.spec);
    let who = setters(of_pod == Some(false), &pod.where_(|container| said(container) == Some(false)));
    if !who.is_empty() {
        return violation("runAsNonRoot != true", format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    let silent = pod.where_(|container| said(container).is_none() && of_pod != Some(true));
    if silent.is_empty() {
        return None;
    }
    violation("runAsNonRoot != true", format!("pod or {} must set securityContext.runAsNonRoot=true", named(&silent)))
}

fn run_as_user(pod: Pod<'_>, _: Version) -> Option<Violation> {
    let is_root = |context: &Value| context["securityContext"]["runAsUser"] == 0;
    let who = setters(is_root(pod.spec), &pod.where_(is_root));
    if who.is_empty() {
        return None;
    }
    violation("runAsUser=0", format!("{who} must not set runAsUser=0"))
}

fn seccomp_restricted(pod: Pod<'_>, _: Version) -> Option<Violation> {
    if let Some(violation) = unconfined(pod) {
        return Some(violation);
    }
    let is_set = |context: &Value| context["securityContext"]["seccompProfile"].is_object();
    let silent = pod.where_(|container| !is_set(container) && !is_set(pod.spec));
    if silent.is_empty() {
        return None;
    }
    let who = named(&silent);
    let detail =
        format!("pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"");
    violation("seccompProfile", detail)
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
