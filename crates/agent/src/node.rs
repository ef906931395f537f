//! The Node object: this machine, as the API shows it. Registered at start, its heartbeat every few minutes.

use crate::runtime::Handlers;
use crate::writes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, NodeAddress, NodeCondition, NodeRuntimeHandler, NodeStatus, NodeSystemInfo};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Api;
use kube::api::Patch;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

/// How often an unchanged node says that it lives (K:pkg/kubelet nodeStatusReportFrequency).
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(300);
/// Pods at once: far above what two cores run, below what exhausts pids.
const MAX_PODS: u64 = 500;

/// What is read from the machine once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Machine {
    /// The address that other machines would reach it at.
    pub(crate) ip: String,
    /// Its host name.
    pub(crate) hostname: String,
    pub(crate) cpus: u64,
    pub(crate) memory_bytes: u64,
    disk_bytes: u64,
    info: NodeSystemInfo,
}

impl Machine {
    /// Reads this machine; `state_dir` lies on the disk that pods use.
    pub(crate) fn read(state_dir: &Path) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let line = |path: &str| text(path).trim().to_owned();
        let version = format!("kiln://{}", env!("CARGO_PKG_VERSION"));
        Self {
            ip: outward_ip(),
            hostname: line("/proc/sys/kernel/hostname"),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64),
            memory_bytes: total_memory(&text("/proc/meminfo")).unwrap_or(1 << 30),
            disk_bytes: disk_bytes(state_dir),
            info: NodeSystemInfo {
                architecture: go_architecture(std::env::consts::ARCH).to_owned(),
                boot_id: line("/proc/sys/kernel/random/boot_id"),
                container_runtime_version: version,
                kernel_version: line("/proc/sys/kernel/osrelease"),
                kube_proxy_version: String::new(),
                kubelet_version: concat!("v1.36.2+kiln.", env!("CARGO_PKG_VERSION")).to_owned(),
                machine_id: line("/etc/machine-id"),
                operating_system: "linux".into(),
                os_image: pretty_name(&text("/etc/os-release")).unwrap_or_default(),
                swap: None,
                system_uuid: line("/sys/class/dmi/id/product_uuid"),
            },
        }
    }
}

/// The address of the interface that leads outward. No packet is sent: connecting a datagram socket only asks the routing table.
fn outward_ip() -> String {
    let found = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        // TEST-NET-1: an address that is routed like any other and belongs to nobody.
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    match found {
        Ok(address) if !address.ip().is_unspecified() => address.ip().to_string(),
        _ => "127.0.0.1".into(),
    }
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn disk_bytes(state_dir: &Path) -> u64 {
    let nearest = state_dir.ancestors().find(|dir| dir.exists());
    nearest.and_then(|dir| rustix::fs::statvfs(dir).ok()).map_or(0, |disk| disk.f_blocks.saturating_mul(disk.f_frsize))
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned())
}

/// What Go calls an architecture, as labels and images do.
fn go_architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// The object, ready, as of `now`.
fn node(name: &str, machine: &Machine, handlers: &Handlers, now: Timestamp) -> Node {
    let handler = |name| NodeRuntimeHandler { name: Some(name), features: None };
    let os = &machine.info.operating_system;
    let arch = &machine.info.architecture;
    let labels = [("kubernetes.io/hostname", name), ("kubernetes.io/os", os), ("kubernetes.io/arch", arch)];
    let capacity: BTreeMap<String, Quantity> = [
        ("cpu", machine.cpus.to_string()),
        ("memory", format!("{}Ki", machine.memory_bytes / 1024)),
        ("ephemeral-storage", format!("{}Ki", machine.disk_bytes / 1024)),
        ("pods", MAX_PODS.to_string()),
    ]
    .into_iter()
    .map(|(resource, amount)| (resource.to_owned(), Quantity(amount)))
    .collect();
    let address = |type_: &str, address: &str| NodeAddress { type_: type_.to_owned(), address: address.to_owned() };
    Node {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
            ..ObjectMeta::default()
        },
        spec: None,
        status: Some(NodeStatus {
            addresses: Some(vec![address("InternalIP", &machine.ip), address("Hostname", name)]),
            allocatable: Some(capacity.clone()),
            capacity: Some(capacity),
            conditions: Some(vec![NodeCondition {
                type_: "Ready".into(),
                status: "True".into(),
                reason: Some("KubeletReady".into()),
                message: Some("kiln is running pods".into()),
                last_heartbeat_time: Some(Time(now)),
                last_transition_time: Some(Time(now)),
            }]),
            node_info: Some(machine.info.clone()),
            runtime_handlers: Some(handlers.names().into_iter().map(handler).collect()),
            ..NodeStatus::default()
        }),
    }
}

/// Makes the node exist and be ready; one that exists keeps its history and what others wrote on it.
pub(crate) async fn register(
    client: &kube::Client,
    name: &str,
    machine: &Machine,
    handlers: &Handlers,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let api: Api<Node> = Api::all(client.clone());
    let wanted = node(name, machine, handlers, now);
    match api.create(&writes::post(), &wanted).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let labels = json!({"metadata": {"labels": wanted.metadata.labels}});
            let patch = Patch::Strategic(&labels);
            api.patch(name, &writes::patch(), &patch).await?;
        }
        Err(error) => return Err(error),
    }
    let known = api.get(name).await?;
    let mut status = wanted.status.unwrap_or_default();
    keep_transition_time(&mut status, known.status.as_ref());
    let patch = json!({"status": status});
    api.patch_status(name, &writes::patch(), &Patch::Strategic(&patch)).await?;
    Ok(())
}

/// A node that was ready before has been so since then.
fn keep_transition_time(status: &mut NodeStatus, known: Option<&NodeStatus>) {
    let was_ready = known
        .into_iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .find(|condition| condition.type_ == "Ready" && condition.status == "True");
    let Some(since) = was_ready.and_then(|condition| condition.last_transition_time.clone()) else {
        return;
    };
    for condition in status.conditions.iter_mut().flatten() {
        condition.last_transition_time = Some(since.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_proc_and_etc() {
        assert_eq!(total_memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total_memory("nonsense"), None);
        let name = pretty_name("NAME=x\nPRETTY_NAME=\"Some Linux 1\"\n");
        assert_eq!(name.as_deref(), Some("Some Linux 1"));
        assert_eq!(go_architecture("x86_64"), "amd64");
    }

    #[test]
    fn a_node_that_was_ready_stays_ready_since_then() {
        let machine = Machine::read(Path::new("/"));
        let at = |second| Timestamp::from_second(second).unwrap();
        let since = |node: &Node| {
            let status = node.status.as_ref().unwrap();
            status.conditions.as_ref().unwrap()[0].last_transition_time.clone().unwrap().0
        };
        let handlers = Handlers::default();
        let before = node("n", &machine, &handlers, at(1));
        let mut now = node("n", &machine, &handlers, at(9));
        assert_eq!(since(&now), at(9));
        keep_transition_time(now.status.as_mut().unwrap(), before.status.as_ref());
        assert_eq!(since(&now), at(1));
    }
}
