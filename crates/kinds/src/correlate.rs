//! Decides what becomes of something worth an event: a new Event, a higher count on an old one, or nothing.
//!
//! ```text
//! occurrence ─▶ ten alike but for their text? ─▶ seen before? ─▶ too many about this object? ─▶ Create · Count · Drop
//! ```
//! So that a Job with a thousand pods leaves a dozen events and not a thousand (K:client-go/tools/record/events_cache.go).

mod wire;

pub use wire::{count_patch, new_event};

use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};

/// Texts after which events alike but for their text are combined, …
const MAX_ALIKE: usize = 10;
/// … unless none came for this long.
const ALIKE_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Events about one object from one source before the bucket is empty; …
const BUCKET_SIZE: f64 = 25.0;
/// … it gets one back every so many seconds.
const BUCKET_REFILL_SECONDS: f64 = 300.0;
/// Entries remembered before the oldest half is forgotten.
const MAX_REMEMBERED: usize = 4096;

/// The object an event is about: `involvedObject`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Its apiVersion: `batch/v1`.
    pub api_version: String,
    /// Its kind: `Job`.
    pub kind: String,
    /// Empty for objects without one; their events live in `default`.
    pub namespace: String,
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
    /// What the teller had seen of it.
    pub resource_version: String,
    /// `spec.containers{NAME}` for a container's events, else empty.
    pub field_path: String,
}

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Occurrence {
    /// What it happened to.
    pub subject: Subject,
    /// Who tells: `job-controller`, `kubelet`, …
    pub component: String,
    /// Node of the component, else empty.
    pub host: String,
    /// `Normal` or `Warning`.
    pub severity: String,
    /// In one CamelCase word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// `None`: a core event with firstTimestamp and count. `Some(ACTION)`: one in the style of events.k8s.io, with eventTime,
    /// reportingController and this action.
    pub action: Option<String>,
}

/// What to send to the server.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub enum Emission {
    /// A new Event of this name.
    Create {
        /// metadata.name
        name: String,
        /// What it says.
        message: String,
        /// When it happened.
        at: Timestamp,
    },
    /// The Event of this name happened again. If it is gone, it is created with this count.
    Count {
        /// metadata.name
        name: String,
        /// What it says now.
        message: String,
        /// How often it happened, this time included.
        count: i32,
        /// When it first happened.
        first: Timestamp,
        /// When it happened this time.
        at: Timestamp,
    },
    /// Too many about this object.
    Drop,
}

impl Emission {
    /// The name of the Event that is to be written; `None`: none is.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Create { name, .. } | Self::Count { name, .. } => Some(name),
            Self::Drop => None,
        }
    }
}

/// What has to be remembered about events already told. Losing it costs a few more events.
#[derive(Debug, Default)]
pub struct Correlator {
    alike: HashMap<Occurrence, Alike>,
    told: HashMap<Occurrence, Told>,
    buckets: HashMap<(Subject, String, String), Bucket>,
    last_name: i128,
    apart: i128,
}

#[derive(Debug)]
struct Alike {
    messages: HashSet<String>,
    last: Timestamp,
}

#[derive(Debug, Clone)]
struct Told {
    name: String,
    count: i32,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

impl Correlator {
    /// One whose names lie so many nanoseconds apart from the instants: two that tell of the same objects, in different
    /// processes, must not take the same name where a clock stands still.
    pub fn apart(nanoseconds: u32) -> Self {
        Self { apart: nanoseconds.into(), ..Self::default() }
    }

    /// Takes in one occurrence.
    pub fn observe(&mut self, occurrence: &Occurrence, now: Timestamp) -> Emission {
        self.forget_old();
        // The subject's version differs from event to event and says nothing about likeness.
        let mut exact = occurrence.clone();
        exact.subject.resource_version.clear();
        // The containers of a pod are alike, and share its bucket: neither key has the field path.
        let mut family = exact.clone();
        family.message.clear();
        family.subject.field_path.clear();
        let source = (family.subject.clone(), exact.component.clone(), exact.host.clone());

        let alike = self.alike.entry(family.clone()).or_insert_with(|| Alike { messages: HashSet::new(), last: now });
        if ALIKE_WINDOW < now.duration_since(alike.last) {
            alike.messages.clear();
        }
        alike.last = now;
        let combined = MAX_ALIKE <= alike.messages.len() + usize::from(!alike.messages.contains(&exact.message));
        if !combined {
            alike.messages.insert(exact.message.clone());
        }
        let (key, message) = match combined {
            false => (exact.clone(), exact.message.clone()),
            true => (family, format!("(combined from similar events): {}", exact.message)),
        };

        let emission = match self.told.get_mut(&key) {
            Some(told) => {
                told.count = told.count.saturating_add(1);
                told.last = now;
                let Told { name, count, first, .. } = told.clone();
                Emission::Count { name, message, count, first, at: now }
            }
            None => {
                let name = self.new_name(&occurrence.subject.name, now);
                self.told.insert(key, Told { name: name.clone(), count: 1, first: now, last: now });
                Emission::Create { name, message, at: now }
            }
        };
        match self.take_token(source, now) {
            true => emission,
            false => Emission::Drop,
        }
    }

    /// `OBJ.<hex unixnano>`; two in one nanosecond still differ.
    fn new_name(&mut self, object: &str, now: Timestamp) -> String {
        self.last_name = (now.as_nanosecond() + self.apart).max(self.last_name + 1);
        format!("{object}.{:x}", self.last_name)
    }

    fn take_token(&mut self, source: (Subject, String, String), now: Timestamp) -> bool {
        let bucket = self.buckets.entry(source).or_insert(Bucket { tokens: BUCKET_SIZE, filled: now });
        let seconds = now.duration_since(bucket.filled).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + seconds / BUCKET_REFILL_SECONDS).min(BUCKET_SIZE);
        bucket.filled = now;
        let has_token = 1.0 <= bucket.tokens;
        if has_token {
            bucket.tokens -= 1.0;
        }
        has_token
    }

    fn forget_old(&mut self) {
        forget_older_half(&mut self.alike, |alike| alike.last);
        forget_older_half(&mut self.told, |told| told.last);
        forget_older_half(&mut self.buckets, |bucket| bucket.filled);
    }
}

fn forget_older_half<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, age: impl Fn(&V) -> Timestamp) {
    if map.len() < MAX_REMEMBERED {
        return;
    }
    let mut ages: Vec<Timestamp> = map.values().map(&age).collect();
    let (_, middle, _) = ages.select_nth_unstable(MAX_REMEMBERED / 2);
    let middle = *middle;
    map.retain(|_, value| middle < age(value));
}

#[cfg(test)]
mod tests;
