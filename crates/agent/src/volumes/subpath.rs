//! subPath: a part of a volume, which cannot lead out of it whatever a pod puts there (K:pkg/volume/util/subpath).
//!
//! It is looked up twice, beneath the volume each time and by descriptor: here, where missing directories are made and mistakes are
//! told, and again when it is mounted. What a pod changes in between can only lead to another place in the same volume.

use crate::beneath;
use crate::pod::env::{self, Environment};
use k8s_openapi::api::core::v1::VolumeMount;
use rustix::fs::{Mode, OFlags, ResolveFlags, chmod, fstat, mkdirat, open};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// Begins the option of a bind mount that says which part of its source is meant.
pub const OPTION: &str = "kiln.subpath=";

/// How the path is looked up: links are followed while they stay in the volume.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// The part of its volume that is mounted; none is all of it. The error is CreateContainerConfigError's message.
pub fn wanted(mount: &VolumeMount, environment: &Environment) -> Result<Option<PathBuf>, String> {
    let path = match mount.sub_path_expr.as_deref().filter(|text| !text.is_empty()) {
        Some(expression) => env::expand_all(expression, environment)?,
        None => mount.sub_path.clone().unwrap_or_default(),
    };
    if path.is_empty() {
        return Ok(None);
    }
    let path = PathBuf::from(path);
    let shown = path.display();
    if path.is_absolute() {
        return Err(format!("error SubPath `{shown}` must not be an absolute path"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("unable to provision SubPath `{shown}`: must not contain '..'"));
    }
    Ok(Some(path))
}

/// Makes the directories that are missing, with the volume's own mode. `volume` is its place as seen from here.
///
/// # Errors
/// The kernel's; XDEV for what would leave the volume.
pub fn make(volume: &Path, path: &Path) -> Result<(), Errno> {
    let volume = open(volume, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mode = Mode::from_raw_mode(fstat(&volume)?.st_mode & 0o7777);
    let mut so_far = PathBuf::new();
    let mut parent: Option<OwnedFd> = None;
    for part in path.components().filter(|part| matches!(part, Component::Normal(_))) {
        so_far.push(part);
        let found = match look_up(&volume, &so_far) {
            Err(Errno::NOENT) => {
                mkdirat(parent.as_ref().unwrap_or(&volume), part.as_os_str(), mode)?;
                let made = look_up(&volume, &so_far)?;
                // Whatever the umask.
                chmod(format!("/proc/self/fd/{}", made.as_raw_fd()), mode)?;
                made
            }
            found => found?,
        };
        parent = Some(found);
    }
    Ok(())
}

/// Opens a path in a volume.
///
/// # Errors
/// The kernel's; XDEV for what would leave the volume.
pub fn look_up(volume: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    beneath::open(volume, path, OFlags::PATH | OFlags::CLOEXEC, BENEATH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn a_path_is_expanded_and_stays_relative() {
        let mut environment = Environment::default();
        environment.set("POD", "pi-7");
        environment.set("UP", "..");
        for (path, expression, expect) in [
            ("a/b", "", Ok(Some("a/b"))),
            ("", "", Ok(None)),
            ("", "logs/$(POD)", Ok(Some("logs/pi-7"))),
            ("", "$$(POD)", Ok(Some("$(POD)"))),
            ("", "$(POD)/$(X)$(Y)", Err("missing value for \"X, Y\"")),
            ("", "a/$(UP)/b", Err("unable to provision SubPath `a/../b`: must not contain '..'")),
            ("", "/$(POD)", Err("error SubPath `/pi-7` must not be an absolute path")),
        ] {
            let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let mount = VolumeMount { sub_path: text(path), sub_path_expr: text(expression), ..VolumeMount::default() };
            let expect = expect.map(|path: Option<&str>| path.map(PathBuf::from)).map_err(str::to_owned);
            assert_eq!(wanted(&mount, &environment), expect, "{path}{expression}");
        }
    }

    #[test]
    fn missing_directories_are_made_like_the_volume() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path().join("volume");
        std::fs::create_dir(&volume).unwrap();
        std::fs::set_permissions(&volume, PermissionsExt::from_mode(0o2777)).unwrap();
        make(&volume, Path::new("a/b")).unwrap();
        assert_eq!(volume.join("a/b").metadata().unwrap().mode() & 0o7777, 0o2777);
        std::fs::write(volume.join("a/file"), "").unwrap();
        make(&volume, Path::new("a/file")).unwrap();
        symlink("a", volume.join("within")).unwrap();
        make(&volume, Path::new("within/c")).unwrap();
        assert!(volume.join("a/c").is_dir());
    }

    #[test]
    fn nothing_outside_the_volume_is_made_or_found() {
        let directory = tempfile::tempdir().unwrap();
        let (volume, outside) = (directory.path().join("volume"), directory.path().join("outside"));
        std::fs::create_dir(&volume).unwrap();
        std::fs::create_dir(&outside).unwrap();
        symlink("/", volume.join("root")).unwrap();
        symlink(&outside, volume.join("absolute")).unwrap();
        symlink("../outside", volume.join("relative")).unwrap();
        symlink("nowhere", volume.join("dangling")).unwrap();
        symlink("/proc/self/fd", volume.join("magic")).unwrap();
        for path in ["root/etc", "absolute", "absolute/x", "relative/x", "dangling", "dangling/x", "magic/0"] {
            assert!(make(&volume, Path::new(path)).is_err(), "{path}");
        }
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        std::fs::write(volume.join("file"), "").unwrap();
        assert_eq!(make(&volume, Path::new("file/below")), Err(Errno::NOTDIR));
    }
}
