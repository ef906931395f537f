//! TLS connections: handshake, HTTP/1.1 and 2, and an end that does not wait for ever.

use crate::auth::{ServerTls, User, user_of_certificate};
use crate::server::ApiServer;
use axum::body::Body;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
const HEADER_PATIENCE: Duration = Duration::from_secs(30);
/// How long requests in flight may take after shutdown began.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
/// After a failed accept (too many open files): the condition will not pass within microseconds.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(50);

pub(crate) async fn serve(
    server: Arc<ApiServer>,
    listener: TcpListener,
    tls: ServerTls,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let acceptor = TlsAcceptor::from(tls.0);
    let mut connections = tokio::task::JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(server.clone(), acceptor.clone(), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_BACK_OFF).await;
                }
            },
        }
    }
    drop(listener);
    // Watches end first: they would last for ever.
    server.stop.cancel();
    let drained = tokio::time::timeout(SHUTDOWN_PATIENCE, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::info!(n = connections.len(), "closing connections that are still busy");
    }
    connections.shutdown().await;
    Ok(())
}

async fn connection(server: Arc<ApiServer>, acceptor: TlsAcceptor, stream: TcpStream) {
    // A small answer should not wait for the next packet.
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else {
        return;
    };
    let user = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| user_of_certificate(chain.first()?))
        .unwrap_or_else(User::anonymous);
    let stop = server.stop.clone();
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (server, user) = (server.clone(), user.clone());
        async move { Ok::<_, Infallible>(server.handle(user, request.map(Body::new)).await) }
    });
    // Nobody is waited for who does not say which HTTP he speaks: the handshake has settled it.
    let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if speaks_h2 { builder.http2_only() } else { builder.http1_only() };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(Some(250));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
