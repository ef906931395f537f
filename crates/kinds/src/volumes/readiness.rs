//! May a pod go to a node, as far as its claims are concerned? (K:pkg/scheduler/framework/plugins/volumebinding and
//! volumerestrictions)

use super::claims::BIND_COMPLETED;
use super::class_name;
use super::matching::reaches;
use super::steps::has_annotation;
use meta::field::quote;
use meta::object;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the scheduler is told.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// Nothing stands in the way.
    Ready,
    /// A volume is being made because the pod is there: nothing is said, the pod is looked at again.
    Waiting,
    /// No node would do: stands in FailedScheduling as it is.
    Unschedulable(String),
    /// This node will not do: stands behind the number of such nodes.
    Misfit(&'static str),
    /// The same, until the pod that is in the way has ended.
    InUse(&'static str),
}

/// A claim that a pod's volume names.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// It is made for the pod by the ephemeral volume's template; the pod's uid.
    pub made_for: Option<&'a str>,
    /// The claim, if there is one.
    pub claim: Option<&'a Value>,
    /// The volume it names, if there is one.
    pub volume: Option<&'a Value>,
    /// Another pod that has a node, and has not ended, uses the claim.
    pub is_used: bool,
}

/// Looks at all of a pod's claims; the first that stands in the way decides. `classes` tell which claims wait for a pod.
pub fn check(wanted: &[Wanted<'_>], classes: &[Value], node: &BTreeMap<String, String>) -> Readiness {
    let unschedulable = wanted.iter().find_map(missing);
    if let Some(message) = unschedulable {
        return Readiness::Unschedulable(message);
    }
    let claims = || wanted.iter().filter_map(|wanted| Some((wanted, wanted.claim?)));
    let (waiting, unbound): (Vec<&Value>, Vec<&Value>) = claims()
        .map(|(_, claim)| claim)
        .filter(|claim| !is_bound(claim))
        .partition(|claim| waits_for_pod(claim, classes));
    if !unbound.is_empty() {
        return Readiness::Unschedulable("pod has unbound immediate PersistentVolumeClaims".to_owned());
    }
    let is_elsewhere = wanted.iter().filter_map(|wanted| wanted.volume).any(|volume| !reaches(volume, node));
    if is_elsewhere {
        return Readiness::Misfit("node(s) didn't match PersistentVolume's node affinity");
    }
    let is_exclusive = |claim: &Value| claim["spec"]["accessModes"][0] == "ReadWriteOncePod";
    if claims().any(|(wanted, claim)| wanted.is_used && is_exclusive(claim)) {
        return Readiness::InUse(
            "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
        );
    }
    match waiting.is_empty() {
        true => Readiness::Ready,
        false => Readiness::Waiting,
    }
}

fn missing(wanted: &Wanted<'_>) -> Option<String> {
    let name = quote(wanted.name);
    let Some(claim) = wanted.claim else {
        return Some(match wanted.made_for {
            Some(_) => format!("waiting for ephemeral volume controller to create the persistentvolumeclaim {name}"),
            None => format!("persistentvolumeclaim {name} not found"),
        });
    };
    if claim["status"]["phase"] == "Lost" {
        let volume = quote(claim["spec"]["volumeName"].as_str().unwrap_or(""));
        return Some(format!("persistentvolumeclaim {name} bound to non-existent persistentvolume {volume}"));
    }
    if object::is_being_deleted(claim) {
        return Some(format!("persistentvolumeclaim {name} is being deleted"));
    }
    let is_foreign =
        wanted.made_for.is_some_and(|pod| object::controller(claim).is_none_or(|owner| owner["uid"] != pod));
    is_foreign.then(|| format!("PVC {name} was not created for the pod (pod is not owner)"))
}

fn is_bound(claim: &Value) -> bool {
    has_annotation(claim, BIND_COMPLETED) && !claim["spec"]["volumeName"].as_str().unwrap_or("").is_empty()
}

fn waits_for_pod(claim: &Value, classes: &[Value]) -> bool {
    let class = classes.iter().find(|class| object::name(class) == class_name(claim));
    class.is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
}
