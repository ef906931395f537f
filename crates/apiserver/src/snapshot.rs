//! Lists in pieces: what a continue token points at.

use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine as _};
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

/// A continue token, opaque to clients; in the form the API server gives it (K:apiserver/pkg/storage/continue.go).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Revision of the list; `None`: whatever is current (an inconsistent continuation).
    pub revision: Option<u64>,
    /// Where to go on: keys from here on have not been sent.
    pub start: String,
}

#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(rename = "v", default)]
    version: String,
    #[serde(rename = "rv", default)]
    revision: i64,
    #[serde(default)]
    start: String,
}

const VERSION: &str = "meta.k8s.io/v1";
const NOT_VALID: &str = "continue key is not valid";

impl Token {
    /// A token for what comes after a key.
    pub(crate) fn after(key: &str, revision: Option<u64>) -> Self {
        Self { revision, start: format!("{key}\0") }
    }

    /// `prefix` is what all keys of the list begin with.
    pub(crate) fn encode(&self, prefix: &str) -> String {
        let written = Written {
            version: VERSION.into(),
            revision: self.revision.map_or(-1, |revision| i64::try_from(revision).unwrap_or(i64::MAX)),
            start: self.start.strip_prefix(prefix).unwrap_or(&self.start).into(),
        };
        let json = serde_json::to_vec(&written).expect("three plain fields always serialise");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// The error is the API server's text.
    pub(crate) fn decode(text: &str, prefix: &str) -> Result<Self, String> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|error| {
            let at = match error {
                DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
                DecodeError::InvalidLength(length) => length,
                DecodeError::InvalidPadding => text.len(),
            };
            format!("{NOT_VALID}: illegal base64 data at input byte {at}")
        })?;
        let written: Written =
            serde_json::from_slice(&json).map_err(|error| match kinds::schema::syntax_error(&json) {
                Some(text) => format!("{NOT_VALID}: {text}"),
                None => format!("{NOT_VALID}: {error}"),
            })?;
        if written.version != VERSION {
            return Err(format!("{NOT_VALID}: server does not recognize this encoded version {}", written.version));
        }
        if written.revision == 0 {
            return Err(format!("{NOT_VALID}: incorrect encoded start resourceVersion (version {VERSION})"));
        }
        if written.start.is_empty() {
            return Err(format!("{NOT_VALID}: encoded start key empty (version {VERSION})"));
        }
        // Nothing outside of the list's own keys can be named.
        let start = written.start.strip_prefix('/').unwrap_or(&written.start);
        let is_clean = start.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_clean {
            return Err(format!("{NOT_VALID}: {}", written.start));
        }
        Ok(Self { revision: u64::try_from(written.revision).ok(), start: format!("{prefix}{start}") })
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
    fn tokens_say_where_to_go_on() {
        let prefix = "/batch/jobs/default/";
        for revision in [Some(7), None] {
            let token = Token::after("/batch/jobs/default/a", revision);
            assert_eq!(Token::decode(&token.encode(prefix), prefix), Ok(token));
        }
        let token = Token::after("/batch/jobs/default/a", Some(7)).encode(prefix);
        let json = URL_SAFE_NO_PAD.decode(token).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), r#"{"v":"meta.k8s.io/v1","rv":7,"start":"a\u0000"}"#);
    }

    #[test]
    fn bad_tokens_are_told_why() {
        let json = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for (token, expect) in [
            ("a%b".to_owned(), ": illegal base64 data at input byte 1"),
            (json("{"), ": unexpected end of JSON input"),
            (json("{}"), ": server does not recognize this encoded version "),
            (json(r#"{"v":"v2"}"#), ": server does not recognize this encoded version v2"),
            (
                json(r#"{"v":"meta.k8s.io/v1","start":"a"}"#),
                ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (json(r#"{"v":"meta.k8s.io/v1","rv":1}"#), ": encoded start key empty (version meta.k8s.io/v1)"),
            (json(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../a"}"#), ": ../a"),
            (json(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"a//b"}"#), ": a//b"),
        ] {
            assert_eq!(Token::decode(&token, "/core/pods/"), Err(format!("{NOT_VALID}{expect}")));
        }
        for bad in ["", "x", "bnVsbA", "W10"] {
            assert!(Token::decode(bad, "").is_err(), "{bad}");
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
