//! Lifecycle hooks: what is run in or asked of a container right after its start and right before its end
//! (K:pkg/kubelet/lifecycle). When they are due, `tend` decides; how far they have come is on disk, in `record`.

pub mod record;

use super::full_name;
use super::probes::ask::{resolve_port, run};
use super::probes::dial::{Way, join};
use super::probes::http::{Fault, get};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, LifecycleHandler, Pod};

/// How a hook ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Why it did not end well.
    pub failure: Option<String>,
    /// Told in an event `LifecycleHTTPFallback`.
    pub fallback: Option<String>,
}

/// Runs one to its end. It first began at `since`, perhaps under an earlier server: a sleep goes on, everything else is run anew.
pub async fn perform(
    way: &Way,
    pod: &Pod,
    container: &Container,
    hook: &LifecycleHandler,
    since: Timestamp,
    now: Timestamp,
) -> End {
    let whose = format!("for Container {:?} in Pod {:?} failed - error", container.name, full_name(pod));
    if let Some(exec) = &hook.exec {
        let command = exec.command.clone().unwrap_or_default();
        let shown = command.join(" ");
        let (error, output) = match run(way, &container.name, command).await {
            Ok(ran) if ran.exit_code == 0 => return End::default(),
            Ok(ran) => {
                let error = format!("command '{shown}' exited with {}: {}", ran.exit_code, ran.stderr);
                (error, ran.output())
            }
            Err(error) => (error, String::new()),
        };
        let failure = format!("Exec lifecycle hook ([{shown}]) {whose}: {error}, message: {output:?}");
        return End { failure: Some(failure), fallback: None };
    }
    if let Some(action) = &hook.http_get {
        return match fetch(way, container, action).await {
            Ok(fallback) => End { failure: None, fallback },
            Err(error) => {
                let path = action.path.as_deref().unwrap_or("");
                End { failure: Some(format!("HTTP lifecycle hook ({path}) {whose}: {error}")), fallback: None }
            }
        };
    }
    if let Some(sleep) = &hook.sleep {
        let until = since.checked_add(SignedDuration::from_secs(sleep.seconds.max(0))).unwrap_or(now);
        tokio::time::sleep(until.duration_since(now).max(SignedDuration::ZERO).unsigned_abs()).await;
        return End::default();
    }
    End { failure: Some("Cannot run handler: invalid handler".into()), fallback: None }
}

/// Any answer will do: the kubelet does not look at its status. `Some` if HTTPS was asked for and HTTP was spoken.
async fn fetch(way: &Way, container: &Container, action: &HTTPGetAction) -> Result<Option<String>, String> {
    let port = resolve_port(&action.port, container)?;
    let text = match get(way, action, port, "lifecycle", None).await {
        Ok(_) | Err(Fault::Body(_)) => return Ok(None),
        Err(Fault::Head(text)) => return Err(text),
        Err(Fault::Plain(text)) => text,
    };
    let mut plain = action.clone();
    plain.scheme = Some("HTTP".into());
    if let Some(headers) = &mut plain.http_headers {
        headers.retain(|header| !header.name.eq_ignore_ascii_case("authorization"));
    }
    match get(way, &plain, port, "lifecycle", None).await {
        Ok(_) | Err(Fault::Body(_)) => {
            let whom = join(way.host(action.host.as_deref()), port);
            Ok(Some(format!("request to HTTPS lifecycle hook {whom} got HTTP response, retry with HTTP succeeded")))
        }
        Err(Fault::Head(_) | Fault::Plain(_)) => Err(text),
    }
}
