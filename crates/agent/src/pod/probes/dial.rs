//! How probes and hooks reach a pod's ports: from the machine, as the kubelet does; a pod whose network leads nowhere from within it.

use crate::runtime::{PodSandbox, RuntimeError};
use crate::streams;
use async_trait::async_trait;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Where a pod without an address is reached.
const LOOPBACK: &str = "127.0.0.1";

/// A connection.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects from the machine. Tests have one of their own.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// Waits as long as the kernel does.
    async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Wire>>;
}

/// The machine's network.
pub struct Tcp;

#[async_trait]
impl Dial for Tcp {
    async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Wire>> {
        let stream = TcpStream::connect((host, port)).await?;
        Ok(Box::new(stream))
    }
}

/// The way to one pod.
#[derive(Clone)]
pub struct Way {
    /// From the machine.
    pub dial: Arc<dyn Dial>,
    /// Of the pod.
    pub sandbox: Arc<dyn PodSandbox>,
    /// Of the pod, if it has one that the machine reaches.
    pub address: Option<String>,
}

impl Way {
    /// The host that is meant where a probe names none.
    pub fn host<'a>(&'a self, named: Option<&'a str>) -> &'a str {
        named.filter(|host| !host.is_empty()).or(self.address.as_deref()).unwrap_or(LOOPBACK)
    }

    /// Connects to `named`, or else to the pod. The text of an error is Go's.
    pub async fn connect(&self, named: Option<&str>, port: u16) -> Result<Box<dyn Wire>, String> {
        let named = named.filter(|host| !host.is_empty());
        let connected = match (named, self.address.as_deref()) {
            (Some(host), _) | (None, Some(host)) => self.dial.dial(host, port).await,
            (None, None) => within(self.sandbox.as_ref(), port).await,
        };
        connected.map_err(|error| dial_error(self.host(named), port, &error))
    }
}

async fn within(sandbox: &dyn PodSandbox, port: u16) -> io::Result<Box<dyn Wire>> {
    let sockets = sandbox.sockets().await.map_err(|error: RuntimeError| io::Error::other(error.to_string()))?;
    let stream = streams::dial(sockets.ipv4, (Ipv4Addr::LOCALHOST, port).into()).await?;
    Ok(Box::new(stream))
}

/// `10.0.0.1:80`, `[::1]:80`.
pub fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn dial_error(host: &str, port: u16, error: &io::Error) -> String {
    let is_lookup = error.raw_os_error().is_none() && error.to_string().contains("lookup address");
    if is_lookup {
        return format!("dial tcp: lookup {host}: no such host");
    }
    format!("dial tcp {}: connect: {}", join(host, port), errno(error))
}

/// An operating system's error as Go words it.
pub fn errno(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".into(),
        io::ErrorKind::HostUnreachable => "no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".into(),
        io::ErrorKind::TimedOut => "connection timed out".into(),
        io::ErrorKind::BrokenPipe => "broken pipe".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_in_go() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        assert_eq!(dial_error("10.0.0.1", 80, &refused), "dial tcp 10.0.0.1:80: connect: connection refused");
        let nowhere = io::Error::from_raw_os_error(libc::EHOSTUNREACH);
        assert_eq!(dial_error("fd00::1", 80, &nowhere), "dial tcp [fd00::1]:80: connect: no route to host");
        let lookup = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(dial_error("nobody", 80, &lookup), "dial tcp: lookup nobody: no such host");
    }
}
