//! The images that need no import: `kiln/demo` and `kiln/host`. Their roots are made on first use, below `builtin/NAME-KEY`, where
//! the key changes whenever the root would.

mod demo;
mod elf;
mod host;

use super::reference::Builtin;
use super::store::{self, Staging};
use super::{Image, ImageConfig, ImageError, Origin, Store, rootfs};
use super::{at, stream};
use crate::runtime::Rootfs;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An older root that nothing has used for so long may go. Two builds of kiln that take turns keep both of theirs.
const KEPT_UNUSED: Duration = Duration::from_secs(60 * 60);
/// A root's time is renewed when it is used, but not by every one of a thousand pods.
const RENEWED_AFTER: Duration = Duration::from_secs(10 * 60);

/// Makes the image ready.
pub(super) fn resolve(store: &Store, builtin: Builtin) -> Result<Image, ImageError> {
    match builtin {
        Builtin::Demo => demo::resolve(store),
        Builtin::Host => host::resolve(store),
    }
}

/// Id and size for a listing; makes nothing.
pub(super) fn describe(store: &Store, builtin: Builtin) -> Result<(String, u64), ImageError> {
    match builtin {
        Builtin::Demo => demo::describe(store),
        Builtin::Host => Ok((host::id(), 0)),
    }
}

/// A built-in image around a root.
fn image(builtin: Builtin, id: String, env: &[&str], rootfs: Rootfs, size_bytes: u64) -> Image {
    let pair = |line: &&str| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        (name.to_owned(), value.to_owned())
    };
    Image {
        reference: builtin.name().into(),
        id,
        config: ImageConfig { env: env.iter().map(pair).collect(), ..ImageConfig::default() },
        rootfs,
        size_bytes,
        origin: Origin::BuiltIn,
    }
}

/// The id of a built-in image whose root has this key.
fn id_of(key: &str, env: &[&str]) -> String {
    let config = rootfs::configuration(&[key.to_owned()], env);
    format!("sha256:{}", stream::sha256_hex(&config))
}

/// The root `NAME-KEY`; `make` fills it if it is not there.
fn root(
    store: &Store,
    name: &str,
    key: &str,
    make: impl FnOnce(&Path) -> Result<(), ImageError>,
) -> Result<PathBuf, ImageError> {
    let file_name = format!("{name}-{key}");
    let place = store.directory.builtin().join(&file_name);
    if let Ok(metadata) = fs::metadata(&place) {
        let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| RENEWED_AFTER < age) {
            store::renew(&place)?;
        }
        return Ok(place);
    }
    let staging = store.directory.staging()?;
    let work = staging.path().join(&file_name);
    make_directory(&work, 0o755)?;
    make(&work)?;
    staging.sync()?;
    let lock = store.directory.lock()?;
    staging.publish(&file_name, &place, &lock)?;
    let retired = retire(store, name, &place, &staging)?;
    drop(lock);
    if 0 < retired {
        tracing::debug!(image = name, retired, "removed old built-in roots");
    }
    Ok(place)
}

/// Moves older roots that nothing uses to `staging`, which removes them.
fn retire(store: &Store, name: &str, newest: &Path, staging: &Staging) -> Result<usize, ImageError> {
    let mut candidates = store::entries(&store.directory.builtin())?;
    candidates.retain(|path| {
        let file_name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let same_image = file_name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        let age = fs::metadata(path).and_then(|m| m.modified()).ok().and_then(|time| time.elapsed().ok());
        path != newest && same_image && age.is_some_and(|age| KEPT_UNUSED < age)
    });
    let mut n_moved = 0;
    for (i, path) in candidates.iter().enumerate() {
        n_moved += usize::from(store::move_unheld(path, &staging.path().join(format!("old-{i}")))?);
    }
    Ok(n_moved)
}

/// Makes a directory with exactly this mode, and its parents.
fn make_directory(path: &Path, mode: u32) -> Result<(), ImageError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|e| at(path, e))
}

fn write_file(path: &Path, content: &str) -> Result<(), ImageError> {
    fs::write(path, content)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o644)))
        .map_err(|e| at(path, e))
}

fn make_link(target: impl AsRef<Path>, path: &Path) -> Result<(), ImageError> {
    std::os::unix::fs::symlink(target, path).map_err(|e| at(path, e))
}
