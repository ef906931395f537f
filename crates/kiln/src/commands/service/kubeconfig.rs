//! The kubeconfig that kubectl would change: found, changed as one, and told of.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::context::{self, Change, Merged, Refused};
use crate::output::{Problem, yaml};

/// What was done to which file.
pub struct Done {
    /// The kubeconfig.
    pub path: PathBuf,
    /// What became of the context in it.
    pub change: Change,
    /// The context that is used where none is named.
    pub current: String,
}

/// Puts the server's context into the user's kubeconfig.
pub fn merge(admin: &Path) -> Result<Done, Problem> {
    let ours = read(admin)?;
    if ours.is_null() {
        return Err(Problem::failed("kubectl was not told of the server")
            .because(format!("{} is gone: the server has ended", admin.display()))
            .remedy("kiln up again"));
    }
    let files = files();
    let path = changed_one(&files);
    changeable(&path)?;
    let _lock = Lock::take(&path)?;
    let others: Vec<Value> = files.iter().filter(|file| **file != path).filter_map(|file| read(file).ok()).collect();
    let merged = context::merge(read(&path)?, &ours, &others).map_err(|refused| told(&path, refused, admin))?;
    let Merged { config, change, current } = merged;
    if change != Change::None || !path.exists() {
        write(&path, &config)?;
    }
    Ok(Done { path, change, current })
}

/// Takes it out again. `None`: it was not in there.
pub fn forget(data_dir: &Path) -> Result<Option<PathBuf>, Problem> {
    let path = changed_one(&files());
    if !path.exists() {
        return Ok(None);
    }
    changeable(&path)?;
    let _lock = Lock::take(&path)?;
    let ca = std::fs::read(data_dir.join("pki/ca.crt")).map(|pem| STANDARD.encode(pem)).unwrap_or_default();
    let left = context::forget(read(&path)?, &ca.into());
    match left.map_err(|refused| told(&path, refused, &data_dir.join(crate::server::ADMIN_KUBECONFIG)))? {
        None => Ok(None),
        Some(config) => write(&path, &config).map(|()| Some(path)),
    }
}

/// Those that kubectl reads, in its order.
fn files() -> Vec<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    if !named.is_empty() {
        return named;
    }
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into()));
    vec![home.join(".kube/config")]
}

/// The one that it changes: the first that there is, else the last that is named.
fn changed_one(files: &[PathBuf]) -> PathBuf {
    let existing = files.iter().find(|file| file.exists()).or(files.last()).cloned().unwrap_or_default();
    // A link stays one: what it leads to is changed.
    existing.canonicalize().unwrap_or(existing)
}

/// A device (`KUBECONFIG=/dev/null`) is not replaced by a file, nor a file that its user has made read-only.
fn changeable(path: &Path) -> Result<(), Problem> {
    let refused = |cause: &str| {
        Problem::failed(format!("the kubeconfig {} is left as it is", path.display()))
            .because(cause)
            .remedy("name another with KUBECONFIG, or make this one writable")
    };
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(refused("it is no file")),
        Ok(found) if found.mode() & 0o222 == 0 => Err(refused("it is read-only")),
        _ => Ok(()),
    }
}

/// Nothing where there is no file, or nothing in it.
fn read(path: &Path) -> Result<Value, Problem> {
    let unreadable = |cause: String| {
        Problem::failed(format!("cannot read the kubeconfig {}", path.display()))
            .because(cause)
            .remedy("mend it, or name another with KUBECONFIG")
    };
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Null),
        text => text.map_err(|error| unreadable(error.to_string()))?,
    };
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(&text).map_err(|error| unreadable(error.to_string()))
}

fn told(path: &Path, refused: Refused, admin: &Path) -> Problem {
    let instead = format!("kubectl finds this server all the same by KUBECONFIG={}", admin.display());
    match refused {
        Refused::Foreign(whose) => {
            Problem::failed(format!("the context \"kiln\" in {} belongs to something else", path.display()))
                .because(format!("it leads to {whose}"))
                .remedy(format!("give that one another name: kubectl config rename-context kiln NAME;\n{instead}"))
        }
        Refused::Unreadable => Problem::failed(format!("{} is no kubeconfig", path.display()))
            .because("its lists are not those of one")
            .remedy(format!("name another with KUBECONFIG, and say kiln up again;\n{instead}")),
    }
}

/// Whole or not at all, with the mode and owner it has; a new one is its user's alone.
fn write(path: &Path, config: &Value) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        Problem::failed(format!("cannot write the kubeconfig {}", path.display()))
            .because(error)
            .remedy("make it writable, or name another with KUBECONFIG")
    };
    let replace = || {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(yaml::document(config).as_bytes())?;
        if let Ok(before) = std::fs::metadata(path) {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(before.mode() & 0o7777))?;
            // Root may change another's file; it stays theirs.
            let own = file.as_file().metadata()?;
            if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
                std::os::unix::fs::fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
            }
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    replace().map_err(failed)
}

/// kubectl's own: `FILE.lock` is there while somebody changes FILE.
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> Result<Self, Problem> {
        let lock = PathBuf::from(format!("{}.lock", path.display()));
        if let Some(parent) = path.parent() {
            let _ = std::fs::create_dir_all(parent);
        }
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(_) => Ok(Self(lock)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Problem::failed(format!("{} is being changed by another program", path.display()))
                    .because(format!("{} exists", lock.display()))
                    .remedy("wait for it, then say kiln up again; if nothing runs, remove that file"))
            }
            Err(error) => Err(Problem::failed(format!("cannot change the kubeconfig {}", path.display()))
                .because(error)
                .remedy("make its directory writable, or name another file with KUBECONFIG")),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_read_only_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        assert!(changeable(&file).is_ok(), "it will be made");
        std::fs::write(&file, "").unwrap();
        assert!(changeable(&file).is_ok());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(changeable(&file).unwrap_err().cause.as_deref(), Some("it is read-only"));
        assert_eq!(changeable(Path::new("/dev/null")).unwrap_err().cause.as_deref(), Some("it is no file"));
    }

    #[test]
    fn without_the_servers_own_kubeconfig_nothing_is_changed() {
        let directory = tempfile::tempdir().unwrap();
        let problem = merge(&directory.path().join("admin.kubeconfig")).err().unwrap();
        assert!(problem.cause.unwrap().ends_with("is gone: the server has ended"));
    }
}
