//! The policy in memory, kept up with the store.
//!
//! Nobody runs in the background: whoever asks reads the events since the last question, of which there are mostly none.
//! So an answer always knows every write that was acknowledged before the question.

use crate::storage;
use futures::FutureExt as _;
use kinds::Kind;
use kinds::rbac::{self, Policy};
use std::sync::Arc;
use store::{Event, Store, Watcher};

/// A policy and where in the store's events it stands.
#[derive(Default)]
pub(super) struct Followed {
    policy: Arc<Policy>,
    /// One for each kind of role and binding; empty until the first question.
    watchers: Vec<(&'static dyn Kind, Watcher)>,
    revision: u64,
}

impl Followed {
    /// The policy as of now.
    pub(super) fn up_to_date(&mut self, store: &Store) -> Arc<Policy> {
        let revision = store.revision();
        if self.watchers.is_empty() || (self.revision < revision && !self.catch_up()) {
            self.begin(store);
        }
        self.revision = revision;
        self.policy.clone()
    }

    /// Reads what has happened; false when too much has for the store to remember.
    fn catch_up(&mut self) -> bool {
        for (kind, watcher) in &mut self.watchers {
            // Ready when there are events; waiting for more is not what is wanted here.
            while let Some(events) = watcher.next().now_or_never() {
                let Ok(events) = events else {
                    return false;
                };
                let policy = Arc::make_mut(&mut self.policy);
                events.iter().for_each(|event| apply(policy, *kind, event));
            }
        }
        true
    }

    fn begin(&mut self, store: &Store) {
        let mut policy = Policy::default();
        self.watchers.clear();
        for plural in rbac::PLURALS {
            let Some(kind) = kinds::by_resource(rbac::GROUP, plural) else { continue };
            let prefix = storage::resource_prefix(kind);
            // A watch can only fail if its resource is written thousands of times between these two lines.
            let (range, watcher) = loop {
                let range = store.range(&prefix, None, 0);
                if let Ok(watcher) = store.watch(&prefix, range.revision) {
                    break (range, watcher);
                }
            };
            for record in &range.records {
                match storage::object(kind, record) {
                    Ok(object) => policy.put(plural, &object),
                    Err(failure) => tracing::error!(key = %record.key, error = %failure.status(), "role left out"),
                }
            }
            self.watchers.push((kind, watcher));
        }
        self.policy = Arc::new(policy);
    }
}

fn apply(policy: &mut Policy, kind: &dyn Kind, event: &Event) {
    let plural = kind.names().plural;
    match event {
        Event::Put { record, .. } => match storage::object(kind, record) {
            Ok(object) => policy.put(plural, &object),
            Err(failure) => tracing::error!(key = %record.key, error = %failure.status(), "role left out"),
        },
        Event::Delete { previous, .. } => {
            if let Ok(object) = storage::object(kind, previous) {
                policy.remove(plural, meta::object::namespace(&object), meta::object::name(&object));
            }
        }
    }
}
