//! Who is to be looked at when, by the wall clock: one alarm for all, set for the earliest. A clock that is set, or a machine
//! that slept, rings it at once.

use crate::engine::Key;
use jiff::{SignedDuration, Timestamp};
use meta::clock::Clock;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::Notify;

/// When a clock is set back this far, everybody is looked at anew.
const SET_BACK: SignedDuration = SignedDuration::from_mins(1);

/// The instants, by key.
pub struct Agenda {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Something earlier than the alarm was put in.
    earlier: Notify,
}

#[derive(Default)]
struct State {
    by_time: BTreeSet<(Timestamp, Key)>,
    by_key: HashMap<Key, Timestamp>,
    alarm: Option<Timestamp>,
}

impl Agenda {
    /// Nobody is waiting.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), earlier: Notify::new() }
    }

    /// Replaces when a key is to be looked at; `None` is never.
    pub fn set(&self, key: &Key, at: Option<Timestamp>) {
        let mut state = self.state.lock();
        if let Some(old) = state.by_key.remove(key) {
            state.by_time.remove(&(old, key.clone()));
        }
        let Some(at) = at else { return };
        state.by_key.insert(key.clone(), at);
        state.by_time.insert((at, key.clone()));
        let is_earlier = state.alarm.is_none_or(|alarm| at < alarm);
        drop(state);
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    /// Hands out keys at their instants until dropped.
    pub async fn run(&self, ring: impl Fn(Key)) {
        let mut last = self.clock.now();
        loop {
            let now = self.clock.now();
            if last.duration_since(now) > SET_BACK {
                self.everybody().into_iter().for_each(&ring);
            }
            last = now;
            let next = self.take_due(now, &ring);
            tokio::select! {
                // In order, not at random: simulations repeat.
                biased;
                () = self.earlier.notified() => {}
                () = self.alarm(next) => {}
            }
        }
    }

    fn everybody(&self) -> Vec<Key> {
        self.state.lock().by_time.iter().map(|(_, key)| key.clone()).collect()
    }

    /// Hands out what is due and returns when the next is.
    fn take_due(&self, now: Timestamp, ring: impl Fn(Key)) -> Option<Timestamp> {
        let mut state = self.state.lock();
        while state.by_time.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = state.by_time.pop_first() else { break };
            state.by_key.remove(&key);
            ring(key);
        }
        state.alarm = state.by_time.first().map(|(at, _)| *at);
        state.alarm
    }

    async fn alarm(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.clock.alarm(at).await,
            None => std::future::pending().await,
        }
    }
}
