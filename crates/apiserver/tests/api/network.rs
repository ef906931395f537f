//! A server of one test behind a real socket, and clients for it, well-behaved and not.

use crate::harness::Server;
use apiserver::Limits;
use apiserver::auth::Pki;
use base64::Engine;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

pub type Connection = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;
pub type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A listening server.
pub struct Listening {
    pub server: Server,
    pub address: SocketAddr,
    pub kubeconfig: String,
    dir: tempfile::TempDir,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Listening {
    pub async fn start() -> Self {
        Self::within(Limits::default()).await
    }

    pub async fn within(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pki = Pki::load_or_create(dir.path(), &[address.ip()], &[], jiff::Timestamp::now()).unwrap();
        let kubeconfig = pki.admin_kubeconfig(&format!("https://{address}"));
        let stop = CancellationToken::new();
        let (tls, shutdown) = (pki.server_tls().unwrap(), stop.clone().cancelled_owned());
        let serving = tokio::spawn(server.api.clone().serve_within(limits, listener, tls, shutdown));
        Self { server, address, kubeconfig, dir, stop, serving }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// TLS with the admin's certificate, for HTTP/1.1.
    pub fn admin(&self) -> Arc<rustls::ClientConfig> {
        client(&self.kubeconfig, true)
    }

    /// TLS without a certificate.
    pub fn stranger(&self) -> Arc<rustls::ClientConfig> {
        client(&self.kubeconfig, false)
    }

    /// A connection that the handshake is through on.
    pub async fn connect(&self, config: &Arc<rustls::ClientConfig>) -> Connection {
        connect(self.address, config.clone()).await
    }

    /// Ends the server and waits for that.
    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// What a kubeconfig holds, as PEM.
fn pem(kubeconfig: &str, name: &str) -> Vec<u8> {
    let line = kubeconfig.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    let text = line.split(": ").nth(1).unwrap();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// A kubeconfig's client, with its certificate or without.
pub fn client(kubeconfig: &str, with_certificate: bool) -> Arc<rustls::ClientConfig> {
    let identity = with_certificate.then(|| {
        let (certificate, key) = (pem(kubeconfig, "client-certificate-data"), pem(kubeconfig, "client-key-data"));
        (CertificateDer::from_pem_slice(&certificate).unwrap(), PrivateKeyDer::from_pem_slice(&key).unwrap())
    });
    client_of(kubeconfig, identity)
}

pub fn client_of(kubeconfig: &str, identity: Option<Identity>) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem(kubeconfig, "certificate-authority-data")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The same for HTTP/2.
pub fn http2(config: &Arc<rustls::ClientConfig>) -> Arc<rustls::ClientConfig> {
    let mut config = rustls::ClientConfig::clone(config);
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// A certificate of the directory's CA for `system:masters`, valid between two days, for one use.
pub fn certificate(dir: &Path, (from, until): (&str, &str), usage: ExtendedKeyUsagePurpose) -> Identity {
    let read = |name: &str| std::fs::read_to_string(dir.join("pki").join(name)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let day = |text: &str| {
        let date: jiff::civil::Date = text.parse().unwrap();
        rcgen::date_time_ymd(date.year().into(), date.month().try_into().unwrap(), date.day().try_into().unwrap())
    };
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "somebody");
    parameters.distinguished_name.push(DnType::OrganizationName, "system:masters");
    (parameters.not_before, parameters.not_after) = (day(from), day(until));
    parameters.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    (certificate.der().clone(), PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap())
}

pub async fn connect(address: SocketAddr, config: Arc<rustls::ClientConfig>) -> Connection {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap()
}

/// Sends a GET that is the connection's last.
pub async fn open(address: SocketAddr, config: Arc<rustls::ClientConfig>, path: &str) -> Connection {
    open_with(address, config, path, "").await
}

async fn open_with(address: SocketAddr, config: Arc<rustls::ClientConfig>, path: &str, headers: &str) -> Connection {
    let mut stream = connect(address, config).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The whole answer to a GET.
pub async fn ask(address: SocketAddr, config: Arc<rustls::ClientConfig>, path: &str) -> String {
    ask_with(address, config, path, "").await
}

/// The whole answer to a GET with these further header lines.
pub async fn ask_with(address: SocketAddr, config: Arc<rustls::ClientConfig>, path: &str, headers: &str) -> String {
    read_all(&mut open_with(address, config, path, headers).await).await
}

/// What comes until the server closes; without a proper goodbye, what came.
pub async fn read_all(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
