//! Imports a root file system, a directory or a tar, as an image of one layer and an empty configuration. A directory goes through
//! a tar stream on the way, so that both get the same digest and the same checks.

use super::import::{self, Ready};
use super::limits::Budget;
use super::source::plain_file;
use super::stream::{Slice, Tallied};
use super::{ImageError, Store, at, documents};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// See `ImageStore::import_rootfs`.
pub(super) fn import_rootfs(store: &Store, path: &Path, name: &str) -> Result<(), ImageError> {
    let name = import::storable_name(name)?;
    let staging = store.directory.staging()?;
    let budget = Budget::new(store.limits);
    let is_directory = fs::metadata(path).map_err(|e| at(path, e))?.is_dir();
    let unpack = || {
        if is_directory {
            return through_a_pipe(path, |reader| {
                let (packed, tally) = Tallied::new(reader);
                import::unpack_layer(store, &staging, packed, tally, &budget)
            });
        }
        let file = plain_file(path, staging.path(), store.limits)?;
        let (packed, tally) = Tallied::new(Slice::new(&file, 0, file.metadata()?.len()));
        import::unpack_layer(store, &staging, packed, tally, &budget)
    };
    let hex = unpack().map_err(|error| error.within(&path.display().to_string()))?;
    let diff_id = format!("sha256:{hex}");
    let config = configuration(std::slice::from_ref(&diff_id), &[]);
    let image = Ready::single_layer(name, config, diff_id);
    import::commit(&store.directory, &staging, &[image]).map(drop)
}

/// A configuration that says no more than it must.
pub(super) fn configuration(diff_ids: &[String], env: &[&str]) -> Vec<u8> {
    let run = if env.is_empty() { serde_json::json!({}) } else { serde_json::json!({ "Env": env }) };
    serde_json::json!({
        "architecture": documents::architecture(),
        "os": "linux",
        "config": run,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string()
    .into_bytes()
}

/// Writes `dir` as a tar in one thread while `read` reads it in this one.
fn through_a_pipe<T>(dir: &Path, read: impl FnOnce(io::PipeReader) -> Result<T, ImageError>) -> Result<T, ImageError> {
    let (reader, writer) = io::pipe()?;
    let (written, result) = std::thread::scope(|scope| {
        let writing = scope.spawn(move || write_tree(dir, io::BufWriter::with_capacity(1 << 16, writer)));
        let result = read(reader);
        (writing.join(), result)
    });
    let written = written.unwrap_or_else(|_| Err(ImageError::Broken("the archiving thread panicked".into())));
    match (written, result) {
        // The reader stopped first: its reason is the real one.
        (Err(ImageError::Io(error)), Err(reason)) if error.kind() == io::ErrorKind::BrokenPipe => Err(reason),
        (Err(error), _) => Err(error),
        (Ok(()), result) => result,
    }
}

/// Writes the tree in name order. Stays on one file system: what is mounted below (proc, sys) is no part of an image.
fn write_tree(root: &Path, to: impl Write) -> Result<(), ImageError> {
    let mut builder = Builder::new(to);
    builder.follow_symlinks(false);
    let device = fs::metadata(root).map_err(|e| at(root, e))?.dev();
    let mut linked: HashMap<u64, PathBuf> = HashMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let path = root.join(&relative);
        let metadata = if relative.as_os_str().is_empty() { fs::metadata(root) } else { fs::symlink_metadata(&path) };
        let metadata = metadata.map_err(|e| at(&path, e))?;
        let is_mount = metadata.dev() != device;
        write_entry(&mut builder, &path, &relative, &metadata, &mut linked).map_err(|e| at(&path, e))?;
        if metadata.is_dir() && !is_mount {
            let mut names = fs::read_dir(&path)
                .and_then(|entries| entries.map(|e| e.map(|e| e.file_name())).collect::<io::Result<Vec<_>>>())
                .map_err(|e| at(&path, e))?;
            names.sort_by(|a, b| b.cmp(a));
            open.extend(names.iter().map(|name| relative.join(name)));
        }
    }
    builder.into_inner()?.flush()?;
    Ok(())
}

fn write_entry(
    builder: &mut Builder<impl Write>,
    path: &Path,
    relative: &Path,
    metadata: &Metadata,
    linked: &mut HashMap<u64, PathBuf>,
) -> io::Result<()> {
    let name = Path::new(".").join(relative);
    let file_type = metadata.file_type();
    if file_type.is_socket() || file_type.is_block_device() || file_type.is_char_device() {
        return Ok(());
    }
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    if file_type.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        return builder.append_link(&mut header, name, fs::read_link(path)?);
    }
    if file_type.is_file() && 1 < metadata.nlink() {
        if let Some(first) = linked.get(&metadata.ino()) {
            header.set_entry_type(EntryType::Link);
            return builder.append_link(&mut header, name, first);
        }
        linked.insert(metadata.ino(), name.clone());
    }
    let xattrs = xattrs(path)?;
    if !xattrs.is_empty() {
        let records = xattrs.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        builder.append_pax_extensions(records)?;
    }
    if file_type.is_file() {
        header.set_size(metadata.len());
        let file = File::open(path)?;
        // A file that grows or shrinks while it is read gives an error instead of a damaged archive.
        let read = builder.append_data(&mut header, name, io::Read::take(&file, metadata.len()));
        return read.and_then(|()| check_unchanged(&file, metadata.len()));
    }
    header.set_entry_type(match file_type.is_fifo() {
        true => EntryType::Fifo,
        false => EntryType::Directory,
    });
    builder.append_data(&mut header, name, io::empty())
}

fn check_unchanged(file: &File, length: u64) -> io::Result<()> {
    if file.metadata()?.len() == length {
        return Ok(());
    }
    Err(io::Error::other("changed while it was read"))
}

/// Extended attributes that an image keeps, as pax records.
fn xattrs(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut names = vec![0; 64 << 10];
    let n = match rustix::fs::llistxattr(path, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let mut found = Vec::new();
    for name in names[..n].split(|byte| *byte == 0) {
        let kept = name.starts_with(b"user.") || name == b"security.capability";
        let Some(name) = kept.then(|| std::str::from_utf8(name).ok()).flatten() else {
            continue;
        };
        let mut value = vec![0; 64 << 10];
        let n = rustix::fs::lgetxattr(path.as_os_str().as_bytes(), name, &mut value[..])?;
        value.truncate(n);
        found.push((format!("SCHILY.xattr.{name}"), value));
    }
    Ok(found)
}
