//! hostPath: what the machine has at a path (K:pkg/volume/hostpath).

use k8s_openapi::api::core::v1::HostPathVolumeSource;
use std::fs::{DirBuilder, FileType, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Makes what the type says is made, and checks that what is at `path` (the source's, as seen from here) is of that type. Without a
/// type whatever is there will do, and a directory is made where nothing is. The error is FailedMount's.
pub(super) fn set_up(path: &Path, source: &HostPathVolumeSource) -> Result<(), String> {
    let found = match std::fs::metadata(path) {
        Ok(found) => Some(found),
        Err(error) if is_absence(&error) => None,
        Err(error) => return Err(error.to_string()),
    };
    let wanted = source.type_.as_deref().unwrap_or("");
    let made = match (wanted, &found) {
        ("" | "DirectoryOrCreate", None) => DirBuilder::new().recursive(true).mode(0o755).create(path),
        ("FileOrCreate", None) => OpenOptions::new().write(true).create_new(true).mode(0o644).open(path).map(drop),
        _ => return check(wanted, found.as_ref(), &source.path),
    };
    made.map_err(|error| format!("hostPath type check failed: cannot make {}: {error}", source.path))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn check(wanted: &str, found: Option<&Metadata>, path: &str) -> Result<(), String> {
    let (is_right, what): (fn(&FileType) -> bool, _) = match wanted {
        "Directory" | "DirectoryOrCreate" => (FileType::is_dir, "a directory"),
        "File" | "FileOrCreate" => (FileType::is_file, "a file"),
        "Socket" => (FileTypeExt::is_socket, "a socket file"),
        "CharDevice" => (FileTypeExt::is_char_device, "a character device"),
        "BlockDevice" => (FileTypeExt::is_block_device, "a block device"),
        _ => return Ok(()),
    };
    match found {
        Some(found) if is_right(&found.file_type()) => Ok(()),
        _ => Err(format!("hostPath type check failed: {path} is not {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_checked_or_made() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        std::os::unix::fs::symlink("dir", at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (name, kind, expect) in [
            ("dir", "", ""),
            ("file", "", ""),
            ("dir", "Directory", ""),
            ("link", "Directory", ""),
            ("file", "Directory", "is not a directory"),
            ("none", "Directory", "is not a directory"),
            ("file", "DirectoryOrCreate", "is not a directory"),
            ("file", "File", ""),
            ("dir", "FileOrCreate", "is not a file"),
            ("none", "File", "is not a file"),
            ("socket", "Socket", ""),
            ("file", "Socket", "is not a socket file"),
            ("file", "CharDevice", "is not a character device"),
            ("none", "BlockDevice", "is not a block device"),
            ("file/below", "Directory", "is not a directory"),
            ("no/parent", "FileOrCreate", "cannot make"),
        ] {
            let path = at(name);
            let shown = path.display().to_string();
            let source = HostPathVolumeSource { path: shown.clone(), type_: Some(kind.to_owned()) };
            let found = set_up(&path, &source).err().unwrap_or_default();
            assert!(found.ends_with(expect) || found.contains(expect), "{name} as {kind:?}: {found}");
            assert!(found.is_empty() == expect.is_empty(), "{name} as {kind:?}: {found}");
            assert!(found.is_empty() || found.contains(&shown), "{found}");
        }
        for (name, kind) in [("made/deep", "DirectoryOrCreate"), ("plain", ""), ("empty", "FileOrCreate")] {
            let source = HostPathVolumeSource { path: name.into(), type_: Some(kind.to_owned()) };
            set_up(&at(name), &source).unwrap();
            assert_eq!(at(name).is_dir(), kind != "FileOrCreate", "{name}");
        }
        let null = HostPathVolumeSource { path: "/dev/null".into(), type_: Some("CharDevice".into()) };
        assert_eq!(set_up(Path::new("/dev/null"), &null), Ok(()));
    }
}
