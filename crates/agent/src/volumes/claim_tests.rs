use super::*;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn pod() -> Pod {
    serde_json::from_value(
        json!({"metadata": {"name": "p", "namespace": "n", "uid": "pod"}, "spec": {"containers": [], "volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "c", "readOnly": true}}]}}),
    )
    .unwrap()
}

fn merge(object: &mut Value, change: Value) {
    let Value::Object(change) = change else {
        *object = change;
        return;
    };
    for (key, value) in change {
        merge(&mut object[key], value);
    }
}

fn sources(claim_change: Value, volume_change: Value) -> Sources {
    let mut claim =
        json!({"metadata": {"name": "c", "uid": "u"}, "spec": {"volumeName": "v"}, "status": {"phase": "Bound"}});
    let mut volume =
        json!({"metadata": {"name": "v"}, "spec": {"claimRef": {"uid": "u"}, "local": {"path": "/volumes/v"}}});
    merge(&mut claim, claim_change);
    merge(&mut volume, volume_change);
    Sources {
        claims: [("c".to_owned(), serde_json::from_value(claim).unwrap())].into(),
        volumes: [("v".to_owned(), serde_json::from_value(volume).unwrap())].into(),
        ..Sources::default()
    }
}

#[test]
fn a_claim_leads_to_its_volumes_place() {
    let mounts = mounts(&pod(), &sources(json!({}), json!({})), Moment::Before).unwrap();
    let expect = Mount { volume: "v".into(), path: "/volumes/v".into(), is_read_only: true, kind: MountKind::Local };
    assert_eq!(mounts, [("data".to_owned(), expect)].into());
}

#[test]
fn what_is_missing_on_the_way_is_named() {
    let unable = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC n/c: ";
    let none = json!(null);
    for (sources, expect) in [
        (Sources::default(), "failed to fetch PVC from API server: persistentvolumeclaims \"c\" not found"),
        (sources(json!({"status": {"phase": "Pending"}}), json!({})), "PVC is not bound"),
        (sources(json!({"spec": {"volumeName": ""}}), json!({})), "PVC has empty pvc.Spec.VolumeName"),
        (
            sources(json!({"spec": {"volumeName": "w"}}), json!({})),
            "failed to fetch PV w from API server: persistentvolumes \"w\" not found",
        ),
        (
            sources(json!({}), json!({"spec": {"claimRef": none}})),
            "found PV object v with nil pv.Spec.ClaimRef indicating it is not yet bound to the claim",
        ),
        (
            sources(json!({}), json!({"spec": {"claimRef": {"uid": "other"}}})),
            "found PV object v with pv.Spec.ClaimRef.UID other but expected u",
        ),
    ] {
        let error = mounts(&pod(), &sources, Moment::Before).unwrap_err();
        assert_eq!(error.to_string(), format!("{unable}{expect}"));
    }
}

#[test]
fn a_claim_that_is_being_deleted_begins_no_pod_and_keeps_those_it_has() {
    let sources = sources(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), json!({}));
    assert!(mounts(&pod(), &sources, Moment::Before).unwrap_err().to_string().ends_with("PVC is being deleted"));
    assert!(mounts(&pod(), &sources, Moment::Running).is_ok());
}

#[test]
fn an_ephemeral_volumes_claim_belongs_to_its_pod() {
    let mut pod = pod();
    let volumes = json!([{"name": "c", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
    pod.spec.as_mut().unwrap().volumes = serde_json::from_value(volumes).unwrap();
    assert_eq!(needs("p", pod.spec.as_ref().unwrap()), ["p-c".to_owned()].into());
    let owned = |uid: &str| {
        let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, "controller": true}]);
        let mut sources = sources(json!({"metadata": {"ownerReferences": owner}}), json!({}));
        let claim = sources.claims.remove("c").unwrap();
        sources.claims.insert("p-c".into(), claim);
        sources
    };
    assert!(mounts(&pod, &owned("pod"), Moment::Before).is_ok());
    let error = mounts(&pod, &owned("other"), Moment::Before).unwrap_err().to_string();
    assert!(error.ends_with("PVC p-c was not created for the pod (pod is not owner)"), "{error}");
}

fn local(path: &Path) -> Mount {
    Mount { volume: "v".into(), path: path.to_owned(), is_read_only: false, kind: MountKind::Local }
}

#[test]
fn a_volume_whose_directory_is_gone_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gone");
    let error = set_up(&local(&path), None, false).unwrap_err().to_string();
    let expect = "MountVolume.NewMounter initialization failed for volume \"v\" : path \"";
    assert_eq!(error, format!("{expect}{}\" does not exist", path.display()));
    assert!(!path.exists());
}

#[test]
fn the_group_gets_everything_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (volume, outside) = (dir.path().join("volume"), dir.path().join("outside"));
    fs::create_dir_all(volume.join("a/b")).unwrap();
    fs::write(volume.join("a/b/file"), "").unwrap();
    fs::write(&outside, "").unwrap();
    fs::set_permissions(&outside, PermissionsExt::from_mode(0o600)).unwrap();
    fs::set_permissions(volume.join("a/b/file"), PermissionsExt::from_mode(0o600)).unwrap();
    symlink(&outside, volume.join("a/link")).unwrap();
    // Whoever runs the tests may give to a group of his own.
    let gid = rustix::process::getgid().as_raw();
    set_up(&local(&volume), Some(gid), false).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&volume.join("a/b/file")), 0o660);
    assert_eq!(mode(&volume.join("a/b")) & 0o2770, 0o2770);
    assert_eq!(mode(&outside), 0o600);
    fs::set_permissions(volume.join("a/b/file"), PermissionsExt::from_mode(0o600)).unwrap();
    set_up(&local(&volume), Some(gid), true).unwrap();
    assert_eq!(mode(&volume.join("a/b/file")), 0o600, "the root is right, so nothing below it is looked at");
}

#[test]
fn host_paths_are_what_their_type_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let at = |path: &Path, kind: &str| {
        let mount = Mount { kind: MountKind::HostPath(kind.into()), ..local(path) };
        set_up(&mount, Some(1), false).map_err(|error| error.to_string())
    };
    let failed = "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: ";
    for (kind, what) in [("Directory", "directory"), ("DirectoryOrCreate", "directory"), ("Socket", "socket file")] {
        assert_eq!(at(&file, kind), Err(format!("{failed}{} is not a {what}", file.display())), "{kind}");
    }
    let missing = dir.path().join("missing");
    assert_eq!(at(&missing, "File"), Err(format!("{failed}{} is not a file", missing.display())));
    for (name, kind) in [("a", ""), ("b", "DirectoryOrCreate"), ("c", "FileOrCreate")] {
        assert_eq!(at(&dir.path().join(name), kind), Ok(()));
        assert_eq!(dir.path().join(name).is_dir(), name != "c");
    }
    assert_eq!(at(&file, "File"), Ok(()));
}
