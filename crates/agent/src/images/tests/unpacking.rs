//! What becomes of a layer, and that it stays inside.

use super::*;

#[test]
fn metadata_and_links_survive() {
    let fixture = Fixture::new();
    let root = fixture
        .unpacked(|tar| {
            entry(tar, EntryType::Directory, "./", "", 0o711, b"");
            entry(tar, EntryType::Directory, "tmp/", "", 0o1777, b"");
            entry(tar, EntryType::Regular, "bin/su", "", 0o4755, b"program");
            link(tar, EntryType::Link, "bin/hard", "bin/su");
            link(tar, EntryType::Symlink, "bin/soft", "/bin/su");
            link(tar, EntryType::Symlink, "lib", "usr/lib");
            directory(tar, "usr/lib");
            file(tar, "lib/through", "a link");
            file(tar, "/absolute", "is relative");
            entry(tar, EntryType::Fifo, "pipe", "", 0o600, b"");
            entry(tar, EntryType::Block, "disk", "", 0o666, b"");
            tar.append_pax_extensions([
                ("SCHILY.xattr.user.note", &b"kept"[..]),
                ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ])
            .unwrap();
            file(tar, "noted", "");
        })
        .unwrap();
    let metadata = |name: &str| fs::symlink_metadata(root.join(name)).unwrap();
    for (name, mode) in [("", 0o40711), ("tmp", 0o41777), ("bin", 0o40755), ("bin/su", 0o104755), ("pipe", 0o10600)] {
        assert_eq!(metadata(name).mode(), mode, "{name}");
    }
    assert_eq!(
        (metadata("bin/su").nlink(), metadata("bin/su").mtime(), metadata("tmp").mtime()),
        (2, 1_000_000, 1_000_000)
    );
    assert_eq!(fs::read_link(root.join("bin/soft")).unwrap(), Path::new("/bin/su"));
    assert_eq!(fs::read_to_string(root.join("usr/lib/through")).unwrap(), "a link");
    assert_eq!(fs::read_to_string(root.join("absolute")).unwrap(), "is relative");
    assert!(!root.join("disk").exists(), "device nodes are left out");
    let mut names = [0u8; 256];
    let n = rustix::fs::llistxattr(root.join("noted"), &mut names[..]).unwrap();
    assert_eq!(&names[..n], b"user.note\0");
}

#[test]
fn whiteouts_become_what_overlay_reads() {
    let fixture = Fixture::new();
    let root = fixture
        .unpacked(|tar| {
            file(tar, "etc/.wh.gone", "");
            file(tar, "opaque/.wh..wh..opq", "");
            file(tar, "opaque/new", "");
            file(tar, ".wh.again", "");
            directory(tar, "again");
            file(tar, "kept", "x");
            file(tar, ".wh.kept", "");
            file(tar, ".wh..wh.plnk", "");
        })
        .unwrap();
    let gone = fs::symlink_metadata(root.join("etc/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let attribute = if rustix::process::geteuid().is_root() { "trusted.overlay.opaque" } else { "user.overlay.opaque" };
    for (name, opaque) in [("opaque", true), ("again", true), ("etc", false)] {
        let mut value = [0u8; 8];
        let found =
            rustix::fs::lgetxattr(root.join(name), attribute, &mut value[..]).is_ok_and(|n| &value[..n] == b"y");
        assert_eq!(found, opaque, "{name}");
    }
    assert_eq!(fs::read_to_string(root.join("kept")).unwrap(), "x", "a layer's own file is not hidden by its whiteout");
    let mut names: Vec<_> = fs::read_dir(&root).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["again", "etc", "kept", "opaque"]);
}

#[test]
fn nothing_is_written_outside_the_layer() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::symlink_metadata(&victim).unwrap();
    let attempts: Vec<(&str, Vec<u8>)> = vec![
        ("dots", layer(|tar| file(tar, "../escaped", "x"))),
        ("dots inside", layer(|tar| file(tar, "a/../../escaped", "x"))),
        (
            "through a symlink",
            layer(|tar| {
                link(tar, EntryType::Symlink, "out", target);
                file(tar, "out/victim", "overwritten");
            }),
        ),
        (
            "through a dotted symlink",
            layer(|tar| {
                link(tar, EntryType::Symlink, "up", "../../../../../../../../..");
                file(tar, &format!("up{target}/victim"), "overwritten");
            }),
        ),
        (
            "over a symlink",
            layer(|tar| {
                link(tar, EntryType::Symlink, "victim", victim.to_str().unwrap());
                file(tar, "victim", "overwritten");
            }),
        ),
        (
            "mode through a symlink",
            layer(|tar| {
                link(tar, EntryType::Symlink, "d", target);
                entry(tar, EntryType::Directory, "d", "", 0o777, b"");
            }),
        ),
        (
            "hard link",
            layer(|tar| {
                link(tar, EntryType::Link, "stolen", victim.to_str().unwrap());
                file(tar, "stolen", "overwritten");
            }),
        ),
        (
            "hard link with dots",
            layer(|tar| link(tar, EntryType::Link, "stolen", &format!("../../../../../..{target}/victim"))),
        ),
        (
            "hard link through a symlink",
            layer(|tar| {
                link(tar, EntryType::Symlink, "out", target);
                link(tar, EntryType::Link, "stolen", "out/victim");
            }),
        ),
        (
            "whiteout",
            layer(|tar| {
                link(tar, EntryType::Symlink, "out", target);
                file(tar, "out/.wh.victim", "");
            }),
        ),
        (
            "opaque",
            layer(|tar| {
                link(tar, EntryType::Symlink, "out", target);
                file(tar, "out/.wh..wh..opq", "");
            }),
        ),
        ("whiteout of the parent", layer(|tar| file(tar, ".wh...", ""))),
    ];
    for (what, attempt) in attempts {
        let fixture = Fixture::new();
        // Refused or contained: either is fine, as long as nothing outside changes.
        let _ = fixture.import(&docker_archive(&[attempt], &["x:1"]));
        let after = fs::symlink_metadata(&victim).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched", "{what}");
        assert_eq!((after.mode(), after.nlink(), after.ino()), (before.mode(), 1, before.ino()), "{what}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{what}");
        assert!(
            !fixture.dir.path().join("escaped").exists() && !fixture.dir.path().join("images/escaped").exists(),
            "{what}"
        );
    }
}
