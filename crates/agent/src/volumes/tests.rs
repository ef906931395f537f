use super::downward::Subject;
use super::*;
use crate::pod::sources::{Token, TokenNeed};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn pod_spec(volumes: Value) -> PodSpec {
    serde_json::from_value(json!({"containers": [], "volumes": volumes})).unwrap()
}

fn sources() -> Sources {
    let config_map = json!({"data": {"color": "red", "size": "XL"}, "binaryData": {"raw": "/w=="}});
    let secret = json!({"data": {"token": "czNjcmV0"}});
    Sources {
        config_maps: [("c".to_owned(), serde_json::from_value(config_map).unwrap())].into(),
        secrets: [("s".to_owned(), serde_json::from_value(secret).unwrap())].into(),
        tokens: [(
            TokenNeed { audience: String::new(), seconds: 3600 },
            Token { text: "t.o.k".into(), refresh_at: jiff::Timestamp::UNIX_EPOCH },
        )]
        .into(),
        ..Sources::default()
    }
}

fn subject(pod: &Pod) -> Subject<'_> {
    Subject { pod, cpus: 2, memory_bytes: 1 << 30 }
}

fn problem(volume: Value) -> String {
    let empty = Pod::default();
    contents(&pod_spec(json!([volume])), &sources(), &Mounts::new(), subject(&empty)).unwrap_err().to_string()
}

/// Sets the volumes up in a fresh directory and hands it over.
fn mounted(spec: &PodSpec) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), spec, &sources(), "1");
    root
}

fn write(root: &Path, spec: &PodSpec, sources: &Sources, version: &str) {
    let contents = contents(spec, sources, &Mounts::new(), subject(&Pod::default())).unwrap();
    set_up(root, Path::new("/pods/u"), spec, &contents, version).unwrap();
}

#[test]
fn keys_become_files_behind_one_link() {
    let spec = pod_spec(json!([{"name": "v", "configMap": {"name": "c", "defaultMode": 0o400}}]));
    let root = mounted(&spec);
    let dir = root.path().join("pods/u/volumes/configmap/v");
    assert_eq!(std::fs::read(dir.join("color")).unwrap(), b"red");
    assert_eq!(std::fs::read(dir.join("raw")).unwrap(), [0xff]);
    assert_eq!(std::fs::read_link(dir.join("color")).unwrap(), Path::new("..data/color"));
    assert_eq!(std::fs::read_link(dir.join("..data")).unwrap(), Path::new("..1"));
    let mode = std::fs::metadata(dir.join("color")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o400);
}

#[test]
fn a_new_version_takes_the_place_of_the_old_one_and_the_same_is_not_written_again() {
    let spec = pod_spec(json!([{"name": "v", "configMap": {"name": "c"}}]));
    let root = mounted(&spec);
    let dir = root.path().join("pods/u/volumes/configmap/v");
    let version = || std::fs::read_link(dir.join("..data")).unwrap().to_string_lossy().into_owned();
    write(root.path(), &spec, &sources(), "2");
    assert_eq!(version(), "..1");
    // Nor is what was interrupted after the rename left as it is.
    std::fs::remove_file(dir.join("color")).unwrap();
    std::fs::create_dir(dir.join("..0")).unwrap();
    write(root.path(), &spec, &sources(), "2");
    assert_eq!((version().as_str(), std::fs::read(dir.join("color")).unwrap()), ("..1", b"red".to_vec()));
    assert!(!dir.join("..0").exists());
    let mut changed = sources();
    let data = changed.config_maps.get_mut("c").unwrap().data.as_mut().unwrap();
    data.insert("color".into(), "blue".into());
    write(root.path(), &spec, &changed, "3");
    assert_eq!((version().as_str(), std::fs::read(dir.join("color")).unwrap()), ("..3", b"blue".to_vec()));
    assert!(!dir.join("..1").exists(), "an older version is removed");
    let data = changed.config_maps.get_mut("c").unwrap().data.as_mut().unwrap();
    data.remove("color");
    write(root.path(), &spec, &changed, "4");
    assert_eq!(version(), "..4");
    assert!(dir.join("color").symlink_metadata().is_err(), "a key that is gone has no link");
}

#[test]
fn items_choose_keys_paths_and_modes() {
    let spec = pod_spec(json!([{"name": "v", "secret": {"secretName": "s",
        "items": [{"key": "token", "path": "deep/er/token", "mode": 0o600}]}}]));
    let root = mounted(&spec);
    let dir = root.path().join("pods/u/volumes/secret/v");
    let file = dir.join("deep/er/token");
    assert_eq!(std::fs::read(&file).unwrap(), b"s3cret");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(".."))
        .collect();
    assert_eq!(names, ["deep"]);
}

#[test]
fn what_is_missing_is_named() {
    let failed = "MountVolume.SetUp failed for volume \"v\" : ";
    for (volume, text) in [
        (json!({"name": "v", "configMap": {"name": "none"}}), "configmap \"none\" not found"),
        (json!({"name": "v", "secret": {"secretName": "none"}}), "secret \"none\" not found"),
        (
            json!({"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}),
            "configmap references non-existent config key: k",
        ),
        (
            json!({"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}}),
            "secret references non-existent secret key: k",
        ),
    ] {
        assert_eq!(problem(volume), format!("{failed}{text}"));
    }
}

#[test]
fn what_is_optional_may_be_missing() {
    let spec = pod_spec(json!([
        {"name": "a", "configMap": {"name": "none", "optional": true}},
        {"name": "b", "secret": {"secretName": "s", "optional": true, "items": [{"key": "k", "path": "p"}]}}]));
    for (_, content) in contents(&spec, &sources(), &Mounts::new(), subject(&Pod::default())).unwrap() {
        assert_eq!(content, Content::Files(Payload::default()));
    }
}

#[test]
fn no_path_leads_out_of_a_volume() {
    for path in ["../x", "/x", "a/../../x", "..data", "..2024/x", "./x"] {
        let item = json!({"name": "v", "configMap": {"name": "c", "items": [{"key": "color", "path": path}]}});
        assert!(problem(item).contains("non-existent"), "{path}");
    }
}

#[test]
fn an_empty_dir_is_everyones_and_keeps_what_is_in_it() {
    let spec = pod_spec(json!([{"name": "e", "emptyDir": {}}]));
    let root = mounted(&spec);
    let dir = root.path().join("pods/u/volumes/emptydir/e");
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o777);
    std::fs::write(dir.join("kept"), "").unwrap();
    let again = contents(&spec, &sources(), &Mounts::new(), subject(&Pod::default())).unwrap();
    set_up(root.path(), Path::new("/pods/u"), &spec, &again, "3").unwrap();
    assert!(dir.join("kept").exists());
}

#[test]
fn secrets_and_memory_lie_on_tmpfs() {
    let spec = pod_spec(json!([{"name": "s", "secret": {"secretName": "s"}},
        {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "d", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}]));
    let mounts: Vec<(String, Option<u64>, u32)> = tmpfs(Path::new("/p"), &spec)
        .into_iter()
        .map(|tmpfs| (tmpfs.path.to_string_lossy().into_owned(), tmpfs.size_bytes, tmpfs.mode))
        .collect();
    let expect = [("/p/volumes/secret/s", Some(4 << 20), 0o755), ("/p/volumes/emptydir/m", Some(1 << 20), 0o777)];
    assert_eq!(mounts, expect.map(|(path, size, mode)| (path.to_owned(), size, mode)));
}

/// What a projected volume of these sources holds in a pod with this spec, as `PATH MODE OWNER CONTENT`.
fn projected(spec: Value, sources_json: Value) -> Result<Vec<String>, String> {
    let mut spec = spec;
    spec["volumes"] = json!([{"name": "v", "projected": {"defaultMode": 0o644, "sources": sources_json}}]);
    let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec})).unwrap();
    let spec = pod.spec.clone().unwrap();
    let contents = contents(&spec, &sources(), &Mounts::new(), subject(&pod)).map_err(|error| error.to_string())?;
    let [(_, Content::Files(payload))] = contents.as_slice() else { panic!("{contents:?}") };
    let line = |(path, file): (&String, &payload::File)| {
        format!("{path} {:o} {:?} {}", file.mode, file.owner, String::from_utf8_lossy(&file.bytes))
    };
    Ok(payload.0.iter().map(line).collect())
}

#[test]
fn a_projected_volume_has_everything_side_by_side() {
    let all = json!([
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "c", "items": [{"key": "color", "path": "deep/color", "mode": 0o600}]}},
                {"secret": {"name": "none", "optional": true}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]);
    assert_eq!(
        projected(json!({"containers": []}), all).unwrap(),
        ["deep/color 600 None red", "namespace 644 None n", "token 644 None t.o.k"]
    );
}

#[test]
fn a_token_is_its_users_alone_when_there_is_one_user() {
    let token = || json!([{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]);
    let user = |uid: u32| json!({"name": "a", "securityContext": {"runAsUser": uid}});
    for (spec, expect) in [
        (json!({"containers": [user(7), user(7)]}), "token 600 Some(7) t.o.k"),
        (json!({"containers": [user(7), user(8)]}), "token 644 None t.o.k"),
        (json!({"containers": [user(7), {"name": "b"}]}), "token 644 None t.o.k"),
        (json!({"containers": [{"name": "b"}], "securityContext": {"runAsUser": 9}}), "token 600 Some(9) t.o.k"),
        (json!({"containers": [{"name": "b"}], "securityContext": {"fsGroup": 9}}), "token 600 None t.o.k"),
    ] {
        assert_eq!(projected(spec, token()).unwrap(), [expect]);
    }
}

#[test]
fn everything_that_a_projected_volume_lacks_is_named() {
    let missing = json!([{"configMap": {"name": "x"}}, {"secret": {"name": "y"}}]);
    assert_eq!(
        projected(json!({"containers": []}), missing).unwrap_err(),
        "MountVolume.SetUp failed for volume \"v\" : [configmap \"x\" not found, secret \"y\" not found]"
    );
}
