//! Tells users what happened: Events. `kinds::correlate` decides what becomes an Event; this sends it, beside the work and never
//! in its way. The agent uses it as well.

use crate::engine::apply::{Target, text};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kinds::correlate::{Correlator, Emission, Occurrence, Subject};
use kube::Client;
use meta::clock::Clock;
use serde_json::{Value, json};
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
    let namespace = match occurrence.subject.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    };
    let mut events = Target::of::<Event>(client, namespace);
    if occurrence.component == "default-scheduler" {
        events = events.managed_by(crate::scheduler::MANAGER);
    }
    match emission {
        Emission::Drop => Ok(()),
        Emission::Create { name, message, at } => {
            let body = body(occurrence, namespace, name, message, 1, *at, *at);
            events.create(&body).await.map(drop)
        }
        Emission::Count { name, message, count, first, at } => {
            let patch = match &occurrence.action {
                None => json!({"count": count, "lastTimestamp": Time(*at), "message": message}),
                Some(_) => json!({"series": {"count": count, "lastObservedTime": MicroTime(*at)}, "message": message}),
            };
            let patched = events.merge(name, &patch).await;
            match patched {
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    let body = body(occurrence, namespace, name, message, *count, *first, *at);
                    events.create(&body).await.map(drop)
                }
                other => other.map(drop),
            }
        }
    }
}

fn body(
    occurrence: &Occurrence,
    namespace: &str,
    name: &str,
    message: &str,
    count: i32,
    first: jiff::Timestamp,
    last: jiff::Timestamp,
) -> Value {
    let subject = &occurrence.subject;
    let mut involved =
        json!({"apiVersion": subject.api_version, "kind": subject.kind, "name": subject.name, "uid": subject.uid});
    for (field, value) in [
        ("namespace", &subject.namespace),
        ("resourceVersion", &subject.resource_version),
        ("fieldPath", &subject.field_path),
    ] {
        if !value.is_empty() {
            involved[field] = value.as_str().into();
        }
    }
    let mut body = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved,
        "type": occurrence.severity,
        "reason": occurrence.reason,
        "message": message,
        "reportingComponent": occurrence.component,
        "reportingInstance": occurrence.host,
    });
    match &occurrence.action {
        None => {
            let mut source = json!({"component": occurrence.component});
            if !occurrence.host.is_empty() {
                source["host"] = occurrence.host.as_str().into();
            }
            body["source"] = source;
            body["firstTimestamp"] = json!(Time(first));
            body["lastTimestamp"] = json!(Time(last));
            body["count"] = count.into();
            body["eventTime"] = Value::Null;
        }
        Some(action) => {
            body["eventTime"] = json!(MicroTime(first));
            body["action"] = action.as_str().into();
            body["source"] = json!({});
        }
    }
    body
}
