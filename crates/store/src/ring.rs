//! The recent events of one resource, bounded by count, bytes and age. Watchers read it, each from its own place.

use crate::Options;
use crate::record::{Event, Record};
use crate::watcher::Compacted;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What an event costs besides the record it keeps alive: its entry, the `Record` and the key.
const ENTRY_BYTES: usize = 256;
/// Events a watcher gets at once, so that one far behind does not hold the lock for long. A revision is never split.
const READ_EVENTS: usize = 1_000;

pub(crate) struct Ring {
    entries: VecDeque<Entry>,
    n_bytes: usize,
    /// Events up to this revision are gone.
    floor: u64,
    /// Tells watchers to look again, in the order in which they began to wait: unlike a `watch`, so that simulations repeat.
    news: Arc<Notify>,
}

struct Entry {
    event: Event,
    n_bytes: usize,
    at: Duration,
}

/// A part of a ring: the events, and the revision up to which there are no others.
pub(crate) struct Reading {
    pub events: Vec<Event>,
    pub until: u64,
}

impl Ring {
    pub fn new(floor: u64) -> Self {
        Self { entries: VecDeque::new(), n_bytes: 0, floor, news: Arc::default() }
    }

    pub fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }

    pub fn check(&self, wanted: u64) -> Result<(), Compacted> {
        let oldest = self.floor;
        if wanted < oldest {
            return Err(Compacted { wanted, oldest });
        }
        Ok(())
    }

    pub fn push(&mut self, event: Event, at: Duration) {
        // A superseded record lives on only because of the event that superseded it, so that one pays for it;
        // the newest record is among the current objects anyway.
        let n_bytes = ENTRY_BYTES + event.previous().map_or(0, |record| record.value.len());
        self.n_bytes += n_bytes;
        self.entries.push_back(Entry { event, n_bytes, at });
    }

    pub fn trim(&mut self, bounds: &Options, now: Duration) {
        while let Some(oldest) = self.entries.front() {
            let too_many = bounds.ring_events < self.entries.len();
            let too_large = bounds.ring_bytes < self.n_bytes;
            let too_old = oldest.at + bounds.ring_age < now;
            if !(too_many || too_large || too_old) {
                return;
            }
            self.floor = oldest.event.revision();
            self.n_bytes -= oldest.n_bytes;
            self.entries.pop_front();
        }
        // Empty: what a burst has grown goes back.
        self.entries.shrink_to(1_024);
    }

    /// Takes back from the current `records` what happened to keys with `prefix` after `revision`.
    pub fn undo(
        &self,
        prefix: &str,
        revision: u64,
        mut records: BTreeMap<Arc<str>, Arc<Record>>,
    ) -> Result<BTreeMap<Arc<str>, Arc<Record>>, Compacted> {
        self.check(revision)?;
        let later = self.entries.iter().rev().take_while(|entry| revision < entry.event.revision());
        for Entry { event, .. } in later.filter(|entry| entry.event.key().starts_with(prefix)) {
            match event.previous() {
                Some(previous) => records.insert(event.key().clone(), previous.clone()),
                None => records.remove(event.key()),
            };
        }
        Ok(records)
    }

    /// Events after `cursor` of keys with `prefix`; `newest` is the newest revision of all resources.
    pub fn read(&self, prefix: &str, cursor: u64, newest: u64) -> Result<Reading, Compacted> {
        self.check(cursor)?;
        let seen = self.entries.partition_point(|entry| entry.event.revision() <= cursor);
        let mut events: Vec<Event> = Vec::new();
        for Entry { event, .. } in self.entries.range(seen..) {
            if !event.key().starts_with(prefix) {
                continue;
            }
            if let Some(last) = events.last()
                && READ_EVENTS <= events.len()
                && last.revision() < event.revision()
            {
                let until = last.revision();
                return Ok(Reading { events, until });
            }
            events.push(event.clone());
        }
        Ok(Reading { events, until: newest.max(cursor) })
    }
}
