//! Looks a pod's claims up; `kinds::volumes::readiness` decides.

use super::board::Place;
use crate::engine::Key;
use crate::world::{PodEntry, World, of_claim};
use kinds::volumes::readiness::{Readiness, Wanted, check};

/// `is_placed` tells whether the pod of a uid has a node and has not ended, also while its binding is under way.
pub(super) fn readiness(
    world: &World,
    key: &Key,
    pod: &PodEntry,
    node: &Place,
    is_placed: impl Fn(&str) -> bool,
) -> Readiness {
    if pod.claims.is_empty() {
        return Readiness::Ready;
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
    check(&wanted, &world.classes(), &node.labels)
}
