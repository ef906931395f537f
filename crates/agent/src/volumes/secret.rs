//! secret: the keys of a Secret as files, in memory only.

use super::payload::{Payload, Projection};
use crate::runtime::Tmpfs;
use k8s_openapi::api::core::v1::{Secret, SecretVolumeSource};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Room for the largest Secret (1 MiB) twice over, as an update needs, and its directories.
const SIZE_BYTES: u64 = 4 << 20;

/// Where the files go.
pub(super) fn tmpfs(path: PathBuf) -> Tmpfs {
    Tmpfs { path, size_bytes: Some(SIZE_BYTES), mode: 0o755 }
}

/// The files; the error is FailedMount's.
pub(super) fn payload(source: &SecretVolumeSource, found: Option<&Secret>) -> Result<Payload, String> {
    let is_optional = source.optional == Some(true);
    let name = source.secret_name.as_deref().unwrap_or("");
    let Some(secret) = found else {
        if is_optional {
            return Ok(Payload::default());
        }
        return Err(format!("secret \"{name}\" not found"));
    };
    let data: BTreeMap<&str, &[u8]> =
        secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice())).collect();
    let projection = Projection { items: source.items.as_deref(), default_mode: source.default_mode, is_optional };
    projection.apply(&data).map_err(|key| format!("secret references non-existent secret key: {key}"))
}
