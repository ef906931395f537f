//! Damaged and hostile archives: refused with the place named, never a panic, nothing left behind.

use super::*;

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
        (b"plain text, no tar".to_vec(), "not a tar archive"),
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
            "f10: more than 10 entries (`--max-entries N` of `kiln image import` and `pull` sets this limit)",
        ),
        (
            Limits { image_bytes: 55, entries: 1000, ..Limits::default() },
            "f5: more than 55 unpacked bytes (`--max-bytes N` of `kiln image import` and `pull` sets this limit)",
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
        let budget = limits::Budget::new(Limits::default());
        let _ = unpack::unpack(&bytes[..], &root, &budget);
        for parent in ["1/2/3", "1/2", "1", ""] {
            prop_assert_eq!(fs::read_dir(dir.path().join(parent)).unwrap().count(), 1);
        }
    }
}
