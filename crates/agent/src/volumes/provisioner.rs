//! Makes and removes the volumes of the class `standard` and others of its provisioner: a directory below `DATA/volumes` each.
//! `kinds::volumes::local` decides; this watches, touches the disk, writes and tells, as an external provisioner does beside a
//! cluster's volume controller.
//!
//! ```text
//! claim asks ─▶ directory ─▶ PersistentVolume ─▶ (bound, used, released) ─▶ directory removed ─▶ finalizer off
//! ```

use crate::events::Notice;
use crate::pod::{Context, Retry};
use crate::{disk, trees, writes};
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kinds::storage_class::LOCAL_PROVISIONER;
use kinds::volumes::class_name;
use kinds::volumes::local::{self, FINALIZER, Provision, Removal};
use kube::api::{DeleteParams, Patch, Preconditions};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use meta::object;
use rustix::fs::{Mode, chmod};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A try that failed is repeated after this long, doubled up to `MAX_RETRY`, for ever: only the disk's or the server's recovery
/// helps.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(60);
/// Refusals that are remembered, so that each is told once; then all are forgotten.
const MOST_TOLD: usize = 10_000;

/// Objects of one resource, as last seen; `dirty` ones have changed since they were looked at.
#[derive(Default)]
struct Seen {
    objects: BTreeMap<String, Value>,
    listed: BTreeMap<String, Value>,
    dirty: BTreeSet<String>,
}

impl Seen {
    fn take(&mut self, event: Event<Value>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => drop(self.listed.insert(key(&object), object)),
            Event::InitDone => {
                self.objects = std::mem::take(&mut self.listed);
                self.dirty = self.objects.keys().cloned().collect();
            }
            Event::Apply(object) => {
                self.dirty.insert(key(&object));
                self.objects.insert(key(&object), object);
            }
            Event::Delete(object) => {
                self.dirty.remove(&key(&object));
                self.objects.remove(&key(&object));
            }
        }
    }

    fn all_dirty(&mut self) {
        self.dirty = self.objects.keys().cloned().collect();
    }
}

fn key(object: &Value) -> String {
    format!("{}/{}", object::namespace(object), object::name(object))
}

struct Provisioner {
    context: Arc<Context>,
    claims: Seen,
    volumes: Seen,
    classes: Seen,
    /// Volumes that were made and have not been seen yet.
    made: HashSet<String>,
    /// Refusals that were told: uid and text.
    told: HashSet<(String, String)>,
    /// Directories that are being removed may be large: each has a task of its own, by the volume's name.
    removals: JoinSet<(String, Result<(), String>)>,
    removing: HashSet<String>,
    /// Volumes that could not be removed: looked at again when it is time.
    stuck: BTreeSet<String>,
    retry: Duration,
}

/// Works until dropped.
pub(crate) async fn run(context: Arc<Context>) {
    let client = &context.client;
    let mut claims = follow::<PersistentVolumeClaim>(client);
    let mut volumes = follow::<PersistentVolume>(client);
    let mut classes = follow::<StorageClass>(client);
    let mut provisioner = Provisioner {
        context: context.clone(),
        claims: Seen::default(),
        volumes: Seen::default(),
        classes: Seen::default(),
        made: HashSet::new(),
        told: HashSet::new(),
        removals: JoinSet::new(),
        removing: HashSet::new(),
        stuck: BTreeSet::new(),
        retry: FIRST_RETRY,
    };
    let mut again_at = None;
    loop {
        let timer = async {
            match again_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // In order, not at random: simulations repeat.
            biased;
            Some(event) = classes.next() => {
                provisioner.classes.take(event);
                provisioner.claims.all_dirty();
            }
            Some(event) = claims.next() => provisioner.claims.take(event),
            Some(event) = volumes.next() => provisioner.take_volume(event),
            Some(ended) = provisioner.removals.join_next() => provisioner.removed(ended.ok()),
            () = timer => {
                again_at = None;
                let stuck = std::mem::take(&mut provisioner.stuck);
                provisioner.volumes.dirty.extend(stuck);
            }
        }
        if provisioner.work().await {
            provisioner.retry = FIRST_RETRY;
            again_at = None;
        } else if again_at.is_none() {
            again_at = Some(tokio::time::Instant::now() + provisioner.retry);
            provisioner.retry = (provisioner.retry * 2).min(MAX_RETRY);
        }
    }
}

fn follow<K>(client: &kube::Client) -> BoxStream<'static, Event<Value>>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
{
    let events = watcher(Api::<K>::all(client.clone()), watcher::Config::default()).backoff(Retry::default());
    let json = |mut object: K| {
        object.meta_mut().managed_fields = None;
        serde_json::to_value(object).unwrap_or_default()
    };
    events
        .filter_map(move |event| async move {
            match event {
                Ok(Event::Init) => Some(Event::Init),
                Ok(Event::InitApply(object)) => Some(Event::InitApply(json(object))),
                Ok(Event::InitDone) => Some(Event::InitDone),
                Ok(Event::Apply(object)) => Some(Event::Apply(json(object))),
                Ok(Event::Delete(object)) => Some(Event::Delete(json(object))),
                Err(error) => {
                    tracing::warn!(%error, kind = %K::kind(&()), "a watch of the provisioner was interrupted");
                    None
                }
            }
        })
        .boxed()
}

impl Provisioner {
    fn take_volume(&mut self, event: Event<Value>) {
        if let Event::Apply(volume) | Event::InitApply(volume) | Event::Delete(volume) = &event {
            self.made.remove(object::name(volume));
        }
        self.volumes.take(event);
    }

    /// Looks at everything that has changed; `false` when something has to be tried again.
    async fn work(&mut self) -> bool {
        let mut all_done = self.stuck.is_empty();
        for key in std::mem::take(&mut self.claims.dirty) {
            let Some(claim) = self.claims.objects.get(&key).cloned() else { continue };
            if let Err(error) = self.serve(&claim).await {
                tracing::warn!(claim = %key, %error, "could not provide a volume");
                self.claims.dirty.insert(key);
                all_done = false;
            }
        }
        for key in std::mem::take(&mut self.volumes.dirty) {
            let Some(volume) = self.volumes.objects.get(&key).cloned() else { continue };
            if let Err(error) = self.look_at(&volume).await {
                tracing::warn!(volume = %key, %error, "could not let a volume go");
                self.volumes.dirty.insert(key);
                all_done = false;
            }
        }
        all_done
    }

    /// Makes a claim's volume, or lets it grow.
    async fn serve(&mut self, claim: &Value) -> Result<(), String> {
        let class = self.classes.objects.get(&format!("/{}", class_name(claim)));
        let name = local::volume_name(claim);
        let dir = self.context.volume_dir.join(&name);
        let is_there = self.made.contains(&name) || self.volumes.objects.contains_key(&format!("/{name}"));
        match local::provision(claim, class, &self.context.node_name, &dir.to_string_lossy()) {
            Provision::Make(_) if is_there => Ok(()),
            Provision::Make(volume) => self.make(claim, &volume, dir).await,
            Provision::Refuse(text) => {
                self.tell_once(claim, text);
                Ok(())
            }
            Provision::Nothing => self.expand(claim).await,
        }
    }

    async fn make(&mut self, claim: &Value, volume: &Value, dir: PathBuf) -> Result<(), String> {
        let key = meta::field::quote(&key(claim));
        self.tell(claim, "Provisioning", format!("External provisioner is provisioning volume for claim {key}"));
        let made = match disk::aside(move || make_directory(&dir)).await {
            Ok(made) => made.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let made = match made {
            Ok(()) => self.create(volume).await,
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            let class = meta::field::quote(class_name(claim));
            self.tell_once(claim, format!("failed to provision volume with StorageClass {class}: {error}"));
            return Err(error);
        }
        let name = object::name(volume);
        self.made.insert(name.to_owned());
        self.tell(claim, "ProvisioningSucceeded", format!("Successfully provisioned volume {name}"));
        Ok(())
    }

    async fn create(&self, volume: &Value) -> Result<(), String> {
        let volumes = Api::<PersistentVolume>::all(self.context.client.clone());
        let volume: PersistentVolume = serde_json::from_value(volume.clone()).map_err(|error| error.to_string())?;
        match volumes.create(&writes::post_as_provisioner(), &volume).await {
            Ok(_) => Ok(()),
            // An earlier server made it and did not live to see it.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The figure of a claim that grew, on its volume first.
    async fn expand(&self, claim: &Value) -> Result<(), String> {
        let name = claim["spec"]["volumeName"].as_str().unwrap_or("");
        let Some(volume) = self.volumes.objects.get(&format!("/{name}")) else { return Ok(()) };
        let Some(capacity) = local::expansion(claim, volume) else { return Ok(()) };
        let (parameters, client) = (writes::patch_as_provisioner(), &self.context.client);
        let patch = json!({"metadata": {"uid": object::uid(volume)}, "spec": {"capacity": capacity}});
        let volumes = Api::<PersistentVolume>::all(client.clone());
        gone_is_fine(volumes.patch(name, &parameters, &Patch::Merge(&patch)).await)?;
        let patch = json!({"metadata": {"uid": object::uid(claim)}, "status": {"capacity": capacity}});
        let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), object::namespace(claim));
        gone_is_fine(claims.patch_status(object::name(claim), &parameters, &Patch::Merge(&patch)).await)?;
        self.tell(claim, "VolumeResizeSuccessful", "Resize volume succeeded".into());
        Ok(())
    }

    async fn look_at(&mut self, volume: &Value) -> Result<(), String> {
        let name = object::name(volume).to_owned();
        match local::removal(volume) {
            Removal::Keep => Ok(()),
            Removal::Forget => free(&self.context.client, volume).await,
            Removal::Remove if self.removing.contains(&name) => Ok(()),
            Removal::Remove => {
                let dir = self.context.volume_dir.join(&name);
                if volume["spec"]["local"]["path"] != *dir.to_string_lossy() {
                    // Whoever wrote this volume by hand keeps what it names.
                    let text = format!(
                        "{LOCAL_PROVISIONER} removes only what it has made below {}",
                        self.context.volume_dir.display()
                    );
                    self.tell_failed_delete(volume, text);
                    return Ok(());
                }
                let (client, volume) = (self.context.client.clone(), volume.clone());
                self.removing.insert(name.clone());
                self.removals.spawn(async move { (name, remove(&client, &volume, dir).await) });
                Ok(())
            }
        }
    }

    fn removed(&mut self, ended: Option<(String, Result<(), String>)>) {
        let Some((name, removed)) = ended else { return };
        self.removing.remove(&name);
        let Err(error) = removed else { return };
        tracing::warn!(volume = name, %error, "could not remove a volume");
        let key = format!("/{name}");
        if let Some(volume) = self.volumes.objects.get(&key).cloned() {
            self.tell_failed_delete(&volume, error);
            self.stuck.insert(key);
        }
    }

    fn tell(&self, claim: &Value, reason: &'static str, message: String) {
        let notice = Notice::of_volume(LOCAL_PROVISIONER, "PersistentVolumeClaim", claim, reason, message);
        self.context.recorder.tell(self.context.clock.now(), notice);
    }

    fn tell_once(&mut self, claim: &Value, text: String) {
        if !self.is_news(claim, &text) {
            return;
        }
        let notice = Notice::of_volume(LOCAL_PROVISIONER, "PersistentVolumeClaim", claim, "ProvisioningFailed", text);
        self.context.recorder.tell(self.context.clock.now(), notice.warning());
    }

    fn tell_failed_delete(&mut self, volume: &Value, text: String) {
        if !self.is_news(volume, &text) {
            return;
        }
        let notice = Notice::of_volume(LOCAL_PROVISIONER, "PersistentVolume", volume, "VolumeFailedDelete", text);
        self.context.recorder.tell(self.context.clock.now(), notice.warning());
    }

    fn is_news(&mut self, object: &Value, text: &str) -> bool {
        if MOST_TOLD < self.told.len() {
            self.told.clear();
        }
        self.told.insert((object::uid(object).to_owned(), text.to_owned()))
    }
}

/// Everyone may write to it, as containers run as any user. It may be there from a try that was cut short.
fn make_directory(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent)?;
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    chmod(dir, Mode::from_raw_mode(0o777))?;
    // The volume's object is durable before anybody writes here; so is its directory.
    std::fs::File::open(parent)?.sync_all()
}

/// Directory, object, finalizer: whoever is interrupted begins again.
async fn remove(client: &kube::Client, volume: &Value, dir: PathBuf) -> Result<(), String> {
    let removed = disk::aside(move || trees::remove(&dir)).await.map_err(|error| error.to_string())?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    let uid = Some(object::uid(volume).to_owned());
    let parameters =
        DeleteParams { preconditions: Some(Preconditions { uid, resource_version: None }), ..DeleteParams::default() };
    let volumes = Api::<PersistentVolume>::all(client.clone());
    gone_is_fine(volumes.delete(object::name(volume), &parameters).await)?;
    free(client, volume).await
}

/// Takes the finalizer off.
async fn free(client: &kube::Client, volume: &Value) -> Result<(), String> {
    let patch = json!({"metadata": {"uid": object::uid(volume), "$deleteFromPrimitiveList/finalizers": [FINALIZER]}});
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let patched = volumes.patch(object::name(volume), &writes::patch_as_provisioner(), &Patch::Strategic(&patch)).await;
    gone_is_fine(patched)
}

/// "Not found", and "another object of that name", are as good as done.
fn gone_is_fine<T>(answer: kube::Result<T>) -> Result<(), String> {
    match answer {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
