//! Decides what waiting transactions do together. Pure: reads through a function, writes nothing.

use crate::record::{Event, Record};
use crate::txn::{CommitError, Committed, Op, Txn};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Transactions that become durable, and then visible, at once.
#[must_use = "a batch nobody writes is a lost batch"]
pub(crate) struct Batch {
    /// Revision after the last of them.
    pub revision: u64,
    /// What each touched key ends up as; `None`: absent.
    pub changes: BTreeMap<Arc<str>, Option<Arc<Record>>>,
    /// Everything that happened, in revision order.
    pub events: Vec<Event>,
}

impl Batch {
    /// An empty one on top of `revision`.
    pub fn new(revision: u64) -> Self {
        Self { revision, changes: BTreeMap::new(), events: Vec::new() }
    }

    /// Adds a transaction that sees those added before and, below them, what is `published`.
    pub fn add(
        &mut self,
        txn: &Txn,
        published: impl Fn(&str) -> Option<Arc<Record>>,
    ) -> Result<Committed, CommitError> {
        for (key, wanted) in &txn.conditions {
            let current = self.current(key, &published);
            if current.as_ref().map_or(0, |record| record.revision) != *wanted {
                let key = key.clone();
                return Err(CommitError::Conflict { key, current });
            }
        }
        let revision = self.revision + 1;
        let mut records = Vec::with_capacity(txn.ops.len());
        let n_events_before = self.events.len();
        for op in &txn.ops {
            let (Op::Put { key, .. } | Op::Delete { key }) = op;
            let previous = self.current(key, &published);
            let after = match op {
                Op::Put { value, .. } => Some(Arc::new(Record {
                    key: match &previous {
                        Some(previous) => previous.key.clone(),
                        None => Arc::from(key.as_str()),
                    },
                    value: value.clone(),
                    create_revision: previous.as_ref().map_or(revision, |p| p.create_revision),
                    revision,
                    note: OnceLock::new(),
                })),
                Op::Delete { .. } => None,
            };
            records.push(after.clone().or_else(|| previous.clone()));
            self.record(after, previous, revision);
        }
        if n_events_before < self.events.len() {
            self.revision = revision;
        }
        Ok(Committed { revision: self.revision, records })
    }

    fn current(&self, key: &str, published: impl Fn(&str) -> Option<Arc<Record>>) -> Option<Arc<Record>> {
        match self.changes.get(key) {
            Some(change) => change.clone(),
            None => published(key),
        }
    }

    fn record(&mut self, after: Option<Arc<Record>>, previous: Option<Arc<Record>>, revision: u64) {
        match (after, previous) {
            (Some(record), previous) => {
                let change = Some(record.clone());
                self.changes.insert(record.key.clone(), change);
                self.events.push(Event::Put { record, previous });
            }
            (None, Some(previous)) => {
                self.changes.insert(previous.key.clone(), None);
                self.events.push(Event::Delete { previous, revision });
            }
            // Deleting what is not there is nothing.
            (None, None) => {}
        }
    }
}
