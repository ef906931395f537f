//! Where does a pod go? Decides from the board, and from what its claims allow; says in Kubernetes' words why not.

use super::board::{Board, Peer, Place};
use super::filter::{Candidate, Misfit, misfit};
use kinds::volumes::readiness::Readiness;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a pod goes.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone)]
pub enum Verdict {
    Bind {
        node: String,
    },
    /// Its volumes are being made, or others are leaving for it; nothing is said.
    Wait,
    Unschedulable {
        /// The text of the FailedScheduling event and of the condition.
        message: String,
        /// Others leave for it.
        preemption: Option<Preemption>,
    },
}

/// Pods that leave a node for one that matters more.
#[derive(Debug, Clone)]
pub struct Preemption {
    pub node: String,
    pub victims: Vec<Arc<Peer>>,
}

/// Decides. `claims` tells of each node what the pod's claims allow.
pub fn schedule(pod: &Candidate<'_>, board: &Board, claims: impl Fn(&Place) -> Readiness) -> Verdict {
    if board.nodes.is_empty() {
        return unschedulable("no nodes available to schedule pods".into(), None);
    }
    let n_nodes = board.nodes.len();
    let mut misfits: Vec<(&Arc<Place>, Misfit)> = Vec::new();
    for node in board.nodes.values() {
        let readiness = claims(node);
        if let Readiness::Unschedulable(reason) = &readiness {
            let no_help = vec![(PREEMPTION_NO_HELP.to_owned(), n_nodes)];
            let end = counted(n_nodes, no_help);
            return unschedulable(format!("0/{n_nodes} nodes are available: {reason}. preemption: {end}"), None);
        }
        match misfit(pod, node, board, &BTreeSet::new()).or_else(|| misfit_of_claims(&readiness)) {
            None if readiness == Readiness::Waiting => return Verdict::Wait,
            None => return Verdict::Bind { node: node.name.clone() },
            Some(misfit) => misfits.push((node, misfit)),
        }
    }
    // Pods that make room for this one are on their way out: nothing new to say, and nobody else has to go.
    let is_leaving = |peer: &&Arc<Peer>| peer.deleted && peer.wish.priority < pod.wish.priority;
    if pod.nominated.is_some_and(|node| board.on(node).any(|peer| is_leaving(&peer))) {
        return Verdict::Wait;
    }
    let reasons = misfits.iter().flat_map(|(_, misfit)| misfit.reasons.iter().map(|reason| (reason.clone(), 1)));
    let begin = counted(n_nodes, reasons.collect());
    match preempt(pod, board, &misfits, &claims) {
        Ok(preemption) => unschedulable(begin, Some(preemption)),
        Err(why) => unschedulable(format!("{begin} preemption: {why}"), None),
    }
}

fn unschedulable(message: String, preemption: Option<Preemption>) -> Verdict {
    Verdict::Unschedulable { message, preemption }
}

fn misfit_of_claims(readiness: &Readiness) -> Option<Misfit> {
    match readiness {
        Readiness::Misfit(reason) => Some(Misfit { reasons: vec![(*reason).to_owned()], is_crowded: false }),
        Readiness::InUse(reason) => Some(Misfit { reasons: vec![(*reason).to_owned()], is_crowded: true }),
        Readiness::Ready | Readiness::Waiting | Readiness::Unschedulable(_) => None,
    }
}

/// `0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.` (K:pkg/scheduler/framework FitError)
fn counted(n_nodes: usize, reasons: Vec<(String, usize)>) -> String {
    let mut by_reason: BTreeMap<String, usize> = BTreeMap::new();
    for (reason, n) in reasons {
        *by_reason.entry(reason).or_default() += n;
    }
    let mut texts: Vec<String> = by_reason.into_iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    texts.sort_unstable();
    format!("0/{n_nodes} nodes are available: {}.", texts.join(", "))
}

const PREEMPTION_NO_HELP: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// Which pods would have to leave which node; or why none helps (K:pkg/scheduler/framework/preemption).
fn preempt(
    pod: &Candidate<'_>,
    board: &Board,
    misfits: &[(&Arc<Place>, Misfit)],
    claims: &impl Fn(&Place) -> Readiness,
) -> Result<Preemption, String> {
    if !pod.wish.may_preempt {
        return Err("not eligible due to preemptionPolicy=Never.".into());
    }
    let mut reasons = Vec::new();
    for (node, misfit) in misfits {
        if !misfit.is_crowded {
            reasons.push((PREEMPTION_NO_HELP.to_owned(), 1));
            continue;
        }
        match victims(pod, node, board, claims) {
            Ok(victims) => return Ok(Preemption { node: node.name.clone(), victims }),
            Err(why) => reasons.extend(why.into_iter().map(|reason| (reason, 1))),
        }
    }
    Err(counted(misfits.len(), reasons))
}

/// The fewest and least important pods whose leaving makes room on a node; or what is lacking even without them.
fn victims(
    pod: &Candidate<'_>,
    node: &Place,
    board: &Board,
    claims: &impl Fn(&Place) -> Readiness,
) -> Result<Vec<Arc<Peer>>, Vec<String>> {
    let mut lesser: Vec<&Arc<Peer>> =
        board.on(&node.name).filter(|peer| peer.wish.priority < pod.wish.priority).collect();
    if lesser.is_empty() {
        return Err(vec![NO_VICTIMS.to_owned()]);
    }
    // A claim that one of them holds alone may come free as well; which of them it is, nobody tells here.
    let claim_misfit = misfit_of_claims(&claims(node));
    if let Some(misfit) = claim_misfit {
        return Err(misfit.reasons);
    }
    let mut gone: BTreeSet<&str> = lesser.iter().map(|peer| peer.uid.as_str()).collect();
    if let Some(misfit) = misfit(pod, node, board, &gone) {
        return Err(misfit.reasons);
    }
    // The most important are spared first: higher priority, then longer running.
    lesser.sort_by(|a, b| {
        b.wish.priority.cmp(&a.wish.priority).then(a.started_at.cmp(&b.started_at)).then(a.key.cmp(&b.key))
    });
    let mut victims = Vec::new();
    for peer in lesser {
        gone.remove(peer.uid.as_str());
        if misfit(pod, node, board, &gone).is_some() {
            gone.insert(peer.uid.as_str());
            victims.push(peer.clone());
        }
    }
    Ok(victims)
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
