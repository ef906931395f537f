//! What a pod's status says: phase, containers and (in `conditions`) conditions. Pure.

use super::conditions::conditions;
use super::known::{Ended, Known, PostStart, State};
use super::plan::{Intent, Role, Snapshot, Why, restart_at, restart_policy, will_restart};
use super::tend;
use super::{full_name, init_containers, is_terminal, phase as api_phase, resources, uid};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, PodIP, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// Message of a pod that outlived its activeDeadlineSeconds, in its status and its event.
pub const DEADLINE_MESSAGE: &str = "Pod was active on the node longer than the specified deadline";

/// The reason of a pod that used more than it may, in its status and its event.
pub const EVICTED: &str = "Evicted";

/// Where a pod is found.
#[derive(Debug, Clone)]
pub struct Addresses<'a> {
    /// The machine's.
    pub host: &'a str,
    /// The pod's own, or the machine's if it shares its network.
    pub pod: Option<String>,
}

/// The pod's status as it should read now. `previous` is the last one known: since when conditions hold is kept from it.
pub fn status(snapshot: &Snapshot<'_>, previous: &PodStatus, addresses: Addresses<'_>) -> PodStatus {
    let default_spec = PodSpec::default();
    let spec = snapshot.pod.spec.as_ref().unwrap_or(&default_spec);
    let phase = phase(snapshot);
    let (reason, message) = reason_and_message(snapshot, phase, previous);
    let is_refused = matches!(snapshot.intent, Intent::Stop(Why::Refused(_)));
    let containers = |list: &[Container], role: fn(&Container) -> Role| {
        let statuses: Vec<ContainerStatus> =
            list.iter().map(|container| container_status(snapshot, container, role(container), phase)).collect();
        (!statuses.is_empty() && !is_refused).then_some(statuses)
    };
    let mut status = PodStatus {
        phase: Some(phase.to_owned()),
        reason,
        message,
        host_ip: Some(addresses.host.to_owned()),
        host_ips: Some(vec![HostIP { ip: addresses.host.to_owned() }]),
        pod_ips: addresses.pod.clone().map(|ip| vec![PodIP { ip }]),
        pod_ip: addresses.pod,
        start_time: Some(Time(snapshot.accepted_at)),
        qos_class: Some(resources::qos_class(spec).to_owned()),
        observed_generation: snapshot.pod.metadata.generation,
        init_container_statuses: containers(init_containers(spec), Role::of_init),
        container_statuses: containers(&spec.containers, |_| Role::App),
        ..PodStatus::default()
    };
    status.conditions = Some(conditions(snapshot, &status, previous));
    status
}

/// The pod's phase (K:pkg/kubelet/kubelet_pods.go getPhase). Succeeded and Failed only once nothing runs any more.
pub fn phase(snapshot: &Snapshot<'_>) -> &'static str {
    match api_phase(snapshot.pod) {
        "Succeeded" => return "Succeeded",
        "Failed" => return "Failed",
        _ => {}
    }
    let Some(spec) = &snapshot.pod.spec else {
        return "Pending";
    };
    let known = |container: &Container| snapshot.containers.get(&container.name);
    let runs =
        |container: &Container| known(container).is_some_and(|known| matches!(known.state, State::Running { .. }));
    let any_runs = super::all_containers(spec).any(runs);
    match snapshot.intent {
        Intent::Run | Intent::Stop(_) if any_runs => match living_phase(snapshot, spec) {
            // An end is only told when it is one: a failed init container's sidecars have still to be stopped.
            "Succeeded" | "Failed" => "Pending",
            phase => phase,
        },
        Intent::Run => living_phase(snapshot, spec),
        Intent::Stop(Why::PastDeadline | Why::Refused(_) | Why::Evicted(_)) => "Failed",
        Intent::Stop(Why::Deleted | Why::Gone | Why::AlreadyOver | Why::ServerEnds) => {
            let succeeded = |container: &Container| {
                let state = known(container).map(|known| &known.state);
                matches!(state, Some(State::Ended(ended)) if ended.exit_code == 0)
            };
            if spec.containers.iter().all(succeeded) { "Succeeded" } else { "Failed" }
        }
    }
}

fn living_phase(snapshot: &Snapshot<'_>, spec: &PodSpec) -> &'static str {
    let policy = restart_policy(snapshot.pod);
    let (never_ran, unknown) = (State::NeverRan, Known::default());
    let known = |container: &Container| snapshot.containers.get(&container.name).unwrap_or(&unknown);
    // A container has not run before its first postStart hook is over.
    let state = |container: &Container| match known(container) {
        Known { state: State::Running { attempt: 0, .. }, .. } if !tend::has_begun(container, known(container)) => {
            &never_ran
        }
        known => &known.state,
    };
    let has_failed = |init: &Container| match state(init) {
        State::Ended(ended) => {
            ended.exit_code != 0 && !will_restart(init, Role::of_init(init), policy, known(init), ended)
        }
        State::NeverRan | State::Running { .. } => false,
    };
    if init_containers(spec).iter().any(has_failed) {
        return "Failed";
    }
    let has_begun = spec.containers.iter().any(|app| *state(app) != State::NeverRan);
    for init in init_containers(spec) {
        let role = Role::of_init(init);
        match state(init) {
            State::Running { .. } if role == Role::Sidecar && tend::has_started(init, known(init)) => {}
            _ if role == Role::Sidecar && has_begun => {}
            State::Ended(ended) if role == Role::Init && ended.exit_code == 0 => {}
            State::Ended(_) | State::NeverRan | State::Running { .. } => return "Pending",
        }
    }
    if spec.containers.iter().any(|app| *state(app) == State::NeverRan) {
        return "Pending";
    }
    let mut all_succeeded = true;
    for app in &spec.containers {
        match state(app) {
            State::Ended(ended) if !will_restart(app, Role::App, policy, known(app), ended) => {
                all_succeeded &= ended.exit_code == 0;
            }
            State::Ended(_) | State::Running { .. } | State::NeverRan => return "Running",
        }
    }
    if init_containers(spec).iter().any(|init| matches!(state(init), State::Running { .. })) {
        return "Running";
    }
    if all_succeeded { "Succeeded" } else { "Failed" }
}

fn reason_and_message(snapshot: &Snapshot<'_>, phase: &str, previous: &PodStatus) -> (Option<String>, Option<String>) {
    match snapshot.intent {
        Intent::Stop(Why::PastDeadline) if phase == "Failed" => {
            (Some("DeadlineExceeded".into()), Some(DEADLINE_MESSAGE.into()))
        }
        Intent::Stop(Why::Evicted(message)) if phase == "Failed" => (Some(EVICTED.into()), Some(message.clone())),
        Intent::Stop(Why::Refused(refusal)) => {
            (Some("UnexpectedAdmissionError".into()), Some(format!("Pod was rejected: {refusal}")))
        }
        Intent::Run | Intent::Stop(_) => (previous.reason.clone(), previous.message.clone()),
    }
}

fn container_status(snapshot: &Snapshot<'_>, container: &Container, role: Role, phase: &str) -> ContainerStatus {
    let unknown = Known::default();
    let known = snapshot.containers.get(&container.name).unwrap_or(&unknown);
    let id = |attempt: u32| container_id(snapshot, &container.name, attempt);
    let spec_image = container.image.clone().unwrap_or_default();
    let mut status = ContainerStatus {
        name: container.name.clone(),
        image: Some(known.image.clone()).filter(|image| !image.is_empty()).unwrap_or(spec_image),
        image_id: known.image_id.clone(),
        restart_count: known.attempt().map_or(0, |attempt| i32::try_from(attempt).unwrap_or(i32::MAX)),
        container_id: known.attempt().map(id),
        started: Some(false),
        stop_signal: container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.stop_signal.clone()),
        last_state: known.last.as_ref().map(|last| terminated(last, &id(last.attempt))),
        ..ContainerStatus::default()
    };
    match &known.state {
        State::Running { .. } if role != Role::Init && !tend::has_begun(container, known) => {
            let (reason, message) = waits_for_its_hook(snapshot, known);
            status.state = Some(waiting(reason, &message));
        }
        State::Running { started_at, .. } => {
            status.ready = role != Role::Init && tend::is_ready(container, known);
            status.started = Some(role == Role::Init || tend::has_started(container, known));
            status.state = Some(ContainerState {
                running: Some(ContainerStateRunning { started_at: Some(Time(*started_at)) }),
                ..ContainerState::default()
            });
        }
        State::Ended(ended) => match waits_to_restart(snapshot, container, known, role, phase) {
            Some((reason, message)) => {
                status.state = Some(waiting(&reason, &message));
                status.last_state = Some(terminated(ended, &id(ended.attempt)));
            }
            None => {
                status.ready = role == Role::Init && ended.exit_code == 0;
                status.state = Some(terminated(ended, &id(ended.attempt)));
            }
        },
        State::NeverRan if is_terminal(phase) && role == Role::App => {
            status.state = Some(terminated(&Ended::unknown(0), ""));
        }
        State::NeverRan => {
            let (reason, message) = waits_to_begin(snapshot, known);
            status.state = Some(waiting(&reason, &message));
        }
    }
    status
}

/// `kiln://UID/CONTAINER/ATTEMPT`.
fn container_id(snapshot: &Snapshot<'_>, container: &str, attempt: u32) -> String {
    format!("kiln://{}/{container}/{attempt}", uid(snapshot.pod))
}

/// Why a container that runs counts as waiting: its postStart hook is not over, or has failed.
fn waits_for_its_hook(snapshot: &Snapshot<'_>, known: &Known) -> (&'static str, String) {
    match &known.post_start {
        PostStart::Failed(message) => ("PostStartHookError", message.clone()),
        PostStart::Due { .. } | PostStart::Running | PostStart::Done => (not_begun(snapshot), String::new()),
    }
}

fn not_begun(snapshot: &Snapshot<'_>) -> &'static str {
    let spec = snapshot.pod.spec.as_ref();
    let has_init = spec.is_some_and(|spec| !init_containers(spec).is_empty());
    if has_init { "PodInitializing" } else { "ContainerCreating" }
}

/// Why a container that has never run is waiting.
fn waits_to_begin(snapshot: &Snapshot<'_>, known: &Known) -> (String, String) {
    if let Some(blocked) = &known.blocked {
        return blocked.waiting(snapshot.now);
    }
    (not_begun(snapshot).into(), String::new())
}

/// Why a container that has run waits for its next run; none when there will not be one.
fn waits_to_restart(
    snapshot: &Snapshot<'_>,
    container: &Container,
    known: &Known,
    role: Role,
    phase: &str,
) -> Option<(String, String)> {
    let State::Ended(ended) = &known.state else {
        return None;
    };
    // One that was asked to stop was stopped because nothing more will run.
    let lives = matches!(snapshot.intent, Intent::Run) && !is_terminal(phase) && !known.is_stopped();
    if !lives || !will_restart(container, role, restart_policy(snapshot.pod), known, ended) {
        return None;
    }
    if let Some(blocked) = &known.blocked {
        return Some(blocked.waiting(snapshot.now));
    }
    if restart_at(known, ended) <= snapshot.now {
        return None;
    }
    let message = format!(
        "back-off {} restarting failed container={} pod={}",
        known.crash_loop.delay_text(),
        container.name,
        full_name(snapshot.pod),
    );
    Some(("CrashLoopBackOff".into(), message))
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting { reason: Some(reason.to_owned()), message: some(message) }),
        ..ContainerState::default()
    }
}

fn terminated(ended: &Ended, id: &str) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            container_id: some(id),
            exit_code: ended.exit_code,
            reason: some(&ended.reason),
            message: some(&ended.message),
            started_at: ended.started_at.map(Time),
            finished_at: ended.finished_at.map(Time),
            signal: None,
        }),
        ..ContainerState::default()
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether two statuses are the same on the wire, where times are whole seconds.
pub fn reads_the_same(left: &PodStatus, right: &PodStatus) -> bool {
    serde_json::to_value(left).ok() == serde_json::to_value(right).ok()
}

/// What nobody else writes, and may come to be not there any more.
const OURS: [&str; 6] = ["reason", "message", "podIP", "podIPs", "containerStatuses", "initContainerStatuses"];

/// The strategic merge patch that makes `written` read as `status`: what is not said any more goes, and an address takes the place of
/// the one before instead of standing beside it (addresses merge by themselves: their key is the address).
pub fn patch(written: &PodStatus, status: &PodStatus) -> serde_json::Result<Value> {
    let mut patch = serde_json::to_value(status)?;
    let written = serde_json::to_value(written)?;
    for field in OURS.into_iter().filter(|field| !written[*field].is_null()) {
        // Null where it is not said any more; reading an absent field gives just that.
        patch[field] = patch[field].take();
    }
    for addresses in ["podIPs", "hostIPs"] {
        if let Some(list) = patch[addresses].as_array_mut() {
            list.push(json!({"$patch": "replace"}));
        }
    }
    Ok(patch)
}

/// When the kubelet accepted the pod: once, and for all restarts of the server.
pub fn accepted_at(status: Option<&PodStatus>, now: Timestamp) -> Timestamp {
    status.and_then(|status| status.start_time.as_ref()).map_or(now, |time| time.0)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
