//! Time and randomness as parameters. Only the traits stand here: `kiln` reads the machine's, `sim` its own.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::pin::Pin;

/// Comes to an end when it rings.
pub type Alarm = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the wall clock's time.
pub trait Clock: Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// The zone that this clock's machine lives in.
    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// The current instant, as this machine's people read it.
    fn local_now(&self) -> Zoned {
        self.now().to_zoned(self.zone())
    }

    /// Rings when the clock shows `at` or later, and when the clock was set or the machine slept: whoever waits then looks at
    /// the clock again. A clock that nobody waits for needs no alarm; then it never rings.
    fn alarm(&self, _at: Timestamp) -> Alarm {
        Box::pin(std::future::pending())
    }
}

/// A source of random bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}
