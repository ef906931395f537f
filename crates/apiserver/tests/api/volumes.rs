//! Claims, volumes and classes over HTTP: the class that is there from the start, and what admission adds and refuses.

use crate::harness::{Server, TABLE};
use serde_json::{Value, json};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";
const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";

fn claim(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}})
}

fn class(name: &str, expands: bool) -> Value {
    json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": "example.com/disk", "allowVolumeExpansion": expands})
}

#[tokio::test]
async fn a_server_begins_with_a_default_class_and_does_not_bring_it_back() {
    let store = store::Store::in_memory(store::Options::default());
    let server = Server::on(store.clone());
    let table = server.send("GET", CLASSES, &[("accept", TABLE)], "").await.expect(200).json();
    let cells = &table["rows"][0]["cells"];
    assert_eq!(*cells, json!(["standard (default)", "kiln.dev/local", "Delete", "Immediate", true, "0s"]));
    let gone = server.delete(&format!("{CLASSES}/standard")).await.expect(200).json();
    assert_eq!((&gone["kind"], &gone["metadata"]["name"]), (&json!("StorageClass"), &json!("standard")));
    let restarted = Server::on(store);
    let classes = restarted.get(CLASSES).await.expect(200).json();
    assert_eq!(classes["items"], json!([]));
}

#[tokio::test]
async fn a_claim_without_a_class_gets_the_default_one_and_its_protection() {
    let server = Server::new();
    let made = server.post(CLAIMS, &claim("a")).await.expect(201).json();
    assert_eq!(made["spec"]["storageClassName"], "standard");
    assert_eq!(made["spec"]["resources"]["requests"]["storage"], "1Gi");
    assert_eq!(made["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    assert_eq!(made["status"], json!({"phase": "Pending"}));
    let mut of_none = claim("b");
    of_none["spec"]["storageClassName"] = "".into();
    let made = server.post(CLAIMS, &of_none).await.expect(201).json();
    assert_eq!(made["spec"]["storageClassName"], "", "an empty class is one");
    server.delete(&format!("{CLASSES}/standard")).await.expect(200);
    let made = server.post(CLAIMS, &claim("c")).await.expect(201).json();
    assert_eq!(made["spec"].get("storageClassName"), None);
}

#[tokio::test]
async fn a_volume_stays_until_its_protection_goes() {
    let server = Server::new();
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"}}});
    let made = server.post(VOLUMES, &volume).await.expect(201).json();
    assert_eq!(made["metadata"]["finalizers"], json!(["kubernetes.io/pv-protection"]));
    assert_eq!(made["status"], json!({"phase": "Pending", "lastPhaseTransitionTime": "2026-03-01T12:00:00Z"}));
    let marked = server.delete(&format!("{VOLUMES}/v")).await.expect(200).json();
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-03-01T12:00:00Z");
    let free = json!({"metadata": {"finalizers": null}});
    server.patch(&format!("{VOLUMES}/v"), "merge-patch+json", &free).await.expect(200);
    server.get(&format!("{VOLUMES}/v")).await.expect(404);
}

#[tokio::test]
async fn a_claim_grows_when_it_is_bound_and_its_class_allows_it() {
    let server = Server::new();
    server.post(CLASSES, &class("fixed", false)).await.expect(201);
    server.post(CLASSES, &class("grows", true)).await.expect(201);
    let grow = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    let bind = json!({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}});
    for name in ["fixed", "grows", "gone"] {
        let mut claim = claim(name);
        claim["spec"]["storageClassName"] = name.into();
        server.post(CLAIMS, &claim).await.expect(201);
        let path = format!("{CLAIMS}/{name}");
        let refused = server.patch(&path, "merge-patch+json", &grow).await.expect(422);
        assert!(
            refused.message().contains("spec: Forbidden: spec is immutable after creation"),
            "{}",
            refused.message()
        );
        server.patch(&format!("{path}/status"), "merge-patch+json", &bind).await.expect(200);
    }
    let grown = server.patch(&format!("{CLAIMS}/grows"), "merge-patch+json", &grow).await.expect(200).json();
    assert_eq!(grown["spec"]["resources"]["requests"]["storage"], "2Gi");
    for name in ["fixed", "gone"] {
        server.patch(&format!("{CLAIMS}/{name}"), "merge-patch+json", &grow).await.expect_status(
            403,
            "Forbidden",
            &format!(
                "persistentvolumeclaims \"{name}\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
            ),
        );
    }
}
