//! Removes directories that containers and images have filled. They may be nested as deep as their maker liked, so neither a
//! descriptor nor a stack frame may be spent on every level: `std::fs::remove_dir_all` does both.

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat};
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
}
