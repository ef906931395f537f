//! From a pod bound to this node to running containers and back to its status.
//!
//! ```text
//! watch ─> one worker a pod ─> observe ─> plan (pure) ─> do its steps ─> status (pure) ─> API
//! ```

pub mod backoff;
pub mod known;
pub mod plan;
pub mod probes;
pub mod status;
pub mod tend;

mod conditions;
mod devices;
pub mod env;
mod errands;
mod files;
mod finish;
mod gauge;
mod hooks;
mod prepare;
mod profile;
mod pull;
mod refresh;
pub mod resources;
pub mod sources;
pub mod spec;
mod start;
pub mod storage;
pub mod support;
pub mod user;
mod watch;
mod worker;

pub(crate) use watch::{Context, Retry, STARTS_AT_ONCE, run};

use crate::images::registry::keyring::Keyring;
use crate::images::registry::{PullError, Pulled};
use crate::images::{Image, ImageError};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

/// Where images come from; sim has a fake.
#[async_trait::async_trait]
pub trait Images: Send + Sync + 'static {
    /// Finds an image that is here and makes it ready to run.
    async fn resolve(&self, reference: &str) -> Result<Image, ImageError>;

    /// Gets it from its registry. Whoever stops waiting ends the pull, unless others wait for the same.
    async fn pull(&self, reference: &str, keyring: &Keyring) -> Result<Pulled, PullError>;
}

/// `metadata.uid`.
pub(crate) fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or("")
}

/// `metadata.name`.
pub(crate) fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or("")
}

/// `metadata.namespace`.
pub(crate) fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or("")
}

/// `NAME_NAMESPACE(UID)`: how the kubelet names a pod in its messages.
pub(crate) fn full_name(pod: &Pod) -> String {
    format!("{}_{}({})", name(pod), namespace(pod), uid(pod))
}

/// The directory of a pod's logs below the log directory: `NS_POD_UID`.
pub(crate) fn log_dir_name(namespace: &str, name: &str, uid: &str) -> String {
    format!("{namespace}_{name}_{uid}")
}

/// `status.phase`; empty when the pod has none yet.
pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("")
}

/// Succeeded and Failed are for ever.
pub(crate) fn is_terminal(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

pub(crate) fn init_containers(spec: &PodSpec) -> &[Container] {
    spec.init_containers.as_deref().unwrap_or_default()
}

/// Init containers, then the others, in the order they stand in the spec.
pub(crate) fn all_containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    init_containers(spec).iter().chain(&spec.containers)
}
