//! When a thousand Jobs are due at one instant, all of them are made before anybody looks at what follows from the first: what
//! follows can wait for a moment, the instant cannot.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Longest wait for a rush to be over, so that one that never ends holds up nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts what has to be done at once. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Rush(Arc<State>);

#[derive(Debug, Default)]
struct State {
    n_under_way: Mutex<usize>,
    over: Notify,
}

/// Something that has to be done at once, until dropped.
#[derive(Debug)]
pub struct Urgent(Rush);

impl Rush {
    /// Something has to be done at once.
    pub fn begin(&self) -> Urgent {
        *self.0.n_under_way.lock() += 1;
        Urgent(self.clone())
    }

    /// Waits until nothing has to be done at once, but not for long.
    pub async fn is_over(&self) {
        let over = self.0.over.notified();
        if *self.0.n_under_way.lock() != 0 {
            // Late is better than never.
            let _ = tokio::time::timeout(PATIENCE, over).await;
        }
    }
}

impl Drop for Urgent {
    fn drop(&mut self) {
        let mut n_under_way = self.0.0.n_under_way.lock();
        *n_under_way -= 1;
        if *n_under_way == 0 {
            self.0.0.over.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test(start_paused = true)]
    async fn what_can_wait_waits_until_the_last_urgent_thing_is_done() {
        let rush = Rush::default();
        rush.is_over().now_or_never().expect("there is no rush");
        let (first, second) = (rush.begin(), rush.begin());
        let mut wait = Box::pin(rush.is_over());
        assert!((&mut wait).now_or_never().is_none());
        drop(first);
        assert!((&mut wait).now_or_never().is_none());
        drop(second);
        (&mut wait).now_or_never().expect("the rush is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rush_without_an_end_holds_nobody_up_for_long() {
        let rush = Rush::default();
        let _urgent = rush.begin();
        let before = tokio::time::Instant::now();
        rush.is_over().await;
        assert_eq!(before.elapsed(), PATIENCE);
    }
}
