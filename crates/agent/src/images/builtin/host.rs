//! `kiln/host`: this machine's own programs, without its secrets. The root is a fresh directory with the machine's /usr, /etc and
//! /opt overlaid; /root, /home, /run and the data directory are not in it, and what ordinary users may not read below /etc and in
//! /opt is hidden even from root inside.

use super::{ImageError, Store, id_of, image, make_directory, make_link, root};
use crate::images::reference::Builtin;
use crate::images::{Image, stream};
use crate::runtime::Rootfs;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const ENV: &[&str] = &["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"];
const OVERLAID: [&str; 3] = ["/usr", "/etc", "/opt"];
/// Since /usr was merged these are links into it; where they are not, they are overlaid like it.
const MERGED: [&str; 7] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/libo32"];
const DIRECTORIES: [(&str, u32); 10] = [
    ("usr", 0o755),
    ("etc", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];
/// Hidden whatever their modes say.
const SECRETS: [&str; 12] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/security/opasswd",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/kiln",
    "/etc/kubernetes",
    "/etc/rancher",
    "/etc/letsencrypt",
];
/// Programs install themselves in /opt/PACKAGE; deeper are their own files, which can be a hundred thousand.
const OPT_DEPTH: usize = 3;
const WORLD_READ: u32 = 0o004;
const WORLD_ENTER: u32 = 0o005;

/// How a top-level name of the root comes about.
#[derive(Debug, Clone, PartialEq)]
enum Top {
    Link(PathBuf),
    Overlay,
}

pub(super) fn resolve(store: &Store) -> Result<Image, ImageError> {
    let tops = tops(Path::new("/"));
    let place = root(store, "host", &key(&tops), |dir| fill(dir, &tops))?;
    let merged = tops.iter().filter(|(_, top)| *top == Top::Overlay).map(|(path, _)| path.clone());
    let overlays = OVERLAID.map(PathBuf::from).into_iter().filter(|path| path.is_dir()).chain(merged);
    let mut masked = SECRETS.map(PathBuf::from).to_vec();
    hide_unreadable(Path::new("/etc"), usize::MAX, &mut masked);
    hide_unreadable(Path::new("/opt"), OPT_DEPTH, &mut masked);
    masked.extend(own_directories(store.directory.path()));
    masked.sort();
    masked.dedup();
    let rootfs = Rootfs { lower: vec![place], overlays: overlays.map(|path| (path.clone(), path)).collect(), masked };
    Ok(image(Builtin::Host, id_of(&key(&tops), ENV), ENV, rootfs, 0))
}

pub(super) fn id() -> String {
    id_of(&key(&tops(Path::new("/"))), ENV)
}

fn tops(root: &Path) -> Vec<(PathBuf, Top)> {
    let top = |path: &str| {
        let on_host = root.join(&path[1..]);
        match fs::read_link(&on_host) {
            Ok(target) => Some((PathBuf::from(path), Top::Link(target))),
            Err(_) => on_host.is_dir().then(|| (PathBuf::from(path), Top::Overlay)),
        }
    };
    MERGED.into_iter().filter_map(top).collect()
}

fn key(tops: &[(PathBuf, Top)]) -> String {
    let facts = format!("1 {DIRECTORIES:?} {tops:?}");
    stream::sha256_hex(facts.as_bytes())[..16].to_owned()
}

fn fill(dir: &Path, tops: &[(PathBuf, Top)]) -> Result<(), ImageError> {
    for (name, mode) in DIRECTORIES {
        make_directory(&dir.join(name), mode)?;
    }
    make_link("../run", &dir.join("var/run"))?;
    for (path, top) in tops {
        let place = dir.join(path.strip_prefix("/").unwrap_or(path));
        match top {
            Top::Link(target) => make_link(target, &place)?,
            Top::Overlay => make_directory(&place, 0o755)?,
        }
    }
    Ok(())
}

/// The image directory and, where it has its usual name, the data directory around it.
fn own_directories(images: &Path) -> Vec<PathBuf> {
    let data = images.parent().filter(|_| images.ends_with("images"));
    std::iter::once(images).chain(data).map(Path::to_owned).collect()
}

/// Adds what ordinary users may not read, and what looks like a private key, to `masked`.
fn hide_unreadable(dir: &Path, depth: usize, masked: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        // What cannot be looked at is hidden too.
        let Ok(metadata) = entry.metadata() else {
            masked.push(path);
            continue;
        };
        if is_secret(&path, &metadata) {
            masked.push(path);
        } else if metadata.is_dir() && 1 < depth {
            hide_unreadable(&path, depth - 1, masked);
        }
    }
}

fn is_secret(path: &Path, metadata: &Metadata) -> bool {
    if metadata.is_dir() {
        return metadata.mode() & WORLD_ENTER != WORLD_ENTER;
    }
    metadata.is_file() && (metadata.mode() & WORLD_READ == 0 || is_private_key(path))
}

/// A key that somebody left readable is still a key.
fn is_private_key(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let is_host_key = name.starts_with("ssh_host_") && name.ends_with("_key");
    if is_host_key || name.starts_with("id_") && !name.ends_with(".pub") {
        return true;
    }
    match path.extension().and_then(OsStr::to_str) {
        Some("key" | "p12" | "pfx" | "jks" | "keytab") => true,
        Some("pem" | "crt" | "conf" | "kubeconfig") => holds_private_key(path),
        _ => false,
    }
}

fn holds_private_key(path: &Path) -> bool {
    let mut text = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(256 << 10).read_to_end(&mut text));
    let marker = b"PRIVATE KEY-----";
    read.is_err() || text.windows(marker.len()).any(|window| window == marker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn secrets_are_hidden_and_the_rest_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("hosts", 0o644, "127.0.0.1", false),
            ("secret", 0o640, "x", true),
            ("open.key", 0o644, "x", true),
            ("cert.pem", 0o644, "-----BEGIN CERTIFICATE-----", false),
            ("both.pem", 0o644, "cert\n-----BEGIN RSA PRIVATE KEY-----\n", true),
            ("ssh/ssh_host_ed25519_key", 0o644, "x", true),
            ("ssh/ssh_host_ed25519_key.pub", 0o644, "x", false),
            ("closed/inner", 0o644, "x", false),
        ];
        for (name, mode, content, _) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        let closed = dir.path().join("closed");
        fs::set_permissions(&closed, Permissions::from_mode(0o750)).unwrap();
        symlink("secret", dir.path().join("link")).unwrap();
        let mut masked = Vec::new();
        hide_unreadable(dir.path(), usize::MAX, &mut masked);
        for (name, _, _, hidden) in files {
            assert_eq!(masked.contains(&dir.path().join(name)), hidden, "{name}");
        }
        assert!(masked.contains(&closed), "a closed directory is hidden as a whole");
        assert!(!masked.contains(&dir.path().join("link")));
    }

    #[test]
    fn only_so_deep_as_asked() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        for name in ["a/near.key", "a/b/far.key"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut masked = Vec::new();
        hide_unreadable(dir.path(), 2, &mut masked);
        assert_eq!(masked, [dir.path().join("a/near.key")]);
    }

    #[test]
    fn merged_links_are_kept_and_real_directories_overlaid() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("lib")).unwrap();
        symlink("usr/bin", dir.path().join("bin")).unwrap();
        let expect = [(PathBuf::from("/bin"), Top::Link("usr/bin".into())), (PathBuf::from("/lib"), Top::Overlay)];
        assert_eq!(tops(dir.path()), expect);
    }

    #[test]
    fn the_data_directory_is_hidden_with_its_images() {
        for (images, expect) in
            [("/opt/kiln/images", vec!["/opt/kiln/images", "/opt/kiln"]), ("/opt/pictures", vec!["/opt/pictures"])]
        {
            let expect: Vec<PathBuf> = expect.into_iter().map(PathBuf::from).collect();
            assert_eq!(own_directories(Path::new(images)), expect);
        }
    }
}
