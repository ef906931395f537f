//! Images on this machine: names, import, pull, unpacked layers ready for overlay mounts, and the two that are built in.
//! Does not mount anything.
//!
//! ```text
//! archive  -> source -> import ─┬─> stream -> tarball -> unpack -> layers/HEX
//! registry -> registry/pull ────┤                                     |
//!                           documents            images.json -> resolve -> Image
//!                                                                     |
//!             supply: what the pods of this machine get; collect: what may go when the disk is full
//! ```

pub mod limits;
pub mod reference;
pub mod registry;

mod builtin;
pub mod collect;
mod documents;
mod import;
mod index;
mod rootfs;
mod source;
mod store;
mod stream;
pub mod supply;
mod tarball;
mod unpack;

#[cfg(test)]
mod tests;

pub(crate) use documents::signal_number;

use crate::runtime::Rootfs;
use index::{Index, Record};
use limits::Limits;
use reference::{Builtin, Name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use store::hold;

/// What an image says about how to run it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageConfig {
    /// In the image's order.
    pub env: Vec<(String, String)>,
    /// Replaced by a container's `command`.
    pub entrypoint: Vec<String>,
    /// Replaced by a container's `args`, dropped by its `command`.
    pub cmd: Vec<String>,
    /// Empty is `/`.
    pub working_dir: String,
    /// `user[:group]`, names or numbers; empty is root.
    pub user: String,
    /// SIGTERM when the image says nothing.
    pub stop_signal: Option<i32>,
}

impl Access {
    /// Whether somebody with credentials of these fingerprints may.
    pub fn lets(&self, fingerprints: &[String]) -> bool {
        match self {
            Self::Everyone => true,
            Self::Holders(holders) => fingerprints.iter().any(|fingerprint| holders.contains(fingerprint)),
        }
    }

    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Holders(a), Self::Holders(b)) => Self::Holders(a.union(&b).cloned().collect()),
            _ => Self::Everyone,
        }
    }
}

/// An image that is ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// As the pod's status shows it: `docker.io/library/busybox:1.35`.
    pub reference: String,
    /// Config digest: `sha256:…`.
    pub id: String,
    /// How to run it.
    pub config: ImageConfig,
    /// What its root is made of.
    pub rootfs: Rootfs,
    /// Sum of layer sizes in bytes.
    pub size_bytes: u64,
    /// Where it came from.
    pub origin: Origin,
}

impl Image {
    /// `imageID` of a status: for what was pulled the digest in its repository, else the configuration's.
    pub fn shown_id(&self) -> &str {
        match &self.origin {
            Origin::Pulled { digest, .. } => digest,
            Origin::BuiltIn | Origin::Imported => &self.id,
        }
    }
}

/// Where an image came from: that decides which pull policies it satisfies, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `kiln/demo` or `kiln/host`.
    BuiltIn,
    /// From a file, by the administrator's hand.
    Imported,
    /// From a registry.
    Pulled {
        /// `repository@sha256:…`, as a status shows it.
        digest: String,
        /// Who has shown a registry that they may have it.
        access: Access,
    },
}

/// Who may run a pulled image without asking its registry again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// It was had without credentials, or with this machine's own.
    Everyone,
    /// Those with credentials of one of these fingerprints.
    Holders(BTreeSet<String>),
}

/// A row of `kiln image ls`.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Full name; `kiln/…` for what is built in.
    pub reference: String,
    /// Config digest: `sha256:…`.
    pub id: String,
    /// Sum of layer sizes in bytes.
    pub size_bytes: u64,
    /// When it was built, if it says so.
    pub created: Option<jiff::Timestamp>,
}

/// What can go wrong with an image; texts reach users.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// No registry would take this name.
    #[error("couldn't parse image name {0:?}: invalid reference format")]
    InvalidName(String),
    /// Not on this machine.
    #[error("image {0:?} is not on this machine")]
    NotFound(String),
    /// Names below kiln/ are not for imports.
    #[error("the name {0:?} is taken: names that begin with kiln/ are built in")]
    Reserved(String),
    /// An archive, a layer or the directory itself is not what it should be.
    #[error("{0}")]
    Broken(String),
    /// Containers run with it.
    #[error("image {0:?} is in use by a running container")]
    InUse(String),
    /// A registry's doing.
    #[error(transparent)]
    Pull(registry::PullError),
    /// This machine's doing.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for ImageError {
    /// Streams carry our own errors through `Read`; damaged data is the archive's fault, the rest this machine's.
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let damaged = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) if damaged => Self::Broken(error.to_string()),
            Err(error) => Self::Io(error),
        }
    }
}

impl From<rustix::io::Errno> for ImageError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::from(io::Error::from(errno))
    }
}

impl ImageError {
    /// The same, saying where, unless it does already.
    fn within(self, place: &str) -> Self {
        if self.to_string().starts_with(place) {
            return self;
        }
        match self {
            Self::Broken(text) => Self::Broken(format!("{place}: {text}")),
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), format!("{place}: {error}"))),
            other => other,
        }
    }
}

/// An error with the path it is about.
fn at(path: &Path, error: impl Into<io::Error>) -> ImageError {
    let error = error.into();
    ImageError::Io(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Whether an image that containers run with is removed all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It is kept.
    UnlessUsed,
    /// It is removed, and its layers with its containers.
    EvenIfUsed,
}

/// An image directory. Several processes may use one at once.
#[derive(Debug, Clone)]
pub struct ImageStore(Arc<Store>);

/// What every part of this room is given.
#[derive(Debug, Clone)]
struct Store {
    directory: store::Directory,
    limits: Limits,
    /// The program that `kiln/demo` is made of.
    executable: PathBuf,
}

impl ImageStore {
    /// Opens the image directory `dir`, making it if needed and removing what a crash has left unfinished in it.
    pub fn open(dir: &Path) -> Result<Self, ImageError> {
        Ok(Self(Arc::new(Store {
            directory: store::Directory::open(dir)?,
            limits: Limits::default(),
            executable: PathBuf::from("/proc/self/exe"),
        })))
    }

    /// The same directory with other bounds on imports.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        let mut store = Arc::unwrap_or_clone(self.0);
        store.limits = limits;
        Self(Arc::new(store))
    }

    /// Finds `reference` (short names mean docker.io/library/…, `kiln/demo` and `kiln/host` are built in) and makes its layers ready.
    /// Blocking; call from `spawn_blocking`.
    pub fn resolve(&self, reference: &str) -> Result<Image, ImageError> {
        let store = &*self.0;
        let name = match reference::parse(reference)? {
            Name::Builtin(builtin) => return builtin::resolve(store, builtin),
            Name::Reserved(name) => return Err(ImageError::NotFound(name)),
            Name::Image(name) => name,
        };
        let index = Index::load(&store.directory)?;
        let Some((_, record)) = index.find(&name) else {
            return Err(ImageError::NotFound(name.to_string()));
        };
        // What has lost a part comes whole from its registry.
        if record.pulled.is_some() && !record.is_whole(&store.directory) {
            return Err(ImageError::NotFound(name.to_string()));
        }
        self.ready(&name.to_string(), record).map_err(|error| error.within(&name.to_string()))
    }

    fn ready(&self, reference: &str, record: &Record) -> Result<Image, ImageError> {
        let directory = &self.0.directory;
        let blob = directory.blob(&record.config);
        let config = std::fs::read(&blob).map_err(|e| at(&blob, e))?;
        collect::note_use(&blob);
        let document: documents::Configuration = documents::read("image configuration", &config)?;
        let mut lower: Vec<PathBuf> = record.layers.iter().map(|layer| directory.layer(layer)).collect();
        lower.reverse();
        if let Some(missing) = lower.iter().find(|path| !path.is_dir()) {
            let missing = missing.display();
            return Err(ImageError::Broken(format!("layer {missing} is missing: import the image again")));
        }
        Ok(Image {
            reference: reference.into(),
            id: record.config.clone(),
            config: document.image_config(),
            rootfs: Rootfs { lower, overlays: vec![], masked: vec![] },
            size_bytes: record.size_bytes,
            origin: record.origin(reference),
        })
    }

    /// Imports a docker archive or an OCI layout (tar, possibly compressed, or directory); `name` adds a name. Returns the names it has now.
    pub fn import(&self, source: &Path, name: Option<&str>) -> Result<Vec<String>, ImageError> {
        import::import(&self.0, source, name)
    }

    /// Imports a root file system (directory or tar) under `name`: one layer, an empty configuration.
    pub fn import_rootfs(&self, source: &Path, name: &str) -> Result<(), ImageError> {
        rootfs::import_rootfs(&self.0, source, name)
    }

    /// Every image, the built-in ones first, then by name.
    pub fn list(&self) -> Result<Vec<Listed>, ImageError> {
        let store = &*self.0;
        let mut rows = Vec::new();
        for builtin in Builtin::ALL {
            let (id, size_bytes) = builtin::describe(store, builtin)?;
            rows.push(Listed { reference: builtin.name().into(), id, size_bytes, created: None });
        }
        let index = Index::load(&store.directory)?;
        rows.extend(index.images.into_iter().map(|(reference, record)| Listed {
            reference,
            id: record.config,
            size_bytes: record.size_bytes,
            created: record.created,
        }));
        Ok(rows)
    }

    /// Removes a name. Layers and configurations that no name needs go with it. The last name of an image that containers run
    /// with goes only by force; its layers then stay under them until the next removal.
    pub fn remove(&self, reference: &str, force: Force) -> Result<(), ImageError> {
        let directory = &self.0.directory;
        let name = match reference::parse(reference)? {
            Name::Image(name) => name,
            Name::Builtin(_) => return Err(ImageError::Reserved(reference.into())),
            Name::Reserved(name) => return Err(ImageError::NotFound(name)),
        };
        let trash = directory.staging()?;
        let lock = directory.lock()?;
        let mut index = Index::load(directory)?;
        let Some((full_name, _)) = index.find(&name) else {
            return Err(ImageError::NotFound(name.to_string()));
        };
        let full_name = full_name.clone();
        let removed = index.images.remove(&full_name);
        let is_last = |record: &Record| index.images.values().all(|other| other.config != record.config);
        let goes = removed.as_ref().filter(|record| is_last(record));
        if force == Force::UnlessUsed && goes.is_some_and(|record| record.is_used(directory)) {
            return Err(ImageError::InUse(full_name));
        }
        index.save(directory, &lock)?;
        collect::sweep(directory, &index, &trash)
    }
}
