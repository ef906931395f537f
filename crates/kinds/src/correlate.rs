//! Decides what becomes of something worth an event: a new Event, a higher count on an old one, or nothing.
//!
//! ```text
//! occurrence ─▶ ten alike but for their text? ─▶ seen before? ─▶ too many about this object? ─▶ Create · Count · Drop
//! ```
//! So that a Job with a thousand pods leaves a dozen events and not a thousand (K:client-go/tools/record/events_cache.go).

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

/// What has to be remembered about events already told. Losing it costs a few more events.
#[derive(Debug, Default)]
pub struct Correlator {
    alike: HashMap<Occurrence, Alike>,
    told: HashMap<Occurrence, Told>,
    buckets: HashMap<(Subject, String, String), Bucket>,
    last_name: i128,
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
    /// Takes in one occurrence.
    pub fn observe(&mut self, occurrence: &Occurrence, now: Timestamp) -> Emission {
        self.forget_old();
        // The subject's version differs from event to event and says nothing about likeness.
        let mut exact = occurrence.clone();
        exact.subject.resource_version.clear();
        let source = (exact.subject.clone(), exact.component.clone(), exact.host.clone());
        let mut family = exact.clone();
        family.message.clear();

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
        self.last_name = now.as_nanosecond().max(self.last_name + 1);
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
mod tests {
    use super::*;

    fn occurrence(message: &str) -> Occurrence {
        Occurrence {
            subject: Subject { name: "j".into(), ..Default::default() },
            component: "job-controller".into(),
            host: String::new(),
            severity: "Normal".into(),
            reason: "SuccessfulCreate".into(),
            message: message.into(),
            action: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn shown(emission: &Emission) -> String {
        match emission {
            Emission::Create { name, message, .. } => format!("{name} {message}"),
            Emission::Count { message, count, .. } => format!("{message} x{count}"),
            Emission::Drop => "drop".into(),
        }
    }

    #[test]
    fn the_same_again_is_counted() {
        let mut correlator = Correlator::default();
        let first = correlator.observe(&occurrence("a"), at(1));
        assert_eq!(shown(&first), "j.3b9aca00 a");
        assert_eq!(
            shown(&correlator.observe(&occurrence("b"), at(1))),
            "j.3b9aca01 b",
            "names differ within a nanosecond"
        );
        let mut newer = occurrence("a");
        newer.subject.resource_version = "7".into();
        let Emission::Count { name, count, first, at: last, .. } = correlator.observe(&newer, at(5)) else {
            panic!("counts")
        };
        assert_eq!((name.as_str(), count, first, last), ("j.3b9aca00", 2, at(1), at(5)));
    }

    #[test]
    fn the_tenth_alike_is_combined() {
        let mut correlator = Correlator::default();
        for i in 0..9 {
            assert!(matches!(correlator.observe(&occurrence(&format!("pod {i}")), at(1)), Emission::Create { .. }));
        }
        let tenth = correlator.observe(&occurrence("pod 9"), at(1));
        assert!(shown(&tenth).ends_with(" (combined from similar events): pod 9"));
        assert_eq!(
            shown(&correlator.observe(&occurrence("pod 10"), at(2))),
            "(combined from similar events): pod 10 x2"
        );
        assert_eq!(shown(&correlator.observe(&occurrence("pod 3"), at(2))), "pod 3 x2", "known texts keep their event");
        assert!(
            matches!(correlator.observe(&occurrence("pod 11"), at(603)), Emission::Create { .. }),
            "after ten quiet minutes"
        );
    }

    #[test]
    fn an_object_gets_25_events_and_one_every_five_minutes() {
        let mut correlator = Correlator::default();
        let told =
            |correlator: &mut Correlator, second| correlator.observe(&occurrence("a"), at(second)) != Emission::Drop;
        assert!((0..25).all(|_| told(&mut correlator, 1)));
        assert!(!told(&mut correlator, 1));
        assert!(!told(&mut correlator, 300));
        assert!(told(&mut correlator, 302));
        assert!(!told(&mut correlator, 303));
    }

    #[test]
    fn memory_is_bounded() {
        let mut correlator = Correlator::default();
        for i in 0..10_000 {
            let mut about = occurrence("a");
            about.subject.name = format!("j{i}");
            let _ = correlator.observe(&about, at(i));
        }
        assert!(correlator.told.len() <= MAX_REMEMBERED && correlator.buckets.len() <= MAX_REMEMBERED);
    }
}
