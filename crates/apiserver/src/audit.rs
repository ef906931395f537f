//! The request log: one event a request when its answer is through, target `kiln::audit`. Off unless asked for
//! (`KILN_LOG=kiln::audit=info`); what the machine's own components ask, at `debug`.
//!
//! It says who did what to which object and what came of it. It never sees bodies, query strings or credentials, so a
//! Secret's content or a token cannot get into it.

use crate::auth::User;
use crate::request::RequestInfo;
use std::time::Duration;

/// Clients choose these; a log line stays a line.
const MAX_CHARS: usize = 256;

/// What is known of a request besides what it asks for.
pub(crate) struct Outcome<'a> {
    pub audit_id: &'a str,
    pub user: &'a User,
    /// Whom the user impersonates, if the user may.
    pub acts_as: Option<&'a User>,
    /// `ADDRESS:PORT`; empty for callers in process.
    pub source: &'a str,
    pub user_agent: &'a str,
    /// `None`: the client left before there was an answer.
    pub code: Option<u16>,
    pub n_bytes: u64,
    pub latency: Duration,
}

/// Writes one event.
pub(crate) fn record(info: &RequestInfo, outcome: &Outcome<'_>) {
    // A macro, because an event's level is part of its call site.
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "kiln::audit",
                audit_id = clipped(outcome.audit_id),
                user = clipped(&outcome.user.name),
                groups = ?outcome.user.groups,
                as_user = outcome.acts_as.map(|user| clipped(&user.name)),
                as_groups = outcome.acts_as.map(|user| clipped(&user.groups.join(","))),
                verb = clipped(&info.verb),
                group = clipped(&info.group),
                resource = clipped(&resource(info)),
                namespace = clipped(&info.namespace),
                name = clipped(&info.name),
                path = clipped(&info.path),
                code = outcome.code.unwrap_or(0),
                bytes = outcome.n_bytes,
                latency_ms = u64::try_from(outcome.latency.as_millis()).unwrap_or(u64::MAX),
                source = outcome.source,
                user_agent = clipped(outcome.user_agent),
                "request"
            )
        };
    }
    match outcome.source {
        "" => event!(debug),
        _ => event!(info),
    }
}

/// `pods`, `pods/log`.
fn resource(info: &RequestInfo) -> String {
    match info.subresource.as_str() {
        "" => info.resource.clone(),
        subresource => format!("{}/{subresource}", info.resource),
    }
}

/// At most so many characters, and none that could end a line or move a cursor.
fn clipped(text: &str) -> String {
    text.chars().take(MAX_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::clipped;

    #[test]
    fn a_client_cannot_write_lines_of_its_own() {
        assert_eq!(clipped("a\r\nb\u{1b}[2J"), "a\u{fffd}\u{fffd}b\u{fffd}[2J");
        assert_eq!(clipped(&"é".repeat(1000)).chars().count(), 256);
    }
}
