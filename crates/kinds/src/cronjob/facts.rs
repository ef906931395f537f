//! What the decisions need of a CronJob and of the Jobs it owns; caches keep no more than this.

use crate::cronjob::edits::{self, Former};
use crate::cronjob::ticks::{NoTicks, Ticks};
use crate::cronjob::{ACCOUNTED_UNTIL, SCHEDULED_AT, SCHEDULED_BEFORE, TRACKING_FINALIZER};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// What happens when a Job is due while another runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Both run.
    Allow,
    /// The new one waits.
    Forbid,
    /// The old one is deleted.
    Replace,
}

/// A CronJob.
#[derive(Debug, Clone, PartialEq)]
pub struct CronJobFacts {
    /// metadata.namespace
    pub namespace: String,
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
    /// metadata.resourceVersion
    pub resource_version: String,
    /// metadata.creationTimestamp, in whole seconds.
    pub created_at: Timestamp,
    /// Has a deletionTimestamp.
    pub deleted: bool,
    /// spec.schedule
    pub schedule: String,
    /// spec.timeZone
    pub time_zone: Option<String>,
    /// spec.concurrencyPolicy
    pub policy: Policy,
    /// spec.suspend
    pub suspended: bool,
    /// spec.startingDeadlineSeconds
    pub starting_deadline_seconds: Option<i64>,
    /// spec.successfulJobsHistoryLimit
    pub successful_limit: Option<i32>,
    /// spec.failedJobsHistoryLimit
    pub failed_limit: Option<i32>,
    /// spec.jobTemplate as JSON: only read when a Job is made.
    pub job_template: Box<str>,
    /// status.active
    pub active: Vec<ObjectReference>,
    /// status.lastScheduleTime
    pub last_schedule: Option<Timestamp>,
    /// status.lastSuccessfulTime
    pub last_successful: Option<Timestamp>,
    /// The annotation: every instant until then has its outcome.
    pub accounted_until: Option<Timestamp>,
    /// The annotation: schedules that were in force before it was edited and whose instants have no outcome yet, oldest first.
    pub scheduled_before: Vec<Former>,
}

impl CronJobFacts {
    /// The instants of its schedule as it is now; without a zone of its own it is in the `local` one.
    pub fn ticks(&self, local: &TimeZone) -> Result<Ticks, NoTicks> {
        Ticks::read(&self.schedule, self.time_zone.as_deref(), local)
    }

    /// Reads the facts off a CronJob.
    pub fn of(cronjob: CronJob) -> Self {
        let ObjectMeta { annotations, .. } = &cronjob.metadata;
        let annotation = |key: &str| annotations.as_ref().and_then(|all| all.get(key));
        let accounted_until = annotation(ACCOUNTED_UNTIL).and_then(|text| text.parse().ok());
        let scheduled_before = edits::read(annotation(SCHEDULED_BEFORE).map(String::as_str));
        let (metadata, spec) = (cronjob.metadata, cronjob.spec);
        let status = cronjob.status.unwrap_or_default();
        Self {
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            created_at: metadata.creation_timestamp.map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            deleted: metadata.deletion_timestamp.is_some(),
            schedule: spec.schedule,
            time_zone: spec.time_zone,
            policy: match spec.concurrency_policy.as_deref() {
                Some("Forbid") => Policy::Forbid,
                Some("Replace") => Policy::Replace,
                _ => Policy::Allow,
            },
            suspended: spec.suspend == Some(true),
            starting_deadline_seconds: spec.starting_deadline_seconds,
            successful_limit: spec.successful_jobs_history_limit,
            failed_limit: spec.failed_jobs_history_limit,
            job_template: serde_json::to_string(&spec.job_template).unwrap_or_default().into(),
            active: status.active.unwrap_or_default(),
            last_schedule: status.last_schedule_time.map(|time| time.0),
            last_successful: status.last_successful_time.map(|time| time.0),
            accounted_until,
            scheduled_before,
        }
    }
}

/// How a Job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Condition Complete.
    Complete,
    /// Condition Failed.
    Failed,
}

impl End {
    /// The condition's type.
    pub fn as_str(self) -> &'static str {
        match self {
            End::Complete => "Complete",
            End::Failed => "Failed",
        }
    }
}

/// A Job that a CronJob controls, or that still carries its finalizer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildFacts {
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
    /// Uid of the CronJob that controls it; empty if none does any more.
    pub cronjob: String,
    /// Carries the finalizer: its instant may not be recorded yet.
    pub tracked: bool,
    /// Has a deletionTimestamp.
    pub deleted: bool,
    /// How it ended, if it has.
    pub end: Option<End>,
    /// status.startTime
    pub started_at: Option<Timestamp>,
    /// status.completionTime
    pub completed_at: Option<Timestamp>,
    /// The instant it was made for, by its annotation.
    pub tick: Option<Timestamp>,
}

impl ChildFacts {
    /// Reads the facts off a Job; `None` when it has nothing to do with CronJobs.
    pub fn of(job: &Job) -> Option<Self> {
        let metadata = &job.metadata;
        let is_cronjob =
            |owner: &&OwnerReference| owner.controller == Some(true) && owner.kind == "CronJob" && is_batch(owner);
        let controller = metadata.owner_references.iter().flatten().find(is_cronjob);
        let tracked = metadata.finalizers.iter().flatten().any(|finalizer| finalizer == TRACKING_FINALIZER);
        if controller.is_none() && !tracked {
            return None;
        }
        let status = job.status.as_ref();
        let has = |kind: &str| {
            let mut conditions = status.iter().flat_map(|status| status.conditions.iter().flatten());
            conditions.any(|condition| condition.type_ == kind && condition.status == "True")
        };
        let annotations = metadata.annotations.as_ref();
        Some(Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            cronjob: controller.map(|owner| owner.uid.clone()).unwrap_or_default(),
            tracked,
            deleted: metadata.deletion_timestamp.is_some(),
            end: match (has("Complete"), has("Failed")) {
                (true, _) => Some(End::Complete),
                (false, true) => Some(End::Failed),
                (false, false) => None,
            },
            started_at: status.and_then(|status| status.start_time.as_ref()).map(|time| time.0),
            completed_at: status.and_then(|status| status.completion_time.as_ref()).map(|time| time.0),
            tick: annotations.and_then(|all| all.get(SCHEDULED_AT)).and_then(|text| text.parse().ok()),
        })
    }

    /// The reference of an active list.
    pub fn reference(&self, namespace: &str) -> ObjectReference {
        job_reference(namespace, &self.name, &self.uid, None)
    }
}

fn is_batch(owner: &OwnerReference) -> bool {
    owner.api_version.starts_with("batch/")
}

/// An entry of an active list.
pub fn job_reference(namespace: &str, name: &str, uid: &str, resource_version: Option<String>) -> ObjectReference {
    ObjectReference {
        api_version: Some("batch/v1".into()),
        kind: Some("Job".into()),
        name: Some(name.into()),
        namespace: Some(namespace.into()),
        uid: Some(uid.into()),
        resource_version,
        field_path: None,
    }
}
