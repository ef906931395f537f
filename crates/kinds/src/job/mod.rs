//! batch/v1 Job: runs pods until enough of them have succeeded.

pub mod strategy;
pub mod validation;

mod accounting;
mod columns;
mod defaults;
mod indexed;
mod kind;
mod policy;
mod status;
mod update;
mod wanted;

pub use kind::Job;

pub mod intervals;

pub mod backoff;
pub mod claim;
pub mod events;
pub mod indexes;
pub mod pods;
pub mod sync;
pub mod template;
pub mod ttl;

/// On a pod: its end has not been counted in its Job's status yet.
pub const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// On a pod of an Indexed Job, as label and annotation: its completion index.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// On a pod of a Job with backoffLimitPerIndex: how often its index had failed before it.
pub const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// The failures that the pod failure policy ignored.
pub const INDEX_IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
