//! Removes directories that containers and images have filled. They may be nested as deep as their maker liked, so neither a
//! descriptor nor a stack frame may be spent on every level: `std::fs::remove_dir_all` does both.

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat, fstat, openat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// What lies deeper is moved up before it is gone through: more than honest trees have.
const MAX_DEPTH: usize = 64;

/// Removes the directory `path` with all that is in it. Links are not followed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = openat(CWD, path, flags, Mode::empty())?;
    let mut removal = Removal { top: top.as_fd(), n_moved: 0 };
    loop {
        let before = removal.n_moved;
        removal.empty(top.as_fd(), 0)?;
        if removal.n_moved == before {
            return fs::remove_dir(path);
        }
    }
}

/// What is in `path`, or the file that it is, takes of the disk, in bytes. Links and other file systems below are not followed, nor trees
/// deeper than honest ones; what cannot be read counts nothing.
pub(crate) fn used(path: &Path) -> u64 {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(top) = openat(CWD, path, flags, Mode::empty()) else { return 0 };
    let Ok(found) = fstat(&top) else { return 0 };
    let inside = match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => used_in(top.as_fd(), c".", found.st_dev, 0),
        _ => 0,
    };
    on_disk(&found) + inside
}

fn used_in(parent: BorrowedFd<'_>, name: &CStr, device: u64, depth: usize) -> u64 {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(dir) = openat(parent, name, flags, Mode::empty()) else { return 0 };
    let Ok(entries) = Dir::read_from(&dir) else { return 0 };
    let mut sum = 0;
    for entry in entries.flatten().filter(|entry| !matches!(entry.file_name().to_bytes(), b"." | b"..")) {
        let Ok(found) = statat(&dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if found.st_dev != device {
            continue;
        }
        sum += on_disk(&found);
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory && depth < MAX_DEPTH {
            sum += used_in(dir.as_fd(), entry.file_name(), device, depth + 1);
        }
    }
    sum
}

/// A file with several names counts once for each: each may be the last.
fn on_disk(found: &Stat) -> u64 {
    u64::try_from(found.st_blocks).unwrap_or(0) * 512
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    /// Directories that were too deep and are now in `top`.
    n_moved: u64,
}

impl Removal<'_> {
    fn empty(&mut self, dir: BorrowedFd<'_>, depth: usize) -> Result<(), Errno> {
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match unlinkat(dir, name, AtFlags::empty()) {
                Err(Errno::ISDIR) if depth == MAX_DEPTH => self.move_up(dir, name)?,
                Err(Errno::ISDIR) => self.remove_child(dir, name, depth)?,
                Err(Errno::NOENT) => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn remove_child(&mut self, dir: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let child = openat(dir, name, flags, Mode::empty())?;
        self.empty(child.as_fd(), depth + 1)?;
        unlinkat(dir, name, AtFlags::REMOVEDIR)
    }

    fn move_up(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        loop {
            self.n_moved += 1;
            let fresh = format!("kiln-removing-{}", self.n_moved);
            match renameat_with(dir, name, self.top, fresh, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;

    /// Directories within each other, with a file at every level; no path could name the last one.
    fn dig(root: &Path, levels: usize) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut dir = openat(CWD, root, flags, Mode::empty()).unwrap();
        for _ in 0..levels {
            openat(&dir, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            mkdirat(&dir, "kiln-removing-1", Mode::RWXU).unwrap();
            dir = openat(&dir, "kiln-removing-1", flags, Mode::empty()).unwrap();
        }
    }

    #[test]
    fn a_tree_deeper_than_any_stack_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        dig(&tree, 20_000);
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn what_links_lead_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, other) = (dir.path().join("tree"), dir.path().join("other"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&other, tree.join("a/link")).unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join("top")).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists());
        assert!(remove(&dir.path().join("top")).is_err());
        assert!(other.join("file").exists());
        assert_eq!(remove(&tree).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_a_tree_takes_is_counted_without_following_links() {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        let empty = used(&tree);
        fs::write(directory.path().join("outside"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink(directory.path(), tree.join("a/link")).unwrap();
        std::os::unix::fs::symlink("/", tree.join("root")).unwrap();
        fs::write(tree.join("a/b/file"), vec![1; 100_000]).unwrap();
        // A sparse file takes what it holds, not what it says.
        fs::File::create(tree.join("sparse")).unwrap().set_len(1 << 30).unwrap();
        let full = used(&tree);
        assert!((100_000..200_000).contains(&(full - empty)), "{empty} {full}");
        assert!(100_000 <= used(&tree.join("a/b/file")));
        assert_eq!(used(&tree.join("nothing")), 0);
        dig(&tree, 200);
        assert!(full <= used(&tree));
    }
}
