//! The listener with real sockets and certificates.

use crate::harness::Server;
use apiserver::auth::Pki;
use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// What a kubeconfig holds, as PEM.
pub fn field(kubeconfig: &str, name: &str) -> Vec<u8> {
    let line = kubeconfig.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    let text = line.split(": ").nth(1).unwrap();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

pub fn client(kubeconfig: &str, with_certificate: bool) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&field(kubeconfig, "certificate-authority-data")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = if with_certificate {
        let certificate = CertificateDer::from_pem_slice(&field(kubeconfig, "client-certificate-data")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&field(kubeconfig, "client-key-data")).unwrap();
        builder.with_client_auth_cert(vec![certificate], key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

type Connection = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;

async fn open(address: SocketAddr, config: Arc<rustls::ClientConfig>, path: &str, headers: &str) -> Connection {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn ask(address: SocketAddr, config: Arc<rustls::ClientConfig>, path: &str) -> String {
    ask_with(address, config, path, "").await
}

/// The whole answer to a request with these further header lines.
pub async fn ask_with(address: SocketAddr, config: Arc<rustls::ClientConfig>, path: &str, headers: &str) -> String {
    let mut stream = open(address, config, path, headers).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_name_users_and_shutdown_ends_watches() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pki = Pki::load_or_create(dir.path(), &[address.ip()], &[], jiff::Timestamp::now()).unwrap();
    let kubeconfig = pki.admin_kubeconfig(&format!("https://{address}"));
    let stop = CancellationToken::new();
    let serving =
        tokio::spawn(server.api.clone().serve(listener, pki.server_tls().unwrap(), stop.clone().cancelled_owned()));

    let admin = client(&kubeconfig, true);
    let stranger = client(&kubeconfig, false);
    assert!(ask(address, admin.clone(), "/api/v1/namespaces").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, stranger.clone(), "/api/v1/namespaces").await.starts_with("HTTP/1.1 401"));
    assert!(ask(address, stranger, "/version").await.starts_with("HTTP/1.1 200"));

    // Somebody connects and says nothing; somebody watches. Neither holds up the end.
    let silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut watching = open(address, admin, "/api/v1/namespaces?watch=true", "").await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("\"ADDED\"") {
        assert_ne!(watching.read_buf(&mut seen).await.unwrap(), 0);
    }
    let begin = Instant::now();
    stop.cancel();
    serving.await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5));
    watching.read_to_end(&mut seen).await.unwrap();
    assert!(String::from_utf8_lossy(&seen).ends_with("0\r\n\r\n"), "the watch ended properly");
    drop(silent);
}
