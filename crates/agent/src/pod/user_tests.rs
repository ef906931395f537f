use super::*;
use serde_json::{Value, json};

fn accounts() -> Accounts {
    Accounts {
        passwd: "root:x:0:0:root:/root:/bin/sh\nbroken line\napp:x:1000:1001:App:/home/app:/bin/sh\n".into(),
        group: "root:x:0:\nwheel:x:10:root,app\nstaff:x:50:\n".into(),
    }
}

fn who(pod_context: Value, container_context: Value, image_user: &str) -> Result<Identity, String> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"securityContext": pod_context, "containers": [{"name": "a", "securityContext": container_context}]}}))
    .unwrap();
    let spec = pod.spec.clone().unwrap();
    identify(&pod, &spec.containers[0], image_user, &accounts())
}

#[track_caller]
fn check(pod: Value, container: Value, image_user: &str, ids: (u32, u32), more: &[u32], home: &str) {
    let identity = who(pod, container, image_user).unwrap();
    assert_eq!((identity.uid, identity.gid), ids);
    assert_eq!(identity.additional_gids, more);
    assert_eq!(identity.home, home);
}

#[test]
fn identities() {
    let none = || json!({});
    check(none(), none(), "", (0, 0), &[10], "/root");
    check(none(), none(), "app", (1000, 1001), &[10], "/home/app");
    check(none(), none(), "1000", (1000, 1001), &[10], "/home/app");
    check(none(), none(), "app:staff", (1000, 50), &[10], "/home/app");
    check(none(), none(), "77:88", (77, 88), &[], "/");
    check(json!({"runAsUser": 5}), none(), "app:staff", (5, 0), &[], "/");
    check(json!({"runAsUser": 5}), json!({"runAsUser": 1000}), "", (1000, 1001), &[10], "/home/app");
    check(json!({"runAsGroup": 9}), none(), "app", (1000, 9), &[10], "/home/app");
    check(
        json!({"runAsUser": 5, "fsGroup": 2000, "supplementalGroups": [3000, 2000]}),
        none(),
        "",
        (5, 0),
        &[2000, 3000],
        "/",
    );
}

#[test]
fn names_the_image_does_not_know_are_errors() {
    assert!(who(json!({}), json!({}), "nobody").unwrap_err().contains("nobody"));
    assert!(who(json!({}), json!({}), "app:none").unwrap_err().contains("none"));
}

#[test]
fn run_as_non_root_is_checked() {
    let must = || json!({"runAsNonRoot": true});
    let refused = |container, image_user| who(must(), container, image_user).unwrap_err();
    assert_eq!(
        refused(json!({}), ""),
        "container has runAsNonRoot and image will run as root (pod: \"p_ns(u)\", container: a)"
    );
    assert_eq!(
        refused(json!({}), "app"),
        "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root (pod: \"p_ns(u)\", container: a)"
    );
    assert_eq!(
        refused(json!({"runAsUser": 0}), ""),
        "container's runAsUser breaks non-root policy (pod: \"p_ns(u)\", container: a)"
    );
    assert!(who(must(), json!({"runAsNonRoot": false}), "").is_ok());
    assert!(who(must(), json!({"runAsUser": 7}), "").is_ok());
    assert!(who(must(), json!({}), "1000").is_ok());
}

#[test]
fn account_files_come_from_the_topmost_layer_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let layer = |name: &str| {
        let layer = dir.path().join(name);
        std::fs::create_dir_all(layer.join("etc")).unwrap();
        layer
    };
    let (top, bottom) = (layer("top"), layer("bottom"));
    std::fs::write(bottom.join("etc/passwd"), "bottom").unwrap();
    let mut rootfs = Rootfs { lower: vec![top.clone(), bottom], overlays: vec![], masked: vec![] };
    assert_eq!(Accounts::read(&rootfs).passwd, "bottom");
    std::fs::write(top.join("etc/passwd"), "top").unwrap();
    assert_eq!(Accounts::read(&rootfs).passwd, "top");
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../../secret", top.join("etc/group")).unwrap();
    assert_eq!(Accounts::read(&rootfs).group, "");
    rootfs.overlays = vec![(dir.path().join("bottom/etc"), "/etc".into())];
    assert_eq!(Accounts::read(&rootfs).passwd, "bottom");
}
