//! What readers get: records, snapshots of many, and events about them.

use bytes::Bytes;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// A stored value. Shared, never copied.
#[derive(Debug)]
pub struct Record {
    /// Where the value is.
    pub key: Arc<str>,
    /// The object's JSON without metadata.resourceVersion.
    pub value: Bytes,
    /// Revision of the write that created the key.
    pub create_revision: u64,
    /// Revision of this write.
    pub revision: u64,
    /// Whatever the reader wants to remember of `value` (extracted labels); filled at most once.
    pub note: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// What happened to a key.
#[derive(Debug, Clone)]
pub enum Event {
    /// The key was created (`previous` is `None`) or replaced.
    Put {
        /// The record from now on.
        record: Arc<Record>,
        /// The record until now.
        previous: Option<Arc<Record>>,
    },
    /// `previous` is the last record; `revision` is the deletion's.
    Delete {
        /// The record until now.
        previous: Arc<Record>,
        /// Revision of the deletion.
        revision: u64,
    },
}

impl Event {
    /// The key it happened to.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::Put { record, .. } => &record.key,
            Self::Delete { previous, .. } => &previous.key,
        }
    }

    /// Revision of the write that did it.
    pub fn revision(&self) -> u64 {
        match self {
            Self::Put { record, .. } => record.revision,
            Self::Delete { revision, .. } => *revision,
        }
    }

    /// The record that this event replaced or deleted.
    pub fn previous(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Put { previous, .. } => previous.as_ref(),
            Self::Delete { previous, .. } => Some(previous),
        }
    }
}

/// A snapshot of part of the keys.
#[derive(Debug)]
pub struct Range {
    /// In the order of their keys.
    pub records: Vec<Arc<Record>>,
    /// Revision the snapshot is of.
    pub revision: u64,
}

/// The part of a key (or of a prefix of keys) that names its resource: `/core/pods/` of `/core/pods/default/a`.
/// A key of another shape is a resource of its own.
pub(crate) fn resource_of(key: &str) -> &str {
    let third_slash = key.match_indices('/').nth(2);
    third_slash.map_or(key, |(position, _)| &key[..=position])
}

#[cfg(test)]
mod tests {
    use super::resource_of;

    #[test]
    fn a_resource_is_the_first_two_segments() {
        for (key, resource) in [
            ("/core/pods/default/a", "/core/pods/"),
            ("/core/namespaces//default", "/core/namespaces/"),
            ("/batch/jobs/", "/batch/jobs/"),
            ("/batch/jobs", "/batch/jobs"),
            ("odd", "odd"),
            ("", ""),
        ] {
            assert_eq!(resource_of(key), resource, "{key}");
        }
    }
}
