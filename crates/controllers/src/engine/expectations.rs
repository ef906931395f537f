//! A reconcile must not run before its cache has seen what the last one wrote, or it would write it twice.
//!
//! Every write's answer carries a resource version, and every cache knows the newest version it has seen. Events of one
//! resource arrive in version order, so a cache that has seen a version has seen all before it.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tracing::warn;

/// A write whose event never comes (a broken watch is listed again well before) holds its key up this long at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// The newest resource version a cache has seen. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<State>);

#[derive(Debug, Default)]
struct State {
    version: Mutex<u64>,
    /// The newest version anybody waited for: a list begun after that write answered contains it.
    wanted: Mutex<u64>,
    /// Wakes who waits in the order in which they came, unlike a `watch`, whose order is random: simulations repeat.
    news: Notify,
}

impl Seen {
    /// The cache has seen this version and all before it.
    pub fn advance(&self, version: u64) {
        let mut seen = self.0.version.lock();
        if *seen < version {
            *seen = version;
            drop(seen);
            self.0.news.notify_waiters();
        }
    }

    /// The newest version that was written so far, as far as is known here.
    pub fn wanted(&self) -> u64 {
        *self.0.wanted.lock()
    }

    async fn reached(&self, version: u64) {
        loop {
            // Made before looking: what is seen in between wakes it.
            let news = self.0.news.notified();
            if version <= *self.0.version.lock() {
                return;
            }
            news.await;
        }
    }
}

/// What one reconcile has written.
#[derive(Debug, Default)]
pub struct Written(Mutex<Vec<(Seen, u64)>>);

impl Written {
    /// A write to the resource behind `seen` was answered with this version.
    pub fn expect(&self, seen: &Seen, version: u64) {
        let mut wanted = seen.0.wanted.lock();
        *wanted = version.max(*wanted);
        drop(wanted);
        self.0.lock().push((seen.clone(), version));
    }

    /// Waits until every cache has seen every write.
    pub async fn has_come_back(self) {
        let all = async {
            for (seen, version) in self.0.into_inner() {
                seen.reached(version).await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            warn!("a write did not come back within {PATIENCE:?}; carrying on without it");
        }
    }
}

/// A resource version as a number; 0 when there is none.
pub fn version(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test(start_paused = true)]
    async fn a_key_rests_until_its_writes_have_come_back() {
        let (pods, jobs) = (Seen::default(), Seen::default());
        let written = Written::default();
        written.expect(&pods, 7);
        written.expect(&jobs, 8);
        let mut wait = Box::pin(written.has_come_back());
        assert!((&mut wait).now_or_never().is_none());
        pods.advance(9);
        assert!((&mut wait).now_or_never().is_none());
        jobs.advance(8);
        wait.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_write_does_not_hold_up_its_key_for_ever() {
        let written = Written::default();
        written.expect(&Seen::default(), 7);
        let before = tokio::time::Instant::now();
        written.has_come_back().await;
        assert_eq!(before.elapsed().as_secs(), PATIENCE.as_secs());
    }
}
