//! What a worker knows of one container: where its newest run stands, how the run before it ended, and what keeps it from
//! starting. Fed by the runtime's records and, after a restart of the server, by the pod's own status.

use super::backoff::{self, CrashLoop};
use super::probes::health::Health;
use super::tend::Killing;
use crate::runtime::{Run, RunState};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use std::collections::BTreeMap;

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// 0 for the first run: the restart count it had.
    pub attempt: u32,
    /// 128 + N when signal N killed it.
    pub exit_code: i32,
    /// Completed, Error, OOMKilled, StartError or ContainerStatusUnknown.
    pub reason: String,
    /// What the container left in its termination message file, or why it did not start.
    pub message: String,
    /// Unknown for a run nobody saw.
    pub started_at: Option<Timestamp>,
    /// Unknown for a run whose end nobody saw.
    pub finished_at: Option<Timestamp>,
}

impl Ended {
    /// A run whose end nobody saw (K: ContainerStatusUnknown).
    pub fn unknown(attempt: u32) -> Self {
        Self {
            attempt,
            exit_code: 137,
            reason: "ContainerStatusUnknown".into(),
            message: "The container could not be located when the pod was terminated".into(),
            started_at: None,
            finished_at: None,
        }
    }

    /// A program that could not be executed; containerd's code for it is 128, whatever a shell would say.
    pub fn start_error(attempt: u32, message: String, now: Timestamp) -> Self {
        Self {
            attempt,
            exit_code: 128,
            reason: "StartError".into(),
            message,
            started_at: Some(now),
            finished_at: Some(now),
        }
    }

    fn from_status(attempt: u32, terminated: &ContainerStateTerminated) -> Self {
        Self {
            attempt,
            exit_code: terminated.exit_code,
            reason: terminated.reason.clone().unwrap_or_default(),
            message: terminated.message.clone().unwrap_or_default(),
            started_at: terminated.started_at.as_ref().map(|time| time.0),
            finished_at: terminated.finished_at.as_ref().map(|time| time.0),
        }
    }
}

/// Where the newest run of a container stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// It has not run yet.
    #[default]
    NeverRan,
    /// It runs.
    Running {
        /// 0 for the first run.
        attempt: u32,
        /// When its program was executed.
        started_at: Timestamp,
    },
    /// It is over.
    Ended(Ended),
}

/// What kind of thing keeps a container (or the whole pod) from starting.
#[derive(Debug, Clone, PartialEq)]
pub enum Obstacle {
    /// The image is not to be had: shown as ErrImagePull, then as ImagePullBackOff.
    Image {
        /// As in the spec.
        image: String,
        /// Why.
        error: String,
    },
    /// Anything else, as `waiting.reason` and `waiting.message`.
    Other {
        /// CreateContainerConfigError, InvalidImageName …
        reason: String,
        /// For the user.
        message: String,
    },
}

/// An obstacle that was met, and when to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocked {
    /// What it was.
    pub obstacle: Obstacle,
    /// How often in a row.
    pub failures: u32,
    /// The last time.
    pub since: Timestamp,
    /// Not before this.
    pub retry_at: Timestamp,
    /// The back-off has been announced by an event.
    pub announced: bool,
}

/// How long ErrImagePull shows before ImagePullBackOff takes its place.
const ERROR_SHOWS_FOR: SignedDuration = SignedDuration::from_secs(3);

impl Blocked {
    /// Meets `obstacle` at `now`, perhaps not for the first time.
    pub fn again(previous: Option<&Self>, obstacle: Obstacle, now: Timestamp) -> Self {
        let failures = previous.map_or(0, |previous| previous.failures) + 1;
        let delay = match &obstacle {
            Obstacle::Image { .. } => backoff::doubling(failures),
            Obstacle::Other { .. } => backoff::soon(failures),
        };
        Self { obstacle, failures, since: now, retry_at: now.checked_add(delay).unwrap_or(now), announced: false }
    }

    /// From when on the back-off shows instead of the error itself; only image obstacles have two faces.
    pub fn backs_off_from(&self) -> Option<Timestamp> {
        match self.obstacle {
            Obstacle::Image { .. } => self.since.checked_add(ERROR_SHOWS_FOR).ok(),
            Obstacle::Other { .. } => None,
        }
    }

    /// `waiting.reason` and `waiting.message` at `now`.
    pub fn waiting(&self, now: Timestamp) -> (String, String) {
        let backs_off = self.backs_off_from().is_some_and(|from| from <= now);
        match &self.obstacle {
            Obstacle::Other { reason, message } => (reason.clone(), message.clone()),
            Obstacle::Image { error, .. } if !backs_off => ("ErrImagePull".into(), error.clone()),
            Obstacle::Image { image, error } => {
                ("ImagePullBackOff".into(), format!("Back-off pulling image \"{image}\": ErrImagePull: {error}"))
            }
        }
    }
}

/// How far the postStart hook of a run has come, if its container has one.
#[derive(Debug, Clone, PartialEq)]
pub enum PostStart {
    /// It is to be run, perhaps again: a server that ended took it along.
    Due {
        /// When it first began.
        since: Option<Timestamp>,
    },
    /// It runs.
    Running,
    /// It is over.
    Done,
    /// It has failed: why.
    Failed(String),
}

impl Default for PostStart {
    fn default() -> Self {
        Self::Due { since: None }
    }
}

/// How far the preStop hook of a run has come, if its container has one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum PreStop {
    /// The run is not being ended.
    #[default]
    NotYet,
    /// It has begun.
    Begun {
        /// It runs; otherwise a server that ended took it along.
        is_running: bool,
        /// When it first began.
        since: Timestamp,
        /// When the container's grace is over.
        ends_at: Timestamp,
    },
    /// It is over.
    Over {
        /// When the container's grace is over.
        ends_at: Timestamp,
    },
}

impl PreStop {
    /// When the container's grace is over, if that has begun.
    pub fn ends_at(self) -> Option<Timestamp> {
        match self {
            PreStop::NotYet => None,
            PreStop::Begun { ends_at, .. } | PreStop::Over { ends_at } => Some(ends_at),
        }
    }
}

/// All that is known of one container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Its newest run.
    pub state: State,
    /// The run before the newest.
    pub last: Option<Ended>,
    /// Delays its restarts.
    pub crash_loop: CrashLoop,
    /// The crash-loop delay after the newest run has been announced by an event.
    pub crash_announced: bool,
    /// What kept it from starting when it was last tried.
    pub blocked: Option<Blocked>,
    /// Its image is being pulled for its next run.
    pub pulling: bool,
    /// The shortest grace it has been asked to stop with, in seconds.
    pub stopping: Option<u64>,
    /// Why its newest run is being ended, or was.
    pub killing: Option<Killing>,
    /// Of its newest run.
    pub post_start: PostStart,
    /// Of its newest run.
    pub pre_stop: PreStop,
    /// Of its newest run.
    pub health: Health,
    /// As the status shows it, once resolved.
    pub image: String,
    /// The image's config digest.
    pub image_id: String,
}

impl Known {
    /// Whether its newest run has not ended.
    pub fn runs(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Whether it is being ended for good, or was.
    pub fn is_stopped(&self) -> bool {
        let is_asked = self.stopping.is_some() || self.pre_stop != PreStop::NotYet;
        is_asked && self.killing.is_none_or(|killing| killing == Killing::Stopped)
    }

    /// The restart count: the newest run's number.
    pub fn attempt(&self) -> Option<u32> {
        match &self.state {
            State::NeverRan => None,
            State::Running { attempt, .. } => Some(*attempt),
            State::Ended(ended) => Some(ended.attempt),
        }
    }

    /// What a pod's status remembers of a container, for a worker that has just begun.
    /// A container that ran then and that the runtime has no record of any more was lost: `observe` corrects this if it has one.
    pub fn from_status(status: &ContainerStatus) -> Self {
        let attempt = u32::try_from(status.restart_count).unwrap_or(0);
        let state = status.state.as_ref();
        let terminated = state.and_then(|state| state.terminated.as_ref());
        let is_running = state.is_some_and(|state| state.running.is_some());
        let before = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
        let (state, last) = match (terminated, is_running, before) {
            (Some(terminated), _, before) => (
                State::Ended(Ended::from_status(attempt, terminated)),
                before.map(|before| Ended::from_status(attempt.saturating_sub(1), before)),
            ),
            (None, true, before) => (
                State::Ended(Ended::unknown(attempt)),
                before.map(|before| Ended::from_status(attempt.saturating_sub(1), before)),
            ),
            // Waiting for its next run: the newest one is what lastState tells of.
            (None, false, Some(before)) => (State::Ended(Ended::from_status(attempt, before)), None),
            (None, false, None) => (State::NeverRan, None),
        };
        let restarted_at = match &state {
            State::Ended(ended) => ended.started_at,
            State::NeverRan | State::Running { .. } => None,
        };
        Self {
            state,
            last,
            crash_loop: CrashLoop { restarts: attempt, restarted_at },
            image: status.image.clone(),
            image_id: status.image_id.clone(),
            health: Health::remembered(status.started == Some(true), status.ready),
            ..Self::default()
        }
    }

    /// Takes in the runtime's record of the newest run. Answers whether a run has ended that was not known to have.
    pub fn observe(&mut self, run: &Run) -> bool {
        let newest = self.attempt();
        if newest.is_some_and(|newest| run.attempt < newest) {
            return false;
        }
        let is_new = newest.is_none_or(|newest| newest < run.attempt);
        let was_lost = matches!(&self.state, State::Ended(ended) if ended.finished_at.is_none());
        let is_over = matches!(&self.state, State::Ended(_)) && !was_lost;
        if !is_new && is_over {
            return false;
        }
        let state = state_of(run);
        if is_new {
            self.remember_newest_as_last();
            self.crash_announced = false;
            self.blocked = None;
            self.forget_the_run();
        }
        let ended = matches!(state, State::Ended(_)) && state != self.state;
        self.state = state;
        ended
    }

    /// The run before `newer`, if that is news and how the one before it ended is not known.
    pub fn missed_before(&self, newer: &Run) -> Option<u32> {
        let before = newer.attempt.checked_sub(1)?;
        let is_known = match &self.state {
            State::Ended(ended) => {
                newer.attempt <= ended.attempt || (before == ended.attempt && ended.finished_at.is_some())
            }
            State::Running { attempt, .. } => newer.attempt <= *attempt,
            State::NeverRan => false,
        };
        (!is_known).then_some(before)
    }

    /// A run was started at `now`.
    pub fn started(&mut self, attempt: u32, started_at: Timestamp, now: Timestamp) {
        self.remember_newest_as_last();
        self.state = State::Running { attempt, started_at };
        self.begun(attempt, now);
    }

    /// A run could not be started at `now`, and counts as one.
    pub fn failed_to_start(&mut self, attempt: u32, message: String, now: Timestamp) {
        self.remember_newest_as_last();
        self.state = State::Ended(Ended::start_error(attempt, message, now));
        self.begun(attempt, now);
    }

    fn begun(&mut self, attempt: u32, now: Timestamp) {
        if 0 < attempt {
            self.crash_loop = self.crash_loop.restarted(now);
        }
        self.crash_announced = false;
        self.blocked = None;
        self.forget_the_run();
    }

    fn forget_the_run(&mut self) {
        self.stopping = None;
        self.killing = None;
        self.post_start = PostStart::default();
        self.pre_stop = PreStop::default();
        self.health = Health::default();
    }

    fn remember_newest_as_last(&mut self) {
        if let State::Ended(ended) = &self.state {
            self.last = Some(ended.clone());
        }
    }
}

/// What every container of a pod is known to be, from its status alone.
pub fn from_pod(pod: &Pod) -> BTreeMap<String, Known> {
    let Some(spec) = &pod.spec else {
        return BTreeMap::new();
    };
    let status = pod.status.as_ref();
    let statuses = status.into_iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    });
    let mut containers: BTreeMap<String, Known> =
        super::all_containers(spec).map(|container| (container.name.clone(), Known::default())).collect();
    for status in statuses {
        if let Some(known) = containers.get_mut(&status.name) {
            *known = Known::from_status(status);
        }
    }
    containers
}

fn state_of(run: &Run) -> State {
    match &run.state {
        RunState::Running { started_at, .. } => State::Running { attempt: run.attempt, started_at: *started_at },
        RunState::Lost => State::Ended(Ended::unknown(run.attempt)),
        RunState::Exited { exit_code, oom_killed, started_at, finished_at } => {
            let reason = match (exit_code, oom_killed) {
                (_, true) => "OOMKilled",
                (0, false) => "Completed",
                (_, false) => "Error",
            };
            State::Ended(Ended {
                attempt: run.attempt,
                exit_code: *exit_code,
                reason: reason.into(),
                message: String::new(),
                started_at: Some(*started_at),
                finished_at: Some(*finished_at),
            })
        }
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
