//! The data directory: private to its owner, and to one server at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOCK_FILE: &str = "kiln.lock";
const DATABASE_FILE: &str = "kiln.db";
const LOG_FILE: &str = "kiln.db-wal";
const RESERVE_FILE: &str = "kiln.reserve";

/// Times the lock is tried, and the pause between: a holder that was killed may live on for a moment in a child
/// between fork and exec, and one that just started may not have written its pid yet.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server holds the directory.
    #[error("data directory {} is in use by pid {pid}", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// Who holds it; 0 when the holder has not said.
        pid: u32,
    },
    /// The disk, the permissions or the contents are not as they must be.
    #[error("failed to open the store at {}: {reason}", path.display())]
    Failed {
        /// The file or directory it is about.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl OpenError {
    pub(crate) fn failed(path: &Path, reason: impl ToString) -> Self {
        Self::Failed { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// A directory that this process holds until the value is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    lock: File,
}

impl DataDir {
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        make_private(path)?;
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|error| OpenError::failed(&lock_path, error))?;
        let mut holder = None;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => {
                    let dir = Self { path: path.to_owned(), lock };
                    dir.write_pid().map_err(|error| OpenError::failed(&lock_path, error))?;
                    return Ok(dir);
                }
                Err(TryLockError::Error(error)) => {
                    return Err(OpenError::failed(&lock_path, error));
                }
                Err(TryLockError::WouldBlock) => holder = read_pid(&lock),
            }
            if holder.is_some_and(is_alive) {
                break;
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        Err(OpenError::InUse { dir: path.to_owned(), pid: holder.unwrap_or(0) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }

    /// SQLite's write-ahead log, beside the database.
    pub fn log(&self) -> PathBuf {
        self.path.join(LOG_FILE)
    }

    pub fn reserve(&self) -> PathBuf {
        self.path.join(RESERVE_FILE)
    }

    /// Makes the names of new files in it, and its own name, survive a power cut.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        match self.path.canonicalize()?.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    fn write_pid(&self) -> io::Result<()> {
        let mut lock = &self.lock;
        lock.set_len(0)?;
        lock.rewind()?;
        // A full disk must not keep the server from starting: without the pid, the refusal of a second is only less clear.
        match writeln!(lock, "{}", std::process::id()) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
            written => written,
        }
    }
}

/// The process that holds a data directory, 0 if it has not said who it is. `None`: nobody, or there is no such directory.
pub fn holder(path: &Path) -> io::Result<Option<u32>> {
    let lock = match File::open(path.join(LOCK_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // Shared and for a moment only: a server that starts meanwhile tries for longer.
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_pid(&lock).unwrap_or(0))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes the directory if there is none, private as [`DataDir::lock`] has it; one that holds what is not kiln's is refused.
pub fn prepare(path: &Path) -> Result<(), OpenError> {
    make_private(path)?;
    if is_ours(path) || is_empty(path)? {
        return Ok(());
    }
    Err(OpenError::failed(path, "it holds files that are not kiln's: name a directory of its own".to_owned()))
}

fn is_ours(path: &Path) -> bool {
    [LOCK_FILE, DATABASE_FILE, LOG_FILE].iter().any(|name| path.join(name).exists())
}

fn is_empty(path: &Path) -> Result<bool, OpenError> {
    let entries = fs::read_dir(path).map_err(|error| OpenError::failed(path, error))?;
    Ok(entries.take(1).count() == 0)
}

/// The directory holds secrets. One that others can read is made private, unless it looks like somebody else's.
fn make_private(path: &Path) -> Result<(), OpenError> {
    let failed = |error: io::Error| OpenError::failed(path, error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created.map_err(failed),
    }
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    if !(is_ours(path) || is_empty(path)?) {
        let mode = mode & 0o7777;
        let reason = format!(
            "others may enter this directory (mode {mode:04o}) and it holds files that are not kiln's: \
             name a directory of its own, or run chmod 700 on it"
        );
        return Err(OpenError::failed(path, reason));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)
}

fn read_pid(mut lock: &File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_directory_of_somebody_else_is_not_prepared() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new/deep");
        prepare(&dir).unwrap();
        prepare(&dir).unwrap();
        assert_eq!(mode_of(&dir), 0o700);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        prepare(&dir).unwrap();
        assert_eq!(mode_of(&dir), 0o700, "there is nothing in it");
        drop(DataDir::lock(&dir).unwrap());
        fs::write(dir.join("server.log"), "").unwrap();
        prepare(&dir).unwrap();
        fs::write(temp.path().join("server.log"), "theirs").unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let error = prepare(temp.path()).unwrap_err().to_string();
        assert!(error.contains("not kiln's"), "{error}");
    }

    #[test]
    fn a_second_holder_is_refused_and_told_the_pid() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("a/b");
        let held = DataDir::lock(&dir).unwrap();
        let error = DataDir::lock(&dir).unwrap_err();
        let pid = std::process::id();
        let expected = format!("data directory {} is in use by pid {pid}", dir.display());
        assert_eq!(error.to_string(), expected);
        assert_eq!(holder(&dir).unwrap(), Some(pid));
        drop(held);
        assert_eq!(holder(&dir).unwrap(), None);
        assert_eq!(holder(&dir.join("not/there")).unwrap(), None);
        DataDir::lock(&dir).unwrap();
    }

    #[test]
    fn a_stale_pid_is_no_obstacle() {
        let temp = tempfile::tempdir().unwrap();
        // Of a process that lives but does not hold the lock, of one that is gone, and no pid at all.
        for content in ["1\n", "4194304\n", "", "what?"] {
            fs::write(temp.path().join(LOCK_FILE), content).unwrap();
            let held = DataDir::lock(temp.path()).unwrap();
            assert_eq!(read_pid(&held.lock), Some(std::process::id()), "{content}");
        }
    }

    #[test]
    fn only_the_owner_may_enter() {
        let temp = tempfile::tempdir().unwrap();
        let new = temp.path().join("new");
        DataDir::lock(&new).unwrap();
        assert_eq!(mode_of(&new), 0o700);

        let open_to_all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&new, open_to_all.clone()).unwrap();
        DataDir::lock(&new).unwrap();
        assert_eq!(mode_of(&new), 0o700, "made private again");

        let foreign = temp.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, open_to_all).unwrap();
        fs::write(foreign.join("letter"), "").unwrap();
        let error = DataDir::lock(&foreign).unwrap_err().to_string();
        assert!(error.contains("mode 0755"), "{error}");
        assert!(error.contains("chmod 700"), "{error}");
        assert_eq!(mode_of(&foreign), 0o755, "left alone");
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        DataDir::lock(&file).unwrap_err();
        DataDir::lock(&file.join("below")).unwrap_err();
    }
}
