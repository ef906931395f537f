//! What the probes of a container's run have found out, what that means and when to ask again (K:pkg/kubelet/prober). Pure.

use super::Kind;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Probe};

const DEFAULT_PERIOD_SECONDS: i32 = 10;
const DEFAULT_FAILURES: i32 = 3;

/// What is known of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    startup: Track,
    liveness: Track,
    readiness: Track,
}

/// What one probe has said so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Track {
    /// When it was last asked.
    asked_at: Option<Timestamp>,
    /// It has not answered yet.
    is_asked: bool,
    /// The last answer, and how often in a row it was given.
    last: Option<(bool, i32)>,
    /// What holds until enough answers in a row say otherwise.
    holds: Option<bool>,
}

/// When a probe is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now or later.
    At(Timestamp),
    /// Not before something else has happened.
    Wait,
}

impl Health {
    /// What a pod's status says of a run, for a server that has just begun: that holds until probes say otherwise, so that a restart
    /// of the server makes no pod unready (K: ChangeContainerStatusOnKubeletRestart is off).
    pub fn remembered(started: bool, ready: bool) -> Self {
        let found = |holds: bool| Track { holds: holds.then_some(true), ..Track::default() };
        Self { startup: found(started), liveness: Track::default(), readiness: found(ready) }
    }

    /// Whether the container has started, as far as its probe tells.
    pub fn has_started(&self, container: &Container) -> bool {
        container.startup_probe.is_none() || self.startup.holds == Some(true)
    }

    /// Whether it is ready, as far as its probes tell.
    pub fn is_ready(&self, container: &Container) -> bool {
        let is_ready = container.readiness_probe.is_none() || self.readiness.holds == Some(true);
        self.has_started(container) && is_ready
    }

    /// The probe by which it has to be killed.
    pub fn failed(&self) -> Option<Kind> {
        let has_failed = |kind: &Kind| self.track(*kind).holds == Some(false);
        [Kind::Liveness, Kind::Startup].into_iter().find(has_failed)
    }

    /// When `kind` is to be asked next of a container that has run since `started_at`.
    pub fn due(&self, kind: Kind, container: &Container, started_at: Timestamp, now: Timestamp) -> Due {
        let Some(probe) = kind.of(container) else { return Due::Wait };
        let track = self.track(kind);
        let is_settled = kind == Kind::Startup && track.holds.is_some();
        let waits_for_start = kind != Kind::Startup && !self.has_started(container);
        if track.is_asked || is_settled || waits_for_start {
            return Due::Wait;
        }
        let first = later(started_at, probe.initial_delay_seconds.unwrap_or(0));
        let at = track.asked_at.map_or(first, |asked_at| later(asked_at, period(probe)).max(first));
        // A clock that was set back puts nothing off for longer than that.
        let longest = later(now, period(probe).max(probe.initial_delay_seconds.unwrap_or(0)));
        Due::At(at.min(longest))
    }

    /// `kind` is asked at `now`.
    pub fn asked(&mut self, kind: Kind, now: Timestamp) {
        let track = self.track_mut(kind);
        (track.asked_at, track.is_asked) = (Some(now), true);
    }

    /// `kind` has answered, or could not be asked.
    pub fn answered(&mut self, kind: Kind, probe: &Probe, verdict: Option<bool>) {
        let track = self.track_mut(kind);
        track.is_asked = false;
        let Some(verdict) = verdict else { return };
        let in_a_row = match track.last {
            Some((last, times)) if last == verdict => times.saturating_add(1),
            _ => 1,
        };
        track.last = Some((verdict, in_a_row));
        let needed = match verdict {
            true => probe.success_threshold.unwrap_or(1),
            false => probe.failure_threshold.filter(|threshold| 0 < *threshold).unwrap_or(DEFAULT_FAILURES),
        };
        if needed <= in_a_row {
            track.holds = Some(verdict);
        }
    }

    fn track(&self, kind: Kind) -> &Track {
        match kind {
            Kind::Startup => &self.startup,
            Kind::Liveness => &self.liveness,
            Kind::Readiness => &self.readiness,
        }
    }

    fn track_mut(&mut self, kind: Kind) -> &mut Track {
        match kind {
            Kind::Startup => &mut self.startup,
            Kind::Liveness => &mut self.liveness,
            Kind::Readiness => &mut self.readiness,
        }
    }
}

fn period(probe: &Probe) -> i32 {
    probe.period_seconds.filter(|seconds| 0 < *seconds).unwrap_or(DEFAULT_PERIOD_SECONDS)
}

fn later(at: Timestamp, seconds: i32) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds.max(0).into())).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
