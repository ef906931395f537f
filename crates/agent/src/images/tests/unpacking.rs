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

/// What a tree looks like to whoever reads it: kind, mode, owner, time, content or target, and which names are one file.
fn portrait(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let mut paths: Vec<PathBuf> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let what = match metadata.file_type() {
                kind if kind.is_dir() => "directory".into(),
                kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
                kind if kind.is_fifo() => "fifo".into(),
                _ => digest(&fs::read(&path).unwrap()),
            };
            let same = first_names.entry(metadata.ino()).or_insert_with(|| name.clone()).clone();
            let (mode, owner) = (metadata.mode(), (metadata.uid(), metadata.gid()));
            let shown =
                format!("{what} {mode:o} {owner:?} {}.{:09} is {same:?}", metadata.mtime(), metadata.mtime_nsec());
            if metadata.is_dir() {
                open.push(path);
            }
            seen.insert(name, shown);
        }
    }
    seen
}

#[test]
fn an_honest_layer_unpacks_as_gnu_tar_unpacks_it() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    let script = r#"mkdir -p d/deep "d/with space" closed; echo one > d/one; ln d/one d/deep/same; ln -s ../one d/deep/link
        ln -s /etc/passwd absolute; mkfifo fifo; head -c 100000 /dev/zero > zeros; chmod 4755 d/one; chmod 1777 "d/with space"
        touch -d '2001-02-03 04:05:06.789' zeros; touch -d '1965-01-01' absolute d/deep; echo x > closed/x; chmod 500 closed
        long=$(printf 'n%.0s' $(seq 200)); mkdir -p $long/$long; echo deep > $long/$long/file"#;
    fs::create_dir(&tree).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("sh", &["-ec", &format!("cd tree; {script}")]);
    for format in ["gnu", "pax"] {
        let archive = format!("{format}.tar");
        run("tar", &["--format", format, "-C", "tree", "-cf", &archive, "."]);
        let by_tar = dir.path().join(format);
        fs::create_dir(&by_tar).unwrap();
        run("tar", &["-C", format, "-xpf", &archive]);
        let fixture = Fixture::new();
        fixture.store.import_rootfs(&dir.path().join(&archive), "x:1").unwrap();
        let by_kiln = fixture.store.resolve("x:1").unwrap().rootfs.lower[0].clone();
        let expect = portrait(&by_tar);
        assert!(12 < expect.len(), "{expect:?}");
        assert_eq!(portrait(&by_kiln), expect, "{format}");
    }
}
