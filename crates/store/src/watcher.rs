//! One reader of a ring: a cursor and a way to be woken, nothing else. A slow one holds up nobody.

use crate::memory::Memory;
use crate::record::{Event, resource_of};
use std::sync::Arc;
use tokio::sync::Notify;

/// The wanted revision is no longer in memory: list again.
#[derive(Debug, thiserror::Error)]
#[error("revision {wanted} is too old, oldest is {oldest}")]
pub struct Compacted {
    /// The revision asked for.
    pub wanted: u64,
    /// The oldest that can be asked for.
    pub oldest: u64,
}

/// A cursor in a resource's ring of events.
pub struct Watcher {
    memory: Arc<Memory>,
    prefix: Box<str>,
    cursor: u64,
    news: Arc<Notify>,
}

impl Watcher {
    pub(crate) fn new(memory: Arc<Memory>, prefix: &str, from: u64) -> Result<Self, Compacted> {
        let news = memory.subscribe(resource_of(prefix), from)?;
        Ok(Self { memory, prefix: prefix.into(), cursor: from, news })
    }

    /// Waits for events after the cursor (at least one), in revision order. `Compacted` when this watcher was too slow:
    /// the ring has moved past it. Dropping the future loses no event.
    pub async fn next(&mut self) -> Result<Vec<Event>, Compacted> {
        loop {
            // Made before reading: what is published in between wakes it.
            let news = self.news.notified();
            let reading = self.memory.read(resource_of(&self.prefix), &self.prefix, self.cursor)?;
            self.cursor = reading.until;
            if !reading.events.is_empty() {
                return Ok(reading.events);
            }
            news.await;
        }
    }

    /// Every event up to this revision has been returned by `next` (for bookmarks). Moves on while the resource is quiet.
    pub fn revision(&self) -> u64 {
        let resource = resource_of(&self.prefix);
        match self.memory.read(resource, &self.prefix, self.cursor) {
            Ok(reading) => match reading.events.first() {
                Some(waiting) => waiting.revision() - 1,
                None => reading.until,
            },
            Err(Compacted { .. }) => self.cursor,
        }
    }
}
