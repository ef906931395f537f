//! Looks a pod's claims up; `kinds::volumes::readiness` decides.

use super::fit::Place;
use crate::engine::Key;
use crate::world::{PodEntry, World, of_claim};
use kinds::volumes::readiness::{Readiness, Wanted, check};

/// Whether the pod's claims let it go to the node.
pub(super) enum Verdict {
    Ready,
    /// Nothing is said.
    Waiting,
    /// The text of the FailedScheduling event and of the condition.
    Unschedulable(String),
}

/// `is_placed` tells whether the pod of a uid has a node and has not ended, also while its binding is under way.
pub(super) fn verdict(
    world: &World,
    key: &Key,
    pod: &PodEntry,
    node: &Place,
    is_placed: impl Fn(&str) -> bool,
) -> Verdict {
    if pod.claims.is_empty() {
        return Verdict::Ready;
    }
    let of = |name: &str| Key { namespace: key.namespace.clone(), name: name.to_owned() };
    let claims: Vec<_> = pod.claims.iter().map(|wanted| world.claims.get(&of(&wanted.name))).collect();
    let volume = |name: &str| world.volumes.get(&Key { namespace: String::new(), name: name.to_owned() });
    let volumes: Vec<_> = claims
        .iter()
        .map(|claim| claim.as_ref().and_then(|claim| claim.0["spec"]["volumeName"].as_str()).and_then(volume))
        .collect();
    let is_used = |name: &str| {
        let users = world.pods.group(&of_claim(&key.namespace, name));
        users.iter().any(|(_, user)| user.facts.uid != pod.facts.uid && is_placed(&user.facts.uid))
    };
    let found = pod.claims.iter().zip(&claims).zip(&volumes);
    let wanted: Vec<Wanted<'_>> = found
        .map(|((wanted, claim), volume)| Wanted {
            name: &wanted.name,
            made_for: wanted.is_ephemeral.then_some(pod.facts.uid.as_str()),
            claim: claim.as_ref().map(|claim| &claim.0),
            volume: volume.as_ref().map(|volume| &volume.0),
            is_used: is_used(&wanted.name),
        })
        .collect();
    let no_help = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    let no_victims = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    match check(&wanted, &world.classes(), &node.labels) {
        Readiness::Ready => Verdict::Ready,
        Readiness::Waiting => Verdict::Waiting,
        Readiness::Unschedulable(text) => Verdict::Unschedulable(format!("0/1 nodes are available: {text}. {no_help}")),
        Readiness::Misfit(text) => Verdict::Unschedulable(format!("0/1 nodes are available: 1 {text}. {no_help}")),
        Readiness::InUse(text) => Verdict::Unschedulable(format!("0/1 nodes are available: 1 {text}. {no_victims}")),
    }
}
