//! Makes what a pod's containers share: directories, sandbox, volumes.

use super::known::{Blocked, Obstacle};
use super::plan::Preparation;
use super::worker::Worker;
use super::{files, name, namespace, resources, sources, uid};
use crate::events::Notice;
use crate::network::Connected;
use crate::runtime::{PodSandbox, RuntimeError, Sandbox};
use crate::volumes;
use crate::volumes::downward::Subject;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

/// How long after a failure tokens are tried to be renewed again.
const REFRESH_RETRY: SignedDuration = SignedDuration::from_secs(60);

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
        let mut sources = sources::fetch(&self.context.client, namespace(pod), &needs)
            .await
            .map_err(|error| failed_mount(error.to_string()))?;
        let tokens = sources::fetch_tokens(&self.context.client, pod, &needs.tokens, self.context.clock.now()).await;
        sources.tokens = tokens.map_err(|error| failed_mount(token_problem(&error)))?;
        let mounts = volumes::claim::mounts(pod, &sources, volumes::claim::Moment::Before)
            .map_err(|error| failed_mount(error.to_string()))?;
        let contents = volumes::contents(spec, &sources, &mounts, self.subject(pod))
            .map_err(|error| failed_mount(error.to_string()))?;

        let context = self.context.clone();
        let _slot = context.starts.acquire().await;
        let dir = self.pod_dir(pod);
        let hostname = self.hostname(pod, spec);
        if self.sandbox.is_none() {
            let (address, host_network, network) = self.connect(pod, spec).await?;
            let sandbox = Sandbox {
                pod_uid: uid(pod).to_owned(),
                namespace: namespace(pod).to_owned(),
                pod_name: name(pod).to_owned(),
                hostname: hostname.clone(),
                host_network,
                address,
                tmpfs: volumes::tmpfs(&dir, spec),
                dir: dir.clone(),
                resources: resources::of_pod(spec),
                dies_with_server: context.pods_die_with_server,
            };
            let created = context.runtime.create(sandbox, network).await;
            self.sandbox = Some(created.map_err(|error| match error {
                RuntimeError::Sandbox(message) => sandbox_failed(message),
                other => sandbox_failed(other.to_string()),
            })?);
        }
        let address = self.sandbox.as_ref().and_then(|sandbox| sandbox.sandbox().address);
        files::write(&dir, &hostname, spec, address).map_err(|error| sandbox_failed(error.to_string()))?;
        if contents.is_empty() {
            return Ok(());
        }
        let Some(sandbox) = &self.sandbox else {
            return Ok(());
        };
        let version = context.clock.now().as_nanosecond().to_string();
        volumes::set_up(&sandbox.root(), &dir, spec, &contents, &version)
            .map_err(|error| failed_mount(error.to_string()))?;
        self.refresh_at = sources.tokens.values().map(|token| token.refresh_at).min();
        Ok(())
    }

    /// The pod's network: its address, whether it is the host's, and its namespace.
    async fn connect(&self, pod: &Pod, spec: &PodSpec) -> Result<(Option<Ipv4Addr>, bool, Option<OwnedFd>), Setback> {
        if spec.host_network == Some(true) {
            return Ok((None, true, None));
        }
        let connected = self.context.network.connect(uid(pod)).await.map_err(sandbox_failed)?;
        Ok(match connected {
            Connected::Bridged { address, namespace } => (Some(address), false, Some(namespace)),
            Connected::Alone => (None, false, None),
            Connected::Host(why) => {
                let message = format!("The pod shares the host's network: {why}");
                self.tell(Notice::of_pod(pod, "HostNetwork", message).warning());
                (None, true, None)
            }
        })
    }

    /// Writes new tokens where old ones are near their end. What fails is tried again, while the old ones are still good.
    pub(super) async fn refresh_tokens(&mut self, pod: &Pod) {
        let now = self.context.clock.now();
        let is_due = self.refresh_at.is_some_and(|at| at <= now);
        let is_running = self.preparation == Preparation::Ready;
        let (Some(spec), Some(sandbox)) = (&pod.spec, self.sandbox.clone()) else { return };
        if !is_due || !is_running {
            return;
        }
        self.refresh_at = match self.try_refresh(pod, spec, sandbox.as_ref()).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(pod = name(pod), namespace = namespace(pod), error, "could not renew a pod's tokens");
                now.checked_add(REFRESH_RETRY).ok()
            }
        };
    }

    async fn try_refresh(
        &self,
        pod: &Pod,
        spec: &PodSpec,
        sandbox: &dyn PodSandbox,
    ) -> Result<Option<Timestamp>, String> {
        let volumes = spec.volumes.iter().flatten().filter(|volume| volumes::holds_token(volume)).cloned().collect();
        let spec = PodSpec { volumes: Some(volumes), ..spec.clone() };
        let needs = volumes::needs(name(pod), &spec);
        let client = &self.context.client;
        let mut sources = sources::fetch(client, namespace(pod), &needs).await.map_err(|error| error.to_string())?;
        let now = self.context.clock.now();
        let tokens = sources::fetch_tokens(client, pod, &needs.tokens, now).await;
        sources.tokens = tokens.map_err(|error| token_problem(&error))?;
        let contents = volumes::contents(&spec, &sources, &volumes::Mounts::new(), self.subject(pod))
            .map_err(|error| error.to_string())?;
        volumes::set_up(&sandbox.root(), &self.pod_dir(pod), &spec, &contents, &now.as_nanosecond().to_string())
            .map_err(|error| error.to_string())?;
        Ok(sources.tokens.values().map(|token| token.refresh_at).min())
    }

    pub(super) fn subject<'a>(&self, pod: &'a Pod) -> Subject<'a> {
        let machine = &self.context.machine;
        Subject { pod, cpus: machine.cpus, memory_bytes: machine.memory_bytes }
    }

    /// What the pod's containers see as their host name.
    pub(super) fn hostname(&self, pod: &Pod, spec: &PodSpec) -> String {
        if spec.host_network == Some(true) {
            return self.context.machine.hostname.clone();
        }
        files::hostname(name(pod), spec)
    }
}

/// As the kubelet says it.
fn token_problem(error: &kube::Error) -> String {
    format!("failed to fetch token: {error}")
}

fn sandbox_failed(message: String) -> Setback {
    Setback { reason: "FailedCreatePodSandBox", message: format!("Failed to create pod sandbox: {message}") }
}
