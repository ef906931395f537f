//! What becomes of instants: each due instant ends as exactly one of these.

use jiff::Timestamp;

/// Why an instant did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A Job was running and the policy is Forbid.
    Forbid,
    /// spec.suspend
    Suspended,
    /// startingDeadlineSeconds had passed before anything could be done.
    Deadline,
    /// A newer instant had come before anything could be done.
    Downtime,
    /// The server did not take the Job (a quota, a policy, a name that is taken) until a newer instant had come.
    Failed,
}

impl Reason {
    /// The value of the metric's label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Forbid => "forbid",
            Reason::Suspended => "suspended",
            Reason::Deadline => "deadline",
            Reason::Downtime => "downtime",
            Reason::Failed => "failed",
        }
    }
}

/// Neighbouring instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub first: Timestamp,
    /// The latest; the same if there is one.
    pub last: Timestamp,
    /// How many.
    pub n: u64,
}

impl Span {
    /// One instant.
    pub fn one(tick: Timestamp) -> Self {
        Self { first: tick, last: tick, n: 1 }
    }
}

/// What became of some instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its Job was made.
    Ran(Timestamp),
    /// No Job will be made for them.
    Skipped(Span, Reason),
}
