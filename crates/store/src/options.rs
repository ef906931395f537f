//! Bounds and habits of a store.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Exit code of a server whose disk broke a promise.
const EXIT_DISK_FAILED: i32 = 125;

/// Bounds and habits. `Default` is what the server uses.
#[derive(Clone)]
pub struct Options {
    /// Events kept per resource, at most.
    pub ring_events: usize,
    /// Bytes per resource that are kept only for the sake of events, at most.
    pub ring_bytes: usize,
    /// How long events are kept when they fit the other two bounds.
    pub ring_age: Duration,
    /// Bytes set aside beside the database, so that deletes go on when the disk is full. They have to cover a log
    /// that waits for its checkpoint (4 MiB) with one large batch (4 MiB).
    pub reserve_bytes: u64,
    /// Time since some fixed instant; never goes back. Simulations give their own.
    pub now: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Ends the process after telling why: the disk refused a commit or a sync, so nothing more may be acknowledged.
    /// Should it return, the store answers everything with `Closed`.
    pub end: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        let start = Instant::now();
        Self {
            ring_events: 100_000,
            ring_bytes: 64 << 20,
            ring_age: Duration::from_secs(300),
            reserve_bytes: 12 << 20,
            now: Arc::new(move || start.elapsed()),
            end: Arc::new(end_process),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("ring_events", &self.ring_events)
            .field("ring_bytes", &self.ring_bytes)
            .field("ring_age", &self.ring_age)
            .field("reserve_bytes", &self.reserve_bytes)
            .finish_non_exhaustive()
    }
}

fn end_process(why: &str) {
    // A stderr that is gone is no reason to live on, as it would be with `eprintln!`.
    let _ = writeln!(std::io::stderr(), "kiln: {why}");
    std::process::exit(EXIT_DISK_FAILED);
}
