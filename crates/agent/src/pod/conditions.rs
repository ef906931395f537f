//! A pod's conditions, in the kubelet's order (K:pkg/kubelet/status/generate.go). Pure.

use super::plan::{Preparation, Snapshot};
use k8s_openapi::api::core::v1::{ContainerStatus, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Truth, reason and message of one condition.
type Finding = (bool, &'static str, String);

/// The conditions this node keeps; `status` has phase and containers already. Those that others own stand beside them on the API
/// server, where the patch that carries these merges by type.
pub(super) fn conditions(snapshot: &Snapshot<'_>, status: &PodStatus, previous: &PodStatus) -> Vec<PodCondition> {
    let phase = status.phase.as_deref().unwrap_or("");
    let is_over = super::is_terminal(phase);
    let stands = *snapshot.preparation == Preparation::Ready && !is_over;
    let ready = readiness(phase, status);
    let findings: [(&str, Finding); 5] = [
        ("PodReadyToStartContainers", (stands, "", String::new())),
        ("Initialized", initialized(phase, status)),
        ("Ready", ready.clone()),
        ("ContainersReady", ready),
        ("PodScheduled", (true, "", String::new())),
    ];
    let known = previous.conditions.as_deref().unwrap_or_default();
    findings.iter().map(|(name, finding)| condition(snapshot, name, finding, known)).collect()
}

fn condition(
    snapshot: &Snapshot<'_>,
    name: &str,
    (holds, reason, message): &Finding,
    known: &[PodCondition],
) -> PodCondition {
    let truth = if *holds { "True" } else { "False" };
    let unchanged_since = known
        .iter()
        .find(|condition| condition.type_ == name && condition.status == truth)
        .and_then(|condition| condition.last_transition_time.clone());
    PodCondition {
        type_: name.to_owned(),
        status: truth.to_owned(),
        reason: (!reason.is_empty()).then(|| (*reason).to_owned()),
        message: (!message.is_empty()).then(|| message.clone()),
        last_transition_time: unchanged_since.or(Some(Time(snapshot.now))),
        last_probe_time: None,
        observed_generation: snapshot.pod.metadata.generation,
    }
}

fn initialized(phase: &str, status: &PodStatus) -> Finding {
    if phase == "Succeeded" {
        return (true, "PodCompleted", String::new());
    }
    let statuses = status.init_container_statuses.as_deref().unwrap_or_default();
    match not_ready(statuses) {
        Some(names) => (false, "ContainersNotInitialized", format!("containers with incomplete status: [{names}]")),
        None => (true, "", String::new()),
    }
}

fn readiness(phase: &str, status: &PodStatus) -> Finding {
    match phase {
        "Succeeded" => return (false, "PodCompleted", String::new()),
        "Failed" => return (false, "PodFailed", String::new()),
        _ => {}
    }
    let statuses = status.container_statuses.as_deref().unwrap_or_default();
    match not_ready(statuses) {
        Some(names) => (false, "ContainersNotReady", format!("containers with unready status: [{names}]")),
        None => (true, "", String::new()),
    }
}

/// Names of those that are not ready, as Go prints a list; none when all are.
fn not_ready(statuses: &[ContainerStatus]) -> Option<String> {
    let names: Vec<&str> = statuses.iter().filter(|status| !status.ready).map(|status| status.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" "))
}
