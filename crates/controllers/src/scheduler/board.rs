//! What the scheduler knows: the nodes, the pods on them, and who is to come.

use super::requested::Requested;
use super::wish::{Labels, Wish};
use crate::engine::Key;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Taint};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What the scheduler looks at in a node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    pub name: String,
    pub labels: Labels,
    pub allocatable: Requested,
    pub taints: Vec<Taint>,
    /// `kubectl cordon`
    pub unschedulable: bool,
}

impl Place {
    /// Reads it off a node.
    pub fn of(node: &Node) -> Self {
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        let spec = node.spec.clone().unwrap_or_default();
        Self {
            name: node.metadata.name.clone().unwrap_or_default(),
            labels: node.metadata.labels.clone().unwrap_or_default(),
            allocatable: allocatable.map_or_else(Requested::default, Requested::of_list),
            taints: spec.taints.unwrap_or_default(),
            unschedulable: spec.unschedulable.unwrap_or(false),
        }
    }
}

/// A pod that has a node, or is promised one.
#[derive(Debug, Clone)]
pub struct Peer {
    pub key: Key,
    pub uid: String,
    pub node: String,
    pub labels: Labels,
    pub requested: Requested,
    pub wish: Arc<Wish>,
    pub started_at: Option<Timestamp>,
    /// On its way out.
    pub deleted: bool,
}

/// See the file's head.
#[derive(Debug, Clone, Default)]
pub struct Board {
    pub nodes: BTreeMap<String, Arc<Place>>,
    /// By namespace.
    pub namespaces: HashMap<String, Labels>,
    /// By uid.
    peers: BTreeMap<String, Arc<Peer>>,
    /// Those of them that do not want everybody's company.
    objectors: BTreeMap<String, Arc<Peer>>,
    /// By node.
    used: HashMap<String, Requested>,
    /// Pods for which room is being made, by uid.
    nominated: BTreeMap<String, Arc<Peer>>,
}

impl Board {
    /// A pod is on its node.
    pub fn enter(&mut self, peer: Peer) {
        self.strike(&peer.uid);
        self.nominated.remove(&peer.uid);
        self.used.entry(peer.node.clone()).or_default().add(&peer.requested);
        let peer = Arc::new(peer);
        if !peer.wish.anti_affinity.is_empty() {
            self.objectors.insert(peer.uid.clone(), peer.clone());
        }
        self.peers.insert(peer.uid.clone(), peer);
    }

    /// A pod needs no room any more. Whether it had some.
    pub fn strike(&mut self, uid: &str) -> bool {
        let was_nominated = self.nominated.remove(uid).is_some();
        let Some(peer) = self.peers.remove(uid) else { return was_nominated };
        self.objectors.remove(uid);
        if let Some(used) = self.used.get_mut(&peer.node) {
            used.subtract(&peer.requested);
        }
        true
    }

    /// A pod is promised the room that others make for it.
    pub fn nominate(&mut self, peer: Peer) {
        self.nominated.insert(peer.uid.clone(), Arc::new(peer));
    }

    /// The promise is off.
    pub fn forget_nomination(&mut self, uid: &str) {
        self.nominated.remove(uid);
    }

    /// Whether the pod is on a node already, as far as is known here.
    pub fn has(&self, uid: &str) -> bool {
        self.peers.contains_key(uid)
    }

    /// The pods on a node.
    pub fn on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Arc<Peer>> {
        self.peers.values().filter(move |peer| peer.node == node)
    }

    /// All pods that have a node, and those that are promised one and matter at least as much as `priority`, without `uid`
    /// itself: they count as being there.
    pub fn present<'a>(&'a self, uid: &'a str, priority: i32) -> impl Iterator<Item = &'a Arc<Peer>> {
        self.peers.values().chain(self.promised(uid, priority))
    }

    /// Whether anybody may object to others.
    pub fn has_objectors(&self) -> bool {
        !self.objectors.is_empty() || self.nominated.values().any(|peer| !peer.wish.anti_affinity.is_empty())
    }

    /// Of `present`, those that may object to others.
    pub fn objecting<'a>(&'a self, uid: &'a str, priority: i32) -> impl Iterator<Item = &'a Arc<Peer>> {
        let promised = self.promised(uid, priority).filter(|peer| !peer.wish.anti_affinity.is_empty());
        self.objectors.values().chain(promised)
    }

    fn promised<'a>(&'a self, uid: &'a str, priority: i32) -> impl Iterator<Item = &'a Arc<Peer>> {
        self.nominated.values().filter(move |peer| peer.uid != uid && priority <= peer.wish.priority)
    }

    /// What is used of a node, with what is promised to pods that matter at least as much.
    pub fn used(&self, node: &str, uid: &str, priority: i32) -> Requested {
        let mut used = self.used.get(node).cloned().unwrap_or_default();
        self.promised(uid, priority).filter(|peer| peer.node == node).for_each(|peer| used.add(&peer.requested));
        used
    }
}
