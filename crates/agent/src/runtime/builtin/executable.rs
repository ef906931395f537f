//! The program that supervisors run: one sealed copy in memory, so that no container can reach the host's file through
//! /proc/PID/exe, and an upgrade of the file changes nothing under running pods.

use parking_lot::Mutex;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The copy, made when first needed.
pub struct Executable {
    source: PathBuf,
    copy: Mutex<Option<File>>,
}

impl Executable {
    /// Of the file at `source`.
    pub fn new(source: &Path) -> Self {
        Self { source: source.to_owned(), copy: Mutex::default() }
    }

    /// A path that a child of this process can execute.
    pub fn path(&self) -> io::Result<PathBuf> {
        let mut copy = self.copy.lock();
        let file = match &*copy {
            Some(file) => file,
            None => copy.insert(sealed_copy(&self.source)?),
        };
        Ok(format!("/proc/self/fd/{}", file.as_raw_fd()).into())
    }
}

fn sealed_copy(source: &Path) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 refuse EXEC, which they take for granted.
    let memory = memfd_create("kiln-supervisor", flags | MemfdFlags::EXEC)
        .or_else(|_| memfd_create("kiln-supervisor", flags))?;
    let mut memory = File::from(memory);
    io::copy(&mut File::open(source)?, &mut memory)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&memory, seals)?;
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_runs_and_cannot_be_written() {
        let executable = Executable::new(Path::new("/proc/self/exe"));
        let path = executable.path().unwrap();
        let listing = std::process::Command::new(&path).arg("--list").output().unwrap();
        assert!(listing.status.success());
        assert!(File::options().write(true).open(&path).is_ok_and(|file| {
            use std::os::unix::fs::FileExt;
            file.write_at(b"x", 0).is_err()
        }));
    }
}
