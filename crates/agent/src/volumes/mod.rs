//! The volumes of a pod: `POD_DIR/volumes/TYPE/NAME`, one file here per type. Those of claims lie elsewhere and outlive the pod.
//!
//! Sources are read first (`needs`, `project`), then the sandbox makes the tmpfs mounts (`tmpfs`), then everything is filled in
//! through the sandbox's own view of the file system (`set_up`).

pub mod claim;
pub mod configmap;
pub mod downward;
pub mod emptydir;
pub mod hostpath;
pub mod payload;
pub mod projected;
pub mod secret;
pub mod subpath;

mod ownership;
pub(crate) mod provisioner;

use crate::pod::sources::{Needs, Sources};
use crate::runtime::Tmpfs;
use k8s_openapi::api::core::v1::{HostPathVolumeSource, PodSpec, Volume};
use payload::Payload;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A volume that cannot be set up (FailedMount).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VolumeError {
    /// Its content cannot be had or written.
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : {message}")]
    SetUp {
        /// Its name.
        volume: String,
        /// What is wrong.
        message: String,
    },
    /// What it is made of is not there.
    #[error("MountVolume.NewMounter initialization failed for volume \"{volume}\" : {message}")]
    NewMounter {
        /// The PersistentVolume's name.
        volume: String,
        /// What is wrong.
        message: String,
    },
    /// Its claim does not lead to a volume.
    #[error(
        "Unable to attach or mount volumes: unmounted volumes=[{volume}], unattached volumes=[], failed to process volumes=[{volume}]: {message}"
    )]
    Claim {
        /// Its name in the pod.
        volume: String,
        /// What is wrong.
        message: String,
    },
}

/// Where the claims' volumes lie, by the volume's name in the pod.
pub type Mounts = BTreeMap<String, claim::Mount>;

impl VolumeError {
    fn set_up(volume: &str, message: String) -> Self {
        Self::SetUp { volume: volume.to_owned(), message }
    }
}

/// Where a volume lies on the host.
pub fn directory(pod_dir: &Path, volume: &Volume) -> PathBuf {
    if let Some(source) = &volume.host_path {
        return PathBuf::from(&source.path);
    }
    let kind = if volume.config_map.is_some() {
        "configmap"
    } else if volume.secret.is_some() {
        "secret"
    } else if volume.projected.is_some() {
        "projected"
    } else if volume.downward_api.is_some() {
        "downwardapi"
    } else {
        "emptydir"
    };
    pod_dir.join("volumes").join(kind).join(&volume.name)
}

/// Whether containers may write to it.
pub fn is_writable(volume: &Volume) -> bool {
    !is_of_files(volume) && !claim::is_read_only(volume)
}

/// The ConfigMaps, Secrets and claims that a pod's volumes are made of.
pub fn needs(pod_name: &str, spec: &PodSpec) -> Needs {
    let mut needs = Needs { claims: claim::needs(pod_name, spec), ..Needs::default() };
    for volume in spec.volumes.iter().flatten() {
        if let Some(source) = &volume.config_map {
            needs.config_maps.insert(source.name.clone());
        }
        if let Some(name) = secret_name(volume) {
            needs.secrets.insert(name.to_owned());
        }
        for source in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
            needs.config_maps.extend(source.config_map.as_ref().map(|source| source.name.clone()));
            needs.secrets.extend(source.secret.as_ref().map(|source| source.name.clone()));
            needs.tokens.extend(source.service_account_token.as_ref().map(projected::token_need));
        }
    }
    needs
}

fn secret_name(volume: &Volume) -> Option<&str> {
    volume.secret.as_ref()?.secret_name.as_deref()
}

/// The tmpfs mounts that a pod's sandbox has to make: secrets and tokens never touch a disk.
pub fn tmpfs(pod_dir: &Path, spec: &PodSpec) -> Vec<Tmpfs> {
    let volumes = spec.volumes.iter().flatten();
    let of_volumes = volumes.filter_map(|volume| {
        let path = directory(pod_dir, volume);
        if volume.secret.is_some() || volume.projected.is_some() || volume.downward_api.is_some() {
            return Some(secret::tmpfs(path));
        }
        emptydir::tmpfs(volume.empty_dir.as_ref()?, path)
    });
    of_volumes.collect()
}

/// What is to stand in one volume.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// An empty directory for everyone to write to.
    Empty,
    /// Files.
    Files(Payload),
    /// What is there already, and stays.
    Mounted(claim::Mount),
    /// What the machine has at a path, if it is of that type.
    Host(HostPathVolumeSource),
}

/// Finds the content of every volume. Pure.
pub fn contents<'a>(
    spec: &'a PodSpec,
    sources: &Sources,
    mounts: &Mounts,
    subject: downward::Subject<'_>,
) -> Result<Vec<(&'a Volume, Content)>, VolumeError> {
    let volumes = spec.volumes.iter().flatten();
    volumes
        .map(|volume| {
            let content = if let Some(mount) = mounts.get(&volume.name) {
                Ok(Content::Mounted(mount.clone()))
            } else if let Some(source) = &volume.config_map {
                configmap::payload(source, sources.config_maps.get(&source.name)).map(Content::Files)
            } else if let Some(source) = &volume.secret {
                let name = source.secret_name.as_deref().unwrap_or("");
                secret::payload(source, sources.secrets.get(name)).map(Content::Files)
            } else if let Some(source) = &volume.projected {
                projected::payload(source, sources, subject).map(Content::Files)
            } else if let Some(source) = &volume.downward_api {
                let default_mode = payload::mode(source.default_mode).unwrap_or(payload::DEFAULT_MODE);
                let items = source.items.as_deref().unwrap_or_default();
                downward::payload(items, default_mode, subject).map(Content::Files)
            } else if let Some(source) = &volume.host_path {
                Ok(Content::Host(source.clone()))
            } else {
                Ok(Content::Empty)
            };
            let content = content.map_err(|message| VolumeError::set_up(&volume.name, message))?;
            Ok((volume, content))
        })
        .collect()
}

/// Whether its files come from API objects or tokens, and have to follow them.
pub fn is_of_files(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.projected.is_some()
        || volume.downward_api.is_some()
}

/// Writes the volumes below `root` (the sandbox's view of the host's file system). Blocking. May be repeated.
pub fn set_up(
    root: &Path,
    pod_dir: &Path,
    spec: &PodSpec,
    contents: &[(&Volume, Content)],
    version: &str,
) -> Result<(), VolumeError> {
    let fs_group =
        spec.security_context.as_ref().and_then(|context| context.fs_group).and_then(|gid| u32::try_from(gid).ok());
    let policy = spec.security_context.as_ref().and_then(|context| context.fs_group_change_policy.as_deref());
    let on_mismatch = policy == Some("OnRootMismatch");
    for (volume, content) in contents {
        let dir = seen_through(root, &directory(pod_dir, volume));
        let written = match content {
            Content::Empty => emptydir::set_up(&dir, fs_group),
            Content::Files(payload) => payload::write(&dir, payload, version, fs_group),
            Content::Host(source) => {
                let checked = hostpath::set_up(&dir, source);
                checked.map_err(|message| VolumeError::set_up(&volume.name, message))?;
                continue;
            }
            Content::Mounted(mount) => {
                claim::set_up(mount, fs_group, on_mismatch)?;
                continue;
            }
        };
        written.map_err(|error| VolumeError::set_up(&volume.name, error.to_string()))?;
    }
    Ok(())
}

/// An absolute host path as the sandbox sees it.
pub fn seen_through(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
