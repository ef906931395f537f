//! Makes what a pod's containers share: directories, sandbox, volumes.

use super::known::{Blocked, Obstacle};
use super::plan::Preparation;
use super::worker::Worker;
use super::{files, name, namespace, resources, sources, uid};
use crate::events::Notice;
use crate::network::Connected;
use crate::runtime::{Resources, RuntimeError, Sandbox};
use crate::volumes;
use crate::volumes::downward::Subject;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::Api;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

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
        self.freshness.looked(pod, self.latest.borrow().n_source_changes);
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
        if files::MAX_HOSTNAME < hostname.len() {
            return Err(sandbox_failed(files::too_long(&hostname)));
        }
        if self.sandbox.is_none() {
            let runtime = self.runtime(spec).await.map_err(sandbox_failed)?;
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
                resources: Resources { pids_limit: context.pod_max_pids, ..resources::of_pod(spec) },
                runtime,
                dies_with_server: context.pods_die_with_server,
            };
            let created = context.runtime.create(sandbox, network).await;
            self.sandbox = Some(created.map_err(|error| match error {
                RuntimeError::Sandbox(message) => sandbox_failed(message),
                other => sandbox_failed(other.to_string()),
            })?);
        }
        let address = self.sandbox.as_ref().and_then(|sandbox| sandbox.sandbox().address);
        let gateway = context.network.gateway();
        let identity = files::Identity {
            hostname: &hostname,
            namespace: namespace(pod),
            address,
            resolver: gateway.filter(|_| context.names.is_some()),
            gateway: address.and(gateway),
        };
        files::write(&dir, &identity, spec).map_err(|error| sandbox_failed(error.to_string()))?;
        if contents.is_empty() {
            return Ok(());
        }
        let Some(sandbox) = &self.sandbox else {
            return Ok(());
        };
        let version = context.clock.now().as_nanosecond().to_string();
        volumes::set_up(&sandbox.root(), &dir, spec, &contents, &version)
            .map_err(|error| failed_mount(error.to_string()))?;
        self.freshness.filled(sources.tokens);
        Ok(())
    }

    /// The program of the runtime that the pod's class asks for; none for the built-in one.
    async fn runtime(&self, spec: &PodSpec) -> Result<Option<PathBuf>, String> {
        let Some(class) = spec.runtime_class_name.as_deref().filter(|class| !class.is_empty()) else {
            return Ok(None);
        };
        let classes: Api<RuntimeClass> = Api::all(self.context.client.clone());
        let class = classes.get(class).await.map_err(|error| match error {
            kube::Error::Api(status) => status.message,
            other => other.to_string(),
        })?;
        let found = self.context.handlers.program(&class.handler);
        found.map(|program| program.map(Path::to_owned)).map_err(|why| format!("failed to get sandbox runtime: {why}"))
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

    pub(super) fn subject<'a>(&self, pod: &'a Pod) -> Subject<'a> {
        let machine = &self.context.machine;
        Subject { pod, cpus: machine.cpus, memory_bytes: machine.memory_bytes }
    }

    /// What the pod's containers see as their host name.
    pub(super) fn hostname(&self, pod: &Pod, spec: &PodSpec) -> String {
        if spec.host_network == Some(true) {
            return self.context.machine.hostname.clone();
        }
        let hostname = files::hostname(name(pod), spec);
        let fqdn = files::fqdn(&hostname, namespace(pod), spec).filter(|_| spec.set_hostname_as_fqdn == Some(true));
        fqdn.unwrap_or(hostname)
    }
}

/// As the kubelet says it.
pub(super) fn token_problem(error: &kube::Error) -> String {
    format!("failed to fetch token: {error}")
}

fn sandbox_failed(message: String) -> Setback {
    Setback { reason: "FailedCreatePodSandBox", message: format!("Failed to create pod sandbox: {message}") }
}
