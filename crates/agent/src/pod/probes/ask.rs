//! One question of a probe, and its answer in the kubelet's words (K:pkg/kubelet/prober, pkg/probe).

use super::Answer;
use super::dial::{Way, join};
use super::grpc;
use super::http::{self, Fault};
use crate::runtime::{Exec, RuntimeError, Streams};
use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// How much of a program's output is kept of each stream.
const MAX_OUTPUT: usize = 10 << 10;

/// Asks once.
pub async fn ask(way: &Way, container: &Container, probe: &Probe) -> Answer {
    let seconds = probe.timeout_seconds.filter(|seconds| 0 < *seconds).unwrap_or(1);
    let patience = Duration::from_secs(u64::try_from(seconds).unwrap_or(1));
    if let Some(exec) = &probe.exec {
        let command = exec.command.clone().unwrap_or_default();
        return ask_program(way, &container.name, command, patience).await;
    }
    let port = |port: &IntOrString| match resolve_port(port, container) {
        Ok(port) => Ok(port),
        Err(text) => Err(unknown(text)),
    };
    if let Some(get) = &probe.http_get {
        return match port(&get.port) {
            Ok(port) => judge_page(http::get(way, get, port, "probe", Some(patience)).await),
            Err(answer) => answer,
        };
    }
    if let Some(tcp) = &probe.tcp_socket {
        return match port(&tcp.port) {
            Ok(port) => ask_port(way, tcp.host.as_deref(), port, patience).await,
            Err(answer) => answer,
        };
    }
    if let Some(action) = &probe.grpc {
        // Numbers only, and validated.
        return match port(&IntOrString::Int(action.port)) {
            Ok(port) => grpc::ask(way, port, action.service.as_deref().unwrap_or(""), patience).await,
            Err(answer) => answer,
        };
    }
    unknown(format!("missing probe handler for container {:?}", container.name))
}

fn unknown(text: String) -> Answer {
    Answer::Error { state: "unknown", text }
}

/// A number, or the name of one of the container's ports (K:pkg/probe ResolveContainerPort). The error is Go's.
pub fn resolve_port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => i64::from(*number),
        IntOrString::String(text) => {
            let named = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(text));
            match named {
                Some(port) => port.container_port.into(),
                // Perhaps it was a number written as text.
                None => text.parse().map_err(|_| format!("strconv.Atoi: parsing {text:?}: invalid syntax"))?,
            }
        }
    };
    match u16::try_from(number) {
        Ok(port) if 0 < port => Ok(port),
        _ => Err(format!("invalid port number: {number}")),
    }
}

fn judge_page(page: Result<http::Page, Fault>) -> Answer {
    match page {
        Ok(page) if (300..400).contains(&page.status) => {
            Answer::Warning(format!("Probe terminated redirects, Response body: {}", page.body))
        }
        Ok(page) if (200..300).contains(&page.status) => Answer::Success,
        Ok(page) => Answer::Failure(format!("HTTP probe failed with statuscode: {}", page.status)),
        Err(Fault::Head(text) | Fault::Plain(text)) => Answer::Failure(text),
        // The kubelet takes that for a mistake of its own.
        Err(Fault::Body(text)) => Answer::Error { state: "failure", text },
    }
}

async fn ask_port(way: &Way, host: Option<&str>, port: u16, patience: Duration) -> Answer {
    match timeout(patience, way.connect(host, port)).await {
        Ok(Ok(_)) => Answer::Success,
        Ok(Err(text)) => Answer::Failure(text),
        Err(_) => Answer::Failure(format!("dial tcp {}: i/o timeout", join(way.host(host), port))),
    }
}

async fn ask_program(way: &Way, container: &str, command: Vec<String>, patience: Duration) -> Answer {
    let shown = command.join(" ");
    match timeout(patience, run(way, container, command)).await {
        Ok(Ok(run)) if run.exit_code == 0 => Answer::Success,
        Ok(Ok(run)) => Answer::Failure(run.output()),
        Ok(Err(text)) => unknown(text),
        Err(_) => Answer::Failure(format!("command timed out: {shown:?} timed out after {}s", patience.as_secs())),
    }
}

/// A program that has ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// As the program says, or 128 and the signal that killed it.
    pub exit_code: i32,
    stdout: String,
    /// What it wrote there, up to a bound.
    pub stderr: String,
}

impl Ran {
    /// All that it wrote, up to a bound, as the kubelet puts it together.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a program in the container to its end; it is killed when nobody waits any more. The error is the kubelet's.
pub async fn run(way: &Way, container: &str, command: Vec<String>) -> Result<Ran, String> {
    let exec = Exec { container: container.to_owned(), command, stdout: true, stderr: true, ..Exec::default() };
    let mut streams = way.sandbox.exec(exec).await.map_err(|error| exec_error(&error))?;
    let (stdout, stderr) = (streams.stdout.take(), streams.stderr.take());
    let Streams { exit, .. } = &mut streams;
    let (exit_code, stdout, stderr) = tokio::join!(exit, beginning(stdout), beginning(stderr));
    Ok(Ran { exit_code: exit_code?, stdout, stderr })
}

/// As containerd says it with runc below it.
fn exec_error(error: &RuntimeError) -> String {
    let begin = "rpc error: code = Unknown desc = failed to exec in container";
    match error {
        RuntimeError::NotRunning(container) => format!("container not running ({container})"),
        RuntimeError::Start { message, .. } => format!(
            "{begin}: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: {message}: unknown"
        ),
        RuntimeError::Create(_) | RuntimeError::Sandbox(_) | RuntimeError::Gone(_) => format!("{begin}: {error}"),
    }
}

/// What comes first; the rest is read, so that nobody is held up, and dropped.
async fn beginning(reader: Option<crate::runtime::Reader>) -> String {
    let Some(mut reader) = reader else { return String::new() };
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    // A pipe that breaks has ended.
    while let Ok(length @ 1..) = reader.read(&mut piece).await {
        let room = MAX_OUTPUT.saturating_sub(kept.len());
        kept.extend(piece.iter().take(length.min(room)));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
