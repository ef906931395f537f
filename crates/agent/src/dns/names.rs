//! Which names there are, and what they lead to (kubernetes/dns docs/specification.md, version 1.1.0; corners as CoreDNS has them).
//! Pure.
//!
//! ```text
//! SERVICE.NS.svc.cluster.local               A of its ready pods; CNAME if it is of type ExternalName
//! HOSTNAME.SERVICE.NS.svc.cluster.local      A of the pod with this hostname, and the Service as its subdomain
//! _PORT._PROTO.SERVICE.NS.svc.cluster.local  SRV
//! A-B-C-D.NS.pod.cluster.local               A, if a pod of the namespace has the address
//! D.C.B.A.in-addr.arpa                       PTR, for addresses of pods
//! host.kiln.internal                         A of this machine, as pods reach it
//! ```

use super::facts::{PodFacts, Port, ServiceFacts, Target};
use crate::network::Range;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// The domain of the cluster.
pub const CLUSTER: &str = "cluster.local";
/// What pods may call this machine.
pub const HOST: &str = "host.kiln.internal";
/// Names of kiln's own, of which [`HOST`] is the only one.
const OWN: &str = "kiln.internal";
/// `dns-version.cluster.local`
const SCHEMA_VERSION: &str = "1.1.0";

/// What a name has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A
    Address(Ipv4Addr),
    /// SRV
    Service {
        /// Where.
        port: u16,
        /// At which name.
        target: String,
    },
    /// TXT
    Text(String),
    /// PTR
    Pointer(String),
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Not ours to know.
    Beyond,
    /// There is no such name.
    Missing,
    /// It is another name for this one (CNAME).
    Alias(String),
    /// These records, of one type; none: the name is only part of others.
    Records(Vec<Record>),
}

/// The Services and pods that names are made of.
#[derive(Debug)]
pub struct Names {
    range: Range,
    services: HashMap<(String, String), ServiceFacts>,
    /// By uid. Those that run, as only they have addresses.
    pods: HashMap<String, PodFacts>,
    are_services_known: bool,
    are_pods_known: bool,
}

impl Names {
    /// Nothing yet. Pods have addresses of this range, and reach this machine at its gateway.
    pub fn new(range: Range) -> Self {
        Self { range, services: HashMap::new(), pods: HashMap::new(), are_services_known: false, are_pods_known: false }
    }

    /// All Services there are.
    pub fn set_services(&mut self, services: impl IntoIterator<Item = ServiceFacts>) {
        self.are_services_known = true;
        self.services = services.into_iter().map(|service| (service.key(), service)).collect();
    }

    /// A Service is new or another.
    pub fn put_service(&mut self, service: ServiceFacts) {
        self.services.insert(service.key(), service);
    }

    /// A Service is gone.
    pub fn remove_service(&mut self, service: &ServiceFacts) {
        self.services.remove(&service.key());
    }

    /// Pods of other uids are gone.
    pub fn keep_pods(&mut self, is_there: impl Fn(&str) -> bool) {
        self.are_pods_known = true;
        self.pods.retain(|uid, _| is_there(uid));
    }

    /// A pod is new or another.
    pub fn put_pod(&mut self, pod: PodFacts) {
        if pod.address.is_some() {
            self.pods.insert(pod.uid.clone(), pod);
        } else {
            self.pods.remove(&pod.uid);
        }
    }

    /// A pod is gone.
    pub fn remove_pod(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    /// Whether all that there is is known: before, what is not there may be there.
    pub fn are_complete(&self) -> bool {
        self.are_services_known && self.are_pods_known
    }

    /// Whose addresses pods have.
    pub fn range(&self) -> Range {
        self.range
    }

    /// What this name leads to; capitals do not matter, and neither does a dot at its end.
    pub fn find(&self, name: &str) -> Found {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if name == HOST {
            return Found::Records(vec![Record::Address(self.range.gateway())]);
        }
        if is_beneath(&name, OWN) {
            return Found::Missing;
        }
        if let Some(reversed) = name.strip_suffix(".in-addr.arpa") {
            return self.reverse(reversed);
        }
        if !is_beneath(&name, CLUSTER) {
            // A name of ours that was tried with a suffix of this machine's: others might have an answer to anything.
            let is_tried = name.contains(&format!(".svc.{CLUSTER}.")) || name.starts_with(&format!("{HOST}."));
            return if is_tried { Found::Missing } else { Found::Beyond };
        }
        let inner = name.strip_suffix(CLUSTER).unwrap_or_default().trim_end_matches('.');
        let labels: Vec<&str> = inner.split('.').filter(|label| !label.is_empty()).collect();
        match labels.as_slice() {
            [] | ["svc" | "pod"] => Found::Records(Vec::new()),
            ["dns-version"] => Found::Records(vec![Record::Text(SCHEMA_VERSION.into())]),
            [namespace, "svc"] => self.namespace(namespace),
            [service, namespace, "svc"] => self.service(namespace, service),
            [port, protocol, service, namespace, "svc"] if port.starts_with('_') && protocol.starts_with('_') => {
                self.ports(namespace, service, &port[1..], &protocol[1..])
            }
            [endpoint, service, namespace, "svc"] => self.endpoint(namespace, service, endpoint),
            [address, namespace, "pod"] => self.pod(namespace, address),
            _ => Found::Missing,
        }
    }

    fn namespace(&self, namespace: &str) -> Found {
        let is_known = self.services.keys().any(|(of, _)| of == namespace);
        if is_known { Found::Records(Vec::new()) } else { Found::Missing }
    }

    fn get(&self, namespace: &str, name: &str) -> Option<&ServiceFacts> {
        self.services.get(&(namespace.to_owned(), name.to_owned()))
    }

    fn service(&self, namespace: &str, name: &str) -> Found {
        let Some(service) = self.get(namespace, name) else { return Found::Missing };
        match &service.target {
            Target::Elsewhere(name) => Found::Alias(name.clone()),
            Target::ApiServer => Found::Records(vec![Record::Address(self.range.gateway())]),
            Target::Pods(_) => {
                let found = records(self.endpoints(service).map(|(.., address)| Record::Address(address)));
                // On a cluster it has an address of its own: the name is there, though nothing is behind it.
                if found == Found::Missing && !service.is_headless { Found::Records(Vec::new()) } else { found }
            }
        }
    }

    /// The pods a Service leads to, by address, each with the name it has there.
    fn endpoints<'a>(
        &'a self,
        service: &'a ServiceFacts,
    ) -> impl Iterator<Item = (String, &'a PodFacts, Ipv4Addr)> + 'a {
        let mut pods: Vec<_> = self.pods.values().filter(|pod| service.leads_to(pod)).collect();
        pods.sort_by_key(|pod| pod.address);
        pods.into_iter().filter_map(|pod| {
            let address = pod.address?;
            let is_named = !pod.hostname.is_empty() && pod.subdomain == service.name;
            let name = if is_named { pod.hostname.clone() } else { dashed(address) };
            Some((name, pod, address))
        })
    }

    fn endpoint(&self, namespace: &str, service: &str, endpoint: &str) -> Found {
        let Some(service) = self.get(namespace, service) else { return Found::Missing };
        let endpoints = self.endpoints(service).filter(|(name, ..)| name == endpoint);
        records(endpoints.map(|(.., address)| Record::Address(address)))
    }

    fn ports(&self, namespace: &str, service: &str, port: &str, protocol: &str) -> Found {
        let Some(service) = self.get(namespace, service) else { return Found::Missing };
        let is_it = |known: &&Port| known.name == port && known.protocol.eq_ignore_ascii_case(protocol);
        let Some(port) = service.ports.iter().find(is_it) else { return Found::Missing };
        records(self.endpoints(service).filter_map(|(endpoint, pod, _)| {
            let target = format!("{endpoint}.{}.{}.svc.{CLUSTER}", service.name, service.namespace);
            Some(Record::Service { port: pod.port(port)?, target })
        }))
    }

    fn pod(&self, namespace: &str, address: &str) -> Found {
        let is_it = |pod: &&PodFacts| pod.namespace == namespace && pod.address.map(dashed).as_deref() == Some(address);
        records(self.pods.values().find(is_it).and_then(|pod| pod.address).map(Record::Address).into_iter())
    }

    fn reverse(&self, reversed: &str) -> Found {
        let octets: Vec<&str> = reversed.rsplit('.').collect();
        let Ok(address) = octets.join(".").parse::<Ipv4Addr>() else { return Found::Beyond };
        if !self.range.contains(address) {
            return Found::Beyond;
        }
        if address == self.range.gateway() {
            return Found::Records(vec![Record::Pointer(HOST.into())]);
        }
        let Some(pod) = self.pods.values().find(|pod| pod.address == Some(address)) else { return Found::Missing };
        let mut services: Vec<_> = self.services.values().filter(|service| service.leads_to(pod)).collect();
        services.sort_by_key(|service| service.key());
        records(services.into_iter().flat_map(|service| {
            let its = self.endpoints(service).filter(move |(.., at)| *at == address);
            its.map(|(name, ..)| {
                Record::Pointer(format!("{name}.{}.{}.svc.{CLUSTER}", service.name, service.namespace))
            })
        }))
    }
}

fn is_beneath(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// A name that leads to nothing is none.
fn records(records: impl Iterator<Item = Record>) -> Found {
    let records: Vec<Record> = records.collect();
    if records.is_empty() { Found::Missing } else { Found::Records(records) }
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
