//! Archives that are as they should be: their names, their layers, their removal.

use super::*;

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
    assert_eq!((image.size_bytes, image.origin), (3, Origin::Imported));
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
        fixture.store.remove(name, Force::EvenIfUsed).unwrap();
        assert_eq!(fixture.names_in("layers"), hexes(&layers), "{name}");
        assert_eq!(fixture.names_in("blobs/sha256").len(), n_blobs, "{name}");
        let error = fixture.store.remove(name, Force::EvenIfUsed).unwrap_err();
        assert!(matches!(error, ImageError::NotFound(_)), "{error}");
    }
    assert!(matches!(fixture.store.remove("kiln/demo", Force::EvenIfUsed), Err(ImageError::Reserved(_))));
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
fn a_layer_under_a_running_container_stays_until_the_next_removal() {
    let fixture = Fixture::new();
    let one = layer(|tar| file(tar, "one", "1"));
    fixture.import(&docker_archive(&[one], &["a:1"])).unwrap();
    fixture.import(&docker_archive(&[layer(|tar| file(tar, "two", "2"))], &["b:1"])).unwrap();
    let held = hold(&fixture.store.resolve("a:1").unwrap().rootfs.lower).unwrap();
    fixture.store.remove("a:1", Force::EvenIfUsed).unwrap();
    assert_eq!(fixture.names_in("layers").len(), 2);
    drop(held);
    fixture.store.remove("b:1", Force::EvenIfUsed).unwrap();
    assert_eq!(fixture.names_in("layers").len(), 0);
}
