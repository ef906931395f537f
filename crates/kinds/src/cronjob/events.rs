//! What the CronJob controller tells users in events: reasons and texts (reference §2.3).

use crate::cronjob::outcome::{Reason, Span};
pub use crate::job::events::Severity;
use jiff::Timestamp;
use meta::field::quote;

/// An event about a CronJob, yet without its CronJob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronJobEvent {
    /// `type`
    pub severity: Severity,
    /// In one CamelCase word.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

fn normal(reason: &'static str, message: impl Into<String>) -> CronJobEvent {
    CronJobEvent { severity: Severity::Normal, reason, message: message.into() }
}
fn warning(reason: &'static str, message: impl Into<String>) -> CronJobEvent {
    CronJobEvent { severity: Severity::Warning, reason, message: message.into() }
}

/// A Job was made.
pub fn created(job: &str) -> CronJobEvent {
    normal("SuccessfulCreate", format!("Created job {job}"))
}
/// A Job could not be made.
pub fn create_failed(error: &str) -> CronJobEvent {
    warning("FailedCreate", format!("Error creating job: {error}"))
}
/// A Job was deleted, for the history's sake or to be replaced.
pub fn deleted(job: &str) -> CronJobEvent {
    normal("SuccessfulDelete", format!("Deleted job {job}"))
}
/// A Job could not be deleted.
pub fn delete_failed(error: &str) -> CronJobEvent {
    warning("FailedDelete", format!("Deleted job: {error}"))
}
/// A Job could not be looked at.
pub fn get_failed(error: &str) -> CronJobEvent {
    warning("FailedGet", format!("Get job: {error}"))
}
/// An active Job has ended.
pub fn saw_completed(job: &str, condition: &str) -> CronJobEvent {
    normal("SawCompletedJob", format!("Saw completed job: {job}, condition: {condition}"))
}
/// An active Job is no more.
pub fn missing(job: &str) -> CronJobEvent {
    normal("MissingJob", format!("Active job went missing: {job}"))
}
/// A Job runs that is not in the active list.
pub fn unexpected(job: &str) -> CronJobEvent {
    warning("UnexpectedJob", format!("Saw a job that the controller did not create or forgot: {job}"))
}
/// `Forbid` holds an instant back.
pub fn already_active() -> CronJobEvent {
    normal("JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
}
/// The newest instant is past its deadline.
pub fn missed(tick: Timestamp) -> CronJobEvent {
    // RFC1123Z.
    let at = tick.strftime("%a, %d %b %Y %H:%M:%S +0000");
    warning("MissSchedule", format!("Missed scheduled time to start a job: {at}"))
}
/// More than a hundred instants at once.
pub fn too_many_missed() -> CronJobEvent {
    warning(
        "TooManyMissedTimes",
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
    )
}
/// spec.timeZone names a zone that nobody knows.
pub fn unknown_zone(zone: &str) -> CronJobEvent {
    warning("UnknownTimeZone", format!("invalid timeZone: {}: unknown time zone {zone}", quote(zone)))
}
/// The schedule cannot be read.
pub fn unparseable(schedule: &str, error: &str) -> CronJobEvent {
    warning("UnparseableSchedule", format!("unparseable schedule: {} : {error}", quote(schedule)))
}
/// The schedule never comes.
pub fn impossible(schedule: &str) -> CronJobEvent {
    let why = "time difference between two schedules is less than 1 second";
    warning("InvalidSchedule", format!("invalid schedule: {schedule} : {why}"))
}
/// A zone stands in the schedule itself.
pub fn unsupported(schedule: &str) -> CronJobEvent {
    let schedule = quote(schedule);
    let see = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details";
    warning(
        "UnsupportedSchedule",
        format!("CRON_TZ or TZ used in schedule {schedule} is not officially supported, see {see}"),
    )
}
/// Instants that will not run. Kubernetes tells nothing of them.
pub fn skipped(reason: Reason, span: Span) -> CronJobEvent {
    let why = match reason {
        Reason::Forbid => "the job before was still running and concurrency policy is Forbid",
        Reason::Suspended => "the CronJob was suspended",
        Reason::Deadline => "startingDeadlineSeconds had passed",
        Reason::Downtime => "kiln was not running or did not get to it, or the clock was set forward",
        Reason::Failed => "the job could not be created",
    };
    let message = match span.n {
        1 => format!("Skipped the run due at {}: {why}", span.first),
        n => format!("Skipped {n} runs due from {} to {}: {why}", span.first, span.last),
    };
    match reason {
        Reason::Suspended => normal("SkippedRuns", message),
        Reason::Forbid | Reason::Deadline | Reason::Downtime | Reason::Failed => warning("SkippedRuns", message),
    }
}
/// The clock shows a time long before what was last accounted for.
pub fn clock_behind(accounted: Timestamp) -> CronJobEvent {
    warning(
        "ClockBehind",
        format!(
            "Runs until {accounted} have been accounted for, so the clock was ahead or is behind: nothing starts before \
             then. Create the CronJob anew to start earlier"
        ),
    )
}
