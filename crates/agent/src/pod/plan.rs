//! Decides what a pod's worker does next. Reads nothing, writes nothing, waits for nothing.

use super::known::{Blocked, Ended, Known, State};
use super::{init_containers, is_terminal, phase};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeMap;

/// The kubelet never gives a container less than this to end by itself (K:pkg/kubelet/kuberuntime).
const MIN_GRACE_SECONDS: u64 = 2;

/// Whether the pod's sandbox with its volumes stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Preparation {
    /// Not tried yet.
    #[default]
    NotYet,
    /// Something is missing.
    Blocked(Blocked),
    /// It stands.
    Ready,
}

/// What is to become of the pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// Bring it to its own end.
    Run,
    /// End it.
    Stop(Why),
}

/// Why a pod is ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// It has a deletion timestamp.
    Deleted,
    /// Its object is gone: deleted by force, or while the server was down.
    Gone,
    /// It ran longer than its activeDeadlineSeconds.
    PastDeadline,
    /// Its phase is terminal already: whoever wrote that has decided.
    AlreadyOver,
    /// This version cannot run it; the text says what.
    Refused(String),
    /// The server ends and takes its pods along.
    ServerEnds,
}

/// Everything a decision rests on.
#[derive(Debug, Clone)]
pub struct Snapshot<'a> {
    /// The newest object seen.
    pub pod: &'a Pod,
    /// See `intent`.
    pub intent: &'a Intent,
    /// The sandbox.
    pub preparation: &'a Preparation,
    /// What is known of each container, by name.
    pub containers: &'a BTreeMap<String, Known>,
    /// When this node accepted the pod.
    pub accepted_at: Timestamp,
    /// The current instant.
    pub now: Timestamp,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make directories, sandbox and volumes.
    Prepare,
    /// Start a run of a container.
    Start {
        /// Its name.
        container: String,
        /// The run's number.
        attempt: u32,
    },
    /// Ask a container to stop, and have it killed after the grace.
    Stop {
        /// Its name.
        container: String,
        /// Seconds until it is killed.
        grace_seconds: u64,
    },
    /// Tell in an event that an image is not tried again for a while.
    AnnounceImageBackOff {
        /// The container that needs it.
        container: String,
    },
    /// Tell in an event that a container is not restarted for a while.
    AnnounceCrashBackOff {
        /// Its name.
        container: String,
    },
    /// Nothing runs and nothing will: write the last status, remove the sandbox.
    Finish,
}

/// What to do now, and when to look again at the latest if nothing happens.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// The next instant at which time alone changes something.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    fn wake_by(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}

/// What is to become of `pod`. `refusal` names what this version cannot do for it.
pub fn intent(
    pod: &Pod,
    is_gone: bool,
    server_ends: bool,
    refusal: Option<&str>,
    accepted_at: Timestamp,
    now: Timestamp,
) -> Intent {
    if server_ends {
        return Intent::Stop(Why::ServerEnds);
    }
    if is_gone {
        return Intent::Stop(Why::Gone);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Intent::Stop(Why::Deleted);
    }
    if is_terminal(phase(pod)) {
        return Intent::Stop(Why::AlreadyOver);
    }
    if let Some(refusal) = refusal {
        return Intent::Stop(Why::Refused(refusal.into()));
    }
    let past_deadline = deadline(pod, accepted_at).is_some_and(|deadline| deadline <= now);
    if past_deadline {
        return Intent::Stop(Why::PastDeadline);
    }
    Intent::Run
}

/// When the pod's own activeDeadlineSeconds run out.
pub fn deadline(pod: &Pod, accepted_at: Timestamp) -> Option<Timestamp> {
    let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
    accepted_at.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// What to do next.
pub fn plan(snapshot: &Snapshot<'_>) -> Plan {
    let mut plan = Plan::default();
    match snapshot.intent {
        Intent::Run => {
            run(snapshot, &mut plan);
            if let Some(deadline) = deadline(snapshot.pod, snapshot.accepted_at) {
                plan.wake_by(deadline);
            }
        }
        Intent::Stop(why) => stop(snapshot, why, &mut plan),
    }
    plan
}

fn stop(snapshot: &Snapshot<'_>, why: &Why, plan: &mut Plan) {
    let grace_seconds = grace_seconds(snapshot.pod, why, snapshot.now);
    let mut one_runs = false;
    for (container, known) in snapshot.containers {
        if !matches!(known.state, State::Running { .. }) {
            continue;
        }
        one_runs = true;
        let asked_already = known.stopping.is_some_and(|asked| asked <= grace_seconds);
        if !asked_already {
            plan.steps.push(Step::Stop { container: container.clone(), grace_seconds });
        }
    }
    if !one_runs {
        plan.steps.push(Step::Finish);
    }
}

/// How long containers have to end by themselves.
fn grace_seconds(pod: &Pod, why: &Why, now: Timestamp) -> u64 {
    let spec_grace = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
    let grace = match why {
        Why::Deleted => {
            let whole = pod.metadata.deletion_grace_period_seconds.unwrap_or(spec_grace);
            // A server that comes back in the middle of a deletion does not begin the grace anew.
            let left =
                pod.metadata.deletion_timestamp.as_ref().map_or(whole, |at| at.0.duration_since(now).as_secs() + 1);
            left.min(whole)
        }
        Why::Gone | Why::ServerEnds => 0,
        Why::PastDeadline | Why::AlreadyOver | Why::Refused(_) => spec_grace,
    };
    u64::try_from(grace).unwrap_or(0).max(MIN_GRACE_SECONDS)
}

/// Where one container stands on its way.
#[derive(Debug, PartialEq)]
enum Next {
    /// It is over, and well.
    Done,
    /// It is over for good, and not well.
    Failed,
    /// It runs.
    Running,
    /// It may start.
    Start { attempt: u32 },
    /// It waits until an obstacle is tried again.
    WaitForObstacle(Blocked),
    /// It waits for its next restart.
    WaitForRestart { at: Timestamp },
}

/// Init containers run one after another and each once; the others run beside each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Role {
    /// Of `spec.initContainers`.
    Init,
    /// Of `spec.containers`.
    App,
}

fn run(snapshot: &Snapshot<'_>, plan: &mut Plan) {
    let Some(spec) = &snapshot.pod.spec else {
        plan.steps.push(Step::Finish);
        return;
    };
    stop_strangers(snapshot, plan);
    let policy = restart_policy(snapshot.pod);
    for init in init_containers(spec) {
        match next(snapshot, &init.name, Role::Init, policy) {
            Next::Done => {}
            Next::Failed => {
                plan.steps.push(Step::Finish);
                return;
            }
            other => {
                proceed(snapshot, &init.name, other, plan);
                return;
            }
        }
    }
    let mut all_over = true;
    for container in &spec.containers {
        match next(snapshot, &container.name, Role::App, policy) {
            Next::Done | Next::Failed => {}
            other => {
                all_over = false;
                proceed(snapshot, &container.name, other, plan);
            }
        }
    }
    if all_over {
        plan.steps.push(Step::Finish);
    }
}

/// Containers the spec does not name are none of this pod's business.
fn stop_strangers(snapshot: &Snapshot<'_>, plan: &mut Plan) {
    let Some(spec) = &snapshot.pod.spec else {
        return;
    };
    for (name, known) in snapshot.containers {
        let is_ours = super::all_containers(spec).any(|container| container.name == *name);
        let runs = matches!(known.state, State::Running { .. });
        if !is_ours && runs && known.stopping.is_none() {
            plan.steps.push(Step::Stop { container: name.clone(), grace_seconds: 0 });
        }
    }
}

fn next(snapshot: &Snapshot<'_>, container: &str, role: Role, policy: &str) -> Next {
    let Some(known) = snapshot.containers.get(container) else {
        return Next::Start { attempt: 0 };
    };
    match &known.state {
        State::Running { .. } => return Next::Running,
        State::NeverRan => {}
        State::Ended(ended) if !will_restart(role, policy, ended) => {
            return if ended.exit_code == 0 { Next::Done } else { Next::Failed };
        }
        State::Ended(ended) => {
            let restart_at = restart_at(known, ended);
            if snapshot.now < restart_at {
                return Next::WaitForRestart { at: restart_at };
            }
        }
    }
    match &known.blocked {
        Some(blocked) if snapshot.now < blocked.retry_at => Next::WaitForObstacle(blocked.clone()),
        _ => Next::Start { attempt: known.attempt().map_or(0, |attempt| attempt.saturating_add(1)) },
    }
}

/// Puts down what `next` means for a container that is not over.
fn proceed(snapshot: &Snapshot<'_>, container: &str, next: Next, plan: &mut Plan) {
    let container = container.to_owned();
    match next {
        Next::Done | Next::Failed | Next::Running => {}
        Next::Start { attempt } => match snapshot.preparation {
            Preparation::Ready => plan.steps.push(Step::Start { container, attempt }),
            Preparation::NotYet => prepare_once(plan),
            Preparation::Blocked(blocked) if blocked.retry_at <= snapshot.now => prepare_once(plan),
            Preparation::Blocked(blocked) => plan.wake_by(blocked.retry_at),
        },
        Next::WaitForObstacle(blocked) => {
            plan.wake_by(blocked.retry_at);
            match blocked.backs_off_from() {
                Some(from) if snapshot.now < from => plan.wake_by(from),
                Some(_) if !blocked.announced => {
                    plan.steps.push(Step::AnnounceImageBackOff { container });
                }
                Some(_) | None => {}
            }
        }
        Next::WaitForRestart { at } => {
            plan.wake_by(at);
            let announced = snapshot.containers.get(&container).is_some_and(|known| known.crash_announced);
            if !announced {
                plan.steps.push(Step::AnnounceCrashBackOff { container });
            }
        }
    }
}

fn prepare_once(plan: &mut Plan) {
    if !plan.steps.contains(&Step::Prepare) {
        plan.steps.push(Step::Prepare);
    }
}

/// `spec.restartPolicy`.
pub(crate) fn restart_policy(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
}

/// Whether a run that ended so is followed by another. An init container that succeeded is done under every policy.
pub(crate) fn will_restart(role: Role, policy: &str, ended: &Ended) -> bool {
    let succeeded = ended.exit_code == 0;
    match policy {
        "Never" => false,
        "OnFailure" => !succeeded,
        _ => role == Role::App || !succeeded,
    }
}

/// When it may be. A run whose end nobody saw is made up for at once.
pub(crate) fn restart_at(known: &Known, ended: &Ended) -> Timestamp {
    ended.finished_at.map_or(Timestamp::MIN, |finished_at| known.crash_loop.restart_at(finished_at))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
