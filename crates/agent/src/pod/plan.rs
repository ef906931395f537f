//! Decides what a pod's worker does next. Reads nothing, writes nothing, waits for nothing.

use super::known::{Blocked, Ended, Known, State};
use super::probes::Kind;
use super::tend::{self, Killing};
use super::{init_containers, is_terminal, phase};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, ContainerRestartRule, Pod, PodSpec};
use std::collections::BTreeMap;

/// The kubelet never gives a container less than this to end by itself (K:pkg/kubelet/kuberuntime).
pub(super) const MIN_GRACE_SECONDS: u64 = 2;

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
    /// It uses more of the disk than it may; the text says of what.
    Evicted(String),
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
        /// Why.
        killing: Killing,
        /// Seconds until it is killed.
        grace_seconds: u64,
    },
    /// Run a container's postStart hook.
    PostStart {
        /// Its name.
        container: String,
    },
    /// Run a container's preStop hook, or let it know that it has less time.
    PreStop {
        /// Its name.
        container: String,
        /// Why the container is to stop.
        killing: Killing,
        /// When its grace is over, hook included.
        ends_at: Timestamp,
    },
    /// Ask a probe of a container.
    Probe {
        /// The container's name.
        container: String,
        /// Which.
        kind: Kind,
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
    pub(super) fn wake_by(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}

/// What is to become of `pod`. `refusal` names what this version cannot do for it, `excess` what it uses too much of.
pub fn intent(
    pod: &Pod,
    is_gone: bool,
    server_ends: bool,
    refusal: Option<&str>,
    excess: Option<&str>,
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
    if let Some(excess) = excess {
        return Intent::Stop(Why::Evicted(excess.into()));
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
    let running = |name: &str| snapshot.containers.get(name).filter(|known| known.runs());
    let sidecars: Vec<&str> = sidecars(snapshot.pod).collect();
    let others: Vec<&str> =
        snapshot.containers.keys().map(String::as_str).filter(|name| !sidecars.contains(name)).collect();
    // Sidecars end after those they serve, the last to start first; nobody waits for that when all is to go at once.
    let in_turn = !matches!(why, Why::Gone | Why::ServerEnds);
    let mut turns: Vec<Vec<&str>> = vec![others];
    turns.extend(sidecars.into_iter().rev().map(|name| vec![name]));
    if !in_turn {
        turns = vec![turns.concat()];
    }
    let Some(turn) = turns.iter().find(|turn| turn.iter().any(|name| running(name).is_some())) else {
        plan.steps.push(Step::Finish);
        return;
    };
    for name in turn {
        // What the spec does not name, any more or ever, has no hooks either.
        let stranger = Container { name: (*name).to_owned(), ..Container::default() };
        let container = containers(snapshot.pod).find(|container| container.name == *name).unwrap_or(&stranger);
        tend::end(snapshot, container, Killing::Stopped, grace_seconds, plan);
    }
    let is_later = |container: &&Container| !turn.contains(&container.name.as_str());
    for container in containers(snapshot.pod).filter(is_later) {
        tend::prepare_end(snapshot, container, grace_seconds, plan);
    }
    for container in containers(snapshot.pod).filter(|_| *why == Why::Deleted) {
        tend::watch_to_the_end(snapshot, container, plan);
    }
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(super::all_containers)
}

/// The names of the pod's sidecars, in the order in which they start.
fn sidecars(pod: &Pod) -> impl Iterator<Item = &str> {
    let inits = pod.spec.as_ref().map(init_containers).unwrap_or_default();
    inits.iter().filter(|init| Role::of_init(init) == Role::Sidecar).map(|init| init.name.as_str())
}

/// K:pkg/kubelet/eviction immediateEvictionGracePeriodSeconds.
const EVICTION_GRACE_SECONDS: i64 = 1;

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
        Why::Evicted(_) => EVICTION_GRACE_SECONDS,
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
    /// It waits for its image.
    WaitForImage,
}

/// Init containers run one after another and each once; the others run beside each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Role {
    /// Of `spec.initContainers`.
    Init,
    /// Of `spec.initContainers` with restartPolicy Always: begins in their order and runs as long as the pod's containers do (KEP-753).
    Sidecar,
    /// Of `spec.containers`.
    App,
}

impl Role {
    /// What one of `spec.initContainers` is.
    pub(crate) fn of_init(container: &Container) -> Self {
        if container.restart_policy.as_deref() == Some("Always") { Role::Sidecar } else { Role::Init }
    }
}

fn run(snapshot: &Snapshot<'_>, plan: &mut Plan) {
    let Some(spec) = &snapshot.pod.spec else {
        plan.steps.push(Step::Finish);
        return;
    };
    stop_strangers(snapshot, plan);
    let policy = restart_policy(snapshot.pod);
    let app = |container: &Container| next(snapshot, container, Role::App, policy);
    let are_over = spec.containers.iter().all(|container| matches!(app(container), Next::Done | Next::Failed));
    let has_failed = |init: &Container| next(snapshot, init, Role::of_init(init), policy) == Next::Failed;
    if are_over || init_containers(spec).iter().any(has_failed) {
        return wind_down(snapshot, spec, plan);
    }
    let has_started = |container: &Container| {
        let known = snapshot.containers.get(&container.name);
        known.is_some_and(|known| tend::has_started(container, known))
    };
    for (position, init) in init_containers(spec).iter().enumerate() {
        let role = Role::of_init(init);
        let next = next(snapshot, init, role, policy);
        // One that crashes when those after it have begun holds nobody up.
        let holds_up = match (&next, role) {
            (Next::Done, _) => false,
            (Next::Running, Role::Sidecar) if has_started(init) => false,
            (_, Role::Sidecar) => !has_run_after(snapshot, spec, position),
            (_, Role::Init | Role::App) => true,
        };
        proceed(snapshot, &init.name, next, plan);
        tend::tend(snapshot, init, role, plan);
        if holds_up {
            return;
        }
    }
    let mut may_start = true;
    for container in &spec.containers {
        let next = app(container);
        let starts = matches!(next, Next::Start { .. });
        if may_start || !starts {
            proceed(snapshot, &container.name, next, plan);
        }
        tend::tend(snapshot, container, Role::App, plan);
        // A postStart hook holds up those that come after it, as it holds up the kubelet.
        may_start &= !match snapshot.containers.get(&container.name) {
            Some(known) if known.runs() => tend::is_beginning(container, known),
            Some(_) | None => starts && tend::has_post_start(container),
        };
    }
}

/// Whether anything has run that comes after the init container at `position`.
fn has_run_after(snapshot: &Snapshot<'_>, spec: &PodSpec, position: usize) -> bool {
    let later = super::all_containers(spec).skip(position.saturating_add(1));
    let mut known = later.filter_map(|container| snapshot.containers.get(&container.name));
    known.any(|known| known.state != State::NeverRan)
}

/// Nothing more will run: the sidecars end one by one, the last to start first, within one grace, and then the pod.
fn wind_down(snapshot: &Snapshot<'_>, spec: &PodSpec, plan: &mut Plan) {
    let runs = |name: &&str| snapshot.containers.get(*name).is_some_and(Known::runs);
    let sidecars: Vec<&str> = sidecars(snapshot.pod).collect();
    let Some(last) = sidecars.into_iter().rev().find(runs) else {
        plan.steps.push(Step::Finish);
        return;
    };
    let is_asked = snapshot.containers.get(last).is_some_and(|known| known.stopping.is_some());
    // Counted from the end of those they served.
    let finished_at = |container: &Container| match &snapshot.containers.get(&container.name)?.state {
        State::Ended(ended) => ended.finished_at,
        State::NeverRan | State::Running { .. } => None,
    };
    let of_apps = spec.containers.iter().filter_map(finished_at).max();
    let of_inits = || init_containers(spec).iter().filter_map(finished_at).max();
    let since = of_apps.or_else(of_inits).unwrap_or(snapshot.now);
    let grace = spec.termination_grace_period_seconds.unwrap_or(30);
    let left = grace.saturating_sub(snapshot.now.duration_since(since).as_secs().max(0));
    let grace_seconds = u64::try_from(left).unwrap_or(0).max(MIN_GRACE_SECONDS);
    for container in init_containers(spec) {
        match container.name == last {
            true if is_asked => {}
            true => tend::end(snapshot, container, Killing::Stopped, grace_seconds, plan),
            false => tend::prepare_end(snapshot, container, grace_seconds, plan),
        }
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
            let killing = Killing::Stopped;
            plan.steps.push(Step::Stop { container: name.clone(), killing, grace_seconds: 0 });
        }
    }
}

fn next(snapshot: &Snapshot<'_>, container: &Container, role: Role, policy: &str) -> Next {
    let Some(known) = snapshot.containers.get(&container.name) else {
        return Next::Start { attempt: 0 };
    };
    match &known.state {
        State::Running { .. } => return Next::Running,
        State::NeverRan => {}
        State::Ended(ended) if !will_restart(container, role, policy, known, ended) => {
            return if ended.exit_code == 0 { Next::Done } else { Next::Failed };
        }
        State::Ended(ended) => {
            let restart_at = restart_at(known, ended);
            if snapshot.now < restart_at {
                return Next::WaitForRestart { at: restart_at };
            }
        }
    }
    if known.pulling {
        return Next::WaitForImage;
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
        Next::Done | Next::Failed | Next::Running | Next::WaitForImage => {}
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

/// Whether a run that ended so is followed by another: the container's own rules and policy count before the pod's (KEP-5307). An init
/// container that succeeded is done under every policy, but for sidecars.
pub(crate) fn will_restart(container: &Container, role: Role, policy: &str, known: &Known, ended: &Ended) -> bool {
    let own_policy = container.restart_policy.as_deref().unwrap_or(policy);
    let is_promised = known.killing.is_some_and(|killing| killing.restarts(own_policy));
    if role == Role::Sidecar || is_promised {
        return true;
    }
    let matches = |rule: &&ContainerRestartRule| {
        let codes = rule.exit_codes.as_ref();
        codes.is_some_and(|codes| {
            let is_listed = codes.values.iter().flatten().any(|code| *code == ended.exit_code);
            is_listed == (codes.operator == "In")
        })
    };
    let rules = container.restart_policy_rules.as_deref().unwrap_or_default();
    if rules.iter().find(matches).is_some_and(|rule| rule.action == "Restart") {
        return true;
    }
    let succeeded = ended.exit_code == 0;
    match own_policy {
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
