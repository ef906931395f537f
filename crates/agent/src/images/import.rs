//! Imports docker archives and OCI layouts: finds the images and their names, verifies every digest and size while reading,
//! unpacks the layers that are not here yet, and only then gives them their names.

use super::documents::{self, Configuration, Descriptor, DockerManifest, OciDocument};
use super::index::{Index, Record};
use super::limits::{Budget, Limits};
use super::reference::{self, Name, is_sha256_hex};
use super::source::{Opened, Source};
use super::store::{self, Directory, Staging};
use super::stream::{self, Tallied};
use super::unpack::unpack;
use super::{Access, ImageError, Store};
use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Deeper than any builder nests its indexes.
const MAX_INDEX_DEPTH: usize = 4;

/// An image as found in an archive.
struct Found {
    names: Vec<String>,
    manifest: Option<String>,
    config: Vec<u8>,
    layers: Vec<LayerFile>,
}

/// A layer's file; an OCI manifest also says how long it is and what it hashes to.
struct LayerFile {
    name: String,
    expect: Option<Descriptor>,
}

/// An image whose layers are all unpacked.
pub(super) struct Ready {
    pub names: BTreeSet<String>,
    pub manifest: Option<String>,
    pub config: Vec<u8>,
    pub diff_ids: Vec<String>,
    pub created: Option<jiff::Timestamp>,
    pub pulled: Option<Access>,
}

impl Ready {
    /// An image of one layer and no manifest.
    pub(super) fn single_layer(name: String, config: Vec<u8>, diff_id: String) -> Self {
        Self {
            names: BTreeSet::from([name]),
            manifest: None,
            config,
            diff_ids: vec![diff_id],
            created: None,
            pulled: None,
        }
    }
}

/// See `ImageStore::import`.
pub(super) fn import(store: &Store, path: &Path, name: Option<&str>) -> Result<Vec<String>, ImageError> {
    let added = name.map(storable_name).transpose()?;
    let shown = path.display().to_string();
    let staging = store.directory.staging()?;
    let read = || {
        let source = Source::open(path, staging.path(), store.limits)?;
        let found = find_images(&source, store.limits)?;
        let named = name_images(found, added.as_deref())?;
        let unpack = |(found, names)| unpack_image(store, &staging, &source, found, names);
        named.into_iter().map(unpack).collect::<Result<Vec<_>, _>>()
    };
    let images = read().map_err(|error| error.within(&shown))?;
    commit(&store.directory, &staging, &images)
}

/// The full name to store an image under.
pub(super) fn storable_name(name: &str) -> Result<String, ImageError> {
    match reference::parse(name)? {
        Name::Image(reference) => Ok(reference.to_string()),
        Name::Builtin(_) | Name::Reserved(_) => Err(ImageError::Reserved(name.into())),
    }
}

fn find_images(source: &Source, limits: Limits) -> Result<Vec<Found>, ImageError> {
    // An archive of a newer docker is both; manifest.json has the full names.
    if let Some(json) = source.document("manifest.json", limits)? {
        return docker_images(source, &json, limits);
    }
    if let Some(json) = source.document("index.json", limits)? {
        let index: OciDocument = documents::read("index.json", &json)?;
        let mut found = Vec::new();
        let descriptors = index.manifests.unwrap_or_default();
        for descriptor in &descriptors {
            oci_image(source, descriptor, limits, 0, &mut found)?;
        }
        if found.is_empty() {
            let here = documents::architecture();
            return Err(broken(format!("index.json has no image for linux/{here}")));
        }
        return Ok(found);
    }
    Err(broken(
        "neither a docker archive (no manifest.json) nor an OCI layout (no index.json); to import a root file system add `--rootfs`",
    ))
}

fn docker_images(source: &Source, json: &[u8], limits: Limits) -> Result<Vec<Found>, ImageError> {
    let manifests: Vec<DockerManifest> = documents::read("manifest.json", json)?;
    if manifests.is_empty() {
        return Err(broken("manifest.json lists no image"));
    }
    let image = |manifest: DockerManifest| {
        let config = required_document(source, &manifest.config, limits)?;
        check_own_name(&manifest.config, &config)?;
        let layer = |name| LayerFile { name, expect: None };
        Ok(Found {
            names: manifest.repo_tags.unwrap_or_default(),
            manifest: None,
            config,
            layers: manifest.layers.unwrap_or_default().into_iter().map(layer).collect(),
        })
    };
    manifests.into_iter().map(image).collect()
}

/// Docker names configurations by their digest: `HEX.json` or `blobs/sha256/HEX`.
fn check_own_name(name: &str, content: &[u8]) -> Result<(), ImageError> {
    let file_name = name.rsplit('/').next().unwrap_or(name);
    let stem = file_name.strip_suffix(".json").unwrap_or(file_name);
    if !is_sha256_hex(stem) {
        return Ok(());
    }
    check_digest(name, &format!("sha256:{stem}"), &stream::sha256_hex(content))
}

fn oci_image(
    source: &Source,
    descriptor: &Descriptor,
    limits: Limits,
    depth: usize,
    found: &mut Vec<Found>,
) -> Result<(), ImageError> {
    if MAX_INDEX_DEPTH < depth {
        return Err(broken(format!("indexes nested deeper than {MAX_INDEX_DEPTH}")));
    }
    if !descriptor.is_for_here() || descriptor.is_attestation() {
        return Ok(());
    }
    let json = described_document(source, descriptor, limits)?;
    let document: OciDocument = documents::read(&descriptor.digest, &json)?;
    if descriptor.is_index() || document.config.is_none() {
        let Some(manifests) = document.manifests else {
            return Err(broken(format!("{} is neither an index nor a manifest", descriptor.digest)));
        };
        for nested in manifests {
            let n_before = found.len();
            oci_image(source, &nested, limits, depth + 1, found)?;
            let Some(image) = found.get_mut(n_before) else {
                continue;
            };
            // The index's name is the image's; its other platforms are somebody else's.
            image.names.extend(descriptor.name().map(str::to_owned));
            image.manifest = Some(descriptor.digest.clone());
            break;
        }
        return Ok(());
    }
    let Some(config) = document.config else {
        return Err(broken(format!("{} has no configuration", descriptor.digest)));
    };
    let mut layers = Vec::new();
    for layer in document.layers.unwrap_or_default() {
        let name = blob_name(&layer.digest)?;
        layers.push(LayerFile { name, expect: Some(layer) });
    }
    found.push(Found {
        names: descriptor.name().map(str::to_owned).into_iter().collect(),
        manifest: Some(descriptor.digest.clone()),
        config: described_document(source, &config, limits)?,
        layers,
    });
    Ok(())
}

/// Pairs images with the full names they get.
fn name_images(found: Vec<Found>, added: Option<&str>) -> Result<Vec<(Found, BTreeSet<String>)>, ImageError> {
    if let (Some(added), 2..) = (added, found.len()) {
        let n = found.len();
        return Err(broken(format!("holds {n} images, and {added} can name only one: import it without a name")));
    }
    let name = |found: Found| {
        let mut names = BTreeSet::new();
        for name in &found.names {
            match storable_name(name) {
                // With a name of its own the image can do without the one that is taken.
                Err(ImageError::Reserved(_)) if added.is_some() => {}
                other => drop(names.insert(other?)),
            }
        }
        names.extend(added.map(str::to_owned));
        if names.is_empty() {
            return Err(broken("the archive does not say what its image is called: give it a name with `--name REF`"));
        }
        Ok((found, names))
    };
    found.into_iter().map(name).collect()
}

fn unpack_image(
    store: &Store,
    staging: &Staging,
    source: &Source,
    found: Found,
    names: BTreeSet<String>,
) -> Result<Ready, ImageError> {
    let configuration: Configuration = documents::read("image configuration", &found.config)?;
    configuration.check_platform()?;
    let diff_ids = checked_diff_ids(&configuration, found.layers.len(), store.limits)?;
    let budget = Budget::new(store.limits);
    for (file, diff_id) in found.layers.iter().zip(&diff_ids) {
        if store.directory.layer(diff_id).is_dir() {
            continue;
        }
        unpack_layer_file(store, staging, source, file, diff_id, &budget)
            .map_err(|error| error.within(&format!("layer {}", file.name)))?;
    }
    let (created, pulled) = (configuration.created(), None);
    Ok(Ready { names, manifest: found.manifest, created, config: found.config, diff_ids, pulled })
}

/// The diffIDs of a configuration that `n_layers` layers come with.
pub(super) fn checked_diff_ids(
    configuration: &Configuration,
    n_layers: usize,
    limits: Limits,
) -> Result<Vec<String>, ImageError> {
    let diff_ids = configuration.diff_ids().to_vec();
    let n = diff_ids.len();
    if n != n_layers {
        return Err(broken(format!("{n_layers} layers, but the configuration lists {n}")));
    }
    if limits.layers < n {
        return Err(broken(format!("{n} layers are more than the limit of {}", limits.layers)));
    }
    diff_ids.iter().try_for_each(|diff_id| sha256_of(diff_id).map(drop))?;
    Ok(diff_ids)
}

fn unpack_layer_file(
    store: &Store,
    staging: &Staging,
    source: &Source,
    file: &LayerFile,
    diff_id: &str,
    budget: &Budget,
) -> Result<(), ImageError> {
    let Opened { reader, size } = source.file(&file.name)?.ok_or_else(|| broken("not in the archive"))?;
    if let Some(expect) = &file.expect {
        check_size(size, expect.size)?;
    }
    let (mut packed, packed_tally) = Tallied::new(reader);
    let actual = unpack_layer(store, staging, &mut packed, packed_tally.clone(), budget)?;
    stream::drain(&mut packed)?;
    if let Some(expect) = &file.expect {
        check_digest("its bytes", &expect.digest, &packed_tally.sha256())?;
    }
    check_digest("unpacked", diff_id, &actual)
}

/// Unpacks a possibly compressed tar to `staging/HEX` and returns HEX, the digest of the plain tar.
pub(super) fn unpack_layer(
    store: &Store,
    staging: &Staging,
    packed: impl Read,
    packed_tally: stream::Tally,
    budget: &Budget,
) -> Result<String, ImageError> {
    let unpacked = stream::unpacked(packed, packed_tally, store.limits)?;
    let (mut plain, plain_tally) = Tallied::new(unpacked);
    let work = staging.path().join("unpacking");
    // A failed attempt of the same import may have left it.
    store::remove_tree(&work)?;
    DirBuilder::new().mode(0o755).create(&work).map_err(|e| super::at(&work, e))?;
    unpack(&mut plain, &work, budget)?;
    stream::drain(&mut plain)?;
    let digest = plain_tally.sha256();
    let done = staging.path().join(&digest);
    if done.is_dir() {
        // Two images of one archive share it.
        store::remove_tree(&work)?;
    } else {
        std::fs::rename(&work, &done).map_err(|e| super::at(&done, e))?;
    }
    Ok(digest)
}

/// Moves finished layers to their place and writes the names, all or nothing as far as readers see.
pub(super) fn commit(directory: &Directory, staging: &Staging, images: &[Ready]) -> Result<Vec<String>, ImageError> {
    staging.sync()?;
    write_names(directory, staging, images)
}

/// Names an image whose layers are all in their places.
pub(super) fn name_pulled(directory: &Directory, image: Ready) -> Result<(), ImageError> {
    let staging = directory.staging()?;
    write_names(directory, &staging, &[image]).map(drop)
}

fn write_names(directory: &Directory, staging: &Staging, images: &[Ready]) -> Result<Vec<String>, ImageError> {
    let sizes = images.iter().map(|image| image_size(directory, staging, image)).collect::<Result<Vec<_>, _>>()?;
    let lock = directory.lock()?;
    let mut index = Index::load(directory)?;
    let mut names = Vec::new();
    for (image, size_bytes) in images.iter().zip(sizes) {
        for diff_id in &image.diff_ids {
            let hex = sha256_of(diff_id)?;
            let place = directory.layer(diff_id);
            let staged = staging.path().join(hex);
            if staged.is_dir() {
                staging.publish(hex, &place, &lock)?;
            }
            if !place.is_dir() {
                return Err(removed_meanwhile(diff_id));
            }
        }
        let config = format!("sha256:{}", stream::sha256_hex(&image.config));
        directory.replace_file(&directory.blob(&config), &image.config, &lock)?;
        let record = Record {
            config,
            manifest: image.manifest.clone(),
            layers: image.diff_ids.clone(),
            size_bytes,
            created: image.created,
            pulled: image.pulled.clone(),
        };
        for name in &image.names {
            index.images.insert(name.clone(), record.clone());
            names.push(name.clone());
        }
    }
    index.save(directory, &lock)?;
    Ok(names)
}

fn image_size(directory: &Directory, staging: &Staging, image: &Ready) -> Result<u64, ImageError> {
    let mut size = 0;
    for diff_id in &image.diff_ids {
        let staged = staging.path().join(sha256_of(diff_id)?);
        let place = directory.layer(diff_id);
        let dir = if staged.is_dir() { staged } else { place };
        if !dir.is_dir() {
            return Err(removed_meanwhile(diff_id));
        }
        size += store::tree_size(&dir)?;
    }
    Ok(size)
}

fn removed_meanwhile(diff_id: &str) -> ImageError {
    broken(format!("layer {diff_id} was removed by `kiln image rm` meanwhile: try again"))
}

fn required_document(source: &Source, name: &str, limits: Limits) -> Result<Vec<u8>, ImageError> {
    source.document(name, limits)?.ok_or_else(|| broken(format!("{name} is missing")))
}

fn described_document(source: &Source, descriptor: &Descriptor, limits: Limits) -> Result<Vec<u8>, ImageError> {
    let name = blob_name(&descriptor.digest)?;
    let content = required_document(source, &name, limits)?;
    check_size(content.len() as u64, descriptor.size).map_err(|error| error.within(&name))?;
    check_digest(&name, &descriptor.digest, &stream::sha256_hex(&content))?;
    Ok(content)
}

fn blob_name(digest: &str) -> Result<String, ImageError> {
    Ok(format!("blobs/sha256/{}", sha256_of(digest)?))
}

/// The hex part of a digest.
pub(super) fn sha256_of(digest: &str) -> Result<&str, ImageError> {
    digest
        .strip_prefix("sha256:")
        .filter(|hex| is_sha256_hex(hex))
        .ok_or_else(|| broken(format!("{digest:?} is not a sha256 digest")))
}

fn check_size(actual: u64, expect: u64) -> Result<(), ImageError> {
    if actual == expect {
        return Ok(());
    }
    Err(broken(format!("{actual} bytes, but its descriptor says {expect}")))
}

pub(super) fn check_digest(what: &str, expect: &str, actual_hex: &str) -> Result<(), ImageError> {
    if sha256_of(expect)? == actual_hex {
        return Ok(());
    }
    Err(broken(format!("{what}: digest is sha256:{actual_hex}, expected {expect}")))
}

fn broken(text: impl Into<String>) -> ImageError {
    ImageError::Broken(text.into())
}
