//! A file that takes up space while there is some, so that there is some when there is none: a delete writes before it frees.

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Somewhat more than the pages that the writer lets the log grow to.
const LOG_BYTES: u64 = 5 << 20;

#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    n_bytes: u64,
}

impl Reserve {
    pub fn new(path: PathBuf, n_bytes: u64) -> Self {
        Self { path, n_bytes }
    }

    pub fn is_whole(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| self.n_bytes <= metadata.len())
    }

    /// Takes the space; leaves nothing behind when there is not enough.
    pub fn fill(&self) -> io::Result<()> {
        let filled = self.take_space();
        if filled.is_err() {
            self.release()?;
        }
        filled
    }

    /// Gives the space back.
    pub fn release(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Has the log own the space it needs between two checkpoints, before somebody else takes what was released.
    pub fn lend_to(&self, log: &Path) -> io::Result<()> {
        let log = OpenOptions::new().write(true).open(log)?;
        Ok(fallocate(&log, FallocateFlags::KEEP_SIZE, 0, LOG_BYTES)?)
    }

    fn take_space(&self) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
        let taken = fallocate(&file, FallocateFlags::empty(), 0, self.n_bytes);
        match taken {
            Err(Errno::OPNOTSUPP) => write_zeros(&mut file, self.n_bytes)?,
            taken => taken?,
        }
        file.sync_all()
    }
}

/// The way for file systems that cannot set blocks aside.
fn write_zeros(file: &mut File, n_bytes: u64) -> io::Result<()> {
    let mut zeros = io::repeat(0).take(n_bytes);
    io::copy(&mut zeros, file).map(drop)
}
