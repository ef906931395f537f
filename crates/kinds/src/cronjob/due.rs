//! Which instants are due and have no outcome yet: the newest may run, older ones have been overtaken by it.

use crate::cronjob::outcome::{Outcome, Reason, Span};
use crate::cronjob::ticks::Ticks;
use jiff::Timestamp;

/// Instants counted in one decision, so that none takes long: years of a minute's schedule take several.
const MAX_COUNTED: u64 = 100_000;

/// What held the newest instant back when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The instant.
    pub tick: Timestamp,
    /// What held it back.
    pub by: Reason,
}

/// What is due.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Due {
    /// The newest instant that is due; nothing while the older ones are still being counted.
    pub newest: Option<Timestamp>,
    /// What becomes of older ones.
    pub overtaken: Vec<Outcome>,
    /// The last of the older ones.
    pub overtaken_until: Option<Timestamp>,
}

impl Due {
    /// How many older instants there are.
    pub fn n_overtaken(&self) -> u64 {
        let spans = self.overtaken.iter().map(|outcome| match outcome {
            Outcome::Ran(_) => 1,
            Outcome::Skipped(span, _) => span.n,
        });
        spans.sum()
    }
}

/// Everything due after `accounted` until `now`; `None` when nothing is.
pub(super) fn due(
    ticks: &Ticks,
    accounted: Timestamp,
    now: Timestamp,
    held: Option<Held>,
    otherwise: Reason,
) -> Option<Due> {
    let newest = ticks.newest(accounted, now)?;
    let (overtaken, counted) = overtaken(ticks, accounted, newest, held, otherwise);
    let overtaken_until = counted.last;
    Some(Due { newest: counted.is_whole.then_some(newest), overtaken, overtaken_until })
}

pub(super) struct Counted {
    /// The last instant that was counted.
    pub last: Option<Timestamp>,
    /// All were.
    pub is_whole: bool,
}

/// What becomes of the instants after `accounted` and before `until`: the one that was held back is skipped for that, others for
/// `otherwise`.
pub(super) fn overtaken(
    ticks: &Ticks,
    accounted: Timestamp,
    until: Timestamp,
    held: Option<Held>,
    otherwise: Reason,
) -> (Vec<Outcome>, Counted) {
    let mut outcomes = Vec::new();
    let mut from = accounted;
    let first = ticks.next_after(accounted).filter(|first| *first < until);
    let mut last = None;
    if let (Some(first), Some(held)) = (first, held.filter(|held| first == Some(held.tick))) {
        outcomes.push(Outcome::Skipped(Span::one(first), held.by));
        (from, last) = (first, Some(first));
    }
    let (n, last_counted) = ticks.count(from, until, MAX_COUNTED);
    if let (Some(first), Some(last)) = (ticks.next_after(from), last_counted) {
        outcomes.push(Outcome::Skipped(Span { first, last, n }, otherwise));
    }
    let last = last_counted.or(last);
    let is_whole = match last {
        Some(last) if MAX_COUNTED <= n => ticks.next_after(last).is_none_or(|next| until <= next),
        _ => true,
    };
    (outcomes, Counted { last, is_whole })
}
