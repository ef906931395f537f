//! What several controllers look at: every pod and every Job, cut down to what they need; claims, volumes and their classes whole.

use crate::engine::Key;
use crate::engine::cache::{Cache, Entry};
use crate::engine::rush::Rush;
use crate::scheduler::requested::Requested;
use crate::scheduler::wish::{Placing, Wish};
use futures::future::{join3, join4};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kinds::cronjob::facts::ChildFacts;
use kinds::job::claim::awaits_pods;
use kinds::job::pods::PodFacts;
use kinds::job::sync::is_finished;
use kinds::job::ttl::expires_at;
use kube::{Api, Client, Resource};
use meta::object;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// A pod as the Job controller and the scheduler see it.
pub struct PodEntry {
    pub facts: PodFacts,
    /// metadata.resourceVersion
    pub version: String,
    pub requested: Requested,
    /// What it wants of its node; nothing once it has ended.
    pub wish: Arc<Wish>,
    /// spec.nodeName
    pub node: String,
    /// status.startTime
    pub started_at: Option<Timestamp>,
    /// What the scheduler needs, while the pod waits for a node.
    pub placing: Option<Placing>,
    /// The claims that its volumes name.
    pub claims: Vec<ClaimUse>,
}

/// A claim that a pod's volume names.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimUse {
    pub name: String,
    /// It is made for this pod by an ephemeral volume's template.
    pub is_ephemeral: bool,
}

impl ClaimUse {
    /// Reads them off a pod.
    pub fn of(pod: &Pod) -> Vec<Self> {
        let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let claims = volumes.filter_map(|volume| {
            if let Some(source) = &volume.persistent_volume_claim {
                return Some(Self { name: source.claim_name.clone(), is_ephemeral: false });
            }
            volume.ephemeral.as_ref()?;
            let pod = pod.metadata.name.as_deref().unwrap_or_default();
            Some(Self { name: ephemeral_claim(pod, &volume.name), is_ephemeral: true })
        });
        claims.collect()
    }
}

/// The claim of an ephemeral volume (K:component-helpers/storage/ephemeral).
pub fn ephemeral_claim(pod: &str, volume: &str) -> String {
    format!("{pod}-{volume}")
}

/// The group of pods that use a claim, and of volumes that name it.
pub fn of_claim(namespace: &str, name: &str) -> String {
    format!("claim/{namespace}/{name}")
}

impl PodEntry {
    /// Cuts a pod down.
    pub fn of(pod: &Pod) -> Self {
        let facts = PodFacts::of(pod);
        let has_ended = facts.phase.is_terminal();
        let spec = pod.spec.as_ref();
        let status = pod.status.as_ref();
        Self {
            requested: Requested::by(pod),
            wish: if has_ended { Arc::default() } else { Arc::new(Wish::of(pod)) },
            node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            started_at: status.and_then(|status| status.start_time.as_ref()).map(|time| time.0),
            placing: Placing::of(pod),
            claims: ClaimUse::of(pod),
            version: pod.metadata.resource_version.clone().unwrap_or_default(),
            facts,
        }
    }
}

/// The group of pods whose controller has this uid.
pub fn controlled_by(uid: &str) -> String {
    format!("controller/{uid}")
}

/// The group of those among them that are not settled.
pub fn unsettled_of(uid: &str) -> String {
    format!("unsettled/{uid}")
}

/// The group of pods in this namespace that nobody controls.
pub fn loose_in(namespace: &str) -> String {
    format!("loose/{namespace}")
}

impl Entry for PodEntry {
    fn groups(&self, key: &Key) -> Vec<String> {
        let owner = match &self.facts.controller_uid {
            Some(uid) => controlled_by(uid),
            None => loose_in(&key.namespace),
        };
        let unsettled = self.facts.controller_uid.as_deref().filter(|_| !self.facts.is_settled()).map(unsettled_of);
        let claims = self.claims.iter().map(|claim| of_claim(&key.namespace, &claim.name));
        [owner].into_iter().chain(unsettled).chain(claims).collect()
    }
}

/// A Job; of a finished one little more than its name.
pub enum JobEntry {
    Live(Arc<Job>),
    Finished {
        uid: String,
        /// It is another controller's, which may go on counting its pods.
        awaits_pods: bool,
        /// When its time to live is over, if it has one.
        expires_at: Option<Timestamp>,
        /// What its CronJob needs to know, if it has one.
        child: Option<Box<ChildFacts>>,
    },
}

impl JobEntry {
    /// `metadata.uid`
    pub fn uid(&self) -> &str {
        match self {
            JobEntry::Live(job) => job.metadata.uid.as_deref().unwrap_or_default(),
            JobEntry::Finished { uid, .. } => uid,
        }
    }

    /// Whether its pods' tracking finalizers have a purpose.
    pub fn awaits_pods(&self) -> bool {
        match self {
            JobEntry::Live(_) => true,
            JobEntry::Finished { awaits_pods, .. } => *awaits_pods,
        }
    }

    /// When a finished Job may go, if it is to go by itself.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self {
            JobEntry::Live(_) => None,
            JobEntry::Finished { expires_at, .. } => *expires_at,
        }
    }

    /// What its CronJob needs to know, if it has one or had.
    pub fn child(&self) -> Option<Cow<'_, ChildFacts>> {
        match self {
            JobEntry::Live(job) => ChildFacts::of(job).map(Cow::Owned),
            JobEntry::Finished { child, .. } => child.as_deref().map(Cow::Borrowed),
        }
    }

    /// The Job, unless it is finished.
    pub fn live(&self) -> Option<&Arc<Job>> {
        match self {
            JobEntry::Live(job) => Some(job),
            JobEntry::Finished { .. } => None,
        }
    }
}

/// The group that holds the one Job with this uid, if it awaits pods.
pub fn job_of_uid(uid: &str) -> String {
    format!("uid/{uid}")
}

/// The group of Jobs that the CronJob with this uid controls.
pub fn job_of_cronjob(uid: &str) -> String {
    format!("cronjob/{uid}")
}

/// The group of unfinished Jobs of a namespace.
pub fn live_in(namespace: &str) -> String {
    format!("live/{namespace}")
}

impl Entry for JobEntry {
    fn groups(&self, key: &Key) -> Vec<String> {
        // Finished Jobs may be a hundred thousand, and nobody asks for them by uid.
        let mut groups = Vec::new();
        if self.awaits_pods() {
            groups.push(job_of_uid(self.uid()));
        }
        if self.live().is_some() {
            groups.push(live_in(&key.namespace));
        }
        groups.extend(self.child().map(|child| job_of_cronjob(&child.cronjob)));
        groups
    }
}

/// A PersistentVolumeClaim, as JSON.
pub struct ClaimEntry(pub Value);

/// The group of claims that are not bound.
pub const UNBOUND: &str = "unbound";

impl Entry for ClaimEntry {
    fn groups(&self, _: &Key) -> Vec<String> {
        let is_bound = self.0["status"]["phase"] == "Bound";
        if is_bound { Vec::new() } else { vec![UNBOUND.to_owned()] }
    }
}

/// A PersistentVolume, as JSON.
pub struct VolumeEntry(pub Value);

impl VolumeEntry {
    /// The claim that it names.
    pub fn claim(&self) -> Option<Key> {
        let reference = &self.0["spec"]["claimRef"];
        let text = |field: &str| reference[field].as_str().map(str::to_owned);
        Some(Key { namespace: text("namespace")?, name: text("name")? })
    }
}

impl Entry for VolumeEntry {
    fn groups(&self, _: &Key) -> Vec<String> {
        self.claim().map(|claim| of_claim(&claim.namespace, &claim.name)).into_iter().collect()
    }
}

/// A StorageClass, as JSON.
pub struct ClassEntry(pub Value);

impl Entry for ClassEntry {}

/// An object as the decisions on volumes read it.
fn json<K: Resource + Serialize>(mut object: K) -> Value {
    object.meta_mut().managed_fields = None;
    serde_json::to_value(object).unwrap_or_default()
}

/// The shared caches.
#[derive(Clone, Default)]
pub struct World {
    pub pods: Cache<PodEntry>,
    pub jobs: Cache<JobEntry>,
    pub claims: Cache<ClaimEntry>,
    pub volumes: Cache<VolumeEntry>,
    pub classes: Cache<ClassEntry>,
    /// What follows from a Job waits while Jobs that are due are made.
    pub rush: Rush,
}

impl World {
    /// Follows everything until dropped.
    pub async fn run(self, client: Client) {
        let pods = self.pods.run(Api::<Pod>::all(client.clone()), |_, pod| PodEntry::of(&pod));
        let jobs = self.jobs.run(Api::<Job>::all(client.clone()), |_, mut job| {
            job.metadata.managed_fields = None;
            match is_finished(&job) {
                true => JobEntry::Finished {
                    awaits_pods: awaits_pods(&job),
                    expires_at: expires_at(&job),
                    child: ChildFacts::of(&job).map(Box::new),
                    uid: job.metadata.uid.unwrap_or_default(),
                },
                false => JobEntry::Live(Arc::new(job)),
            }
        });
        let claims =
            self.claims.run(Api::<PersistentVolumeClaim>::all(client.clone()), |_, claim| ClaimEntry(json(claim)));
        let volumes =
            self.volumes.run(Api::<PersistentVolume>::all(client.clone()), |_, volume| VolumeEntry(json(volume)));
        let classes = self.classes.run(Api::<StorageClass>::all(client), |_, class| ClassEntry(json(class)));
        join3(join3(pods, jobs, claims), volumes, classes).await;
    }

    /// Waits until pods and Jobs have been listed once.
    pub async fn is_filled(&self) {
        futures::future::join(self.pods.is_filled(), self.jobs.is_filled()).await;
    }

    /// Waits until everything that volumes are decided by has been listed once.
    pub async fn volumes_are_filled(&self) {
        let (claims, volumes) = (self.claims.is_filled(), self.volumes.is_filled());
        join4(self.pods.is_filled(), claims, volumes, self.classes.is_filled()).await;
    }

    /// Every StorageClass, in the order of their names.
    pub fn classes(&self) -> Vec<Value> {
        let mut classes: Vec<Value> = self.classes.all().iter().map(|(_, class)| class.0.clone()).collect();
        classes.sort_by(|a, b| object::name(a).cmp(object::name(b)));
        classes
    }
}
