//! Whole imports: archives made here, imported, resolved, looked at, removed. And damaged ones, which must only ever be refused.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use tar::{Builder, EntryType, Header};

mod builtins;
mod damage;
mod imports;
mod pulls;
mod registry;
mod unpacking;

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
