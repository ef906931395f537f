//! What does not live for ever: events go an hour after their last write, the rests of lists after some minutes.

use crate::error::Failure;
use crate::server::ApiServer;
use crate::storage;
use jiff::{SignedDuration, Timestamp};
use kinds::{KINDS, Kind};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::{Op, Record, Store, Txn};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);
/// Deletes in one transaction.
const BATCH: usize = 100;

/// Looks once a minute until the server is gone or stops.
pub(crate) async fn run(server: Weak<ApiServer>) {
    let mut clock = RevisionClock::default();
    loop {
        let stop = {
            let Some(server) = server.upgrade() else {
                return;
            };
            clock.note(server.store.revision(), server.clock.now());
            server.snapshots.forget_old(server.clock.now());
            for kind in KINDS {
                if let Err(failure) = expire(&server, *kind, &clock).await {
                    tracing::warn!(
                        resource = kind.names().plural,
                        error = %failure.status(),
                        "failed to remove expired objects"
                    );
                }
            }
            server.stop.clone()
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// When revisions were current: what a record's age is told by.
#[derive(Default)]
struct RevisionClock(VecDeque<(u64, Timestamp)>);

impl RevisionClock {
    fn note(&mut self, revision: u64, now: Timestamp) {
        if self.0.back().is_none_or(|(last, _)| *last < revision) {
            self.0.push_back((revision, now));
        }
        // Nothing lives longer than a day by its own time to live.
        let day = SignedDuration::from_hours(24);
        while self.0.len() > 1 && self.0.front().is_some_and(|(_, then)| day < now.duration_since(*then)) {
            self.0.pop_front();
        }
    }

    /// The earliest instant by which `revision` surely had been written; `None` when it is newer than all notes.
    fn written_by(&self, revision: u64) -> Option<Timestamp> {
        let index = self.0.partition_point(|(noted, _)| *noted < revision);
        self.0.get(index).map(|(_, then)| *then)
    }

    /// Whether `revision` is from before this server started.
    fn is_inherited(&self, revision: u64) -> bool {
        self.0.front().is_some_and(|(first, _)| revision <= *first)
    }
}

async fn expire(server: &Arc<ApiServer>, kind: &dyn Kind, clock: &RevisionClock) -> Result<(), Failure> {
    let Some(ttl) = kind.time_to_live_seconds() else {
        return Ok(());
    };
    // Kinds that share storage are swept once, by the kind that owns it.
    if kind.storage() != (kind.names().group, kind.names().plural) {
        return Ok(());
    }
    let now = server.clock.now();
    let ttl = SignedDuration::from_secs(ttl);
    let all = server.store.range(&storage::resource_prefix(kind), None, 0);
    let expired: Vec<Arc<Record>> = all
        .records
        .into_iter()
        .filter(|record| {
            let written = match clock.is_inherited(record.revision) {
                true => storage::object(kind, record).ok().and_then(|object| kind.last_written(&object)),
                false => clock.written_by(record.revision),
            };
            written.is_some_and(|written| ttl <= now.duration_since(written))
        })
        .collect();
    for batch in expired.chunks(BATCH) {
        remove(&server.store, batch).await;
    }
    Ok(())
}

/// Removes what has not been written meanwhile; whatever has, is left for the next look.
async fn remove(store: &Store, records: &[Arc<Record>]) {
    let all = Txn {
        conditions: records.iter().map(|r| (r.key.to_string(), r.revision)).collect(),
        ops: records.iter().map(|r| Op::Delete { key: r.key.to_string() }).collect(),
    };
    if store.commit(all).await.is_ok() {
        return;
    }
    for record in records {
        let one = Txn {
            conditions: vec![(record.key.to_string(), record.revision)],
            ops: vec![Op::Delete { key: record.key.to_string() }],
        };
        if let Err(error) = store.commit(one).await {
            tracing::debug!(key = %record.key, %error, "expired object was kept");
        }
    }
}
