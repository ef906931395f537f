//! Answers requests to execute something in a container, to attach to it, or to reach a port of its pod.

use crate::pod::Context;
use crate::runtime::{Attach, Exec, RuntimeError, Sockets, Streams};
use futures::FutureExt;
use meta::status::Status;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream as BlockingStream};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// A listener in a pod answers at once, being on the same machine; one whose queue is full may take a while.
const CONNECTING: Duration = Duration::from_secs(30);

/// Executes `exec` in a container of the pod. A program that cannot be executed is a session that has ended with why.
pub(crate) async fn exec(context: &Context, pod_uid: &str, exec: Exec) -> Result<Streams, Status> {
    let container = exec.container.clone();
    let sandbox = context.runtime.find(pod_uid).ok_or_else(|| not_found(&container))?;
    answer(sandbox.exec(exec).await, exec_failure).ok_or_else(|| not_found(&container))
}

/// Attaches to a container of the pod.
pub(crate) async fn attach(context: &Context, pod_uid: &str, attach: Attach) -> Result<Streams, Status> {
    let container = attach.container.clone();
    let sandbox = context.runtime.find(pod_uid).ok_or_else(|| not_found(&container))?;
    let failure = |error: &RuntimeError| format!("error attaching to container: {error}");
    answer(sandbox.attach(attach).await, failure).ok_or_else(|| not_found(&container))
}

/// Connects to a port of the pod, as one of its own programs would on localhost. Errors are for the one connection that failed.
pub(crate) async fn connect(context: &Context, pod_uid: &str, port: u16) -> Result<TcpStream, String> {
    let sandbox = context.runtime.find(pod_uid).ok_or("the pod has no network namespace: it does not run")?;
    let Sockets { ipv4, ipv6 } = sandbox.sockets().await.map_err(|error| error.to_string())?;
    let over_ipv4 = match dial(ipv4, (Ipv4Addr::LOCALHOST, port).into()).await {
        Ok(stream) => return Ok(stream),
        Err(error) => error,
    };
    let over_ipv6 = match ipv6 {
        Some(socket) => match dial(socket, (Ipv6Addr::LOCALHOST, port).into()).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        },
        None => io::ErrorKind::Unsupported.into(),
    };
    // K: containerd's portForward, whose users know the text.
    Err(format!(
        "failed to connect to localhost:{port} inside the pod's network namespace, IPv4: dial tcp4 127.0.0.1:{port}: \
         connect: {} IPv6 dial tcp6: [::1]:{port}: connect: {} ",
        text(&over_ipv4),
        text(&over_ipv6)
    ))
}

/// What the kubelet answers, with 500, for containers that do not run.
fn not_found(container: &str) -> Status {
    let mut status = Status::internal("");
    status.message = RuntimeError::NotRunning(container.to_owned()).to_string();
    status
}

/// `None`: there is no such container that runs.
fn answer(opened: Result<Streams, RuntimeError>, failure: impl FnOnce(&RuntimeError) -> String) -> Option<Streams> {
    match opened {
        Ok(streams) => Some(streams),
        Err(RuntimeError::NotRunning(_) | RuntimeError::Gone(_)) => None,
        Err(error) => Some(Streams {
            stdin: None,
            stdout: None,
            stderr: None,
            resize: None,
            ends_with_input: false,
            exit: futures::future::ready(Err(failure(&error))).boxed(),
        }),
    }
}

/// As the kubelet says it with containerd and runc below it.
fn exec_failure(error: &RuntimeError) -> String {
    let begin =
        "error executing command in container: failed to exec in container: OCI runtime exec failed: exec failed";
    match error {
        RuntimeError::Start { message, .. } => {
            format!("{begin}: unable to start container process: {message}: unknown")
        }
        RuntimeError::Create(_) | RuntimeError::Sandbox(_) | RuntimeError::Gone(_) | RuntimeError::NotRunning(_) => {
            format!("{begin}: {error}: unknown")
        }
    }
}

pub(crate) async fn dial(socket: OwnedFd, address: SocketAddr) -> io::Result<TcpStream> {
    // Not connected yet; the type only carries it.
    let socket = TcpSocket::from_std_stream(BlockingStream::from(socket));
    match tokio::time::timeout(CONNECTING, socket.connect(address)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Without Rust's `(os error 111)`.
fn text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::TimedOut => "connection timed out".into(),
        _ => error.to_string(),
    }
}
