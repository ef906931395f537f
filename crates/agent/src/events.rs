//! Tells users what happens to their pods, and to the volumes that are made here: core/v1 Events. Telling never delays a pod: a task of its own
//! posts what the workers hand it, and drops what it cannot keep up with.

use crate::pod::{name, namespace, uid};
use crate::writes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Api;
use kube::api::Patch;
use meta::object;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::sync::mpsc;

/// Events waiting to be posted; further ones are dropped.
const QUEUE: usize = 4096;
/// Events remembered, so that another one alike only raises a count.
const REMEMBERED: usize = 4096;
/// Events posted at once.
const AT_ONCE: usize = 32;

/// Who tells of pods.
const KUBELET: &str = "kubelet";

/// Something that happened to a pod or one of its containers, or to a claim or a volume.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Notice {
    component: &'static str,
    object: Subject,
    is_warning: bool,
    reason: &'static str,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subject {
    kind: &'static str,
    namespace: String,
    name: String,
    uid: String,
    field_path: Option<String>,
}

impl Notice {
    /// About a whole pod.
    pub(crate) fn of_pod(pod: &Pod, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            component: KUBELET,
            object: Subject {
                kind: "Pod",
                namespace: namespace(pod).to_owned(),
                name: name(pod).to_owned(),
                uid: uid(pod).to_owned(),
                field_path: None,
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
                kind,
                namespace: object::namespace(object).to_owned(),
                name: object::name(object).to_owned(),
                uid: object::uid(object).to_owned(),
                field_path: None,
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
        notice.object.field_path = Some(format!("spec.{list}{{{container}}}"));
        notice
    }

    /// Where its event lives: what is in no namespace has its events in `default`.
    fn namespace(&self) -> &str {
        match self.object.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        }
    }

    /// Something is wrong.
    pub(crate) fn warning(mut self) -> Self {
        self.is_warning = true;
        self
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
    posted: HashMap<Notice, Posted>,
    newest_number: i128,
}

/// An event that stands on the API server.
#[derive(Clone)]
struct Posted {
    name: String,
    count: i32,
}

/// A recorder and the task behind it.
pub(crate) fn channel(client: kube::Client, node_name: String) -> (Recorder, Poster) {
    let (sender, notices) = mpsc::channel(QUEUE);
    let poster = Poster { notices, client, node_name, posted: HashMap::new(), newest_number: 0 };
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
            if REMEMBERED < self.posted.len() {
                self.posted.clear();
            }
            let mut latest: HashMap<Notice, (i32, Timestamp, Timestamp)> = HashMap::new();
            let mut order = vec![];
            for (at, notice) in batch.drain(..) {
                let entry = latest.entry(notice.clone()).or_insert_with(|| {
                    order.push(notice);
                    (0, at, at)
                });
                entry.0 += 1;
                entry.2 = at;
            }
            let posts: Vec<_> = order
                .into_iter()
                .filter_map(|notice| {
                    let (times, first, last) = *latest.get(&notice)?;
                    let earlier = self.posted.get(&notice).cloned();
                    let number = self.number(last);
                    Some((notice, earlier, number, times, first, last))
                })
                .collect();
            let this = &self;
            let done = futures::future::join_all(posts.into_iter().map(
                |(notice, earlier, number, times, first, last)| async move {
                    let posted = this.post(&notice, earlier, number, times, first, last).await;
                    (notice, posted)
                },
            ))
            .await;
            for (notice, posted) in done {
                match posted {
                    Ok(posted) => {
                        self.posted.insert(notice, posted);
                    }
                    // An event is a courtesy: a pod whose namespace is going away loses its last ones.
                    Err(error) => tracing::debug!(%error, reason = notice.reason, "could not post an event"),
                }
            }
        }
    }

    async fn post(
        &self,
        notice: &Notice,
        earlier: Option<Posted>,
        number: i128,
        times: i32,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<Posted, kube::Error> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), notice.namespace());
        if let Some(earlier) = earlier {
            let count = earlier.count.saturating_add(times);
            let patch = json!({"count": count, "lastTimestamp": Time(last)});
            let patched = api.patch(&earlier.name, &writes::patch(), &Patch::Merge(&patch)).await;
            match patched {
                Ok(_) => return Ok(Posted { name: earlier.name, count }),
                // It has outlived its hour: a new one takes its place.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error),
            }
        }
        let mut number = number;
        loop {
            let name = format!("{}.{number:x}", notice.object.name);
            let event = event(notice, &name, times, first, last, &self.node_name);
            match api.create(&writes::post(), &event).await {
                Ok(_) => return Ok(Posted { name, count: times }),
                // Somebody else told of this object in the same nanosecond, as happens where the clock stands still.
                Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => number += 1_000_000,
                Err(error) => return Err(error),
            }
        }
    }

    /// What an event's name ends in: the nanosecond, in hexadecimal; unique even where the clock stands still.
    fn number(&mut self, at: Timestamp) -> i128 {
        self.newest_number = at.as_nanosecond().max(self.newest_number + 1);
        self.newest_number
    }
}

fn event(notice: &Notice, name: &str, count: i32, first: Timestamp, last: Timestamp, node_name: &str) -> Event {
    let object = &notice.object;
    Event {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(notice.namespace().to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".into()),
            kind: Some(object.kind.into()),
            namespace: Some(object.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: Some(object.name.clone()),
            uid: Some(object.uid.clone()),
            field_path: object.field_path.clone(),
            resource_version: None,
        },
        type_: Some(if notice.is_warning { "Warning" } else { "Normal" }.into()),
        reason: Some(notice.reason.to_owned()),
        message: Some(notice.message.clone()),
        count: Some(count),
        first_timestamp: Some(Time(first)),
        last_timestamp: Some(Time(last)),
        source: Some(EventSource { component: Some(notice.component.into()), host: Some(node_name.to_owned()) }),
        reporting_component: Some(notice.component.into()),
        reporting_instance: Some(node_name.to_owned()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_name_the_container_they_are_about() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
            "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}]}}))
        .unwrap();
        let path = |container| Notice::of_container(&pod, container, "Started", "").object.field_path;
        assert_eq!(path("a").as_deref(), Some("spec.containers{a}"));
        assert_eq!(path("i").as_deref(), Some("spec.initContainers{i}"));
        let notice = Notice::of_pod(&pod, "FailedMount", "no").warning();
        let at = Timestamp::UNIX_EPOCH;
        let event = serde_json::to_value(event(&notice, "p.1", 2, at, at, "node")).unwrap();
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["count"], 2);
        assert_eq!(event["source"], json!({"component": "kubelet", "host": "node"}));
        assert_eq!(event["involvedObject"]["uid"], "u");
    }
}
