//! Secrets on disk.

use crate::harness::Server;
use apiserver::Sealer;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use store::Store;

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const PLAIN: &str = "correct-horse-battery-staple";

fn open(dir: &Path) -> Store {
    let sealer = |dir: &Path| Sealer::load_or_create(dir).map(|sealer| Arc::new(sealer) as Arc<dyn store::Envelope>);
    Store::open_sealed(dir, store::Options::default(), sealer).unwrap()
}

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": PLAIN}})
}

/// Whether any file of the database holds any of these.
fn disk_holds(dir: &Path, texts: &[&str]) -> bool {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let contents: Vec<Vec<u8>> = files.map(|path| std::fs::read(path).unwrap()).collect();
    let holds = |text: &str| contents.iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
    texts.iter().any(|text| holds(text))
}

const ENCODED: &str = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";

#[tokio::test]
async fn a_secret_is_on_disk_only_encrypted_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let server = Server::on(store.clone());
    server.post(SECRETS, &secret("a")).await.expect(201);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "in-the-open"}});
    server.post("/api/v1/namespaces/default/configmaps", &map).await.expect(201);
    let patch = json!({"stringData": {"other": PLAIN}});
    server.patch(&format!("{SECRETS}/a"), "merge-patch+json", &patch).await.expect(200);
    assert!(disk_holds(dir.path(), &["in-the-open"]), "the test looks where values are");
    assert!(!disk_holds(dir.path(), &[PLAIN, ENCODED]), "in the log");
    store.close().await;
    assert!(!disk_holds(dir.path(), &[PLAIN, ENCODED]), "in the database");

    let store = open(dir.path());
    let read = Server::on(store.clone()).get(&format!("{SECRETS}/a")).await.expect(200).json();
    assert_eq!(read["data"], json!({"key": ENCODED, "other": ENCODED}));
    store.close().await;
}

#[tokio::test]
async fn values_from_before_are_read_and_sealed_when_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), store::Options::default()).unwrap();
    Server::on(store.clone()).post(SECRETS, &secret("a")).await.expect(201);
    store.close().await;
    let sealed = |dir: &Path| disk_holds(dir, &["kiln:sealed:v1:"]);
    assert!(disk_holds(dir.path(), &[ENCODED]) && !sealed(dir.path()));

    let store = open(dir.path());
    let server = Server::on(store.clone());
    let path = format!("{SECRETS}/a");
    assert_eq!(server.get(&path).await.expect(200).json()["data"]["key"], ENCODED);
    server.patch(&path, "merge-patch+json", &json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
    store.close().await;
    assert!(sealed(dir.path()));
}

#[tokio::test]
async fn a_lost_key_costs_its_secrets_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    Server::on(store.clone()).post(SECRETS, &secret("a")).await.expect(201);
    store.close().await;
    std::fs::remove_file(dir.path().join("secrets.keys")).unwrap();

    let store = open(dir.path());
    let server = Server::on(store.clone());
    for path in [format!("{SECRETS}/a"), SECRETS.to_owned()] {
        let refused = server.get(&path).await.expect(500);
        let message = refused.message();
        assert!(message.contains("/core/secrets/default/a") && message.contains("secrets.keys"), "{message}");
        assert!(!refused.text().contains("kiln:sealed"), "nothing of the value is shown");
    }
    server.post(SECRETS, &secret("b")).await.expect(201);
    server.get(&format!("{SECRETS}/b")).await.expect(200);
    server.get("/api/v1/namespaces/default").await.expect(200);
    store.close().await;

    std::fs::write(dir.path().join("secrets.keys"), "damaged").unwrap();
    let store = open(dir.path());
    let server = Server::on(store.clone());
    let message = server.post(SECRETS, &secret("c")).await.expect(500).message();
    assert!(message.contains("secrets.keys holds no key to encrypt this with"), "{message}");
    server.post("/api/v1/namespaces/default/serviceaccounts", &json!({"metadata": {"name": "x"}})).await.expect(201);
    store.close().await;
}
