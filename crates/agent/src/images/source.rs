//! An archive to import as named files: a directory, or a tar whose entries are read in place. A compressed or unseekable one is
//! first written out plain, within the limits.

use super::limits::Limits;
use super::stream::{self, Packing, Slice, Tallied};
use super::tarball::{Entries, Kind};
use super::{ImageError, at};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the files of an archive are.
pub(super) enum Source {
    Directory(PathBuf),
    Tar {
        file: File,
        files: HashMap<String, Span>,
        /// Older docker archives link layers that they share.
        links: HashMap<String, String>,
    },
}

/// Place of a file in a tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    offset: u64,
    size: u64,
}

/// A file of an archive and its size.
pub(super) struct Opened<'a> {
    pub reader: Box<dyn Read + 'a>,
    pub size: u64,
}

impl Source {
    /// Opens what `path` names; `spool` is a directory for the plain copy.
    pub(super) fn open(path: &Path, spool: &Path, limits: Limits) -> Result<Self, ImageError> {
        let metadata = std::fs::metadata(path).map_err(|e| at(path, e))?;
        if metadata.is_dir() {
            return Ok(Self::Directory(path.into()));
        }
        let file = plain_file(path, spool, limits)?;
        let length = file.metadata()?.len();
        let mut entries = Entries::new(Slice::new(&file, 0, length));
        let mut files = HashMap::new();
        let mut links = HashMap::new();
        let mut n_entries = 0;
        while let Some(entry) = entries.next_entry()? {
            n_entries += 1;
            super::limits::check_entries(n_entries, limits)?;
            let name = normal(&entry.display());
            match entry.kind {
                Kind::File => {
                    let span = Span { offset: entry.offset, size: entry.size };
                    files.insert(name, span);
                }
                Kind::Symlink => {
                    let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let target = String::from_utf8_lossy(&entry.link);
                    links.insert(name.clone(), normal(&format!("{parent}/{target}")));
                }
                Kind::HardLink => {
                    links.insert(name, normal(&String::from_utf8_lossy(&entry.link)));
                }
                _ => {}
            }
        }
        Ok(Self::Tar { file, files, links })
    }

    /// Opens one file, `None` when there is none of that name.
    pub(super) fn file(&self, name: &str) -> Result<Option<Opened<'_>>, ImageError> {
        let name = normal(name);
        match self {
            Self::Directory(dir) => {
                let path = dir.join(&name);
                let file = match File::open(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    other => other.map_err(|e| at(&path, e))?,
                };
                let size = file.metadata().map_err(|e| at(&path, e))?.len();
                let reader = Box::new(file);
                Ok(Some(Opened { reader, size }))
            }
            Self::Tar { file, files, links } => {
                // One step: a link to a link is no archive that any tool writes, and cannot become a loop.
                let target = links.get(&name).unwrap_or(&name);
                Ok(files
                    .get(target)
                    .map(|span| Opened { reader: Box::new(Slice::new(file, span.offset, span.size)), size: span.size }))
            }
        }
    }

    /// Reads a manifest, index or configuration.
    pub(super) fn document(&self, name: &str, limits: Limits) -> Result<Option<Vec<u8>>, ImageError> {
        let Some(opened) = self.file(name)? else {
            return Ok(None);
        };
        if limits.document_bytes < opened.size {
            let limit = limits.document_bytes;
            return Err(ImageError::Broken(format!("{name}: more than {limit} bytes")));
        }
        let mut bytes = Vec::new();
        opened
            .reader
            .take(limits.document_bytes)
            .read_to_end(&mut bytes)
            .map_err(|error| ImageError::from(error).within(name))?;
        Ok(Some(bytes))
    }
}

/// The tar at `path` as a plain file that can be read at any offset.
pub(super) fn plain_file(path: &Path, spool: &Path, limits: Limits) -> Result<File, ImageError> {
    let mut file = File::open(path).map_err(|e| at(path, e))?;
    let is_seekable = file.metadata().map_err(|e| at(path, e))?.is_file();
    if is_seekable {
        let mut start = [0; 8];
        let n = std::os::unix::fs::FileExt::read_at(&file, &mut start, 0).map_err(|e| at(path, e))?;
        if stream::packing_of(&start[..n]) == Packing::Plain {
            return Ok(file);
        }
    }
    let (packed, tally) = Tallied::new(&mut file);
    let mut plain = stream::unpacked(packed, tally, limits)?;
    let mut spooled = tempfile::tempfile_in(spool).map_err(|e| at(spool, e))?;
    std::io::copy(&mut plain, &mut spooled)?;
    drop(plain);
    Ok(spooled)
}

/// A path as one archive may write it and another look it up: without `.`, empty and `..` components.
fn normal(name: &str) -> String {
    let mut path: Vec<&str> = Vec::new();
    for component in name.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(path.pop()),
            other => path.push(other),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_the_same_however_they_are_written() {
        for (name, expect) in [
            ("./manifest.json", "manifest.json"),
            ("abc/../def/layer.tar", "def/layer.tar"),
            ("/../../etc/shadow", "etc/shadow"),
            ("a//b/./c", "a/b/c"),
            ("", ""),
        ] {
            assert_eq!(normal(name), expect, "{name}");
        }
    }
}
