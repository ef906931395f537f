//! How long a Job waits before it replaces failed pods: 10 s, doubling with every failure since the last success, at most
//! 600 s, counted from the newest failure.

use crate::job::pods::{Phase, PodFacts};
use jiff::{SignedDuration, Timestamp};

const FIRST_DELAY: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_secs(600);

/// What has to be remembered between two decisions on the same Job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Pods that failed since the last one that succeeded.
    pub n_failures: u32,
    /// When the newest of them finished.
    pub last_failure: Option<Timestamp>,
}

impl Backoff {
    /// Takes in pods that finished since the last decision.
    #[must_use]
    pub fn after(self, succeeded: &[&PodFacts], failed: &[&PodFacts]) -> Self {
        let last_success = succeeded.iter().map(|pod| pod.finished_at).max();
        let since_success = failed
            .iter()
            .map(|pod| pod.finished_at)
            .filter(|failure| last_success.is_none_or(|success| success < *failure));
        let (n_new, newest) = since_success.fold((0, None), |(n, newest), failure| (n + 1, newest.max(Some(failure))));
        match last_success {
            Some(_) => Self { n_failures: n_new, last_failure: newest },
            None => {
                Self { n_failures: self.n_failures.saturating_add(n_new), last_failure: newest.or(self.last_failure) }
            }
        }
    }

    /// What would be remembered, had memory not been lost: finished pods stay, so they tell it.
    /// Pods that were deleted tell nothing, as the Job itself may have deleted them.
    pub fn from_finished_pods<'a>(pods: impl Iterator<Item = &'a PodFacts>) -> Self {
        let (succeeded, failed): (Vec<_>, Vec<_>) =
            pods.filter(|pod| pod.phase.is_terminal() && !pod.deleted).partition(|pod| pod.phase == Phase::Succeeded);
        Self::default().after(&succeeded, &failed)
    }

    /// The instant before which no pod is created, if there was a failure.
    pub fn until(&self) -> Option<Timestamp> {
        let last_failure = self.last_failure.filter(|_| 0 < self.n_failures)?;
        Some(delayed(last_failure, self.n_failures))
    }
}

/// With backoffLimitPerIndex each index waits for itself: the instant before which this failed pod is not replaced.
pub(super) fn of_index(failed: &PodFacts) -> Option<Timestamp> {
    Some(delayed(failed.finished_at, failed.index_failures.all().saturating_add(1)))
}

fn delayed(last_failure: Timestamp, n_failures: u32) -> Timestamp {
    // 10 s doubled six times passes 600 s, so the shift never grows large.
    let doublings = n_failures.saturating_sub(1).min(6);
    let delay = (FIRST_DELAY * (1 << doublings)).min(LONGEST_DELAY);
    last_failure.checked_add(delay).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_ten_minutes() {
        let at = Timestamp::from_second(1_000).unwrap();
        let delays: Vec<i64> = (1..=9)
            .map(|n| Backoff { n_failures: n, last_failure: Some(at) })
            .map(|backoff| backoff.until().unwrap().as_second() - 1_000)
            .collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(Backoff::default().until(), None);
        assert_eq!(Backoff { n_failures: u32::MAX, last_failure: Some(Timestamp::MAX) }.until(), Some(Timestamp::MAX));
    }
}
