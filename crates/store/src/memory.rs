//! The published state: current objects and rings of events. Every read is served from here, whether there is a disk or not.

use crate::Options;
use crate::batch::Batch;
use crate::record::{Range, Record, resource_of};
use crate::ring::{Reading, Ring};
use crate::watcher::Compacted;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

pub(crate) struct Memory {
    state: RwLock<State>,
    published: watch::Sender<u64>,
    options: Options,
}

struct State {
    objects: BTreeMap<Arc<str>, Arc<Record>>,
    revision: u64,
    /// Revision at the start: what happened before is not known.
    start: u64,
    rings: BTreeMap<Box<str>, Ring>,
}

impl State {
    fn ring(&mut self, resource: &str) -> &mut Ring {
        if !self.rings.contains_key(resource) {
            self.rings.insert(resource.into(), Ring::new(self.start));
        }
        self.rings.get_mut(resource).expect("inserted above")
    }
}

impl Memory {
    pub fn new(options: Options, revision: u64, records: Vec<Arc<Record>>) -> Self {
        let with_key = |record: Arc<Record>| (record.key.clone(), record);
        Self {
            state: RwLock::new(State {
                objects: records.into_iter().map(with_key).collect(),
                revision,
                start: revision,
                rings: BTreeMap::new(),
            }),
            published: watch::Sender::new(revision),
            options,
        }
    }

    pub fn get(&self, key: &str) -> Option<Arc<Record>> {
        self.state.read().objects.get(key).cloned()
    }

    pub fn range(&self, prefix: &str, after: Option<&str>, limit: usize) -> Range {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let from = match after {
            Some(after) if prefix <= after => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let state = self.state.read();
        Range {
            records: state
                .objects
                .range::<str, _>((from, Bound::Unbounded))
                .take_while(|(key, _)| key.starts_with(prefix))
                .take(limit)
                .map(|(_, record)| record.clone())
                .collect(),
            revision: state.revision,
        }
    }

    /// The state of an earlier revision: today's, with what happened since undone.
    pub fn range_at(&self, prefix: &str, revision: u64) -> Result<Range, Compacted> {
        let state = self.state.read();
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let current = state.objects.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix));
        let current = current.map(|(key, record)| (key.clone(), record.clone()));
        let records = match state.rings.get(resource_of(prefix)) {
            Some(ring) => ring.undo(prefix, revision, current.collect())?,
            // Nothing has happened to this resource since the start.
            None if revision < state.start => return Err(Compacted { wanted: revision, oldest: state.start }),
            None => current.collect(),
        };
        Ok(Range { records: records.into_values().collect(), revision })
    }

    pub fn count(&self, prefix: &str) -> usize {
        let state = self.state.read();
        let from = (Bound::Included(prefix), Bound::Unbounded);
        state.objects.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix)).count()
    }

    pub fn revision(&self) -> u64 {
        self.state.read().revision
    }

    /// Makes a durable batch visible, then wakes whoever waits for it.
    pub fn publish(&self, batch: Batch) {
        if batch.events.is_empty() {
            return;
        }
        let now = (self.options.now)();
        let mut touched: BTreeMap<Box<str>, Arc<Notify>> = BTreeMap::new();
        {
            let mut state = self.state.write();
            state.revision = batch.revision;
            for (key, record) in batch.changes {
                match record {
                    Some(record) => state.objects.insert(key, record),
                    None => state.objects.remove(&key),
                };
            }
            for event in batch.events {
                let resource = resource_of(event.key());
                let ring = state.ring(resource);
                if !touched.contains_key(resource) {
                    touched.insert(resource.into(), ring.news());
                }
                ring.push(event, now);
            }
            for ring in state.rings.values_mut() {
                ring.trim(&self.options, now);
            }
        }
        self.published.send_replace(batch.revision);
        for news in touched.values() {
            news.notify_waiters();
        }
    }

    pub async fn reached(&self, revision: u64) {
        let mut published = self.published.subscribe();
        let waited = published.wait_for(|newest| revision <= *newest).await;
        waited.expect("the sender lives as long as self");
    }

    /// Tells of news of a resource, if its events after `from` are still there.
    pub fn subscribe(&self, resource: &str, from: u64) -> Result<Arc<Notify>, Compacted> {
        let mut state = self.state.write();
        let ring = state.ring(resource);
        ring.check(from)?;
        Ok(ring.news())
    }

    pub fn read(&self, resource: &str, prefix: &str, cursor: u64) -> Result<Reading, Compacted> {
        let state = self.state.read();
        let ring = state.rings.get(resource);
        let ring = ring.expect("a watcher has subscribed and rings stay");
        ring.read(prefix, cursor, state.revision)
    }
}
