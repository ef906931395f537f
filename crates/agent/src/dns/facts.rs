//! What names need of Services and pods; no more of them is kept.

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Where a Service leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To another name: type ExternalName.
    Elsewhere(String),
    /// To the pods with these labels; without labels, to none.
    Pods(BTreeMap<String, String>),
    /// `default/kubernetes`: to this machine, at the port that KUBERNETES_SERVICE_PORT tells.
    ApiServer,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// ports[].name
    pub name: String,
    /// ports[].protocol
    pub protocol: String,
    /// ports[].targetPort, or the port itself.
    pub target: IntOrString,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFacts {
    /// metadata.namespace
    pub namespace: String,
    /// metadata.name
    pub name: String,
    /// Where it leads.
    pub target: Target,
    /// spec.ports
    pub ports: Vec<Port>,
    /// It has no address of its own on any cluster: clusterIP None.
    pub is_headless: bool,
    /// spec.publishNotReadyAddresses
    pub is_eager: bool,
}

impl ServiceFacts {
    /// Reads the facts off a Service.
    pub fn of(service: &Service) -> Self {
        let namespace = service.metadata.namespace.clone().unwrap_or_default();
        let name = service.metadata.name.clone().unwrap_or_default();
        let spec = service.spec.clone().unwrap_or_default();
        let target = match spec.type_.as_deref() {
            Some("ExternalName") => Target::Elsewhere(spec.external_name.unwrap_or_default().to_ascii_lowercase()),
            _ if (&*namespace, &*name) == ("default", "kubernetes") => Target::ApiServer,
            _ => Target::Pods(spec.selector.unwrap_or_default()),
        };
        let port = |port: &k8s_openapi::api::core::v1::ServicePort| Port {
            name: port.name.clone().unwrap_or_default(),
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".into()),
            target: port.target_port.clone().unwrap_or(IntOrString::Int(port.port)),
        };
        let ports = spec.ports.iter().flatten().map(port).collect();
        let is_headless = spec.cluster_ip.as_deref() == Some("None");
        Self { namespace, name, target, ports, is_headless, is_eager: spec.publish_not_ready_addresses == Some(true) }
    }

    pub(super) fn key(&self) -> (String, String) {
        (self.namespace.clone(), self.name.clone())
    }

    /// Whether one who asks for the Service gets this pod (K:pkg/controller/endpointslice).
    pub(super) fn leads_to(&self, pod: &PodFacts) -> bool {
        let Target::Pods(selector) = &self.target else { return false };
        let is_chosen = pod.namespace == self.namespace
            && !selector.is_empty()
            && selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value));
        is_chosen && (pod.is_ready || self.is_eager)
    }
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFacts {
    /// metadata.uid
    pub uid: String,
    /// metadata.namespace
    pub namespace: String,
    /// metadata.labels
    pub labels: BTreeMap<String, String>,
    /// spec.hostname
    pub hostname: String,
    /// spec.subdomain
    pub subdomain: String,
    /// Its address, until it has ended.
    pub address: Option<Ipv4Addr>,
    /// It is ready, and nobody has deleted it.
    pub is_ready: bool,
    /// Ports that have names: (name, protocol, number).
    pub ports: Vec<(String, String, u16)>,
}

impl PodFacts {
    /// Reads the facts off a pod.
    pub fn of(pod: &Pod) -> Self {
        let metadata = &pod.metadata;
        let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        let phase = status.and_then(|status| status.phase.as_deref());
        let address = status.and_then(|status| status.pod_ip.as_deref()?.parse().ok());
        let mut conditions = status.into_iter().flat_map(|status| status.conditions.iter().flatten());
        let is_ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let containers = spec.into_iter().flat_map(|spec| &spec.containers);
        let ports = containers.flat_map(|container| container.ports.iter().flatten()).filter_map(|port| {
            let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".into());
            Some((port.name.clone()?, protocol, u16::try_from(port.container_port).ok()?))
        });
        Self {
            uid: text(metadata.uid.as_ref()),
            namespace: text(metadata.namespace.as_ref()),
            labels: metadata.labels.clone().unwrap_or_default(),
            hostname: text(spec.and_then(|spec| spec.hostname.as_ref())).to_ascii_lowercase(),
            subdomain: text(spec.and_then(|spec| spec.subdomain.as_ref())),
            address: address.filter(|_| !matches!(phase, Some("Succeeded" | "Failed"))),
            is_ready: is_ready && metadata.deletion_timestamp.is_none(),
            ports: ports.collect(),
        }
    }

    /// The number of a Service's port at this pod, if the pod has it.
    pub(super) fn port(&self, port: &Port) -> Option<u16> {
        match &port.target {
            IntOrString::Int(number) => u16::try_from(*number).ok(),
            IntOrString::String(name) => {
                let is_it = |known: &&(String, String, u16)| known.0 == *name && known.1 == port.protocol;
                self.ports.iter().find(is_it).map(|(.., number)| *number)
            }
        }
    }
}
