//! persistentVolumeClaim and ephemeral: the volume that a claim is bound to, which lies on this machine's disk and outlives the
//! pod. Several pods may use one at the same time.

use super::{Mounts, VolumeError, ownership};
use crate::pod::sources::Sources;
use crate::pod::{name, namespace, uid};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, PodSpec, Volume};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Where a claim's volume lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Mount {
    /// The PersistentVolume's name.
    pub volume: String,
    /// On the host.
    pub path: PathBuf,
    /// The pod only reads it.
    pub is_read_only: bool,
    /// What is asked of the path.
    pub kind: MountKind,
}

/// The source of a PersistentVolume.
#[derive(Debug, Clone, PartialEq)]
pub enum MountKind {
    /// `local`: it has to be there, and is given to the pod's fsGroup.
    Local,
    /// `hostPath`, of this type: the machine's own, of which nothing is changed.
    HostPath(String),
}

/// When a claim is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The pod is to begin.
    Before,
    /// It has begun, and keeps what it has, even if the claim is being deleted: it waits for the pod's end.
    Running,
}

/// A volume's claim, by name.
fn claim_name(pod_name: &str, volume: &Volume) -> Option<String> {
    if let Some(source) = &volume.persistent_volume_claim {
        return Some(source.claim_name.clone());
    }
    volume.ephemeral.as_ref()?;
    Some(format!("{pod_name}-{}", volume.name))
}

pub(super) fn is_read_only(volume: &Volume) -> bool {
    volume.persistent_volume_claim.as_ref().is_some_and(|source| source.read_only == Some(true))
}

/// The claims of a pod's volumes.
pub fn needs(pod_name: &str, spec: &PodSpec) -> BTreeSet<String> {
    spec.volumes.iter().flatten().filter_map(|volume| claim_name(pod_name, volume)).collect()
}

/// Follows each claim to its volume's place (K:pkg/kubelet/volumemanager/populator). Pure.
pub fn mounts(pod: &Pod, sources: &Sources, moment: Moment) -> Result<Mounts, VolumeError> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let claims = volumes.filter_map(|volume| Some((volume, claim_name(name(pod), volume)?)));
    claims
        .map(|(volume, claim)| {
            let owner = volume.ephemeral.as_ref().map(|_| uid(pod));
            let found = follow(&claim, owner, sources, moment).map_err(|message| VolumeError::Claim {
                volume: volume.name.clone(),
                message: format!("error processing PVC {}/{claim}: {message}", namespace(pod)),
            })?;
            let mount = mount(found, is_read_only(volume)).map_err(|message| VolumeError::NewMounter {
                volume: found.metadata.name.clone().unwrap_or_default(),
                message,
            })?;
            Ok((volume.name.clone(), mount))
        })
        .collect()
}

fn follow<'a>(
    name: &str,
    owner: Option<&str>,
    sources: &'a Sources,
    moment: Moment,
) -> Result<&'a PersistentVolume, String> {
    let Some(claim) = sources.claims.get(name) else {
        return Err(format!("failed to fetch PVC from API server: persistentvolumeclaims \"{name}\" not found"));
    };
    if owner.is_some_and(|pod| !is_owned_by(claim, pod)) {
        return Err(format!("PVC {name} was not created for the pod (pod is not owner)"));
    }
    if moment == Moment::Before && claim.metadata.deletion_timestamp.is_some() {
        return Err("PVC is being deleted".into());
    }
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase != Some("Bound") {
        return Err("PVC is not bound".into());
    }
    let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default();
    if volume.is_empty() {
        return Err("PVC has empty pvc.Spec.VolumeName".into());
    }
    let Some(found) = sources.volumes.get(volume) else {
        return Err(format!("failed to fetch PV {volume} from API server: persistentvolumes \"{volume}\" not found"));
    };
    let wanted = claim.metadata.uid.as_deref().unwrap_or_default();
    let reference = found.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    match reference.map(|reference| reference.uid.as_deref().unwrap_or_default()) {
        None => Err(format!(
            "found PV object {volume} with nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
        )),
        Some(uid) if uid != wanted => {
            Err(format!("found PV object {volume} with pv.Spec.ClaimRef.UID {uid} but expected {wanted}"))
        }
        Some(_) => Ok(found),
    }
}

fn is_owned_by(claim: &PersistentVolumeClaim, pod_uid: &str) -> bool {
    let mut owners = claim.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.controller == Some(true) && owner.uid == pod_uid)
}

fn mount(volume: &PersistentVolume, is_read_only: bool) -> Result<Mount, String> {
    let spec = volume.spec.clone().unwrap_or_default();
    if spec.volume_mode.as_deref() == Some("Block") {
        return Err("volumes of mode Block cannot be mounted by this version of kiln".into());
    }
    let (path, kind) = match (spec.local, spec.host_path) {
        (Some(local), _) => (local.path, MountKind::Local),
        (None, Some(host)) => (host.path, MountKind::HostPath(host.type_.unwrap_or_default())),
        (None, None) => return Err("no volume plugin matched: this version of kiln has local and hostPath".into()),
    };
    let volume = volume.metadata.name.clone().unwrap_or_default();
    Ok(Mount { volume, path: Path::new("/").join(path), is_read_only, kind })
}

/// Checks that the place is there, makes it if it is to be made, and gives it to the group. Blocking. May be repeated.
pub(super) fn set_up(mount: &Mount, fs_group: Option<u32>, on_mismatch: bool) -> Result<(), VolumeError> {
    let set_up = |error: String| VolumeError::set_up(&mount.volume, error);
    match &mount.kind {
        MountKind::Local => {
            if fs::metadata(&mount.path).is_err() {
                let message = format!("path \"{}\" does not exist", mount.path.display());
                return Err(VolumeError::NewMounter { volume: mount.volume.clone(), message });
            }
            let Some(gid) = fs_group.filter(|_| !mount.is_read_only) else { return Ok(()) };
            ownership::give(&mount.path, gid, on_mismatch)
                .map_err(|error| set_up(format!("applyFSGroup failed for vol {}: {error}", mount.volume)))
        }
        MountKind::HostPath(kind) => check_host_path(&mount.path, kind).map_err(set_up),
    }
}

/// K:pkg/volume/hostpath. A path of no type is made if it is not there, as container runtimes do.
fn check_host_path(path: &Path, kind: &str) -> Result<(), String> {
    let found = fs::metadata(path).map(|metadata| metadata.file_type());
    let is_missing = found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_missing && matches!(kind, "" | "DirectoryOrCreate") {
        return fs::create_dir_all(path).map_err(|error| error.to_string());
    }
    if is_missing && kind == "FileOrCreate" {
        return fs::File::create_new(path).map(drop).map_err(|error| error.to_string());
    }
    let has = |is: fn(&fs::FileType) -> bool| found.as_ref().is_ok_and(is);
    let (is_right, wanted) = match kind {
        "Directory" | "DirectoryOrCreate" => (has(fs::FileType::is_dir), "directory"),
        "File" | "FileOrCreate" => (has(fs::FileType::is_file), "file"),
        "Socket" => (has(FileTypeExt::is_socket), "socket file"),
        "CharDevice" => (has(FileTypeExt::is_char_device), "character device"),
        "BlockDevice" => (has(FileTypeExt::is_block_device), "block device"),
        _ => (true, ""),
    };
    match is_right {
        true => Ok(()),
        false => Err(format!("hostPath type check failed: {} is not a {wanted}", path.display())),
    }
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
