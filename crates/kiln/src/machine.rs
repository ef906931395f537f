//! This machine's clock and randomness, which nothing else reads, and the program's allocator.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use meta::clock::{Alarm, Clock, Entropy};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::net::unix::pipe;

/// What a request costs is in good part making and dropping JSON trees; with the C library's allocator a burst takes twice as long.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The machine's wall clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn zone(&self) -> TimeZone {
        // Once: what schedules mean must not change while their instants are accounted for.
        static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);
        ZONE.clone()
    }

    fn alarm(&self, at: Timestamp) -> Alarm {
        match timer(at) {
            Ok(timer) => Box::pin(async move { drop(timer.readable().await) }),
            // Without a descriptor to spare the clock is looked at every so often.
            Err(error) => {
                tracing::warn!(%error, "no timer for the wall clock; looking at it now and then");
                let wait = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
                Box::pin(tokio::time::sleep(wait.min(WITHOUT_TIMER)))
            }
        }
    }
}

/// Longest wait without a timer that notices the clock being set.
const WITHOUT_TIMER: Duration = Duration::from_secs(1);

/// A timer that becomes readable when the wall clock reaches an instant, or is set, or the machine wakes up. The runtime's own
/// timers run on another clock, which stands still while the machine sleeps.
fn timer(at: Timestamp) -> std::io::Result<pipe::Receiver> {
    let timer = TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    // Zero would turn the timer off.
    let seconds = at.as_second().max(1);
    let until = Expiration::OneShot(TimeSpec::new(seconds, at.subsec_nanosecond().max(0).into()));
    timer.set(until, TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET)?;
    // Of a pipe only this is used: that the runtime can wait until there is something to read.
    pipe::Receiver::from_file_unchecked(OwnedFd::from(timer).into())
}

/// The kernel's random numbers.
#[derive(Debug, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the kernel gives random bytes once it has booted");
    }
}

/// This machine's name, as the node is called: the host name, lower case, as a DNS label.
pub fn node_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let name: String = host
        .to_string_lossy()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' })
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "kiln".into() } else { name.chars().take(63).collect() }
}

/// Whether this process is root, and not only that of a namespace it has made itself.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root() && !agent::userns::has_entered()
}

/// Lets this process open as many files as it may, and says how many that are: connections, pods and the store share
/// them. What shells give by default, 1,024, is for programs that use `select`.
pub fn raise_open_files() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 1_024;
    };
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    usize::try_from(if raised { hard } else { soft }).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[tokio::test]
    async fn an_alarm_rings_at_its_instant_and_at_once_for_one_in_the_past() {
        let clock = SystemClock;
        let at = clock.now() + SignedDuration::from_millis(50);
        clock.alarm(at).await;
        // A clock that was set meanwhile rings too.
        assert!(at <= clock.now(), "it rang before {at}");
        clock.alarm(Timestamp::UNIX_EPOCH).await;
        clock.alarm(Timestamp::MIN).await;
    }
}
