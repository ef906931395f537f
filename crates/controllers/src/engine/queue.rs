//! A queue of keys to reconcile: a key waits once however often it is added, is never worked on twice at a time, can be asked
//! for later, and comes back after a failure in 1 s, 2 s, 4 s … 60 s.

use crate::engine::expectations::Written;
use futures::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Display;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tracing::warn;

/// Reconciles that run at a time.
const CONCURRENCY: usize = 5;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// tokio's timers stand still while a laptop sleeps, so a long wait looks at the clock now and then.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Any error; the queue logs it and tries again.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a reconcile came to.
pub type Outcome = Result<Next, BoxError>;

/// When to look at the key again, apart from its being added again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    WhenAdded,
    After(Duration),
}

/// The queue. Clones share it.
pub struct Queue<K>(Arc<Shared<K>>);

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Shared<K> {
    state: Mutex<State<K>>,
    wake: Notify,
}

struct State<K> {
    ready: VecDeque<K>,
    /// In `ready`.
    queued: HashSet<K>,
    /// Being worked on; `true`: added again meanwhile.
    running: HashMap<K, bool>,
    /// Asked for later, by instant and by key.
    timers: BTreeSet<(Instant, K)>,
    timer_of: HashMap<K, Instant>,
    n_failures: HashMap<K, u32>,
}

impl<K: Clone + Eq + Ord + Hash + Display + Send + 'static> Default for Queue<K> {
    fn default() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                queued: HashSet::new(),
                running: HashMap::new(),
                timers: BTreeSet::new(),
                timer_of: HashMap::new(),
                n_failures: HashMap::new(),
            }),
            wake: Notify::new(),
        }))
    }
}

impl<K: Clone + Eq + Ord + Hash + Display + Send + 'static> Queue<K> {
    /// Asks for a reconcile of the key as soon as may be.
    pub fn add(&self, key: K) {
        if self.0.state.lock().add(key) {
            self.0.wake.notify_one();
        }
    }

    /// Asks for a reconcile after a while. Only the earliest wish counts.
    pub fn add_after(&self, key: K, delay: Duration) {
        let at = Instant::now() + delay.min(LONGEST_WAIT);
        let mut state = self.0.state.lock();
        match state.timer_of.get(&key) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => {
                let old = (*later, key.clone());
                state.timers.remove(&old);
            }
            None => {}
        }
        state.timer_of.insert(key.clone(), at);
        state.timers.insert((at, key));
        drop(state);
        self.0.wake.notify_one();
    }

    /// Works on keys until dropped. `reconcile` notes what it writes, and its key rests until that has come back.
    pub async fn work<F>(self, reconcile: impl Fn(K, Arc<Written>) -> F)
    where
        F: Future<Output = Outcome>,
    {
        self.work_many(CONCURRENCY, reconcile).await;
    }

    /// The same on so many keys at a time.
    pub async fn work_many<F>(self, concurrency: usize, reconcile: impl Fn(K, Arc<Written>) -> F)
    where
        F: Future<Output = Outcome>,
    {
        let permits = Semaphore::new(concurrency);
        let mut working = FuturesUnordered::new();
        loop {
            loop {
                let Some(key) = self.0.state.lock().take() else { break };
                let work = async {
                    let written = Arc::new(Written::default());
                    let permit = permits.acquire().await;
                    let outcome = reconcile(key.clone(), written.clone()).await;
                    drop(permit);
                    if let Some(written) = Arc::into_inner(written) {
                        written.has_come_back().await;
                    }
                    (key, outcome)
                };
                working.push(work);
            }
            let next_timer = self.0.state.lock().timers.first().map(|(at, _)| *at);
            let timer = async {
                match next_timer {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In order, not at random: simulations repeat. Nothing starves, as each branch ends in finite work.
                biased;
                Some((key, outcome)) = working.next() => self.finish(key, outcome),
                () = self.0.wake.notified() => {}
                () = timer => self.0.state.lock().fire(Instant::now()),
            }
        }
    }

    fn finish(&self, key: K, outcome: Outcome) {
        let delay = {
            let mut state = self.0.state.lock();
            let added_again = state.running.remove(&key).unwrap_or(false);
            if added_again {
                state.add(key.clone());
            }
            match outcome {
                Ok(next) => {
                    state.n_failures.remove(&key);
                    match next {
                        Next::WhenAdded => None,
                        Next::After(delay) => Some(delay),
                    }
                }
                Err(error) => {
                    let n = state.n_failures.entry(key.clone()).or_insert(0);
                    let delay = (FIRST_RETRY * 2_u32.pow((*n).min(6))).min(LAST_RETRY);
                    *n = n.saturating_add(1);
                    warn!(%key, error = %error, retry_in = ?delay, "reconcile failed");
                    Some(delay)
                }
            }
        };
        if let Some(delay) = delay {
            self.add_after(key, delay);
        }
    }
}

impl<K: Clone + Eq + Ord + Hash> State<K> {
    fn add(&mut self, key: K) -> bool {
        if let Some(again) = self.running.get_mut(&key) {
            *again = true;
            return false;
        }
        if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
        true
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        self.running.insert(key.clone(), false);
        // Whatever the key was to be looked at for later, it is looked at now and will ask again.
        if let Some(at) = self.timer_of.remove(&key) {
            self.timers.remove(&(at, key.clone()));
        }
        Some(key)
    }

    fn fire(&mut self, now: Instant) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.timers.pop_first() else { return };
            self.timer_of.remove(&key);
            self.add(key);
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
