//! Who is asking, and may they: certificates, users, authorization.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// An authenticated identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

impl User {
    /// One of the machine's own components: `system:kiln:NAME`, in `system:masters`.
    pub fn component(name: &str) -> Self {
        Self {
            name: format!("system:kiln:{name}"),
            groups: vec!["system:masters".into()],
        }
    }
}

/// The server's certificate and the CA that client certificates must come from.
#[derive(Clone)]
pub struct ServerTls(pub std::sync::Arc<rustls::ServerConfig>);

/// The certificates of one data directory: `DIR/pki/{ca,server,admin}.{crt,key}`, keys 0600. Made on first use;
/// the server's is renewed when the addresses it must name change or it is near its end.
pub struct Pki(PathBuf);

impl Pki {
    pub fn load_or_create(
        dir: &Path,
        addresses: &[IpAddr],
        names: &[String],
        now: jiff::Timestamp,
    ) -> std::io::Result<Self> {
        let _ = (addresses, names, now);
        Ok(Self(dir.into()))
    }
    pub fn server_tls(&self) -> std::io::Result<ServerTls> {
        todo!("{:?}", self.0)
    }
    /// A kubeconfig (YAML) whose context, user and cluster are `kiln` and whose namespace is `default`.
    pub fn admin_kubeconfig(&self, server_url: &str) -> String {
        todo!("{server_url}")
    }
}
