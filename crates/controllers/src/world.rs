//! What several controllers look at: every pod and every Job, cut down to what they need.

use crate::engine::Key;
use crate::engine::cache::{Cache, Entry};
use crate::scheduler::fit::{Placing, Requested};
use futures::future::join;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kinds::job::pods::PodFacts;
use kinds::job::sync::is_finished;
use kube::{Api, Client};
use std::sync::Arc;

/// A pod as the Job controller and the scheduler see it.
pub struct PodEntry {
    pub facts: PodFacts,
    pub requested: Requested,
    /// What the scheduler needs, while the pod waits for a node.
    pub placing: Option<Placing>,
}

/// The group of pods whose controller has this uid.
pub fn controlled_by(uid: &str) -> String {
    format!("controller/{uid}")
}

/// The group of pods in this namespace that nobody controls.
pub fn loose_in(namespace: &str) -> String {
    format!("loose/{namespace}")
}

impl Entry for PodEntry {
    fn groups(&self, key: &Key) -> Vec<String> {
        vec![match &self.facts.controller_uid {
            Some(uid) => controlled_by(uid),
            None => loose_in(&key.namespace),
        }]
    }
}

/// A Job; of a finished one little more than its name.
pub enum JobEntry {
    Live(Arc<Job>),
    Finished { uid: String },
}

impl JobEntry {
    /// `metadata.uid`
    pub fn uid(&self) -> &str {
        match self {
            JobEntry::Live(job) => job.metadata.uid.as_deref().unwrap_or_default(),
            JobEntry::Finished { uid } => uid,
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

/// The group that holds the one Job with this uid.
pub fn job_of_uid(uid: &str) -> String {
    format!("uid/{uid}")
}

/// The group of unfinished Jobs of a namespace.
pub fn live_in(namespace: &str) -> String {
    format!("live/{namespace}")
}

impl Entry for JobEntry {
    fn groups(&self, key: &Key) -> Vec<String> {
        let mut groups = vec![job_of_uid(self.uid())];
        groups.extend(self.live().map(|_| live_in(&key.namespace)));
        groups
    }
}

/// The shared caches.
#[derive(Clone, Default)]
pub struct World {
    pub pods: Cache<PodEntry>,
    pub jobs: Cache<JobEntry>,
}

impl World {
    /// Follows pods and Jobs until dropped.
    pub async fn run(self, client: Client) {
        let pods = self.pods.run(Api::<Pod>::all(client.clone()), |_, pod| PodEntry {
            facts: PodFacts::of(&pod),
            requested: Requested::by(&pod),
            placing: Placing::of(&pod),
        });
        let jobs = self.jobs.run(Api::<Job>::all(client), |_, mut job| {
            job.metadata.managed_fields = None;
            match is_finished(&job) {
                true => JobEntry::Finished { uid: job.metadata.uid.unwrap_or_default() },
                false => JobEntry::Live(Arc::new(job)),
            }
        });
        join(pods, jobs).await;
    }

    /// Waits until both have been listed once.
    pub async fn is_filled(&self) {
        join(self.pods.is_filled(), self.jobs.is_filled()).await;
    }
}
