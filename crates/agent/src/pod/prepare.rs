//! Makes what a pod's containers share: directories, sandbox, volumes.

use super::known::{Blocked, Obstacle};
use super::plan::Preparation;
use super::worker::Worker;
use super::{files, name, namespace, resources, sources, uid};
use crate::events::Notice;
use crate::runtime::{RuntimeError, Sandbox};
use crate::volumes;
use k8s_openapi::api::core::v1::{Pod, PodSpec};

/// Why it did not work, and the event that says so.
struct Setback {
    reason: &'static str,
    message: String,
}

impl Worker {
    /// Tries once; a failure is told and tried again later.
    pub(super) async fn prepare(&mut self, pod: &Pod) {
        let Some(spec) = &pod.spec else { return };
        let Err(setback) = self.try_prepare(pod, spec).await else {
            self.preparation = Preparation::Ready;
            return;
        };
        self.tell(Notice::of_pod(pod, setback.reason, &setback.message).warning());
        let earlier = match &self.preparation {
            Preparation::Blocked(earlier) => Some(earlier),
            Preparation::NotYet | Preparation::Ready => None,
        };
        let obstacle = Obstacle::Other { reason: setback.reason.into(), message: setback.message };
        let now = self.context.clock.now();
        self.preparation = Preparation::Blocked(Blocked::again(earlier, obstacle, now));
    }

    async fn try_prepare(&mut self, pod: &Pod, spec: &PodSpec) -> Result<(), Setback> {
        let failed_mount = |message: String| Setback { reason: "FailedMount", message };
        let needs = volumes::needs(name(pod), spec);
        let sources = sources::fetch(&self.context.client, namespace(pod), &needs)
            .await
            .map_err(|error| failed_mount(error.to_string()))?;
        let mounts = volumes::claim::mounts(pod, &sources, volumes::claim::Moment::Before)
            .map_err(|error| failed_mount(error.to_string()))?;
        let contents = volumes::contents(spec, &sources, &mounts).map_err(|error| failed_mount(error.to_string()))?;

        let context = self.context.clone();
        let _slot = context.starts.acquire().await;
        let dir = self.pod_dir(pod);
        let hostname = self.hostname(pod, spec);
        files::write(&dir, &hostname, spec).map_err(|error| sandbox_failed(error.to_string()))?;
        if self.sandbox.is_none() {
            let sandbox = Sandbox {
                pod_uid: uid(pod).to_owned(),
                namespace: namespace(pod).to_owned(),
                pod_name: name(pod).to_owned(),
                hostname,
                host_network: spec.host_network == Some(true),
                tmpfs: volumes::tmpfs(&dir, spec),
                dir: dir.clone(),
                resources: resources::of_pod(spec),
                dies_with_server: context.pods_die_with_server,
            };
            let created = context.runtime.create(sandbox).await;
            self.sandbox = Some(created.map_err(|error| match error {
                RuntimeError::Sandbox(message) => sandbox_failed(message),
                other => sandbox_failed(other.to_string()),
            })?);
        }
        if contents.is_empty() {
            return Ok(());
        }
        let Some(sandbox) = &self.sandbox else {
            return Ok(());
        };
        let version = context.clock.now().as_nanosecond().to_string();
        volumes::set_up(&sandbox.root(), &dir, spec, &contents, &version)
            .map_err(|error| failed_mount(error.to_string()))
    }

    /// What the pod's containers see as their host name.
    pub(super) fn hostname(&self, pod: &Pod, spec: &PodSpec) -> String {
        if spec.host_network == Some(true) {
            return self.context.machine.hostname.clone();
        }
        files::hostname(name(pod), spec)
    }
}

fn sandbox_failed(message: String) -> Setback {
    Setback { reason: "FailedCreatePodSandBox", message: format!("Failed to create pod sandbox: {message}") }
}
