//! batch/v1 CronJob: makes Jobs on a schedule.

pub mod schedule;

mod columns;
mod defaults;
mod edits;
mod kind;
mod validation;

pub use kind::CronJob;

pub mod events;
pub mod facts;
pub mod forecast;
pub mod outcome;
pub mod sync;
pub mod template;
pub mod ticks;

mod active;
mod draft;
mod due;
mod history;
mod search;
#[cfg(test)]
mod testing;

pub use draft::{Draft, Settlement, StatusWrite};
pub use due::Held;
pub use edits::{Former, written};

/// On a Job: its instant may not be recorded in its CronJob's status yet, so it has to stay.
pub const TRACKING_FINALIZER: &str = "kiln.dev/cronjob-tracking";
/// On a Job: the instant it was made for, in RFC 3339.
pub const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// On a Job: the name of its CronJob.
pub const CRONJOB_LABEL: &str = "cronjob-name";
/// On a CronJob: every instant until then has run or been skipped.
pub const ACCOUNTED_UNTIL: &str = "kiln.dev/accounted-until";
/// On a CronJob whose schedule was edited: the schedules before and the moments of the edits, until their last instants are
/// accounted for.
pub const SCHEDULED_BEFORE: &str = "kiln.dev/scheduled-before";
