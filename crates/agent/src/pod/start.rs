//! Starts one run of a container: image, configuration, spec, process.

use super::known::{Blocked, Obstacle};
use super::plan::Preparation;
use super::worker::{Worker, termination_message};
use super::{all_containers, devices, env, name, namespace, profile, resources, sources, spec, user};
use crate::events::Notice;
use crate::images::Image;
use crate::runtime::{self, PodSandbox, RuntimeError};
use crate::volumes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Why a run did not begin.
pub(super) enum Setback {
    /// Its image is being pulled.
    Pulling,
    /// Something is missing that may yet come.
    Blocked(Obstacle),
    /// The program could not be executed: that counts as a run.
    NotExecuted(String),
    /// The pod's supervisor is dead.
    SandboxGone,
}

pub(super) fn other(reason: &str, message: impl Into<String>) -> Setback {
    Setback::Blocked(Obstacle::Other { reason: reason.into(), message: message.into() })
}

impl Worker {
    /// Tries once; a failure is told, and remembered for the next try.
    pub(super) async fn start(&mut self, pod: &Pod, container: &str, attempt: u32) {
        let spec = pod.spec.as_ref();
        let found = spec.and_then(|spec| all_containers(spec).find(|found| found.name == container));
        let Some(wanted) = found else { return };
        let started = self.try_start(pod, wanted, attempt).await;
        let now = self.context.clock.now();
        let known = self.containers.entry(container.to_owned()).or_default();
        match started {
            Ok(started_at) => {
                known.started(attempt, started_at, now);
                self.tell(Notice::of_container(pod, container, "Created", "Container created"));
                self.tell(Notice::of_container(pod, container, "Started", "Container started"));
            }
            Err(Setback::NotExecuted(message)) => {
                let notice = format!("Error: {message}");
                known.failed_to_start(attempt, message, now);
                self.tell(Notice::of_container(pod, container, "Created", "Container created"));
                self.tell(Notice::of_container(pod, container, "Failed", notice).warning());
            }
            Err(Setback::Blocked(obstacle)) => {
                let notices = notices(pod, container, &obstacle);
                known.blocked = Some(Blocked::again(known.blocked.as_ref(), obstacle, now));
                for notice in notices {
                    self.tell(notice);
                }
            }
            Err(Setback::Pulling) => known.pulling = true,
            Err(Setback::SandboxGone) => self.abandon_sandbox(pod).await,
        }
    }

    /// A dead supervisor takes its pod's namespaces along: the next run gets a new sandbox.
    async fn abandon_sandbox(&mut self, pod: &Pod) {
        tracing::warn!(pod = name(pod), "a pod's supervisor is gone, making a new one");
        if let Some(sandbox) = self.sandbox.take() {
            super::finish::remove_sandbox(&self.context, sandbox.as_ref()).await;
        }
        let obstacle =
            Obstacle::Other { reason: "SandboxChanged".into(), message: "the pod's supervisor is gone".into() };
        let now = self.context.clock.now();
        self.preparation = Preparation::Blocked(Blocked::again(None, obstacle, now));
        let message = "Pod sandbox changed, it will be killed and re-created.";
        self.tell(Notice::of_pod(pod, "SandboxChanged", message));
    }

    async fn try_start(&mut self, pod: &Pod, container: &Container, attempt: u32) -> Result<Timestamp, Setback> {
        let Some(sandbox) = self.sandbox.clone() else {
            return Err(Setback::SandboxGone);
        };
        let image = self.image(pod, container).await?;
        let context = self.context.clone();
        let _slot = context.starts.acquire().await;
        if let Some(known) = self.containers.get_mut(&container.name) {
            known.image = image.reference.clone();
            known.image_id = image.shown_id().to_owned();
        }
        let run = self.compose(pod, container, attempt, image, sandbox.as_ref()).await?;
        match sandbox.start(run).await {
            Ok(started_at) => Ok(started_at),
            Err(RuntimeError::Start { message, .. }) => Err(Setback::NotExecuted(message)),
            Err(RuntimeError::Gone(_)) => Err(Setback::SandboxGone),
            Err(error @ (RuntimeError::Create(_) | RuntimeError::Sandbox(_) | RuntimeError::NotRunning(_))) => {
                Err(other("CreateContainerError", error.to_string()))
            }
        }
    }

    /// Gathers everything the runtime needs.
    async fn compose(
        &self,
        pod: &Pod,
        container: &Container,
        attempt: u32,
        image: Image,
        sandbox: &dyn PodSandbox,
    ) -> Result<runtime::Container, Setback> {
        let config_error = |message: String| other("CreateContainerConfigError", message);
        let create_error = |message: String| other("CreateContainerError", message);
        let pod_spec = pod.spec.clone().unwrap_or_default();
        let mut needs = env::needs(container);
        needs.claims = volumes::claim::needs(name(pod), &pod_spec);
        let sources = sources::fetch(&self.context.client, namespace(pod), &needs)
            .await
            .map_err(|error| config_error(error.to_string()))?;
        let pod_ip = self.pod_ip(pod).unwrap_or_default();
        let origin = env::Origin {
            pod,
            subject: self.subject(pod),
            host_ip: &self.context.machine.ip,
            pod_ip: &pod_ip,
            api_address: self.context.api_address,
            sources: &sources,
        };
        let environment = env::from_spec(container, origin).map_err(config_error)?;
        let accounts = user::Accounts::read(&image.rootfs);
        let identity = user::identify(pod, container, &image.config.user, &accounts).map_err(config_error)?;

        let pod_dir = self.pod_dir(pod);
        let message_file = termination_message(&pod_dir, &container.name, attempt);
        let log_path = self.log_path(pod, &container.name, attempt);
        make_files(&message_file, &log_path).map_err(|error| create_error(error.to_string()))?;
        let mounts = volumes::claim::mounts(pod, &sources, volumes::claim::Moment::Running)
            .map_err(|error| create_error(error.to_string()))?;
        make_sub_paths(&sandbox.root(), container, &pod_spec, &mounts, &pod_dir, &environment).map_err(config_error)?;
        let is_privileged = container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true));
        let devices = if is_privileged { devices::all(Path::new("/dev")) } else { Vec::new() };
        let local_profile = profile::wanted(container, &pod_spec, &self.context.seccomp_dir).map_err(&create_error)?;
        let spec = spec::build(&spec::Ingredients {
            pod,
            container,
            image: &image.config,
            identity: &identity,
            environment: &environment,
            pod_dir: &pod_dir,
            mounts: &mounts,
            termination_message: &message_file,
            hostname: &self.hostname(pod, &pod_spec),
            local_profile,
            devices: &devices,
            machine_memory_bytes: self.context.machine.memory_bytes,
        })
        .map_err(create_error)?;
        Ok(runtime::Container {
            name: container.name.clone(),
            attempt,
            rootfs: image.rootfs,
            spec,
            // In v1 trees the pod's limit holds for those that are in the same tree.
            resources: runtime::Resources {
                pids_limit: self.context.pod_max_pids,
                ..resources::of_container(container)
            },
            log_path,
            termination_message: Some(message_file),
            stop_signal: stop_signal(container).or(image.config.stop_signal).unwrap_or(libc::SIGTERM),
            stdin: match (container.stdin, container.stdin_once) {
                (Some(true), Some(true)) => runtime::Stdin::Once,
                (Some(true), _) => runtime::Stdin::Open,
                _ => runtime::Stdin::Null,
            },
        })
    }
}

/// Makes the parts of volumes that a container mounts, where they are missing; `root` is the sandbox's view of the host. The error is
/// CreateContainerConfigError's message.
fn make_sub_paths(
    root: &Path,
    container: &Container,
    pod_spec: &PodSpec,
    mounts: &volumes::Mounts,
    pod_dir: &Path,
    environment: &env::Environment,
) -> Result<(), String> {
    for mount in container.volume_mounts.iter().flatten() {
        let Some(path) = volumes::subpath::wanted(mount, environment)? else { continue };
        let (_, source) = spec::volume_of(mount, pod_spec, mounts, pod_dir)?;
        volumes::subpath::make(&volumes::seen_through(root, &source), &path).map_err(|error| {
            let (volume, container) = (&mount.name, &container.name);
            format!(
                "failed to create subPath directory for volumeMount \"{volume}\" of container \"{container}\": {error}"
            )
        })?;
    }
    Ok(())
}

/// The container's own, which counts before its image's (KEP-4960).
fn stop_signal(container: &Container) -> Option<i32> {
    let name = container.lifecycle.as_ref()?.stop_signal.as_deref()?;
    crate::images::signal_number(name)
}

/// The termination message file, which every user of the container may write, and the directory of its logs.
fn make_files(message_file: &Path, log_path: &Path) -> std::io::Result<()> {
    for path in [message_file, log_path] {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
    }
    let file = std::fs::File::create(message_file)?;
    file.set_permissions(PermissionsExt::from_mode(0o666))
}

/// The events that tell of an obstacle.
fn notices(pod: &Pod, container: &str, obstacle: &Obstacle) -> Vec<Notice> {
    let failed = |message: String| Notice::of_container(pod, container, "Failed", message).warning();
    let (reason, message) = match obstacle {
        Obstacle::Image { image, error } => {
            return vec![
                failed(format!("Failed to pull image \"{image}\": {error}")),
                failed("Error: ErrImagePull".into()),
            ];
        }
        Obstacle::Other { reason, message } => (reason.as_str(), message),
    };
    let extra = match reason {
        "InvalidImageName" | "ImageInspectError" => Some("InspectFailed"),
        "ErrImageNeverPull" => Some("ErrImageNeverPull"),
        _ => None,
    };
    match extra {
        Some(extra) => {
            vec![Notice::of_container(pod, container, extra, message).warning(), failed(format!("Error: {reason}"))]
        }
        None => vec![failed(format!("Error: {message}"))],
    }
}
