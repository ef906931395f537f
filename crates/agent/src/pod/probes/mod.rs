//! Probes: whether a container has started, lives and is ready.
//!
//! ```text
//! health (pure): what is due, what a row of answers means ──> worker ──> ask: one question ──> exec, or http, grpc and tcp over dial
//! ```

pub mod ask;
pub mod dial;
pub mod grpc;
pub mod health;
pub mod http;

use k8s_openapi::api::core::v1::{Container, Probe};
use std::fmt;

/// What a probe is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Whether the container has started. Until it has, nothing else is asked.
    Startup,
    /// Whether it still works. One that does not is killed.
    Liveness,
    /// Whether it is to be counted on.
    Readiness,
}

impl Kind {
    /// The container's probe of this kind, if it has one.
    pub fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Kind::Startup => container.startup_probe.as_ref(),
            Kind::Liveness => container.liveness_probe.as_ref(),
            Kind::Readiness => container.readiness_probe.as_ref(),
        }
    }
}

/// As events begin.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Startup => "Startup",
            Kind::Liveness => "Liveness",
            Kind::Readiness => "Readiness",
        })
    }
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All is well.
    Success,
    /// All is well, but for this.
    Warning(String),
    /// It is not.
    Failure(String),
    /// The question could not be asked: that means nothing, and is told.
    Error {
        /// `unknown` or `failure`, as the kubelet names it.
        state: &'static str,
        /// Why.
        text: String,
    },
}

impl Answer {
    /// What it says of the container; none if it says nothing.
    pub fn verdict(&self) -> Option<bool> {
        match self {
            Answer::Success | Answer::Warning(_) => Some(true),
            Answer::Failure(_) => Some(false),
            Answer::Error { .. } => None,
        }
    }

    /// The event's reason and message, if there is something to tell (K:pkg/kubelet/prober).
    pub fn notice(&self, kind: Kind) -> Option<(&'static str, String)> {
        match self {
            Answer::Success => None,
            Answer::Warning(text) => Some(("ProbeWarning", format!("{kind} probe warning: {text}"))),
            Answer::Failure(text) => Some(("Unhealthy", format!("{kind} probe failed: {text}"))),
            Answer::Error { state, text } => {
                Some(("Unhealthy", format!("{kind} probe errored and resulted in {state} state: {text}")))
            }
        }
    }
}
