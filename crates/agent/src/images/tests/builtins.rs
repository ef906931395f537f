//! kiln/demo and kiln/host.

use super::*;

#[test]
fn the_demo_image_holds_this_program_and_its_loader() {
    let fixture = Fixture::new();
    let image = fixture.store.resolve("kiln/demo").unwrap();
    assert!(image.origin == Origin::BuiltIn && image.size_bytes > 0);
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

#[test]
fn an_old_demo_root_goes_when_a_new_one_comes() {
    let fixture = Fixture::new();
    let builtin = fixture.dir.path().join("images/builtin");
    for (name, hours) in [("demo-old", 2), ("demo-young", 0), ("host-old", 2)] {
        let dir = builtin.join(name);
        fs::create_dir(&dir).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        fs::File::open(&dir).unwrap().set_modified(time).unwrap();
    }
    let image = fixture.store.resolve("kiln/demo").unwrap();
    let newest = image.rootfs.lower[0].file_name().unwrap().to_str().unwrap().to_owned();
    let mut expect = vec![newest, "demo-young".into(), "host-old".into()];
    expect.sort();
    assert_eq!(fixture.names_in("builtin"), expect);
}
