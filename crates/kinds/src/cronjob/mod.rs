//! batch/v1 CronJob: makes Jobs on a schedule. Stored and checked; the schedule's next instant is not computed here yet.

pub mod schedule;

mod columns;
mod defaults;
mod kind;
mod validation;

pub use kind::CronJob;
