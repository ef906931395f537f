//! Images on this machine: `DIR/blobs/sha256/…`, `DIR/layers/<diffID>/` unpacked once, `DIR/images.json`.

use crate::runtime::Rootfs;
use std::path::{Path, PathBuf};

/// What an image says about how to run it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageConfig {
    pub env: Vec<(String, String)>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub working_dir: String,
    /// `user[:group]`, names or numbers; empty is root.
    pub user: String,
    pub stop_signal: Option<i32>,
}

/// An image that is ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// As the pod's status shows it: `docker.io/library/busybox:1.35`.
    pub reference: String,
    /// Config digest: `sha256:…`.
    pub id: String,
    pub config: ImageConfig,
    pub rootfs: Rootfs,
    /// Sum of layer sizes in bytes.
    pub size_bytes: u64,
    /// Built in: satisfies every pull policy.
    pub builtin: bool,
}

/// A row of `kiln image ls`.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub reference: String,
    pub id: String,
    pub size_bytes: u64,
    pub created: Option<jiff::Timestamp>,
}

/// What can go wrong with an image; texts reach users.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("couldn't parse image name {0:?}: invalid reference format")]
    InvalidName(String),
    /// Not on this machine.
    #[error("image {0:?} is not on this machine")]
    NotFound(String),
    #[error("{0}")]
    Broken(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// An image directory. Several processes may use one at once.
#[derive(Debug, Clone)]
pub struct ImageStore(PathBuf);

impl ImageStore {
    pub fn open(dir: &Path) -> Result<Self, ImageError> {
        Ok(Self(dir.into()))
    }
    /// Finds `reference` (short names mean docker.io/library/…, `kiln/demo` and `kiln/host` are built in) and makes its layers ready.
    /// Blocking; call from `spawn_blocking`.
    pub fn resolve(&self, reference: &str) -> Result<Image, ImageError> {
        todo!("{reference} {:?}", self.0)
    }
    /// Imports a docker archive or an OCI layout (tar, possibly compressed, or directory); `name` adds a name. Returns the names it has now.
    pub fn import(&self, source: &Path, name: Option<&str>) -> Result<Vec<String>, ImageError> {
        let _ = (source, name);
        todo!()
    }
    /// Imports a root file system (directory or tar) under `name`.
    pub fn import_rootfs(&self, source: &Path, name: &str) -> Result<(), ImageError> {
        let _ = (source, name);
        todo!()
    }
    pub fn list(&self) -> Result<Vec<Listed>, ImageError> {
        todo!()
    }
    pub fn remove(&self, reference: &str) -> Result<(), ImageError> {
        todo!("{reference}")
    }
}
