//! `kiln/demo`: the running kiln program under the names of its applets. A dynamic build needs its loader and libraries: the ones
//! this very process has mapped are those that fit.

use super::{ImageError, Store, at, elf, id_of, image, make_directory, make_link, root, write_file};
use crate::images::reference::Builtin;
use crate::images::{Image, stream};
use crate::runtime::Rootfs;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const APPLETS: [&str; 5] = ["pi", "echo", "sleep", "seq", "fail"];
const ENV: &[&str] = &["PATH=/bin", "HOME=/"];
/// Changes when the layout below changes.
const LAYOUT: &str = "1";

pub(super) fn resolve(store: &Store) -> Result<Image, ImageError> {
    let key = key(&store.executable)?;
    let place = root(store, "demo", &key, |dir| fill(dir, &store.executable))?;
    let rootfs = Rootfs { lower: vec![place], overlays: vec![], masked: vec![] };
    let size = size(store)?;
    Ok(image(Builtin::Demo, id_of(&key, ENV), ENV, rootfs, size))
}

pub(super) fn describe(store: &Store) -> Result<(String, u64), ImageError> {
    Ok((id_of(&key(&store.executable)?, ENV), size(store)?))
}

/// Tells one build of kiln from another without reading it.
fn key(executable: &Path) -> Result<String, ImageError> {
    let metadata = fs::metadata(executable).map_err(|e| at(executable, e))?;
    let facts = format!(
        "{LAYOUT} {} {} {} {}.{}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    );
    Ok(stream::sha256_hex(facts.as_bytes())[..16].to_owned())
}

fn size(store: &Store) -> Result<u64, ImageError> {
    // This process maps the same libraries all its life.
    static LIBRARIES: OnceLock<u64> = OnceLock::new();
    let program = fs::metadata(&store.executable).map_err(|e| at(&store.executable, e))?.len();
    if let Some(size) = LIBRARIES.get() {
        return Ok(program + size);
    }
    let size = |library: &PathBuf| fs::metadata(library).map_or(0, |metadata| metadata.len());
    let libraries = libraries()?.iter().map(size).sum();
    Ok(program + LIBRARIES.get_or_init(|| libraries))
}

fn fill(dir: &Path, executable: &Path) -> Result<(), ImageError> {
    for (name, mode) in
        [("bin", 0o755), ("etc", 0o755), ("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("tmp", 0o1777)]
    {
        make_directory(&dir.join(name), mode)?;
    }
    copy(executable, &dir.join("bin/kiln"))?;
    for applet in APPLETS {
        make_link("kiln", &dir.join("bin").join(applet))?;
    }
    write_file(&dir.join("etc/passwd"), "root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n")?;
    write_file(&dir.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    let Some(loader) = elf::interpreter(executable) else {
        return Ok(());
    };
    copy(&loader, &below(dir, &loader))?;
    let libraries = libraries()?;
    // The C library lies where the loader looks without being told.
    let searched: BTreeSet<PathBuf> = libraries
        .iter()
        .filter(|library| elf::soname(library).is_some_and(|name| name.starts_with("libc.")))
        .filter_map(|library| library.parent().map(Path::to_owned))
        .collect();
    for library in &libraries {
        let place = below(dir, library);
        if !place.exists() {
            copy(library, &place)?;
        }
        link_under_soname(dir, library, &searched)?;
    }
    Ok(())
}

/// The loader looks for a library's own name, in the directories it searches; the file may be called otherwise or lie elsewhere.
fn link_under_soname(dir: &Path, library: &Path, searched: &BTreeSet<PathBuf>) -> Result<(), ImageError> {
    let Some(name) = elf::soname(library) else {
        return Ok(());
    };
    let own = library.parent().map(Path::to_owned);
    for parent in searched.iter().cloned().chain(own) {
        let link = below(dir, &parent).join(&name);
        if fs::symlink_metadata(&link).is_err() {
            make_link(library, &link)?;
        }
    }
    Ok(())
}

/// Shared objects mapped into this process, the program itself left out.
fn libraries() -> Result<BTreeSet<PathBuf>, ImageError> {
    let maps = Path::new("/proc/self/maps");
    let text = fs::read_to_string(maps).map_err(|e| at(maps, e))?;
    let own = fs::metadata("/proc/self/exe").map(|m| (m.dev(), m.ino())).ok();
    let is_other = |path: &PathBuf| {
        let found = fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
        found.is_some() && found != own && elf::soname(path).is_some()
    };
    Ok(mapped_programs(&text).filter(is_other).collect())
}

/// Paths of the executable mappings in the text of a maps file.
fn mapped_programs(maps: &str) -> impl Iterator<Item = PathBuf> {
    maps.lines().filter_map(|line| {
        // address permissions offset device inode path
        let mut fields = line.splitn(6, ' ');
        let is_executable = fields.nth(1)?.contains('x');
        let path = fields.nth(3)?.trim_start();
        // A library upgraded since the start still has its successor under the same name.
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        (is_executable && path.starts_with('/')).then(|| PathBuf::from(path))
    })
}

fn below(dir: &Path, path: &Path) -> PathBuf {
    dir.join(path.strip_prefix("/").unwrap_or(path))
}

fn copy(from: &Path, to: &Path) -> Result<(), ImageError> {
    if let Some(parent) = to.parent() {
        make_directory(parent, 0o755)?;
    }
    fs::copy(from, to).and_then(|_| fs::set_permissions(to, Permissions::from_mode(0o755))).map_err(|e| at(to, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_of_programs_are_found_in_maps() {
        let maps = "55d0-55d1 r--p 00000000 08:01 131 /usr/bin/cat\n\
                    7f00-7f01 r-xp 00028000 08:01 132                        /usr/lib/x86_64-linux-gnu/libc.so.6\n\
                    7f02-7f03 r-xp 00028000 08:01 133                        /opt/with space/lib.so (deleted)\n\
                    7f04-7f05 r-xp 00000000 00:00 0\n\
                    7ffe-7fff r-xp 00000000 00:00 0                          [vdso]\n";
        let found: Vec<PathBuf> = mapped_programs(maps).collect();
        let expect = ["/usr/lib/x86_64-linux-gnu/libc.so.6", "/opt/with space/lib.so"].map(PathBuf::from);
        assert_eq!(found, expect);
    }
}
