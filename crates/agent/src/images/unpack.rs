//! Unpacks a layer's tar into a directory that an overlay mount can use as it is. Every path is resolved by the kernel with the
//! directory as its root (openat2), so no name, link or order of entries reaches a file outside it.

use super::limits::Budget;
use super::tarball::{self, Entries, Entry, Kind};
use super::{ImageError, at};
use crate::beneath;
use crate::userns::{Ids, Standing, standing};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names with this start are bookkeeping of a file system that nobody uses any more.
const WHITEOUT_META: &[u8] = b".wh..wh.";

/// Unpacks `archive` into the empty directory `root`.
pub(super) fn unpack(archive: impl Read, root: &Path, budget: &Budget) -> Result<(), ImageError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut layer = Layer {
        root: rustix::fs::openat(CWD, root, flags, Mode::empty()).map_err(|e| at(root, e))?,
        standing: standing(),
        parent: None,
        directories: Vec::new(),
    };
    let mut entries = Entries::new(archive);
    while let Some(entry) = entries.next_entry()? {
        let counted = if entry.kind == Kind::File { entry.size } else { 0 };
        budget
            .take_entry(counted)
            .and_then(|()| layer.place(&entry, &mut entries))
            .map_err(|error| error.within(&entry.display()))?;
    }
    layer.finish_directories()
}

struct Layer {
    root: OwnedFd,
    standing: Standing,
    /// The directory the last entry went to: entries of one directory mostly follow each other.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Modes and times are set last: writing into a directory changes its time, and it may be read-only.
    directories: Vec<(PathBuf, Entry)>,
}

impl Layer {
    fn place<R: Read>(&mut self, entry: &Entry, body: &mut Entries<R>) -> Result<(), ImageError> {
        let path = inside(&entry.name)?;
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            // The root itself.
            if entry.kind == Kind::Directory {
                self.directories.push((PathBuf::new(), entry.clone()));
            }
            return Ok(());
        };
        let dir = self.parent(parent)?;
        let bytes = name.as_bytes();
        if bytes == OPAQUE {
            return self.make_opaque(parent);
        }
        if bytes.starts_with(WHITEOUT_META) {
            return Ok(());
        }
        if let Some(hidden) = bytes.strip_prefix(WHITEOUT) {
            return self.hide(dir, parent, OsStr::from_bytes(hidden));
        }
        match entry.kind {
            Kind::Directory => {
                self.make_directory(&dir, name, &path)?;
                self.directories.push((path, entry.clone()));
            }
            Kind::File => {
                self.clear(&dir, name)?;
                self.write_file(&dir, name, entry, body)?;
            }
            Kind::Symlink => {
                self.clear(&dir, name)?;
                rustix::fs::symlinkat(OsStr::from_bytes(&entry.link), &dir, name)?;
                self.set_link_metadata(&dir, name, entry)?;
            }
            Kind::HardLink => self.link(&dir, name, entry)?,
            Kind::Fifo => {
                self.clear(&dir, name)?;
                let mode = Mode::from_raw_mode(entry.mode);
                rustix::fs::mknodat(&dir, name, FileType::Fifo, mode, 0)?;
                self.set_link_metadata(&dir, name, entry)?;
            }
            // A container gets a /dev of its own; a device node from an image could be this machine's disk.
            Kind::Device => {}
            Kind::Sparse => return Err(tarball::sparse()),
            Kind::Other(kind) => {
                return Err(ImageError::Broken(format!("unknown kind of entry {kind}")));
            }
        }
        Ok(())
    }

    /// Opens the directory `path` below the root, making what is missing of it.
    fn parent(&mut self, path: &Path) -> Result<OwnedFd, ImageError> {
        if let Some((known, dir)) = &self.parent
            && known == path
        {
            return Ok(dir.try_clone()?);
        }
        let dir = match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR) => self.make_path(path)?,
            other => other?,
        };
        self.parent = Some((path.to_owned(), dir.try_clone()?));
        Ok(dir)
    }

    fn make_path(&mut self, path: &Path) -> Result<OwnedFd, ImageError> {
        let mut dir = self.open(Path::new("."), OFlags::PATH)?;
        let mut so_far = PathBuf::new();
        for component in path {
            so_far.push(component);
            dir = match self.open(&so_far, OFlags::PATH) {
                Ok(dir) => dir,
                Err(Errno::NOENT | Errno::NOTDIR) => {
                    check_room(&dir, component, &so_far)?;
                    self.make_directory(&dir, component, &so_far)?;
                    self.open(&so_far, OFlags::PATH)?
                }
                Err(errno) => return Err(errno.into()),
            };
        }
        Ok(dir)
    }

    fn open(&self, path: &Path, access: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        beneath::open(&self.root, path, flags, resolve)
    }

    /// Makes a directory unless there is one. One that takes the place of a whiteout hides what the layers below have there.
    fn make_directory(&mut self, dir: &OwnedFd, name: &OsStr, path: &Path) -> Result<(), ImageError> {
        let found = look(dir, name)?;
        let kind = found.map(|stat| FileType::from_raw_mode(stat.st_mode));
        if kind == Some(FileType::Directory) {
            return Ok(());
        }
        self.clear(dir, name)?;
        // Owner-writable until finish_directories, so that an ordinary user can fill it.
        rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755))?;
        if kind == Some(FileType::CharacterDevice) {
            self.make_opaque(path)?;
        }
        Ok(())
    }

    /// Removes what is at `name`, whatever it is.
    fn clear(&mut self, dir: &OwnedFd, name: &OsStr) -> Result<(), ImageError> {
        let Some(stat) = look(dir, name)? else {
            return Ok(());
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?);
        }
        self.parent = None;
        // The last component is not followed, and the directory is held by its descriptor.
        let path = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
        Ok(crate::trees::remove(&path)?)
    }

    fn write_file<R: Read>(
        &self,
        dir: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
        body: &mut Entries<R>,
    ) -> Result<(), ImageError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(fd);
        io::copy(body, &mut file)?;
        if 0 < body.body_left() {
            return Err(ImageError::Broken("the archive ends in the middle of it".into()));
        }
        self.set_metadata(&file, entry)
    }

    fn link(&mut self, dir: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<(), ImageError> {
        let shown = || String::from_utf8_lossy(&entry.link).into_owned();
        let target = inside(&entry.link)?;
        let (Some(target_name), Some(target_parent)) = (target.file_name(), target.parent()) else {
            return Err(ImageError::Broken("hard link to the root".into()));
        };
        let missing = || ImageError::Broken(format!("hard link to {:?}, which is not in this layer", shown()));
        let target_dir = match self.open(target_parent, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(missing()),
            other => other?,
        };
        let Some(stat) = look(&target_dir, target_name)? else {
            return Err(missing());
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(ImageError::Broken(format!("hard link to the directory {:?}", shown())));
        }
        let already = look(dir, name)?.is_some_and(|here| (here.st_dev, here.st_ino) == (stat.st_dev, stat.st_ino));
        if already {
            return Ok(());
        }
        self.clear(dir, name)?;
        Ok(rustix::fs::linkat(&target_dir, target_name, dir, name, AtFlags::empty())?)
    }

    /// A whiteout: the name disappears from the layers below. What this layer itself has there stays (OCI image layer specification).
    fn hide(&mut self, dir: OwnedFd, parent: &Path, name: &OsStr) -> Result<(), ImageError> {
        if matches!(name.as_bytes(), b"" | b"." | b"..") {
            return Err(ImageError::Broken("whiteout of no file".into()));
        }
        match look(&dir, name)? {
            None => {
                let whiteout = FileType::CharacterDevice;
                Ok(rustix::fs::mknodat(&dir, name, whiteout, Mode::empty(), 0)?)
            }
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                self.make_opaque(&parent.join(name))
            }
            Some(_) => Ok(()),
        }
    }

    /// Hides everything that the layers below have in this directory.
    fn make_opaque(&self, path: &Path) -> Result<(), ImageError> {
        // Overlay mounts of ordinary users read the user.* name (`userxattr`).
        let attribute = if self.standing == Standing::Root { "trusted.overlay.opaque" } else { "user.overlay.opaque" };
        let dir = self.open(path, OFlags::RDONLY)?;
        Ok(rustix::fs::fsetxattr(dir, attribute, b"y", XattrFlags::empty())?)
    }

    fn finish_directories(mut self) -> Result<(), ImageError> {
        // The deepest first: a parent without permissions would close the way to its children. Of two entries for one directory
        // the later one counts; the sort is stable.
        self.directories.sort_by(|a, b| b.0.cmp(&a.0));
        for (path, entry) in &self.directories {
            let dir = match self.open(path, OFlags::RDONLY | OFlags::NOFOLLOW) {
                Ok(dir) => dir,
                // A later entry replaced it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(errno) => return Err(ImageError::from(errno).within(&entry.display())),
            };
            self.set_metadata(&dir, entry).map_err(|error| error.within(&entry.display()))?;
        }
        Ok(())
    }

    /// Where there is only root, everything is root's.
    fn has_owners(&self) -> bool {
        matches!(self.standing, Standing::Root | Standing::Namespace(Ids::Many))
    }

    fn no_owner(&self, entry: &Entry, errno: Errno) -> ImageError {
        if errno == Errno::INVAL && self.standing != Standing::Root {
            let (uid, gid) = (entry.uid, entry.gid);
            let text =
                format!("its owner {uid}:{gid} is beyond the ids that this user has in /etc/subuid and /etc/subgid");
            return ImageError::Io(io::Error::other(text));
        }
        errno.into()
    }

    /// In this order: a change of owner clears set-user-id bits and file capabilities.
    fn set_metadata(&self, fd: impl AsFd, entry: &Entry) -> Result<(), ImageError> {
        if self.has_owners() {
            let (uid, gid) = owner(entry)?;
            rustix::fs::fchown(&fd, Some(uid), Some(gid)).map_err(|errno| self.no_owner(entry, errno))?;
        }
        for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_kept(name)) {
            match rustix::fs::fsetxattr(&fd, name.as_str(), value, XattrFlags::empty()) {
                // The file system has none, or an ordinary user may not: the program inside may miss them, the image is still whole.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(entry.mode))?;
        Ok(rustix::fs::futimens(&fd, &times(entry))?)
    }

    fn set_link_metadata(&self, dir: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<(), ImageError> {
        if self.has_owners() {
            let (uid, gid) = owner(entry)?;
            rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| self.no_owner(entry, errno))?;
        }
        Ok(rustix::fs::utimensat(dir, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// Directories that an archive leaves out are made for it, but not in place of what it has put there itself.
fn check_room(dir: &OwnedFd, name: &OsStr, path: &Path) -> Result<(), ImageError> {
    let Some(stat) = look(dir, name)? else {
        return Ok(());
    };
    let complaint = match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => return Ok(()),
        FileType::Symlink => "a link that leads to no directory of this layer",
        _ => "not a directory",
    };
    Err(ImageError::Broken(format!("{} is {complaint}", path.display())))
}

/// A path as an archive writes it, relative to the root. `..` is refused: no honest archive has it.
fn inside(name: &[u8]) -> Result<PathBuf, ImageError> {
    let mut path = PathBuf::new();
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return Err(ImageError::Broken("path with ..".into())),
            _ => path.push(OsStr::from_bytes(component)),
        }
    }
    Ok(path)
}

fn look(dir: &OwnedFd, name: &OsStr) -> Result<Option<Stat>, ImageError> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn owner(entry: &Entry) -> Result<(Uid, Gid), ImageError> {
    let id = |raw: u64| u32::try_from(raw).ok().filter(|id| *id != u32::MAX);
    match (id(entry.uid), id(entry.gid)) {
        (Some(uid), Some(gid)) => Ok((Uid::from_raw(uid), Gid::from_raw(gid))),
        _ => Err(ImageError::Broken(format!("owner {}:{} is out of range", entry.uid, entry.gid))),
    }
}

/// Users' own attributes and file capabilities. Never overlay's, which could point anywhere, and none of the host's security modules.
fn is_kept(xattr: &str) -> bool {
    let users_own = xattr.starts_with("user.") && !xattr.starts_with("user.overlay.");
    users_own || xattr == "security.capability"
}

fn times(entry: &Entry) -> Timestamps {
    let mtime = Timespec { tv_sec: entry.mtime.0, tv_nsec: entry.mtime.1.into() };
    Timestamps { last_access: mtime, last_modification: mtime }
}
