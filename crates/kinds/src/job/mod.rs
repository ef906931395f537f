//! batch/v1 Job: runs pods until enough of them have succeeded.

pub mod strategy;
pub mod unsupported;
pub mod validation;

mod accounting;
mod columns;
mod defaults;
mod kind;
mod status;
mod update;

pub use kind::Job;

pub mod intervals;

pub mod backoff;
pub mod claim;
pub mod events;
pub mod pods;
pub mod sync;
pub mod template;

/// On a pod: its end has not been counted in its Job's status yet.
pub const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";
