//! `images.json`: what the names on this machine mean.

use super::reference::Reference;
use super::store::{self, Directory, Lock};
use super::{Access, ImageError, Origin, at};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const VERSION: u32 = 1;

/// All names. Readers take the file as it is, it is replaced by rename; writers hold the lock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    version: u32,
    #[serde(default)]
    pub images: BTreeMap<String, Record>,
}

/// What one name means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Digest of the configuration: the image's id.
    pub config: String,
    /// Digest of the manifest, when it came with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// diffIDs, lowest first.
    pub layers: Vec<String>,
    #[serde(default)]
    pub size_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<jiff::Timestamp>,
    /// Who may use it, when a registry gave it; nothing for what was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Access>,
}

impl Record {
    /// Whether everything that belongs to it is on the disk.
    pub(super) fn is_whole(&self, directory: &Directory) -> bool {
        directory.blob(&self.config).is_file() && self.layers.iter().all(|layer| directory.layer(layer).is_dir())
    }

    /// Whether containers may run with it: one that does uses all of its layers.
    pub(super) fn is_used(&self, directory: &Directory) -> bool {
        !self.layers.is_empty() && self.layers.iter().all(|layer| store::is_held(&directory.layer(layer)))
    }

    /// Where the image came from, under the full name `name`.
    pub(super) fn origin(&self, name: &str) -> Origin {
        let Some(access) = &self.pulled else {
            return Origin::Imported;
        };
        let repository = repository_of(name);
        let digest = self.manifest.as_ref().map_or_else(|| self.config.clone(), |m| format!("{repository}@{m}"));
        Origin::Pulled { digest, access: access.clone() }
    }
}

/// A full name without its tag and digest.
fn repository_of(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    let last_slash = name.rfind('/').map_or(0, |slash| slash + 1);
    name[last_slash..].find(':').map_or(name, |colon| &name[..last_slash + colon])
}

impl Default for Index {
    fn default() -> Self {
        Self { version: VERSION, images: BTreeMap::new() }
    }
}

impl Index {
    /// Reads the file; none is an empty one.
    pub(super) fn load(directory: &Directory) -> Result<Self, ImageError> {
        let path = directory.index();
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(|e| at(&path, e))?,
        };
        let broken = |text: String| ImageError::Broken(format!("{}: {text}", path.display()));
        let index: Self = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
        if VERSION < index.version {
            return Err(broken(format!("version {} was written by a newer kiln", index.version)));
        }
        Ok(index)
    }

    /// Replaces the file.
    pub(super) fn save(&self, directory: &Directory, lock: &Lock) -> Result<(), ImageError> {
        let json = serde_json::to_vec_pretty(self).map_err(std::io::Error::from)?;
        directory.replace_file(&directory.index(), &json, lock)
    }

    /// What `reference` means here. A digest may be that of the manifest or of the configuration.
    pub(super) fn find(&self, reference: &Reference) -> Option<(&String, &Record)> {
        let Some(digest) = &reference.digest else {
            return self.images.get_key_value(&reference.to_string());
        };
        let repository = reference.repository();
        self.images.iter().find(|(name, record)| {
            let same_repository = name.strip_prefix(&repository).is_some_and(|rest| rest.starts_with([':', '@']));
            let digests = [Some(&record.config), record.manifest.as_ref()];
            same_repository && digests.contains(&Some(digest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{Name, parse};
    use super::*;

    fn reference(text: &str) -> Reference {
        match parse(text).unwrap() {
            Name::Image(reference) => reference,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_and_digests_find_their_image() {
        let (config, manifest) = (format!("sha256:{}", "c".repeat(64)), format!("sha256:{}", "d".repeat(64)));
        let record = Record {
            config: config.clone(),
            manifest: Some(manifest.clone()),
            layers: vec![],
            size_bytes: 0,
            created: None,
            pulled: None,
        };
        let mut index = Index::default();
        index.images.insert("docker.io/library/busybox:1.35".into(), record);
        for (text, found) in [
            ("busybox:1.35".to_owned(), true),
            ("busybox".into(), false),
            ("busybox:1.3".into(), false),
            (format!("busybox@{config}"), true),
            (format!("busybox:9@{manifest}"), true),
            (format!("busy@{config}"), false),
            (format!("busybox@sha256:{}", "e".repeat(64)), false),
        ] {
            assert_eq!(index.find(&reference(&text)).is_some(), found, "{text}");
        }
    }

    #[test]
    fn the_file_survives_a_round_trip_and_a_newer_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        assert_eq!(Index::load(&directory).unwrap(), Index::default());
        let lock = directory.lock().unwrap();
        let index = Index::default();
        index.save(&directory, &lock).unwrap();
        assert_eq!(Index::load(&directory).unwrap(), index);
        std::fs::write(directory.index(), r#"{"version":2,"images":{}}"#).unwrap();
        let error = Index::load(&directory).unwrap_err().to_string();
        assert!(error.ends_with("version 2 was written by a newer kiln"), "{error}");
        std::fs::write(directory.index(), "{").unwrap();
        assert!(Index::load(&directory).is_err());
    }
}
