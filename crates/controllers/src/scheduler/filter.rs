//! Why a pod cannot go to a node: the filters of Kubernetes' scheduler in its order, the first that says no
//! (K:pkg/scheduler/framework/plugins).

use super::board::{Board, Peer, Place};
use super::requested::Requested;
use super::wish::{Company, Labels, Wish, matches, node_terms_hold};
use crate::engine::Key;
use k8s_openapi::api::core::v1::{Taint, Toleration};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A pod that looks for a node.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub key: &'a Key,
    pub uid: &'a str,
    pub labels: &'a Labels,
    pub requested: &'a Requested,
    pub wish: &'a Arc<Wish>,
    /// Where others make room for it.
    pub nominated: Option<&'a str>,
}

impl Candidate<'_> {
    /// The pod as it would stand on this node.
    pub fn on(&self, node: &str) -> Peer {
        Peer {
            key: self.key.clone(),
            uid: self.uid.to_owned(),
            node: node.to_owned(),
            labels: self.labels.clone(),
            requested: self.requested.clone(),
            wish: self.wish.clone(),
            started_at: None,
            deleted: false,
        }
    }
}

/// A node that will not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What stands in messages behind the number of such nodes.
    pub reasons: Vec<String>,
    /// Whether fewer pods on the node could help.
    pub is_crowded: bool,
}

fn never(reason: &str) -> Option<Misfit> {
    Some(Misfit { reasons: vec![reason.to_owned()], is_crowded: false })
}

fn crowded(reason: &str) -> Option<Misfit> {
    Some(Misfit { reasons: vec![reason.to_owned()], is_crowded: true })
}

/// `None`: it fits, if the pods in `gone` were not there.
pub fn misfit(pod: &Candidate<'_>, node: &Place, board: &Board, gone: &BTreeSet<&str>) -> Option<Misfit> {
    let wish = pod.wish;
    let cordon = Taint { key: UNSCHEDULABLE.into(), effect: "NoSchedule".into(), ..Taint::default() };
    if node.unschedulable && !is_tolerated(&cordon, &wish.tolerations) {
        return never("node(s) were unschedulable");
    }
    // The taint of a node that has just been opened again is about to be taken off.
    let is_old = |taint: &Taint| taint.key == UNSCHEDULABLE && !node.unschedulable;
    let repels = |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute") && !is_old(taint);
    if node.taints.iter().filter(repels).any(|taint| !is_tolerated(taint, &wish.tolerations)) {
        return never("node(s) had untolerated taint(s)");
    }
    let selector_holds = wish.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    let terms_hold = wish.node_terms.as_ref().is_none_or(|terms| node_terms_hold(terms, &node.name, &node.labels));
    if !selector_holds || !terms_hold {
        return never("node(s) didn't match Pod's node affinity/selector");
    }
    let present = || {
        let all = board.present(pod.uid, wish.priority);
        all.filter(|peer| !gone.contains(peer.uid.as_str()))
    };
    let takes_port = |peer: &Peer| {
        wish.host_ports.iter().any(|wanted| peer.wish.host_ports.iter().any(|taken| wanted.conflicts_with(taken)))
    };
    if !wish.host_ports.is_empty() && present().any(|peer| peer.node == node.name && takes_port(peer)) {
        return crowded("node(s) didn't have free ports for the requested pod ports");
    }
    let lacking = resources(pod, node, board, gone);
    if lacking.is_some() {
        return lacking;
    }
    let objecting = || {
        let all = board.objecting(pod.uid, wish.priority);
        all.filter(|peer| !gone.contains(peer.uid.as_str()))
    };
    spread(pod, node, board, &present).or_else(|| company(pod, node, board, &present, objecting))
}

/// What a cordoned node is tainted with.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// K:component-helpers/scheduling/corev1 TolerationsTolerateTaint.
pub fn is_tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| tolerates(toleration, taint))
}

/// Whether one toleration is about this taint.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (key, effect) = (text(&toleration.key), text(&toleration.effect));
    let is_about_it = (effect.is_empty() || effect == taint.effect) && (key.is_empty() || key == taint.key);
    let holds = match text(&toleration.operator).as_str() {
        "" | "Equal" => text(&toleration.value) == text(&taint.value),
        "Exists" => true,
        _ => false,
    };
    is_about_it && holds
}

fn resources(pod: &Candidate<'_>, node: &Place, board: &Board, gone: &BTreeSet<&str>) -> Option<Misfit> {
    let mut used = board.used(&node.name, pod.uid, pod.wish.priority);
    if !gone.is_empty() {
        let leaving = board.on(&node.name).filter(|peer| gone.contains(peer.uid.as_str()));
        leaving.for_each(|peer| used.subtract(&peer.requested));
    }
    let reasons = pod.requested.lacks(&used, &node.allocatable);
    if reasons.is_empty() {
        return None;
    }
    // What an empty node lacks no preemption brings.
    let asked_alone = Requested { n_pods: 0, ..pod.requested.clone() };
    let never_fits = !asked_alone.lacks(&Requested::default(), &node.allocatable).is_empty();
    Some(Misfit { reasons, is_crowded: !never_fits })
}

/// Topology spread: pods of one kind lie evenly over the values of a label. With a single value only `minDomains` can fail.
fn spread<'a, I>(pod: &Candidate<'_>, node: &Place, board: &Board, present: &impl Fn() -> I) -> Option<Misfit>
where
    I: Iterator<Item = &'a Arc<Peer>>,
{
    for constraint in &pod.wish.spread {
        let key = &constraint.topology_key;
        let Some(own_domain) = node.labels.get(key) else {
            return never("node(s) didn't match pod topology spread constraints (missing required label)");
        };
        let is_meant = |labels: &Labels| constraint.selector.as_ref().is_some_and(|selector| matches(selector, labels));
        let count = |domain: &str| {
            let counted = present().filter(|peer| {
                let place = board.nodes.get(&peer.node);
                let is_there = place.and_then(|place| place.labels.get(key)).is_some_and(|value| value == domain);
                is_there && !peer.deleted && peer.key.namespace == pod.key.namespace && is_meant(&peer.labels)
            });
            counted.count() as i64
        };
        let domains: BTreeSet<&String> = board.nodes.values().filter_map(|place| place.labels.get(key)).collect();
        let fewest = domains.iter().map(|domain| count(domain)).min().unwrap_or(0);
        let has_enough_domains = constraint.min_domains as usize <= domains.len();
        let fewest = if has_enough_domains { fewest } else { 0 };
        let skew = count(own_domain) + i64::from(is_meant(pod.labels)) - fewest;
        if i64::from(constraint.max_skew) < skew {
            return crowded("node(s) didn't match pod topology spread constraints");
        }
    }
    None
}

/// Pod affinity and anti-affinity, of the pod and of those that are there.
fn company<'a, I, J>(
    pod: &Candidate<'_>,
    node: &Place,
    board: &Board,
    present: &impl Fn() -> I,
    objecting: impl Fn() -> J,
) -> Option<Misfit>
where
    I: Iterator<Item = &'a Arc<Peer>>,
    J: Iterator<Item = &'a Arc<Peer>>,
{
    let means = |term: &Company, key: &Key, labels: &Labels| {
        term.means(&key.namespace, labels, board.namespaces.get(&key.namespace))
    };
    let is_near = |term: &Company, peer: &Peer| {
        let theirs = board.nodes.get(&peer.node).and_then(|place| place.labels.get(&term.topology_key));
        theirs.is_some() && theirs == node.labels.get(&term.topology_key)
    };
    let wanted = &pod.wish.affinity;
    if !wanted.is_empty() {
        let is_wanted = |peer: &Peer| wanted.iter().all(|term| means(term, &peer.key, &peer.labels));
        let has_keys = wanted.iter().all(|term| node.labels.contains_key(&term.topology_key));
        let all_near = wanted.iter().all(|term| present().any(|peer| is_wanted(peer) && is_near(term, peer)));
        // The first of a group that wants to be together.
        let is_first = || {
            let stands_somewhere = |peer: &Peer| {
                wanted.iter().any(|term| {
                    board.nodes.get(&peer.node).is_some_and(|place| place.labels.contains_key(&term.topology_key))
                })
            };
            !present().any(|peer| is_wanted(peer) && stands_somewhere(peer))
                && wanted.iter().all(|term| means(term, pod.key, pod.labels))
        };
        if !has_keys || !(all_near || is_first()) {
            return never("node(s) didn't match pod affinity rules");
        }
    }
    let is_unwanted = |peer: &Peer| {
        pod.wish.anti_affinity.iter().any(|term| means(term, &peer.key, &peer.labels) && is_near(term, peer))
    };
    if !pod.wish.anti_affinity.is_empty() && present().any(|peer| is_unwanted(peer)) {
        return crowded("node(s) didn't match pod anti-affinity rules");
    }
    let objects = |peer: &Peer| {
        peer.wish.anti_affinity.iter().any(|term| means(term, pod.key, pod.labels) && is_near(term, peer))
    };
    if objecting().any(|peer| objects(peer)) {
        return crowded("node(s) didn't satisfy existing pods anti-affinity rules");
    }
    None
}
