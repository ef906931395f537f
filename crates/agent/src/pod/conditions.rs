//! A pod's conditions, in the kubelet's order (K:pkg/kubelet/status/generate.go). Pure.

use super::plan::{Preparation, Role, Snapshot};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Truth, reason and message of one condition.
type Finding = (bool, &'static str, String);

/// The conditions this node keeps; `status` has phase and containers already. Those that others own stand beside them on the API
/// server, where the patch that carries these merges by type.
pub(super) fn conditions(snapshot: &Snapshot<'_>, status: &PodStatus, previous: &PodStatus) -> Vec<PodCondition> {
    let phase = status.phase.as_deref().unwrap_or("");
    let is_over = super::is_terminal(phase);
    let stands = *snapshot.preparation == Preparation::Ready && !is_over;
    let spec = snapshot.pod.spec.as_ref();
    let inits = spec.map(super::init_containers).unwrap_or_default();
    let sidecars: Vec<&str> =
        inits.iter().filter(|init| Role::of_init(init) == Role::Sidecar).map(|init| init.name.as_str()).collect();
    let ready = readiness(phase, status, &sidecars);
    let findings: [(&str, Finding); 5] = [
        ("PodReadyToStartContainers", (stands, "", String::new())),
        ("Initialized", initialized(phase, status, &sidecars)),
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

fn initialized(phase: &str, status: &PodStatus, sidecars: &[&str]) -> Finding {
    if phase == "Succeeded" {
        return (true, "PodCompleted", String::new());
    }
    let has_begun = |app: &ContainerStatus| {
        let state = app.state.as_ref();
        let has_started = |ended: &ContainerStateTerminated| ended.started_at.is_some();
        let runs_or_ended =
            state.is_some_and(|state| state.running.is_some() || state.terminated.as_ref().is_some_and(has_started));
        runs_or_ended || app.last_state.as_ref().is_some_and(|last| last.terminated.is_some())
    };
    // Once initialized, a pod stays so, whatever becomes of its sidecars.
    if !sidecars.is_empty() && status.container_statuses.iter().flatten().any(has_begun) {
        return (true, "", String::new());
    }
    let statuses = status.init_container_statuses.as_deref().unwrap_or_default();
    let is_done = |status: &ContainerStatus| match sidecars.contains(&status.name.as_str()) {
        true => status.started == Some(true),
        false => status.ready,
    };
    match names(statuses.iter().filter(|status| !is_done(status))) {
        Some(names) => (false, "ContainersNotInitialized", format!("containers with incomplete status: [{names}]")),
        None => (true, "", String::new()),
    }
}

fn readiness(phase: &str, status: &PodStatus, sidecars: &[&str]) -> Finding {
    match phase {
        "Succeeded" => return (false, "PodCompleted", String::new()),
        "Failed" => return (false, "PodFailed", String::new()),
        _ => {}
    }
    let inits = status.init_container_statuses.iter().flatten();
    let counted = inits.filter(|init| sidecars.contains(&init.name.as_str()));
    let counted = counted.chain(status.container_statuses.iter().flatten());
    match names(counted.filter(|status| !status.ready)) {
        Some(names) => (false, "ContainersNotReady", format!("containers with unready status: [{names}]")),
        None => (true, "", String::new()),
    }
}

/// Their names, as Go prints a list; none when there are none.
fn names<'a>(statuses: impl Iterator<Item = &'a ContainerStatus>) -> Option<String> {
    let names: Vec<&str> = statuses.map(|status| status.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" "))
}
