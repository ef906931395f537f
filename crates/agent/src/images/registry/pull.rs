//! One pull: from a name to layers on the disk and a line in `images.json`. Everything is verified before anything trusts it: the
//! manifest against the digest that was asked for, everything else against the descriptor that names it. Each layer is on the
//! disk and in its place as soon as it is whole, so what a crash or a broken connection interrupts goes on with the next layer.

use super::super::documents::{self, Configuration, Descriptor, OciDocument};
use super::super::import::{self, Ready};
use super::super::index::Index;
use super::super::limits::Budget;
use super::super::reference::Reference;
use super::super::stream::{self, Tallied};
use super::super::{Access, ImageError, Store, store};
use super::blob::{self, Blob, Pieces};
use super::endpoints::{Place, places};
use super::http::{Http, shown};
use super::keyring::{Keyring, Login};
use super::progress::Progress;
use super::session::Session;
use super::{Fault, PullError};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{StreamExt, TryStreamExt};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use std::collections::{BTreeSet, HashMap};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// Layers of one image that are fetched at once.
const LAYERS_AT_ONCE: usize = 3;
/// Deeper than any builder nests its indexes.
const MAX_INDEX_DEPTH: usize = 4;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// How the configuration of a container image is called; old tools do not say.
const CONFIG_TYPES: [&str; 4] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "",
];
/// How its layers are, and how they end; encrypted ones end otherwise.
const LAYER_TYPES: [&str; 2] = ["application/vnd.docker.image.rootfs.", "application/vnd.oci.image.layer."];
const PACKINGS: [&str; 4] = [".tar", ".tar.gzip", "+gzip", "+zstd"];

/// Layers on their way, by diffID: two images that share one fetch it once.
pub(in crate::images) type Underway = parking_lot::Mutex<HashMap<String, Weak<Mutex<()>>>>;

/// What a pull is given.
pub(in crate::images) struct Pull {
    pub store: Arc<Store>,
    pub http: Arc<Http>,
    pub underway: Arc<Underway>,
    pub progress: Arc<Progress>,
}

/// An image as its registry describes it.
struct Described {
    /// Of what the name means: an index, or the manifest itself.
    digest: String,
    manifest: OciDocument,
}

/// Pulls `reference` from the first place that has it. Afterwards it is in the image directory.
pub(in crate::images) async fn pull(pull: &Pull, reference: &Reference, keyring: &Keyring) -> Result<(), PullError> {
    let mut failures: Vec<PullError> = Vec::new();
    for place in places(reference, &pull.http.registries) {
        let is_itself = place.mirrored.is_none();
        for (login, access) in identities(&place, reference, keyring, pull) {
            let session = Session::new(pull.http.clone(), place.clone(), login);
            match pull_from(pull, &session, reference, access).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let denied = error.fault == Fault::Denied;
                    let at = if is_itself { error } else { error.within(&place.endpoint.authority) };
                    failures.push(at);
                    // Other credentials help only against a refusal.
                    if !denied {
                        break;
                    }
                }
            }
        }
    }
    Err(verdict(reference, failures))
}

/// Who to be to a place, the best first. A pod's credentials go to the hosts they are for, never to a mirror of them.
fn identities(place: &Place, reference: &Reference, keyring: &Keyring, pull: &Pull) -> Vec<(Option<Login>, Access)> {
    let (domain, path) = match &place.mirrored {
        None => (reference.domain.as_str(), reference.path.as_str()),
        Some(_) => (place.endpoint.authority.as_str(), place.repository.as_str()),
    };
    let holder = |login: &Login| Access::Holders(BTreeSet::from([login.fingerprint()]));
    let of_pod = keyring.logins(domain, path).into_iter().map(|login| (Some(login.clone()), holder(login)));
    let mut identities: Vec<_> = of_pod.collect();
    let of_machine = pull.http.registries.host(&place.endpoint.authority).and_then(|host| host.login.clone());
    // As the kubelet does it: anonymously only when there is nobody else to be.
    if of_machine.is_some() || identities.is_empty() {
        identities.push((of_machine, Access::Everyone));
    }
    identities
}

/// One error out of those of every place. The registry's own word counts most, and the rest is told with it.
fn verdict(reference: &Reference, mut failures: Vec<PullError>) -> PullError {
    let Some(last) = failures.pop() else {
        return PullError::new(Fault::Local, format!("{reference}: there is no place to ask"));
    };
    let mut text = format!("failed to pull and unpack image \"{reference}\": {}", last.text);
    for (i, other) in failures.iter().enumerate() {
        text.push_str(if i == 0 { " (before that: " } else { "; " });
        text.push_str(&other.text);
    }
    if !failures.is_empty() {
        text.push(')');
    }
    PullError { fault: last.fault, text }
}

async fn pull_from(pull: &Pull, session: &Session, reference: &Reference, access: Access) -> Result<(), PullError> {
    let resolving = |error: PullError| {
        let absent = error.fault == Fault::Absent && error.text == "not found";
        let text = if absent { format!("{reference}: not found") } else { error.text };
        PullError { text: format!("failed to resolve reference \"{reference}\": {text}"), ..error }
    };
    let wanted = reference.digest.as_deref().or(reference.tag.as_deref()).unwrap_or("latest");
    let limit = pull.store.limits.document_bytes;
    let top = manifest(session, wanted, reference.digest.as_deref(), None, limit).await.map_err(resolving)?;
    let digest = format!("sha256:{}", stream::sha256_hex(&top));
    if is_here(pull, reference, &digest, &access).await? {
        return Ok(());
    }
    let manifest = image_manifest(session, &digest, &top, limit).await?;
    let described = Described { digest, manifest };
    fetch(pull, session, reference, described, access).await
}

/// Whether the name means this already, with all that belongs to it; then it is only noted who may have it.
async fn is_here(pull: &Pull, reference: &Reference, digest: &str, access: &Access) -> Result<bool, PullError> {
    let (store, name) = (pull.store.clone(), reference.to_string());
    let (digest, access) = (digest.to_owned(), access.clone());
    let look = move || {
        let directory = &store.directory;
        let lock = directory.lock()?;
        let mut index = Index::load(directory)?;
        let Some(record) = index.images.get_mut(&name) else {
            return Ok(false);
        };
        if record.manifest.as_deref() != Some(digest.as_str()) || !record.is_whole(directory) {
            return Ok(false);
        }
        let joined = record.pulled.as_ref().map(|known| known.clone().with(access));
        if joined != record.pulled {
            record.pulled = joined;
            index.save(directory, &lock)?;
        }
        Ok::<_, ImageError>(true)
    };
    Ok(blocking(look).await?)
}

/// Gets and verifies a manifest or index.
async fn manifest(
    session: &Session,
    name: &str,
    digest: Option<&str>,
    size: Option<u64>,
    limit: u64,
) -> Result<Vec<u8>, PullError> {
    let url = session.url(&format!("manifests/{name}"))?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(MANIFESTS));
    let answer = session.get(&url, &headers).await?;
    let lies = |text: String| PullError::new(Fault::Dishonest, format!("{}: {text}", shown(&url)));
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (claimed, media_type) = (header("docker-content-digest"), header(CONTENT_TYPE.as_str()).unwrap_or_default());
    let body = session.http.read(answer.into_body(), limit).await.map_err(&lies)?;
    let actual = format!("sha256:{}", stream::sha256_hex(&body));
    if let Some(expect) = digest.map(str::to_owned).or(claimed.filter(|claimed| claimed.starts_with("sha256:")))
        && expect != actual
    {
        return Err(lies(format!("digest is {actual}, expected {expect}")));
    }
    if let Some(expect) = size
        && expect != body.len() as u64
    {
        return Err(lies(format!("has {} bytes, and its descriptor says {expect}", body.len())));
    }
    let is_old = media_type.contains("docker.distribution.manifest.v1+") || body_is_schema_1(&body);
    if is_old {
        return Err(lies(
            "is a manifest of schema 1, which kiln does not read: push the image again with a newer tool".into(),
        ));
    }
    Ok(body.to_vec())
}

fn body_is_schema_1(body: &[u8]) -> bool {
    let version = |value: serde_json::Value| value["schemaVersion"].as_u64();
    serde_json::from_slice(body).ok().and_then(version) == Some(1)
}

/// Follows indexes to the manifest for this machine.
async fn image_manifest(session: &Session, digest: &str, json: &[u8], limit: u64) -> Result<OciDocument, PullError> {
    let mut document = read_manifest(digest, json)?;
    for _ in 0..MAX_INDEX_DEPTH {
        let Some(manifests) = document.manifests else {
            return Ok(document);
        };
        let chosen = choose(&manifests)?;
        let nested = manifest(session, digest_of(chosen)?, Some(&chosen.digest), Some(chosen.size), limit).await?;
        document = read_manifest(&chosen.digest, &nested)?;
    }
    Err(PullError::new(Fault::Dishonest, format!("{digest}: indexes nested deeper than {MAX_INDEX_DEPTH}")))
}

/// A document that is an index and a manifest at once would be another image to another tool (CVE-2021-41190).
fn read_manifest(digest: &str, json: &[u8]) -> Result<OciDocument, PullError> {
    let document: OciDocument = documents::read(digest, json)?;
    let is_image = document.config.is_some() || document.layers.is_some();
    match (document.manifests.is_some(), is_image) {
        (true, true) => Err(PullError::new(Fault::Dishonest, format!("{digest} is an index and a manifest at once"))),
        (false, false) => Err(PullError::new(Fault::Dishonest, format!("{digest} is neither an index nor a manifest"))),
        _ => Ok(document),
    }
}

/// The image of an index that runs on this machine.
fn choose(manifests: &[Descriptor]) -> Result<&Descriptor, PullError> {
    let mut fitting: Vec<_> = manifests.iter().filter(|m| m.is_for_here() && !m.is_attestation()).collect();
    // Of several for one architecture the plain one runs on every machine of it.
    fitting.sort_by_key(|descriptor| !descriptor.is_plain_variant());
    fitting.into_iter().next().ok_or_else(|| {
        let platforms: BTreeSet<String> = manifests
            .iter()
            .filter(|m| !m.is_attestation())
            .filter_map(|m| m.platform.as_ref().map(ToString::to_string))
            .collect();
        let there = platforms.into_iter().collect::<Vec<_>>().join(", ");
        let here = documents::architecture();
        let text = format!("no match for platform in manifest: the image is for {there}; this machine is linux/{here}");
        PullError::new(Fault::Absent, text)
    })
}

/// Gets what the manifest names, and writes the name.
async fn fetch(
    pull: &Pull,
    session: &Session,
    reference: &Reference,
    described: Described,
    access: Access,
) -> Result<(), PullError> {
    let broken = |text: String| PullError::new(Fault::Dishonest, text);
    let Described { digest, manifest } = described;
    let descriptor = manifest.config.ok_or_else(|| broken(format!("{digest} has no configuration")))?;
    let layers = manifest.layers.unwrap_or_default();
    check_media_types(&descriptor, &layers)?;
    let config = document(session, &descriptor, pull.store.limits.document_bytes).await?;
    let configuration: Configuration = documents::read("image configuration", &config)?;
    configuration.check_platform().map_err(|error| PullError::new(Fault::Absent, error.to_string()))?;
    let diff_ids = import::checked_diff_ids(&configuration, layers.len(), pull.store.limits)?;
    pull.progress.begin(layers.iter().map(|layer| layer.size));
    let budget = Arc::new(Budget::new(pull.store.limits));
    let mut fetches: Vec<BoxFuture<'_, Result<OwnedFd, PullError>>> = Vec::new();
    for (i, (layer, diff_id)) in layers.into_iter().zip(diff_ids.clone()).enumerate() {
        fetches.push(fetch_layer(pull, session, i, layer, diff_id, budget.clone()).boxed());
    }
    // Held until the name is written: what is only half here is not rubbish.
    let _held: Vec<OwnedFd> = futures::stream::iter(fetches).buffer_unordered(LAYERS_AT_ONCE).try_collect().await?;
    let ready = Ready {
        names: BTreeSet::from([reference.to_string()]),
        manifest: Some(digest),
        config,
        created: configuration.created(),
        diff_ids,
        pulled: Some(access),
    };
    let store = pull.store.clone();
    Ok(blocking(move || import::name_pulled(&store.directory, ready)).await?)
}

/// Charts and other things live in registries, too.
fn check_media_types(config: &Descriptor, layers: &[Descriptor]) -> Result<(), PullError> {
    let config_type = config.media_type.as_deref().unwrap_or_default();
    if !CONFIG_TYPES.contains(&config_type) {
        return Err(PullError::new(Fault::Absent, format!("is not a container image, but {config_type:?}")));
    }
    let is_layer = |media_type: &&str| {
        LAYER_TYPES.iter().any(|known| media_type.starts_with(known))
            && PACKINGS.iter().any(|end| media_type.ends_with(end))
    };
    let odd = layers
        .iter()
        .filter_map(|layer| layer.media_type.as_deref())
        .filter(|media_type| !media_type.is_empty())
        .find(|media_type| !is_layer(media_type));
    match odd {
        None => Ok(()),
        Some(odd) => {
            Err(PullError::new(Fault::Absent, format!("has a layer of the type {odd:?}, which kiln does not read")))
        }
    }
}

/// Gets and verifies a blob that is held in memory.
async fn document(session: &Session, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, PullError> {
    let digest = digest_of(descriptor)?;
    let broken = |text: String| PullError::new(Fault::Dishonest, format!("{digest}: {text}"));
    if limit < descriptor.size {
        return Err(broken(format!("more than {limit} bytes")));
    }
    let (sender, mut pieces) = blob::channel();
    let blob = Blob { session, digest, size: descriptor.size };
    let read = blocking(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut pieces, &mut bytes)?;
        Ok(bytes)
    });
    let ((), bytes) = tokio::join!(blob.feed(sender, |_| {}), read);
    let bytes = bytes.map_err(PullError::from)?;
    import::check_digest("its bytes", digest, &stream::sha256_hex(&bytes))
        .map_err(|error| broken(error.to_string()))?;
    Ok(bytes)
}

/// Makes one layer ready, unless it is, and holds it.
async fn fetch_layer(
    pull: &Pull,
    session: &Session,
    number: usize,
    layer: Descriptor,
    diff_id: String,
    budget: Arc<Budget>,
) -> Result<OwnedFd, PullError> {
    let turn = turn(&pull.underway, &diff_id);
    let _turn = turn.lock().await;
    let place = pull.store.directory.layer(&diff_id);
    if place.is_dir()
        && let Ok(held) = store::hold_one(&place)
    {
        pull.progress.ready(number);
        return Ok(held);
    }
    let (sender, pieces) = blob::channel();
    let blob = Blob { session, digest: digest_of(&layer)?, size: layer.size };
    let (store, digest) = (pull.store.clone(), layer.digest.clone());
    let unpack = blocking(move || unpack(&store, pieces, &digest, &diff_id, &budget));
    let ((), held) = tokio::join!(blob.feed(sender, |bytes| pull.progress.arrived(number, bytes)), unpack);
    let held = held.map_err(|error| PullError::from(error).within(&format!("layer {}", layer.digest)))?;
    pull.progress.ready(number);
    Ok(held)
}

/// Unpacks a layer as it comes, verifies both of its digests, and gives it its place.
fn unpack(
    store: &Store,
    mut pieces: Pieces,
    packed_digest: &str,
    diff_id: &str,
    budget: &Budget,
) -> Result<OwnedFd, ImageError> {
    let directory = &store.directory;
    let staging = directory.staging()?;
    let (mut packed, packed_tally) = Tallied::new(&mut pieces);
    let unpacked = import::unpack_layer(store, &staging, &mut packed, packed_tally.clone(), budget);
    if let Err(error @ (ImageError::Io(_) | ImageError::Pull(_))) = unpacked {
        return Err(error);
    }
    // Whether the bytes are the right ones is asked before what is in them.
    stream::drain(&mut packed)?;
    import::check_digest("its bytes", packed_digest, &packed_tally.sha256())?;
    let actual = unpacked?;
    import::check_digest("unpacked", diff_id, &actual)?;
    staging.sync()?;
    let place = directory.layer(diff_id);
    let lock = directory.lock()?;
    staging.publish(&actual, &place, &lock)?;
    Ok(store::hold_one(&place)?)
}

/// The lock of one layer, kept as long as somebody has it.
fn turn(underway: &Underway, diff_id: &str) -> Arc<Mutex<()>> {
    let mut underway = underway.lock();
    underway.retain(|_, turn| 0 < turn.strong_count());
    if let Some(turn) = underway.get(diff_id).and_then(Weak::upgrade) {
        return turn;
    }
    let turn = Arc::new(Mutex::new(()));
    underway.insert(diff_id.to_owned(), Arc::downgrade(&turn));
    turn
}

fn digest_of(descriptor: &Descriptor) -> Result<&str, PullError> {
    import::sha256_of(&descriptor.digest)?;
    Ok(&descriptor.digest)
}

/// Work that waits for the disk.
pub(in crate::images) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failure) => Err(ImageError::Broken(failure.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chosen(platforms: &[(&str, &str, &str)]) -> Result<String, String> {
        let manifests: Vec<Descriptor> = platforms
            .iter()
            .enumerate()
            .map(|(i, (os, architecture, variant))| {
                let platform = json!({"os": os, "architecture": architecture, "variant": variant});
                serde_json::from_value(json!({"digest": i.to_string(), "size": 1, "platform": platform})).unwrap()
            })
            .collect();
        choose(&manifests).map(|chosen| chosen.digest.clone()).map_err(|error| error.text)
    }

    #[test]
    fn an_index_gives_the_plainest_image_for_this_machine() {
        let here = documents::architecture();
        assert_eq!(chosen(&[("linux", "s390x", ""), ("linux", here, ""), ("linux", here, "")]), Ok("1".into()));
        assert_eq!(chosen(&[("linux", here, "v3"), ("linux", here, "")]), Ok("1".into()));
        assert_eq!(chosen(&[("windows", here, ""), ("linux", here, "v3")]), Ok("1".into()), "the only one there is");
        let error = chosen(&[("windows", "amd64", ""), ("linux", "arm", "v7")]).unwrap_err();
        let expect = format!(
            "no match for platform in manifest: the image is for linux/arm/v7, windows/amd64/; this machine is linux/{here}"
        );
        assert_eq!(error, expect.replace("amd64/;", "amd64;"));
    }

    #[test]
    fn the_registrys_own_word_comes_first() {
        let Ok(super::super::super::reference::Name::Image(reference)) =
            super::super::super::reference::parse("busybox:1")
        else {
            panic!("it is a name");
        };
        let failures = ["a: connection refused", "not found"];
        let failures = failures.map(|text| PullError::new(Fault::Absent, text)).to_vec();
        let expect = "failed to pull and unpack image \"docker.io/library/busybox:1\": not found (before that: a: connection refused)";
        assert_eq!(verdict(&reference, failures).text, expect);
    }
}
