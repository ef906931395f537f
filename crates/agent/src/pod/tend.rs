//! Decides what a container that runs needs: its hooks, its probes, its end. Reads nothing, writes nothing, waits for nothing.

use super::known::{Known, PostStart, PreStop, State};
use super::plan::{MIN_GRACE_SECONDS, Plan, Role, Snapshot, Step, restart_policy};
use super::probes::Kind;
use super::probes::health::Due;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Pod};
use serde::{Deserialize, Serialize};

/// A deadline that comes this much nearer is the same one, worked out again from whole seconds.
const SAME: SignedDuration = SignedDuration::from_secs(1);

/// Why a run is ended by the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Killing {
    /// Nothing of the pod is to run any more, or the container serves nobody any more.
    Stopped,
    /// Its liveness probe has failed.
    Liveness,
    /// Its startup probe has failed.
    Startup,
    /// Its postStart hook has failed.
    PostStart,
}

impl Killing {
    /// The event's message (K:pkg/kubelet/kuberuntime).
    pub fn message(self, pod: &Pod, container: &Container) -> String {
        let name = &container.name;
        let probe = match self {
            Killing::Stopped => return format!("Stopping container {name}"),
            Killing::PostStart => return "FailedPostStartHook".into(),
            Killing::Liveness => "liveness",
            Killing::Startup => "startup",
        };
        let is_init = pod.spec.as_ref().is_some_and(|spec| {
            let mut inits = spec.init_containers.iter().flatten();
            inits.any(|init| init.name == *name)
        });
        if is_init {
            return format!("Init container {name} failed {probe} probe");
        }
        let restarts = if self.restarts(container.restart_policy.as_deref().unwrap_or(restart_policy(pod))) {
            ", will be restarted"
        } else {
            ""
        };
        format!("Container {name} failed {probe} probe{restarts}")
    }

    /// Whether another run follows whatever the exit code: the kubelet decides that when it kills.
    pub fn restarts(self, policy: &str) -> bool {
        match self {
            Killing::Liveness | Killing::Startup => policy != "Never",
            Killing::Stopped | Killing::PostStart => false,
        }
    }

    /// Seconds that the container has to end by itself.
    fn grace_seconds(self, pod: &Pod, container: &Container) -> u64 {
        let probe = match self {
            Killing::Liveness => container.liveness_probe.as_ref(),
            Killing::Startup => container.startup_probe.as_ref(),
            Killing::Stopped | Killing::PostStart => None,
        };
        let own = probe.and_then(|probe| probe.termination_grace_period_seconds);
        let of_pod = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
        u64::try_from(own.or(of_pod).unwrap_or(30)).unwrap_or(0)
    }
}

/// Whether a run counts as begun: its program runs and its postStart hook is over.
pub(super) fn has_begun(container: &Container, known: &Known) -> bool {
    !has_post_start(container) || known.post_start == PostStart::Done
}

/// Whether a run's postStart hook goes on or is about to.
pub(super) fn is_beginning(container: &Container, known: &Known) -> bool {
    !has_begun(container, known) && !matches!(known.post_start, PostStart::Failed(_))
}

/// `started` of a container's status.
pub(super) fn has_started(container: &Container, known: &Known) -> bool {
    known.runs() && has_begun(container, known) && known.health.has_started(container)
}

/// `ready` of a container's status.
pub(super) fn is_ready(container: &Container, known: &Known) -> bool {
    has_started(container, known) && known.health.is_ready(container)
}

pub(super) fn has_post_start(container: &Container) -> bool {
    container.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.post_start.is_some())
}

fn has_pre_stop(container: &Container) -> bool {
    container.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.pre_stop.is_some())
}

/// What a container needs that is to go on running.
pub(super) fn tend(snapshot: &Snapshot<'_>, container: &Container, role: Role, plan: &mut Plan) {
    let Some(known) = snapshot.containers.get(&container.name).filter(|known| known.runs()) else {
        return;
    };
    // Init containers have neither hooks nor probes.
    if role == Role::Init {
        return;
    }
    if let Some(killing) = sentence(known) {
        let grace_seconds = killing.grace_seconds(snapshot.pod, container);
        return end(snapshot, container, killing, grace_seconds, plan);
    }
    if !has_begun(container, known) {
        if matches!(known.post_start, PostStart::Due { .. }) {
            plan.steps.push(Step::PostStart { container: container.name.clone() });
        }
        return;
    }
    probe(snapshot, container, &[Kind::Startup, Kind::Liveness, Kind::Readiness], plan);
}

/// Whether a container is ready is asked to its very end.
pub(super) fn watch_to_the_end(snapshot: &Snapshot<'_>, container: &Container, plan: &mut Plan) {
    let known = snapshot.containers.get(&container.name);
    if known.is_some_and(|known| known.runs() && has_begun(container, known)) {
        probe(snapshot, container, &[Kind::Readiness], plan);
    }
}

/// Why a run must end though its pod goes on.
fn sentence(known: &Known) -> Option<Killing> {
    if let Some(killing) = known.killing.filter(|killing| *killing != Killing::Stopped) {
        return Some(killing);
    }
    if matches!(known.post_start, PostStart::Failed(_)) {
        return Some(Killing::PostStart);
    }
    known.health.failed().map(|kind| match kind {
        Kind::Startup => Killing::Startup,
        Kind::Liveness | Kind::Readiness => Killing::Liveness,
    })
}

fn probe(snapshot: &Snapshot<'_>, container: &Container, kinds: &[Kind], plan: &mut Plan) {
    let Some(Known { state: State::Running { started_at, .. }, health, .. }) = snapshot.containers.get(&container.name)
    else {
        return;
    };
    for kind in kinds {
        match health.due(*kind, container, *started_at, snapshot.now) {
            Due::Wait => {}
            Due::At(at) if at <= snapshot.now => {
                plan.steps.push(Step::Probe { container: container.name.clone(), kind: *kind });
            }
            Due::At(at) => plan.wake_by(at),
        }
    }
}

/// Ends a run within `grace_seconds`, of which its preStop hook has the first part.
pub(super) fn end(
    snapshot: &Snapshot<'_>,
    container: &Container,
    killing: Killing,
    grace_seconds: u64,
    plan: &mut Plan,
) {
    let Some(ending) = Ending::of(snapshot, container, grace_seconds) else { return };
    if ending.run_hook(snapshot.now, killing, plan) {
        return;
    }
    let grace_seconds = match ending.agreed {
        None => grace_seconds.max(MIN_GRACE_SECONDS),
        Some(_) => seconds_until(ending.ends_at, snapshot.now).max(MIN_GRACE_SECONDS),
    };
    let is_asked = ending.known.stopping.is_some_and(|asked| match ending.agreed {
        None => asked <= grace_seconds,
        Some(_) => !ending.is_sooner || asked <= grace_seconds,
    });
    if !is_asked {
        plan.steps.push(Step::Stop { container: container.name.clone(), killing, grace_seconds });
    }
}

/// Runs the preStop hook of a sidecar whose turn to stop is yet to come: hooks do not wait for each other (K:pkg/kubelet/kuberuntime).
pub(super) fn prepare_end(snapshot: &Snapshot<'_>, container: &Container, grace_seconds: u64, plan: &mut Plan) {
    if let Some(ending) = Ending::of(snapshot, container, grace_seconds) {
        ending.run_hook(snapshot.now, Killing::Stopped, plan);
    }
}

/// How a run ends.
struct Ending<'a> {
    container: &'a Container,
    known: &'a Known,
    /// The end of its grace, if that has begun.
    agreed: Option<Timestamp>,
    /// It has less time than was agreed.
    is_sooner: bool,
    /// The end of its grace.
    ends_at: Timestamp,
    /// Its preStop hook may run.
    has_hook: bool,
}

impl<'a> Ending<'a> {
    /// `None` if it does not run.
    fn of(snapshot: &Snapshot<'a>, container: &'a Container, grace_seconds: u64) -> Option<Self> {
        let known = snapshot.containers.get(&container.name).filter(|known| known.runs())?;
        let asked = end_of(snapshot.now, grace_seconds);
        let agreed = known.pre_stop.ends_at();
        let is_sooner = agreed.is_some_and(|agreed| asked < agreed.checked_sub(SAME).unwrap_or(agreed));
        let ends_at = if is_sooner { asked } else { agreed.unwrap_or(asked) };
        // The kubelet runs no hook for which there is no time.
        let has_hook = has_pre_stop(container) && 0 < grace_seconds && known.stopping.is_none();
        Some(Self { container, known, agreed, is_sooner, ends_at, has_hook })
    }

    /// Answers whether the hook goes on.
    fn run_hook(&self, now: Timestamp, killing: Killing, plan: &mut Plan) -> bool {
        let run = Step::PreStop { container: self.container.name.clone(), killing, ends_at: self.ends_at };
        match self.known.pre_stop {
            PreStop::NotYet if self.has_hook => plan.steps.push(run),
            PreStop::Begun { is_running, .. } if now < self.ends_at => {
                plan.wake_by(self.ends_at);
                if !is_running || self.is_sooner {
                    plan.steps.push(run);
                }
            }
            PreStop::NotYet | PreStop::Begun { .. } | PreStop::Over { .. } => return false,
        }
        true
    }
}

fn end_of(now: Timestamp, grace_seconds: u64) -> Timestamp {
    let grace = SignedDuration::from_secs(i64::try_from(grace_seconds).unwrap_or(i64::MAX));
    now.checked_add(grace).unwrap_or(Timestamp::MAX)
}

/// Whole seconds, the last one begun.
fn seconds_until(at: Timestamp, now: Timestamp) -> u64 {
    let left = at.duration_since(now).max(SignedDuration::ZERO);
    left.unsigned_abs().as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "tend_tests.rs"]
mod tests;
