//! Whole imports: archives made here, imported, resolved, looked at, removed. And damaged ones, which must only ever be refused.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use tar::{Builder, EntryType, Header};

type Tar = Builder<Vec<u8>>;

fn entry(tar: &mut Tar, kind: EntryType, name: &str, link: &str, mode: u32, body: &[u8]) {
    let mut header = Header::new_gnu();
    // Written raw: the tar crate itself refuses some of the names an attacker would use.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000);
    header.set_size(body.len() as u64);
    header.set_cksum();
    tar.append(&header, body).unwrap();
}

fn file(tar: &mut Tar, name: &str, body: &str) {
    entry(tar, EntryType::Regular, name, "", 0o644, body.as_bytes());
}

fn directory(tar: &mut Tar, name: &str) {
    entry(tar, EntryType::Directory, name, "", 0o755, b"");
}

fn link(tar: &mut Tar, kind: EntryType, name: &str, target: &str) {
    entry(tar, kind, name, target, 0o777, b"");
}

fn layer(fill: impl FnOnce(&mut Tar)) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    fill(&mut tar);
    tar.into_inner().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", stream::sha256_hex(bytes))
}

fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    let json = serde_json::json!({
        "architecture": documents::architecture(), "os": "linux", "created": "2024-05-06T07:08:09Z",
        "config": { "Env": ["PATH=/bin"], "Cmd": ["sh"] }, "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    json.to_string().into_bytes()
}

fn docker_archive(layers: &[Vec<u8>], tags: &[&str]) -> Vec<u8> {
    let config = config(layers);
    let config_name = format!("{}.json", stream::sha256_hex(&config));
    let names: Vec<String> = (0..layers.len()).map(|i| format!("{i}/layer.tar")).collect();
    let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": tags, "Layers": names }]).to_string();
    layer(|tar| {
        for (name, layer) in names.iter().zip(layers) {
            entry(tar, EntryType::Regular, name, "", 0o644, layer);
        }
        entry(tar, EntryType::Regular, &config_name, "", 0o644, &config);
        file(tar, "manifest.json", &manifest);
    })
}

/// Files of an OCI layout whose index nests one index per platform.
fn oci_layout(layers: &[Vec<u8>], packed: &[Vec<u8>], annotations: serde_json::Value) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut blob = |media_type: &str, content: &[u8]| {
        files.insert(format!("blobs/sha256/{}", stream::sha256_hex(content)), content.to_vec());
        serde_json::json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
    };
    let config = blob("application/vnd.oci.image.config.v1+json", &config(layers));
    let packed: Vec<_> = packed.iter().map(|p| blob("application/vnd.oci.image.layer.v1.tar+gzip", p)).collect();
    let manifest = serde_json::json!({ "schemaVersion": 2, "config": config, "layers": packed }).to_string();
    let mut ours = blob("application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
    ours["platform"] = serde_json::json!({ "os": "linux", "architecture": documents::architecture() });
    let other = serde_json::json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
        "digest": digest(b"elsewhere"), "platform": { "os": "linux", "architecture": "elsewhere" } });
    let nested = serde_json::json!({ "schemaVersion": 2, "manifests": [other, ours] }).to_string();
    let mut index = blob("application/vnd.oci.image.index.v1+json", nested.as_bytes());
    index["annotations"] = annotations;
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [index] }).to_string();
    files.insert("index.json".into(), index.into_bytes());
    files.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    files
}

fn as_tar(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    layer(|tar| files.iter().for_each(|(name, body)| entry(tar, EntryType::Regular, name, "", 0o644, body)))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

struct Fixture {
    dir: tempfile::TempDir,
    store: ImageStore,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(&dir.path().join("images")).unwrap();
        Self { dir, store }
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn import(&self, archive: &[u8]) -> Result<Vec<String>, String> {
        self.store.import(&self.write("archive", archive), None).map_err(|e| e.to_string())
    }

    /// Imports one layer and says where it is.
    fn unpacked(&self, fill: impl FnOnce(&mut Tar)) -> Result<PathBuf, String> {
        self.import(&docker_archive(&[layer(fill)], &["x:1"]))?;
        Ok(self.store.resolve("x:1").unwrap().rootfs.lower[0].clone())
    }

    fn names_in(&self, below: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path().join("images").join(below))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn a_docker_archive_keeps_its_names_and_gets_one_more() {
    let fixture = Fixture::new();
    let layers = [layer(|tar| file(tar, "etc/one", "1")), layer(|tar| file(tar, "etc/two", "22"))];
    let archive = docker_archive(&layers, &["busybox:1.35", "registry.example.com/b:2"]);
    for (name, packed) in
        [("plain", archive.clone()), ("gz", gzip(&archive)), ("zst", zstd::encode_all(&archive[..], 1).unwrap())]
    {
        let names = fixture.store.import(&fixture.write(name, &packed), Some("mine")).unwrap();
        assert_eq!(
            names,
            ["docker.io/library/busybox:1.35", "docker.io/library/mine:latest", "registry.example.com/b:2"],
            "{name}"
        );
    }
    let image = fixture.store.resolve("busybox:1.35").unwrap();
    assert_eq!(image.reference, "docker.io/library/busybox:1.35");
    assert_eq!(image.id, digest(&config(&layers)));
    assert_eq!((image.size_bytes, image.builtin), (3, false));
    assert_eq!(image.config.cmd, ["sh"]);
    assert_eq!(fs::read_to_string(image.rootfs.lower[0].join("etc/two")).unwrap(), "22", "the topmost comes first");
    assert_eq!(fs::read_to_string(image.rootfs.lower[1].join("etc/one")).unwrap(), "1");
    assert_eq!(fixture.names_in("tmp"), Vec::<String>::new());
    let listed = fixture.store.list().unwrap();
    let row = listed.iter().find(|row| row.reference == "docker.io/library/mine:latest").unwrap();
    assert_eq!((row.size_bytes, row.created.unwrap().to_string().as_str()), (3, "2024-05-06T07:08:09Z"));
}

#[test]
fn an_oci_layout_is_found_by_platform_as_tar_or_directory() {
    let layers = [layer(|tar| file(tar, "one", "1"))];
    for packed in [layers[0].clone(), gzip(&layers[0]), zstd::encode_all(&layers[0][..], 1).unwrap()] {
        let named = serde_json::json!({ "org.opencontainers.image.ref.name": "box:3" });
        let files = oci_layout(&layers, &[packed], named);
        let as_directory = Fixture::new();
        let dir = as_directory.dir.path().join("layout");
        for (name, content) in &files {
            fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
            fs::write(dir.join(name), content).unwrap();
        }
        let from_dir = as_directory.store.import(&dir, None).unwrap();
        let as_file = Fixture::new();
        let from_tar = as_file.import(&as_tar(&files)).unwrap();
        assert_eq!((from_dir.clone(), from_dir), (from_tar, vec!["docker.io/library/box:3".to_owned()]));
        let image = as_file.store.resolve("box:3").unwrap();
        assert_eq!(fs::read_to_string(image.rootfs.lower[0].join("one")).unwrap(), "1");
    }
}

#[test]
fn names_come_from_the_archive_or_the_user() {
    let layers = [layer(|tar| file(tar, "one", "1"))];
    let oci = |annotations| as_tar(&oci_layout(&layers, &layers, annotations));
    let containerd = serde_json::json!({ "io.containerd.image.name": "docker.io/library/full:1",
        "org.opencontainers.image.ref.name": "1" });
    let bare_tag = serde_json::json!({ "org.opencontainers.image.ref.name": "1" });
    for (archive, name, expect) in [
        (oci(containerd), None, Ok("docker.io/library/full:1")),
        (oci(bare_tag.clone()), Some("mine:2"), Ok("docker.io/library/mine:2")),
        (
            oci(bare_tag),
            None,
            Err("the archive does not say what its image is called: give it a name with `--name REF`"),
        ),
        (
            docker_archive(&layers, &[]),
            None,
            Err("the archive does not say what its image is called: give it a name with `--name REF`"),
        ),
        (docker_archive(&layers, &["kiln/demo:latest"]), Some("mine"), Ok("docker.io/library/mine:latest")),
        (
            docker_archive(&layers, &["kiln/demo:latest"]),
            None,
            Err("the name \"kiln/demo:latest\" is taken: names that begin with kiln/ are built in"),
        ),
        (
            docker_archive(&layers, &["x"]),
            Some("kiln/mine"),
            Err("the name \"kiln/mine\" is taken: names that begin with kiln/ are built in"),
        ),
        (
            docker_archive(&layers, &["x"]),
            Some("UPPER"),
            Err("couldn't parse image name \"UPPER\": invalid reference format"),
        ),
    ] {
        let fixture = Fixture::new();
        let result = fixture.store.import(&fixture.write("a", &archive), name);
        match (result, expect) {
            (Ok(names), Ok(expect)) => assert_eq!(names, [expect]),
            (Err(error), Err(expect)) => assert!(error.to_string().ends_with(expect), "{error}"),
            (result, expect) => panic!("{result:?} instead of {expect:?}"),
        }
    }
}

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

#[test]
fn damage_is_refused_with_the_place_named() {
    let layers = [layer(|tar| file(tar, "one", "1"))];
    let good = docker_archive(&layers, &["x:1"]);
    let manifest = |json: &str| layer(|tar| file(tar, "manifest.json", json));
    let foreign = |json: String| {
        let name = "c.json";
        let manifest = serde_json::json!([{ "Config": name, "RepoTags": ["x:1"], "Layers": [] }]).to_string();
        layer(|tar| {
            file(tar, name, &json);
            file(tar, "manifest.json", &manifest);
        })
    };
    for (archive, expect) in [
        (
            b"".to_vec(),
            "neither a docker archive (no manifest.json) nor an OCI layout (no index.json); to import a root file system add `--rootfs`",
        ),
        (b"plain text, no tar".to_vec(), "ends in the middle of a header"),
        (good[..700].to_vec(), "ends in the middle of an entry"),
        (manifest("[]"), "manifest.json lists no image"),
        (manifest("{"), "manifest.json: invalid type: map, expected a sequence"),
        (manifest(r#"[{"Config":"none.json"}]"#), "none.json is missing"),
        (manifest(r#"[{"Config":"../../../../etc/hostname"}]"#), "../../../../etc/hostname is missing"),
        (foreign("{\"os\":\"plan9\"}".into()), "the image is for plan9/"),
        (foreign("{\"rootfs\":{\"diff_ids\":[\"sha256:x\"]}}".into()), "0 layers, but the configuration lists 1"),
    ] {
        let fixture = Fixture::new();
        let error = fixture.import(&archive).unwrap_err();
        assert!(error.contains(expect), "{error}");
        assert!(error.starts_with(fixture.dir.path().to_str().unwrap()), "names the file: {error}");
        assert_eq!((fixture.names_in("layers").len(), fixture.names_in("tmp").len()), (0, 0));
    }
}

#[test]
fn digests_and_sizes_are_verified() {
    let layers = [layer(|tar| file(tar, "one", "1"))];
    let files =
        oci_layout(&layers, &[gzip(&layers[0])], serde_json::json!({ "org.opencontainers.image.ref.name": "x:1" }));
    let blobs: Vec<String> = files.keys().filter(|name| name.starts_with("blobs/")).cloned().collect();
    for name in blobs {
        for damage in ["flip", "longer", "missing"] {
            let mut files = files.clone();
            let blob = files.get_mut(&name).unwrap();
            match damage {
                "flip" => *blob.last_mut().unwrap() ^= 1,
                "longer" => blob.push(b' '),
                _ => drop(files.remove(&name)),
            }
            let fixture = Fixture::new();
            let error = fixture.import(&as_tar(&files)).unwrap_err();
            let hex = name.rsplit('/').next().unwrap();
            assert!(error.contains(hex), "{damage} {name}: {error}");
            assert_eq!((fixture.names_in("layers").len(), fixture.names_in("tmp").len()), (0, 0));
        }
    }
}

#[test]
fn limits_name_the_archive_the_place_and_the_way_out() {
    let archive =
        docker_archive(&[layer(|tar| (0..20).for_each(|i| file(tar, &format!("f{i}"), "1234567890")))], &["x:1"]);
    for (limits, expect) in [
        (
            Limits { entries: 10, ..Limits::default() },
            "f10: more than 10 entries (`kiln image import --max-entries N` sets this limit)",
        ),
        (
            Limits { image_bytes: 55, entries: 1000, ..Limits::default() },
            "f5: more than 55 unpacked bytes (`kiln image import --max-bytes N` sets this limit)",
        ),
        (Limits { layers: 0, ..Limits::default() }, "1 layers are more than the limit of 0"),
        (Limits { document_bytes: 5, ..Limits::default() }, "manifest.json: more than 5 bytes"),
    ] {
        let fixture = Fixture::new();
        let path = fixture.write("bomb.tar", &archive);
        let error = fixture.store.clone().with_limits(limits).import(&path, None).unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()) && error.ends_with(expect), "{error}");
        assert_eq!((fixture.names_in("layers").len(), fixture.names_in("tmp").len()), (0, 0));
    }
}

#[test]
fn a_root_file_system_is_an_image_of_one_layer() {
    let fixture = Fixture::new();
    let dir = fixture.dir.path().join("root");
    fs::create_dir_all(dir.join("bin")).unwrap();
    fs::write(dir.join("bin/tool"), "program").unwrap();
    fs::set_permissions(dir.join("bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(dir.join("bin/tool"), dir.join("bin/twin")).unwrap();
    std::os::unix::fs::symlink("bin/tool", dir.join("link")).unwrap();
    std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
    rustix::fs::setxattr(dir.join("bin/tool"), "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    fs::write(dir.join("n".repeat(200)), "long name").unwrap();
    fixture.store.import_rootfs(&dir, "mine:1").unwrap();
    let image = fixture.store.resolve("mine:1").unwrap();
    assert_eq!(image.config, ImageConfig::default());
    let [root] = image.rootfs.lower.as_slice() else { panic!("{:?}", image.rootfs) };
    let tool = fs::symlink_metadata(root.join("bin/tool")).unwrap();
    assert_eq!((tool.mode(), tool.nlink()), (0o104755, 2));
    assert_eq!(fs::read_link(root.join("link")).unwrap(), Path::new("bin/tool"));
    assert_eq!(fs::read_to_string(root.join("n".repeat(200))).unwrap(), "long name");
    assert!(!root.join("socket").exists());
    let mut value = [0u8; 8];
    let n = rustix::fs::lgetxattr(root.join("bin/twin"), "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..n], b"kept");

    let tar = fixture.write("root.tar.gz", &gzip(&layer(|tar| file(tar, "./bin/tool", "other"))));
    fixture.store.import_rootfs(&tar, "mine:2").unwrap();
    let root = &fixture.store.resolve("mine:2").unwrap().rootfs.lower[0];
    assert_eq!(fs::read_to_string(root.join("bin/tool")).unwrap(), "other");
    let error = fixture.store.import_rootfs(&tar, "kiln/demo").unwrap_err();
    assert!(matches!(error, ImageError::Reserved(_)), "{error}");
    let error = fixture.store.import_rootfs(Path::new("/nowhere"), "mine:3").unwrap_err().to_string();
    assert!(error.starts_with("/nowhere: No such file"), "{error}");
}

#[test]
fn removal_keeps_what_other_names_need() {
    let fixture = Fixture::new();
    let shared = layer(|tar| file(tar, "shared", "s"));
    let own = layer(|tar| file(tar, "own", "o"));
    fixture.import(&docker_archive(&[shared.clone(), own.clone()], &["a:1", "a:2"])).unwrap();
    fixture.import(&docker_archive(std::slice::from_ref(&shared), &["b:1"])).unwrap();
    let hexes = |layers: &[&Vec<u8>]| {
        let mut hexes: Vec<String> = layers.iter().map(|layer| stream::sha256_hex(layer)).collect();
        hexes.sort();
        hexes
    };
    for (name, layers, n_blobs) in
        [("a:1", vec![&shared, &own], 2), ("a:2", vec![&shared], 1), ("docker.io/library/b:1", vec![], 0)]
    {
        fixture.store.remove(name).unwrap();
        assert_eq!(fixture.names_in("layers"), hexes(&layers), "{name}");
        assert_eq!(fixture.names_in("blobs/sha256").len(), n_blobs, "{name}");
        let error = fixture.store.remove(name).unwrap_err();
        assert!(matches!(error, ImageError::NotFound(_)), "{error}");
    }
    assert!(matches!(fixture.store.remove("kiln/demo"), Err(ImageError::Reserved(_))));
    assert!(matches!(fixture.store.resolve("a:1"), Err(ImageError::NotFound(name)) if name == "docker.io/library/a:1"));
    assert_eq!(fixture.names_in("tmp"), Vec::<String>::new());
}

#[test]
fn two_processes_may_import_the_same_at_once() {
    let fixture = Fixture::new();
    let archive = docker_archive(&[layer(|tar| (0..200).for_each(|i| file(tar, &format!("f{i}"), "x")))], &["x:1"]);
    let path = fixture.write("archive", &archive);
    std::thread::scope(|scope| {
        for i in 0..4 {
            let path = &path;
            let dir = fixture.dir.path().join("images");
            // A store of its own each: that is what another process has.
            scope.spawn(move || ImageStore::open(&dir).unwrap().import(path, Some(&format!("name{i}"))).unwrap());
        }
    });
    let names: Vec<String> = fixture.store.list().unwrap().into_iter().map(|row| row.reference).collect();
    for i in 0..4 {
        assert!(names.contains(&format!("docker.io/library/name{i}:latest")), "{names:?}");
    }
    assert_eq!(fixture.names_in("layers").len(), 1);
    assert_eq!(fixture.names_in("tmp"), Vec::<String>::new());
}

#[test]
fn the_demo_image_holds_this_program_and_its_loader() {
    let fixture = Fixture::new();
    let image = fixture.store.resolve("kiln/demo").unwrap();
    assert!(image.builtin && image.size_bytes > 0);
    assert!(image.config.env.contains(&("PATH".into(), "/bin".into())));
    let root = &image.rootfs.lower[0];
    for applet in ["pi", "echo", "sleep", "seq", "fail"] {
        assert_eq!(fs::read_link(root.join("bin").join(applet)).unwrap(), Path::new("kiln"));
    }
    let own = fs::metadata("/proc/self/exe").unwrap().len();
    assert_eq!(fs::metadata(root.join("bin/kiln")).unwrap().len(), own);
    assert_eq!(fs::symlink_metadata(root.join("tmp")).unwrap().mode(), 0o41777);
    // With the copied loader and libraries alone, the copied program runs.
    if rustix::process::geteuid().is_root() {
        let listed = std::process::Command::new("chroot").arg(root).args(["/bin/kiln", "--list"]).output().unwrap();
        let text = String::from_utf8_lossy(&listed.stdout);
        assert!(text.contains("the_demo_image_holds_this_program"), "{listed:?}");
    }
    assert_eq!(fixture.store.resolve("kiln/demo:latest").unwrap(), image);
    assert_eq!(fixture.names_in("builtin").len(), 1);
}

#[test]
fn the_host_image_shows_programs_and_hides_secrets() {
    let fixture = Fixture::new();
    let image = fixture.store.resolve("kiln/host").unwrap();
    let inside: Vec<&Path> = image.rootfs.overlays.iter().map(|(_, inside)| inside.as_path()).collect();
    assert!(inside.contains(&Path::new("/usr")) && inside.contains(&Path::new("/etc")));
    let root = &image.rootfs.lower[0];
    for name in ["root", "home", "srv", "mnt"] {
        assert!(!root.join(name).exists(), "{name}");
    }
    for secret in ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssl/private", "/etc/kiln"] {
        assert!(image.rootfs.masked.contains(&PathBuf::from(secret)), "{secret}");
    }
    assert!(image.rootfs.masked.contains(&fixture.dir.path().join("images")));
    let shell_is_reachable = root.join("bin").is_symlink() || inside.contains(&Path::new("/bin"));
    assert!(shell_is_reachable);
    let rows = fixture.store.list().unwrap();
    assert_eq!(rows.iter().map(|row| row.reference.as_str()).collect::<Vec<_>>(), ["kiln/demo", "kiln/host"]);
    assert_eq!(rows[1].id, image.id);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_archive_is_imported_or_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        packing in 0..3,
        nested in any::<bool>(),
    ) {
        let layers = [layer(|tar| {
            directory(tar, "etc");
            file(tar, "etc/passwd", "root:x:0:0::/:\n");
            link(tar, EntryType::Symlink, "link", "etc");
            link(tar, EntryType::Link, "hard", "etc/passwd");
            file(tar, "etc/.wh.gone", "");
            tar.append_pax_extensions([("mtime", &b"1.5"[..]), ("SCHILY.xattr.user.a", b"b")]).unwrap();
            file(tar, "noted", "x");
        })];
        let mut archive = match nested {
            true => as_tar(&oci_layout(&layers, &layers, serde_json::json!({ "org.opencontainers.image.ref.name": "x:1" }))),
            false => docker_archive(&layers, &["x:1"]),
        };
        if packing == 1 {
            archive = gzip(&archive);
        } else if packing == 2 {
            archive = zstd::encode_all(&archive[..], 1).unwrap();
        }
        for (place, byte) in &flips {
            let place = place.index(archive.len());
            archive[place] = *byte;
        }
        if let Some(cut) = cut {
            archive.truncate(cut.index(archive.len()));
        }
        let fixture = Fixture::new();
        if fixture.import(&archive).is_ok() {
            fixture.store.list().unwrap();
        }
        prop_assert_eq!(fixture.names_in("tmp"), Vec::<String>::new());
    }

    #[test]
    fn any_layer_at_all_stays_inside(
        entries in prop::collection::vec((0u8..9, "(\\.\\./|/|a/|b/|\\.wh\\.|\\.){0,3}[ab.]{0,2}", "(\\.\\./|/|a/|b/){0,4}[ab]?"), 0..12)
    ) {
        let bytes = layer(|tar| for (kind, name, target) in &entries {
            let (kind, target) = match kind {
                0 | 1 => (EntryType::Regular, ""),
                2 | 3 => (EntryType::Directory, ""),
                4 | 5 => (EntryType::Symlink, target.as_str()),
                6 => (EntryType::Link, target.as_str()),
                7 => (EntryType::Fifo, ""),
                _ => (EntryType::Char, ""),
            };
            entry(tar, kind, name, target, 0o755, b"");
        });
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("1/2/3/root");
        fs::create_dir_all(&root).unwrap();
        let mut budget = limits::Budget::new(Limits::default());
        let _ = unpack::unpack(&bytes[..], &root, &mut budget);
        for parent in ["1/2/3", "1/2", "1", ""] {
            prop_assert_eq!(fs::read_dir(dir.path().join(parent)).unwrap().count(), 1);
        }
    }
}
