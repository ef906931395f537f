//! Lists in pieces: what a continue token points at.

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use store::Record;

/// How long the rest of a list is kept for its reader.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// Snapshots and records kept in all; the oldest go first.
const MAX_SNAPSHOTS: usize = 256;
const MAX_RECORDS: usize = 2_000_000;

/// A continue token, opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    /// Revision of the list; 0: whatever is current (an inconsistent continuation).
    #[serde(rename = "rv")]
    pub revision: u64,
    /// The last key already sent.
    #[serde(rename = "start")]
    pub after: String,
}

impl Token {
    pub(crate) fn encode(&self) -> String {
        let json = serde_json::to_vec(self).expect("two plain fields always serialise");
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
    }

    /// `None` when it is not one of ours or not for keys with this prefix.
    pub(crate) fn decode(text: &str, prefix: &str) -> Option<Self> {
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?;
        let token: Self = serde_json::from_slice(&json).ok()?;
        token.after.starts_with(prefix).then_some(token)
    }
}

struct Snapshot {
    prefix: String,
    revision: u64,
    made: Timestamp,
    records: Arc<Vec<Arc<Record>>>,
}

/// Lists whose rest somebody may still ask for.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<VecDeque<Snapshot>>);

impl Snapshots {
    /// Keeps a list for later pieces.
    pub(crate) fn keep(&self, prefix: &str, revision: u64, records: Arc<Vec<Arc<Record>>>, now: Timestamp) {
        let mut kept = self.0.lock();
        forget_old(&mut kept, now);
        if kept.iter().any(|snapshot| snapshot.revision == revision && snapshot.prefix == prefix) {
            return;
        }
        kept.push_back(Snapshot { prefix: prefix.into(), revision, made: now, records });
        let total = |kept: &VecDeque<Snapshot>| -> usize { kept.iter().map(|snapshot| snapshot.records.len()).sum() };
        while 1 < kept.len() && (MAX_SNAPSHOTS < kept.len() || MAX_RECORDS < total(&kept)) {
            kept.pop_front();
        }
    }

    /// Lets go of what nobody may ask for any more: with it go objects that have long been replaced.
    pub(crate) fn forget_old(&self, now: Timestamp) {
        forget_old(&mut self.0.lock(), now);
    }

    /// The list a token points at, if it is still kept.
    pub(crate) fn find(&self, prefix: &str, revision: u64, now: Timestamp) -> Option<Arc<Vec<Arc<Record>>>> {
        let mut kept = self.0.lock();
        forget_old(&mut kept, now);
        kept.iter()
            .find(|snapshot| snapshot.revision == revision && snapshot.prefix == prefix)
            .map(|snapshot| snapshot.records.clone())
    }
}

fn forget_old(kept: &mut VecDeque<Snapshot>, now: Timestamp) {
    kept.retain(|snapshot| now.duration_since(snapshot.made) < LIFETIME);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_for_one_prefix() {
        let token = Token { revision: 7, after: "/batch/jobs/default/a".into() };
        let text = token.encode();
        assert_eq!(Token::decode(&text, "/batch/jobs/default/"), Some(token));
        assert_eq!(Token::decode(&text, "/core/secrets/"), None);
        for bad in ["", "x", "e30", "%%%", "bnVsbA"] {
            assert_eq!(Token::decode(bad, ""), None, "{bad}");
        }
    }

    #[test]
    fn snapshots_live_five_minutes() {
        let snapshots = Snapshots::default();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        snapshots.keep("/a/", 1, Arc::default(), start);
        let after = |seconds| start + SignedDuration::from_secs(seconds);
        assert!(snapshots.find("/a/", 1, after(299)).is_some());
        assert!(snapshots.find("/a/", 2, after(299)).is_none());
        assert!(snapshots.find("/b/", 1, after(299)).is_none());
        assert!(snapshots.find("/a/", 1, after(300)).is_none());
        let records = Arc::new(Vec::new());
        snapshots.keep("/a/", 1, records.clone(), start);
        snapshots.forget_old(after(299));
        assert_eq!(Arc::strong_count(&records), 2);
        snapshots.forget_old(after(300));
        assert_eq!(Arc::strong_count(&records), 1);
    }
}
