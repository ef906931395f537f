//! What the Job controller tells users in events: reasons and texts.

/// `type` of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As things should go.
    Normal,
    /// Somebody may want to look.
    Warning,
}

/// An event about a Job, yet without its Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// `type`
    pub severity: Severity,
    /// In one CamelCase word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

fn normal(reason: &str, message: impl Into<String>) -> JobEvent {
    JobEvent { severity: Severity::Normal, reason: reason.into(), message: message.into() }
}
fn warning(reason: &str, message: impl Into<String>) -> JobEvent {
    JobEvent { severity: Severity::Warning, reason: reason.into(), message: message.into() }
}

/// A pod was created.
pub fn created(pod: &str) -> JobEvent {
    normal("SuccessfulCreate", format!("Created pod: {pod}"))
}
/// A pod could not be created.
pub fn create_failed(error: &str) -> JobEvent {
    warning("FailedCreate", format!("Error creating: {error}"))
}
/// A pod was deleted.
pub fn deleted(pod: &str) -> JobEvent {
    normal("SuccessfulDelete", format!("Deleted pod: {pod}"))
}
/// A pod could not be deleted.
pub fn delete_failed(error: &str) -> JobEvent {
    warning("FailedDelete", format!("Error deleting: {error}"))
}
/// The Job was suspended.
pub fn suspended() -> JobEvent {
    normal("Suspended", "Job suspended")
}
/// The Job was resumed.
pub fn resumed() -> JobEvent {
    normal("Resumed", "Job resumed")
}
/// The Job is complete.
pub fn completed() -> JobEvent {
    normal("Completed", "Job completed")
}
/// The Job failed; reason and text are its condition's.
pub fn failed(reason: &str, message: &str) -> JobEvent {
    warning(reason, message)
}
/// More pods succeeded than were asked for.
pub fn too_many_succeeded() -> JobEvent {
    warning("TooManySucceededPods", "Too many succeeded pods running after completion count reached")
}
/// A completion mode this controller does not know.
pub fn unknown_completion_mode() -> JobEvent {
    warning("UnknownCompletionMode", "Skipped Job sync because completion mode is unknown")
}
