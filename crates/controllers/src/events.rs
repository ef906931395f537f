//! Tells users what happened: Events. `kinds::correlate` decides what becomes an Event; this sends it, beside the work and never
//! in its way.

use crate::engine::apply::{Target, text};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Event;
use kinds::correlate::{Correlator, Emission, Occurrence, Subject, count_patch, new_event};
use kube::Client;
use meta::clock::Clock;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::debug;

/// Events are sent in so many lanes; those about one object keep their order.
const LANES: usize = 4;
/// Occurrences that wait in a lane; more are dropped, as events must not fill the memory.
const LANE_LENGTH: usize = 2_000;
/// Attempts when the server does not answer at all.
const ATTEMPTS: u32 = 3;

/// A handle to tell events. Clones share the lanes.
#[derive(Clone)]
pub struct Recorder(Arc<[mpsc::Sender<Occurrence>]>);

impl Recorder {
    /// A recorder and what runs it, until the last handle is dropped.
    pub fn new(client: Client, clock: Arc<dyn Clock>) -> (Self, impl Future<Output = ()> + use<>) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..LANES).map(|_| mpsc::channel(LANE_LENGTH)).unzip();
        let lanes = receivers.into_iter().map(move |lane| run_lane(lane, client.clone(), clock.clone()));
        let lanes: Vec<_> = lanes.collect();
        (Self(senders.into()), async { drop(join_all(lanes).await) })
    }

    /// Tells of something. Returns at once.
    pub fn tell(&self, occurrence: Occurrence) {
        // Seeded the same in every process, so that simulations repeat.
        let mut hasher = DefaultHasher::new();
        occurrence.subject.uid.hash(&mut hasher);
        let lane = hasher.finish() as usize % self.0.len();
        if let Err(error) = self.0[lane].try_send(occurrence) {
            debug!(%error, "event dropped");
        }
    }
}

/// Fills in an occurrence: who tells, of what.
#[derive(Debug, Clone)]
pub struct About {
    component: String,
    host: String,
    subject: Subject,
    action: Option<String>,
}

impl About {
    /// `component` tells; `host` is its node, if it belongs to one.
    pub fn new(component: &str, host: &str) -> Self {
        Self { component: component.into(), host: host.into(), subject: Subject::default(), action: None }
    }
    /// What it is about.
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }
    /// In the style of events.k8s.io, with this action.
    pub fn action(mut self, action: &str) -> Self {
        self.action = Some(action.into());
        self
    }
    /// A Normal event.
    pub fn normal(self, reason: &str, message: impl Into<String>) -> Occurrence {
        self.occurrence("Normal", reason, message.into())
    }
    /// A Warning.
    pub fn warning(self, reason: &str, message: impl Into<String>) -> Occurrence {
        self.occurrence("Warning", reason, message.into())
    }
    fn occurrence(self, severity: &str, reason: &str, message: String) -> Occurrence {
        Occurrence {
            subject: self.subject,
            component: self.component,
            host: self.host,
            severity: severity.into(),
            reason: reason.into(),
            message,
            action: self.action,
        }
    }
}

async fn run_lane(mut lane: mpsc::Receiver<Occurrence>, client: Client, clock: Arc<dyn Clock>) {
    let mut correlator = Correlator::default();
    while let Some(occurrence) = lane.recv().await {
        let emission = correlator.observe(&occurrence, clock.now());
        for attempt in 1..=ATTEMPTS {
            match send(&client, &occurrence, &emission).await {
                Ok(()) => break,
                // The server's own refusals (the namespace is going away) will not change.
                Err(error @ kube::Error::Api(_)) => {
                    debug!(reason = occurrence.reason, error = text(&error), "event refused");
                    break;
                }
                Err(error) => {
                    debug!(reason = occurrence.reason, %error, attempt, "event not sent");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

async fn send(client: &Client, occurrence: &Occurrence, emission: &Emission) -> kube::Result<()> {
    let (Some(name), Some(event)) = (emission.name(), new_event(occurrence, emission)) else { return Ok(()) };
    let mut events = Target::of::<Event>(client, meta::object::namespace(&event));
    if occurrence.component == "default-scheduler" {
        events = events.managed_by(crate::scheduler::MANAGER);
    }
    if let Some(patch) = count_patch(occurrence, emission) {
        match events.merge(name, &patch).await {
            // It has outlived its hour.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            counted => return counted.map(drop),
        }
    }
    events.create(&event).await.map(drop)
}
