//! The image directory on disk.
//!
//! ```text
//! DIR/images.json        which name means which layers (index.rs)
//! DIR/blobs/sha256/HEX   image configurations
//! DIR/layers/HEX/        unpacked layers, named by diffID
//! DIR/builtin/NAME-KEY/  root file systems of built-in images
//! DIR/tmp/X/             unfinished work, its directory flock'ed by whoever does it
//! DIR/lock               flock'ed for every change
//! ```
//! What has a final name is whole and on disk: it was made below tmp, synced and renamed. A crash leaves names below tmp only.

use super::{ImageError, at};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and how far apart, a layer that is looked at is tried to be held.
const HOLD_TRIES: u32 = 20;
const HOLD_PAUSE: Duration = Duration::from_millis(5);

/// Names below the image directory.
#[derive(Debug, Clone)]
pub(super) struct Directory(PathBuf);

/// Holds the right to change the directory; give it back soon, other processes wait for it.
pub(super) struct Lock(#[expect(dead_code, reason = "closing it unlocks")] File);

/// A place for unfinished work, removed when dropped.
pub(super) struct Staging {
    path: PathBuf,
    _held: OwnedFd,
}

impl Directory {
    /// Opens `path`, makes what is missing, removes what a crash has left.
    pub(super) fn open(path: &Path) -> Result<Self, ImageError> {
        let directory = Self(std::path::absolute(path).map_err(|e| at(path, e))?);
        for name in ["blobs/sha256", "layers", "builtin", "tmp"] {
            // Images hold set-user-id programs: nobody else may reach them.
            let path = directory.0.join(name);
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|e| at(&path, e))?;
        }
        directory.sweep()?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn index(&self) -> PathBuf {
        self.0.join("images.json")
    }

    pub(super) fn layers(&self) -> PathBuf {
        self.0.join("layers")
    }

    pub(super) fn builtin(&self) -> PathBuf {
        self.0.join("builtin")
    }

    /// `digest` as `sha256:HEX`.
    pub(super) fn layer(&self, digest: &str) -> PathBuf {
        self.layers().join(bare(digest))
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.0.join("blobs/sha256")
    }

    /// `digest` as `sha256:HEX`.
    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        self.blobs().join(bare(digest))
    }

    /// Waits until no other process changes the directory.
    pub(super) fn lock(&self) -> Result<Lock, ImageError> {
        let path = self.0.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| at(&path, e))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|e| at(&path, e))?;
        Ok(Lock(file))
    }

    /// A fresh directory for unfinished work.
    pub(super) fn staging(&self) -> Result<Staging, ImageError> {
        // Under the lock nobody sweeps between making it and holding it.
        let _lock = self.lock()?;
        let tmp = self.0.join("tmp");
        let path = tempfile::Builder::new().prefix("").tempdir_in(&tmp).map_err(|e| at(&tmp, e))?.keep();
        let held = open_directory(&path)?;
        rustix::fs::flock(&held, FlockOperation::LockExclusive).map_err(|e| at(&path, e))?;
        Ok(Staging { path, _held: held })
    }

    /// Removes unfinished work that nobody holds.
    fn sweep(&self) -> Result<(), ImageError> {
        let tmp = self.0.join("tmp");
        if entries(&tmp)?.is_empty() {
            return Ok(());
        }
        let abandoned: Vec<(PathBuf, OwnedFd)> = {
            let _lock = self.lock()?;
            let held_by_us = |path: PathBuf| {
                let held = open_directory(&path).ok()?;
                rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive).ok()?;
                Some((path, held))
            };
            entries(&tmp)?.into_iter().filter_map(held_by_us).collect()
        };
        for (path, _held) in abandoned {
            remove_tree(&path)?;
        }
        Ok(())
    }

    /// Writes a file so that it is either the old or the new one, whatever happens. The caller holds the lock.
    pub(super) fn replace_file(&self, path: &Path, content: &[u8], _: &Lock) -> Result<(), ImageError> {
        let parent = path.parent().unwrap_or(&self.0);
        let write = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().tempfile_in(self.0.join("tmp"))?;
            file.write_all(content)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            File::open(parent)?.sync_all()
        };
        write().map_err(|e| at(path, e))
    }
}

impl Staging {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives `name` below here its final path, unless something is there already. Everything below is on disk first.
    pub(super) fn publish(&self, name: &str, to: &Path, _: &Lock) -> Result<(), ImageError> {
        let parent = to.parent().unwrap_or(Path::new("/"));
        if to.exists() {
            return Ok(());
        }
        fs::rename(self.path.join(name), to).map_err(|e| at(to, e))?;
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(|e| at(parent, e))
    }

    /// Waits until everything here is on disk. One call for the whole file system costs less than one for each of ten thousand files.
    pub(super) fn sync(&self) -> Result<(), ImageError> {
        let dir = open_directory(&self.path)?;
        rustix::fs::syncfs(dir).map_err(|e| at(&self.path, e))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not remove unfinished work; the next start tries again");
        }
    }
}

/// Marks layers as used, by whatever process, for as long as the descriptors are open: what is used is not removed.
///
/// # Errors
/// A layer that is gone, or is being removed at this moment.
pub fn hold(layers: &[PathBuf]) -> io::Result<Vec<OwnedFd>> {
    layers.iter().map(|layer| hold_one(layer)).collect()
}

/// Marks one layer as used; see `hold`.
pub(super) fn hold_one(layer: &Path) -> io::Result<OwnedFd> {
    for _ in 0..HOLD_TRIES {
        let held = open_directory(layer).map_err(io::Error::other)?;
        if rustix::fs::flock(&held, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
            // A file system without locks (some of the network) does not keep a container from running.
            return Ok(held);
        }
        // Somebody looks whether it is used, which takes a moment, or removes it: then it cannot be opened next time.
        std::thread::sleep(HOLD_PAUSE);
    }
    Err(io::Error::other(format!("layer {} is being removed", layer.display())))
}

/// Whether some process uses the layer.
pub(super) fn is_held(layer: &Path) -> bool {
    let Ok(directory) = open_directory(layer) else {
        return false;
    };
    rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

/// Notes that something is used now.
pub(super) fn renew(path: &Path) -> Result<(), ImageError> {
    let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
    let flags = rustix::fs::AtFlags::empty();
    rustix::fs::utimensat(CWD, path, &times, flags).map_err(|e| at(path, e))
}

/// Moves `path` to `to`, unless someone holds it.
pub(super) fn move_unheld(path: &Path, to: &Path) -> Result<bool, ImageError> {
    let directory = open_directory(path)?;
    if rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        return Ok(false);
    }
    fs::rename(path, to).map_err(|e| at(path, e))?;
    Ok(true)
}

/// Paths directly below a directory.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, ImageError> {
    fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|e| at(dir, e))
}

/// Bytes of the files below a directory, each file counted once.
pub(super) fn tree_size(dir: &Path) -> Result<u64, ImageError> {
    let mut size = 0;
    let mut linked = HashSet::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for path in entries(&dir)? {
            let metadata = fs::symlink_metadata(&path).map_err(|e| at(&path, e))?;
            if metadata.is_dir() {
                open.push(path);
                continue;
            }
            let seen_before = 1 < metadata.nlink() && !linked.insert((metadata.dev(), metadata.ino()));
            if metadata.is_file() && !seen_before {
                size += metadata.len();
            }
        }
    }
    Ok(size)
}

/// Removes a directory with all that is in it; fine if it is gone.
pub(super) fn remove_tree(path: &Path) -> Result<(), ImageError> {
    let removed = match crate::trees::remove(path) {
        // A temporary file beside the temporary directories.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
        other => other,
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|e| at(path, e)),
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, ImageError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|e| at(path, e))
}

fn bare(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_is_swept_and_what_is_being_made_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let held = directory.staging().unwrap();
        fs::write(held.path().join("file"), "x").unwrap();
        let left = dir.path().join("tmp/left");
        fs::create_dir_all(left.join("deep")).unwrap();
        fs::write(dir.path().join("tmp/left-file"), "x").unwrap();
        Directory::open(dir.path()).unwrap();
        assert_eq!(entries(&dir.path().join("tmp")).unwrap(), [held.path()]);
        drop(held);
        assert!(entries(&dir.path().join("tmp")).unwrap().is_empty());
    }

    #[test]
    fn a_held_layer_is_not_moved() {
        let dir = tempfile::tempdir().unwrap();
        let (layer, to) = (dir.path().join("layer"), dir.path().join("trash"));
        fs::create_dir(&layer).unwrap();
        let one = hold(std::slice::from_ref(&layer)).unwrap();
        let other = hold(std::slice::from_ref(&layer)).unwrap();
        drop(one);
        assert!(!move_unheld(&layer, &to).unwrap());
        drop(other);
        assert!(move_unheld(&layer, &to).unwrap());
        let error = hold(std::slice::from_ref(&layer)).unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
    }

    #[test]
    fn a_tree_counts_hard_links_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/a"), "12345").unwrap();
        fs::hard_link(dir.path().join("d/a"), dir.path().join("b")).unwrap();
        fs::write(dir.path().join("c"), "1").unwrap();
        assert_eq!(tree_size(dir.path()).unwrap(), 6);
    }
}
