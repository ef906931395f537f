//! Files that come from API objects, written so that a reader sees all of one version or all of another:
//!
//! ```text
//! DIR/color -> ..data/color      DIR/..data -> ..VERSION      DIR/..VERSION/color
//! ```
//!
//! A new version is a new directory and one rename of `..data` (K:pkg/volume/util/atomic_writer.go).

use crate::userns::if_exists;
use k8s_openapi::api::core::v1::KeyToPath;
use rustix::fs::{Gid, Mode, Uid};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path};

/// Mode of files when the volume does not say.
pub(super) const DEFAULT_MODE: u32 = 0o644;
/// The name that is swapped.
const DATA: &str = "..data";

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Permission bits.
    pub mode: u32,
    /// Whose it is, if not root's.
    pub owner: Option<u32>,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Files by their path below the volume's directory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Payload(pub BTreeMap<String, File>);

/// How keys become files.
pub(super) struct Projection<'a> {
    pub(super) items: Option<&'a [KeyToPath]>,
    pub(super) default_mode: Option<i32>,
    pub(super) is_optional: bool,
}

impl Projection<'_> {
    /// All keys, or the items if there are any. The error is a key that is not there, or a path that leads out of the volume.
    pub(super) fn apply(&self, data: &BTreeMap<&str, &[u8]>) -> Result<Payload, String> {
        let default_mode = mode(self.default_mode).unwrap_or(DEFAULT_MODE);
        let file = |bytes: &[u8], mode| File { mode, owner: None, bytes: bytes.to_owned() };
        let mut files = BTreeMap::new();
        let items = self.items.unwrap_or_default();
        for item in items {
            match data.get(item.key.as_str()) {
                Some(bytes) if is_inside(&item.path) => {
                    let mode = mode(item.mode).unwrap_or(default_mode);
                    files.insert(item.path.clone(), file(bytes, mode));
                }
                Some(_) => return Err(item.path.clone()),
                None if self.is_optional => {}
                None => return Err(item.key.clone()),
            }
        }
        if items.is_empty() {
            for (key, bytes) in data.iter().filter(|(key, _)| is_inside(key)) {
                files.insert((*key).to_owned(), file(bytes, default_mode));
            }
        }
        Ok(Payload(files))
    }
}

pub(super) fn mode(mode: Option<i32>) -> Option<u32> {
    Some(u32::try_from(mode?).ok()? & 0o777)
}

/// A relative path of plain names, none of which could be taken for the machinery's own.
pub(super) fn is_inside(path: &str) -> bool {
    let is_plain = |component: Component<'_>| match component {
        Component::Normal(name) => !name.to_string_lossy().starts_with(".."),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => false,
    };
    !path.is_empty() && Path::new(path).components().all(is_plain)
}

/// Writes a version of `payload` into `dir` and makes it the visible one; what an earlier version left is removed. If it is the visible
/// one already nothing is done: whoever watches the files is not woken. Blocking.
pub(super) fn write(dir: &Path, payload: &Payload, version: &str, fs_group: Option<u32>) -> std::io::Result<()> {
    if let Ok(Some(current)) = visible(dir, payload) {
        // Whoever wrote it may have been interrupted after the rename.
        link_names(dir, payload)?;
        return remove_older_versions(dir, &current);
    }
    std::fs::create_dir_all(dir)?;
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755))?;
    let name = format!("..{version}");
    let versioned = dir.join(&name);
    if versioned.exists() {
        std::fs::remove_dir_all(&versioned)?;
    }
    std::fs::create_dir(&versioned)?;
    for (path, file) in &payload.0 {
        write_file(&versioned, path, file, fs_group)?;
    }
    open_to_all(&versioned)?;
    if let Some(gid) = fs_group {
        give_to_group(&versioned, gid, 0o2550)?;
    }
    let temporary = dir.join("..data_tmp");
    remove_if_there(&temporary)?;
    symlink(&name, &temporary)?;
    std::fs::rename(&temporary, dir.join(DATA))?;
    link_names(dir, payload)?;
    remove_older_versions(dir, &name)
}

/// The version that is behind the link, if it has the files of this payload and no others.
fn visible(dir: &Path, payload: &Payload) -> std::io::Result<Option<String>> {
    let current = std::fs::read_link(dir.join(DATA))?;
    let files = dir.join(&current);
    for (path, file) in &payload.0 {
        if std::fs::read(files.join(path))? != file.bytes {
            return Ok(None);
        }
    }
    let is_whole = n_files(&files)? == payload.0.len();
    Ok(is_whole.then(|| current.to_string_lossy().into_owned()))
}

fn n_files(dir: &Path) -> std::io::Result<usize> {
    let mut n = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        n += if entry.file_type()?.is_dir() { n_files(&entry.path())? } else { 1 };
    }
    Ok(n)
}

fn write_file(versioned: &Path, path: &str, file: &File, fs_group: Option<u32>) -> std::io::Result<()> {
    let path = versioned.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    written.write_all(&file.bytes)?;
    if let Some(uid) = file.owner {
        if_exists(rustix::fs::fchown(&written, Some(Uid::from_raw(uid)), None))?;
    }
    let mode = match fs_group {
        Some(gid) => {
            if_exists(rustix::fs::fchown(&written, None, Some(Gid::from_raw(gid))))?;
            file.mode | 0o440
        }
        None => file.mode,
    };
    written.set_permissions(PermissionsExt::from_mode(mode))
}

/// Directories may be entered by everyone, whatever this process' umask: the files have modes of their own.
fn open_to_all(dir: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755))?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_all(&entry.path())?;
        }
    }
    Ok(())
}

/// Gives a directory and the directories in it to a group, with further permission bits.
pub(super) fn give_to_group(dir: &Path, gid: u32, bits: u32) -> std::io::Result<()> {
    if_exists(rustix::fs::chown(dir, None, Some(Gid::from_raw(gid))))?;
    let mode = std::fs::metadata(dir)?.permissions().mode() & 0o7777;
    rustix::fs::chmod(dir, Mode::from_raw_mode(mode | bits))?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give_to_group(&entry.path(), gid, bits)?;
        }
    }
    Ok(())
}

/// Each first component of a path is a link through `..data`.
fn link_names(dir: &Path, payload: &Payload) -> std::io::Result<()> {
    let wanted: BTreeSet<&str> = payload.0.keys().filter_map(|path| path.split('/').next()).collect();
    for name in &wanted {
        let link = dir.join(name);
        if link.symlink_metadata().is_err() {
            symlink(format!("{DATA}/{name}"), &link)?;
        }
    }
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let is_stale = !name.starts_with("..") && !wanted.contains(&*name);
        if is_stale {
            remove_if_there(&dir.join(&*name))?;
        }
    }
    Ok(())
}

fn remove_older_versions(dir: &Path, current: &str) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_older = name.starts_with("..") && name != DATA && name != current;
        if is_older && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
