//! How long to wait before trying again: crashed containers, absent images, what the configuration lacks.
//! Holds no clock; callers say what time it is.

use jiff::{SignedDuration, Timestamp};

/// The shortest delay of crash loops and image pulls.
const FIRST_SECONDS: i64 = 10;
/// The longest.
const MAX_SECONDS: i64 = 300;
/// A container that ran this long (twice the longest delay) starts afresh (K:client-go/util/flowcontrol).
const FORGIVEN_AFTER: SignedDuration = SignedDuration::from_secs(2 * MAX_SECONDS);

/// 10, 20, 40 … 300 seconds after the first, second, third … failure; none before the first.
pub fn doubling(failures: u32) -> SignedDuration {
    let Some(exponent) = failures.checked_sub(1) else {
        return SignedDuration::ZERO;
    };
    // 2^5 * 10 s is already past the longest delay.
    SignedDuration::from_secs((FIRST_SECONDS << exponent.min(5)).min(MAX_SECONDS))
}

/// 1, 2, 4, then every 5 seconds: for what a user is likely to be creating right now.
pub fn soon(failures: u32) -> SignedDuration {
    SignedDuration::from_secs((1 << failures.saturating_sub(1).min(3)).min(5))
}

/// The crash-loop back-off of one container: its first restart is immediate, then 10, 20, 40 … 300 seconds after it ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CrashLoop {
    /// Restarts since the container last ran for long.
    pub restarts: u32,
    /// When the last of them happened.
    pub restarted_at: Option<Timestamp>,
}

impl CrashLoop {
    /// When the container that ended at `finished_at` may start again.
    pub fn restart_at(&self, finished_at: Timestamp) -> Timestamp {
        if self.forgiven(finished_at) {
            return finished_at;
        }
        finished_at.checked_add(doubling(self.restarts)).unwrap_or(finished_at)
    }

    /// The back-off once a restart has happened at `now`.
    pub fn restarted(&self, now: Timestamp) -> Self {
        let restarts = if self.forgiven(now) { 1 } else { self.restarts.saturating_add(1) };
        Self { restarts, restarted_at: Some(now) }
    }

    /// The delay as the kubelet prints it: `10s`, `1m20s`, `5m0s`.
    pub fn delay_text(&self) -> String {
        go_duration(doubling(self.restarts))
    }

    fn forgiven(&self, now: Timestamp) -> bool {
        self.restarted_at.is_some_and(|restarted_at| FORGIVEN_AFTER < now.duration_since(restarted_at))
    }
}

/// Whole seconds as Go prints a duration.
fn go_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        return format!("{seconds}s");
    }
    format!("{}m{}s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn first_restart_is_immediate_then_the_delay_doubles_up_to_five_minutes() {
        let mut backoff = CrashLoop::default();
        let mut now = at(0);
        let mut delays = vec![];
        for _ in 0..8 {
            let restart_at = backoff.restart_at(now);
            delays.push(restart_at.duration_since(now).as_secs());
            now = restart_at;
            backoff = backoff.restarted(now);
        }
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_long_run_is_forgiven() {
        let backoff = CrashLoop { restarts: 6, restarted_at: Some(at(1000)) };
        assert_eq!(backoff.restart_at(at(1600)), at(1900));
        assert_eq!(backoff.restart_at(at(1601)), at(1601));
        assert_eq!(backoff.restarted(at(1601)).restarts, 1);
        assert_eq!(backoff.restarted(at(1600)).restarts, 7);
    }

    #[test]
    fn delays_print_as_go_prints_them() {
        let text = |restarts| CrashLoop { restarts, restarted_at: None }.delay_text();
        assert_eq!([text(1), text(3), text(4), text(9), text(u32::MAX)], ["10s", "40s", "1m20s", "5m0s", "5m0s"]);
    }

    #[test]
    fn missing_configuration_is_looked_for_every_few_seconds() {
        let seconds: Vec<i64> = (1..7).map(|n| soon(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 5, 5, 5]);
    }
}
