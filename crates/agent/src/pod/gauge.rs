//! Looks now and then at what a pod uses of the disk, beside its worker.

use super::storage::{self, Places, Usage};
use super::worker::Worker;
use super::{all_containers, status};
use crate::events::Notice;
use crate::supervisor;
use crate::volumes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::task::{JoinHandle, spawn_blocking};

/// What is known of a pod's use of the disk.
#[derive(Default)]
pub(super) struct Gauge {
    looking: Option<JoinHandle<Usage>>,
    next_at: Option<Timestamp>,
    excess: Option<String>,
}

impl Gauge {
    /// What it uses too much of: once found, that stays.
    pub(super) fn excess(&self) -> Option<&str> {
        self.excess.as_deref()
    }

    /// When to look again; none while somebody is looking, or nobody has to.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.next_at.filter(|_| self.looking.is_none() && self.excess.is_none())
    }

    /// What was found; waits for ever while nobody looks.
    pub(super) async fn read(&mut self) -> Usage {
        let Some(looking) = &mut self.looking else { return std::future::pending().await };
        let found = looking.await;
        self.looking = None;
        found.unwrap_or_else(|error| {
            tracing::error!(%error, "looking at a pod's use of the disk failed in an unexpected way");
            Usage::default()
        })
    }
}

impl Worker {
    /// Begins to look, if it is time and there is a limit.
    pub(super) fn look_at_storage(&mut self, pod: &Pod) {
        let Some(spec) = &pod.spec else { return };
        if self.gauge.looking.is_some() || !storage::is_limited(spec) {
            return;
        }
        let now = self.context.clock.now();
        let at = *self.gauge.next_at.get_or_insert(now);
        if at <= now {
            let places = self.places(pod);
            self.gauge.looking = Some(spawn_blocking(move || storage::measure(&places)));
            self.gauge.next_at = now.checked_add(storage::PERIOD).ok();
        }
    }

    /// Judges what was found; too much is told once.
    pub(super) fn storage_is_known(&mut self, pod: &Pod, usage: &Usage) {
        let Some(message) = pod.spec.as_ref().and_then(|spec| storage::excess(spec, usage)) else { return };
        if self.gauge.excess.is_none() {
            self.tell(Notice::of_pod(pod, status::EVICTED, &message).warning());
            self.gauge.excess = Some(message);
        }
    }

    fn places(&self, pod: &Pod) -> Places {
        let Some(spec) = &pod.spec else { return Places::default() };
        let dir = self.pod_dir(pod);
        let on_disk =
            |volume: &&k8s_openapi::api::core::v1::Volume| volume.empty_dir.as_ref().is_some_and(storage::is_on_disk);
        let volumes = spec.volumes.iter().flatten().filter(on_disk);
        let containers = all_containers(spec).map(|container| {
            let attempt = self.containers.get(&container.name).and_then(|known| known.attempt()).unwrap_or(0);
            let layer = supervisor::written_layer(&dir, &container.name, attempt);
            let logs = self.log_path(pod, &container.name, attempt).parent().map(Into::into);
            (container.name.clone(), [Some(layer), logs].into_iter().flatten().collect())
        });
        Places {
            volumes: volumes.map(|volume| (volume.name.clone(), vec![volumes::directory(&dir, volume)])).collect(),
            containers: containers.collect(),
        }
    }
}
