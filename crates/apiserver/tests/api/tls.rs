//! The listener with real sockets and certificates.

use crate::network::{Listening, ask, certificate, client_of, open};
use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_name_users_and_shutdown_ends_watches() {
    let listening = Listening::start().await;
    let (admin, stranger) = (listening.admin(), listening.stranger());
    let address = listening.address;
    assert!(ask(address, admin.clone(), "/api/v1/namespaces").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, stranger.clone(), "/api/v1/namespaces").await.starts_with("HTTP/1.1 403"));
    assert!(ask(address, stranger, "/version").await.starts_with("HTTP/1.1 200"));

    // Somebody connects and says nothing; somebody watches. Neither holds up the end.
    let silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut watching = open(address, admin, "/api/v1/namespaces?watch=true").await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("\"ADDED\"") {
        assert_ne!(watching.read_buf(&mut seen).await.unwrap(), 0);
    }
    let begin = Instant::now();
    listening.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(5));
    watching.read_to_end(&mut seen).await.unwrap();
    assert!(String::from_utf8_lossy(&seen).ends_with("0\r\n\r\n"), "the watch ended properly");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_are_not_good_are_401() {
    let listening = Listening::start().await;
    let good = certificate(listening.dir(), ("2020-01-01", "2090-01-01"), ClientAuth);
    let expired = certificate(listening.dir(), ("2020-01-01", "2021-01-01"), ClientAuth);
    let early = certificate(listening.dir(), ("2080-01-01", "2090-01-01"), ClientAuth);
    let of_a_server = certificate(listening.dir(), ("2020-01-01", "2090-01-01"), ServerAuth);
    let other = tempfile::tempdir().unwrap();
    apiserver::auth::Pki::load_or_create(other.path(), &[], &[], jiff::Timestamp::now()).unwrap();
    let foreign = certificate(other.path(), ("2020-01-01", "2090-01-01"), ClientAuth);
    for (identity, expect) in [(good, "200"), (expired, "401"), (early, "401"), (of_a_server, "401"), (foreign, "401")]
    {
        let client = client_of(&listening.kubeconfig, Some(identity));
        for path in ["/api/v1/namespaces", "/version"] {
            let answer = ask(listening.address, client.clone(), path).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{path}: {answer}");
            assert_eq!(answer.contains("\"reason\":\"Unauthorized\""), expect == "401");
        }
    }
    listening.stop().await;
}
