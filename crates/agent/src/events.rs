//! Tells users what happens to their pods, and to the volumes that are made here: core/v1 Events. `kinds::correlate` decides
//! what becomes one. Telling never delays a pod: a task of its own posts what the workers hand it, and drops what it cannot
//! keep up with.

use crate::pod::{name, namespace, uid};
use crate::writes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};
use kinds::correlate::{Correlator, Emission, Occurrence, Subject, count_patch, new_event};
use kube::Api;
use kube::api::Patch;
use meta::object;
use serde_json::Value;
use tokio::sync::mpsc;

/// Events waiting to be posted; further ones are dropped.
const QUEUE: usize = 4096;
/// Events posted at once.
const AT_ONCE: usize = 32;

/// The scheduler tells of the same pods: names of events lie apart from its own even where the clock stands still.
const APART_NANOSECONDS: u32 = 1_000_000;

/// Who tells of pods.
const KUBELET: &str = "kubelet";

/// Something that happened to a pod or one of its containers, or to a claim or a volume.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    component: &'static str,
    object: Subject,
    is_warning: bool,
    reason: &'static str,
    message: String,
}

impl Notice {
    /// About a whole pod.
    pub(crate) fn of_pod(pod: &Pod, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            component: KUBELET,
            object: Subject {
                api_version: "v1".into(),
                kind: "Pod".into(),
                namespace: namespace(pod).to_owned(),
                name: name(pod).to_owned(),
                uid: uid(pod).to_owned(),
                ..Subject::default()
            },
            is_warning: false,
            reason,
            message: message.into(),
        }
    }

    /// About a claim or a volume, as JSON; its provisioner tells.
    pub(crate) fn of_volume(
        component: &'static str,
        kind: &'static str,
        object: &Value,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            component,
            object: Subject {
                api_version: "v1".into(),
                kind: kind.into(),
                namespace: object::namespace(object).to_owned(),
                name: object::name(object).to_owned(),
                uid: object::uid(object).to_owned(),
                ..Subject::default()
            },
            is_warning: false,
            reason,
            message: message.into(),
        }
    }

    /// About one of its containers.
    pub(crate) fn of_container(pod: &Pod, container: &str, reason: &'static str, message: impl Into<String>) -> Self {
        let mut notice = Self::of_pod(pod, reason, message);
        let spec = pod.spec.as_ref();
        let is_init = spec.is_some_and(|spec| {
            let mut inits = spec.init_containers.iter().flatten();
            inits.any(|init| init.name == container)
        });
        let list = if is_init { "initContainers" } else { "containers" };
        notice.object.field_path = format!("spec.{list}{{{container}}}");
        notice
    }

    /// Something is wrong.
    pub(crate) fn warning(mut self) -> Self {
        self.is_warning = true;
        self
    }

    fn told_on(self, node_name: &str) -> Occurrence {
        Occurrence {
            subject: self.object,
            component: self.component.into(),
            host: node_name.into(),
            severity: if self.is_warning { "Warning" } else { "Normal" }.into(),
            reason: self.reason.into(),
            message: self.message,
            action: None,
        }
    }
}

/// Takes notices.
#[derive(Clone)]
pub(crate) struct Recorder(mpsc::Sender<(Timestamp, Notice)>);

/// Posts them.
pub(crate) struct Poster {
    notices: mpsc::Receiver<(Timestamp, Notice)>,
    client: kube::Client,
    node_name: String,
    correlator: Correlator,
}

/// A recorder and the task behind it.
pub(crate) fn channel(client: kube::Client, node_name: String) -> (Recorder, Poster) {
    let (sender, notices) = mpsc::channel(QUEUE);
    let poster = Poster { notices, client, node_name, correlator: Correlator::apart(APART_NANOSECONDS) };
    (Recorder(sender), poster)
}

impl Recorder {
    /// Hands a notice over; never waits.
    pub(crate) fn tell(&self, now: Timestamp, notice: Notice) {
        if self.0.try_send((now, notice)).is_err() {
            tracing::debug!("dropped an event: too many are waiting");
        }
    }
}

impl Poster {
    /// Posts until every recorder is gone.
    pub(crate) async fn run(mut self) {
        let mut batch = vec![];
        while 0 < self.notices.recv_many(&mut batch, AT_ONCE).await {
            // Writes to one event keep their order.
            let mut events: Vec<Vec<(Occurrence, Emission)>> = vec![];
            for (at, notice) in batch.drain(..) {
                let occurrence = notice.told_on(&self.node_name);
                let emission = self.correlator.observe(&occurrence, at);
                let Some(name) = emission.name() else { continue };
                match events.iter_mut().find(|writes| writes[0].1.name() == Some(name)) {
                    Some(writes) => writes.push((occurrence, emission)),
                    None => events.push(vec![(occurrence, emission)]),
                }
            }
            let this = &self;
            let posts = events.iter().map(|writes| async move {
                for (occurrence, emission) in needed(writes) {
                    // An event is a courtesy: a pod whose namespace is going away loses its last ones.
                    if let Err(error) = this.post(occurrence, emission).await {
                        tracing::debug!(%error, reason = occurrence.reason, "could not post an event");
                    }
                }
            });
            futures::future::join_all(posts).await;
        }
    }

    async fn post(&self, occurrence: &Occurrence, emission: &Emission) -> Result<(), kube::Error> {
        let (Some(name), Some(event)) = (emission.name(), new_event(occurrence, emission)) else { return Ok(()) };
        let api: Api<Event> = Api::namespaced(self.client.clone(), object::namespace(&event));
        if let Some(patch) = count_patch(occurrence, emission) {
            match api.patch(name, &writes::patch(), &Patch::Merge(&patch)).await {
                // It has outlived its hour: a new one takes its place.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                counted => return counted.map(drop),
            }
        }
        let event: Event = serde_json::from_value(event).map_err(kube::Error::SerdeError)?;
        api.create(&writes::post(), &event).await.map(drop)
    }
}

/// Of the writes to one event, its creation and the newest count, which says all that those before it say.
fn needed(writes: &[(Occurrence, Emission)]) -> impl Iterator<Item = &(Occurrence, Emission)> {
    let newest = writes.len() - 1;
    let is_needed = move |(position, (_, emission)): &(usize, &(Occurrence, Emission))| {
        matches!(emission, Emission::Create { .. }) || *position == newest
    };
    writes.iter().enumerate().filter(is_needed).map(|(_, write)| write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
            "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}]}}))
        .unwrap()
    }

    #[test]
    fn events_name_the_container_they_are_about() {
        let path = |container| Notice::of_container(&pod(), container, "Started", "").object.field_path;
        assert_eq!(path("a"), "spec.containers{a}");
        assert_eq!(path("i"), "spec.initContainers{i}");
        let occurrence = Notice::of_pod(&pod(), "FailedMount", "no").warning().told_on("node");
        let told = [&occurrence.severity, &occurrence.component, &occurrence.host, &occurrence.subject.uid];
        assert_eq!(told, ["Warning", "kubelet", "node", "u"]);
    }

    #[test]
    fn what_repeats_is_written_once_as_often_as_it_waits() {
        let mut correlator = Correlator::default();
        let writes: Vec<(Occurrence, Emission)> = (0..5)
            .map(|second| {
                let occurrence = Notice::of_pod(&pod(), "BackOff", "text").told_on("node");
                let emission = correlator.observe(&occurrence, Timestamp::from_second(second).unwrap());
                (occurrence, emission)
            })
            .collect();
        let counts = |writes: &[(Occurrence, Emission)]| -> Vec<Value> {
            let events = needed(writes).filter_map(|(occurrence, emission)| new_event(occurrence, emission));
            events.map(|event| event["count"].clone()).collect()
        };
        assert_eq!(counts(&writes), [1, 5]);
        assert_eq!(counts(&writes[1..4]), [4]);
        assert_eq!(counts(&writes[..1]), [1]);
    }
}
