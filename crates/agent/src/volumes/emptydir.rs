//! emptyDir: a directory that lives as long as its pod, on disk or (medium Memory) on a tmpfs of its own.

use super::payload;
use crate::runtime::Tmpfs;
use k8s_openapi::api::core::v1::EmptyDirVolumeSource;
use rustix::fs::Mode;
use std::path::{Path, PathBuf};

/// The tmpfs of an emptyDir with medium Memory.
pub(super) fn tmpfs(source: &EmptyDirVolumeSource, path: PathBuf) -> Option<Tmpfs> {
    if source.medium.as_deref() != Some("Memory") {
        return None;
    }
    let limit = source.size_limit.as_ref();
    let size_bytes = limit
        .and_then(|limit| limit.0.parse::<meta::quantity::Quantity>().ok())
        .and_then(|limit| u64::try_from(limit.value()).ok())
        .filter(|bytes| 0 < *bytes);
    Some(Tmpfs { path, size_bytes, mode: 0o777 })
}

/// Makes the directory, whatever the umask.
pub(super) fn set_up(dir: &Path, fs_group: Option<u32>) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    rustix::fs::chmod(dir, Mode::from_raw_mode(0o777))?;
    if let Some(gid) = fs_group {
        payload::give_to_group(dir, gid, 0o2770)?;
    }
    Ok(())
}
