//! TLS connections: handshake, HTTP/1.1 and 2, and an end that does not wait for ever.

use crate::auth::{Credential, ServerTls, authenticate};
use crate::connections::{Connection, Connections, Limits};
use crate::server::ApiServer;
use axum::body::Body;
use http::StatusCode;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long requests in flight may take after shutdown began, and an ended connection to finish.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
/// After a failed accept (too many open files): the condition will not pass within microseconds.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(50);
/// How often all connections are looked at, at most; more often only when a limit is shorter than that.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// A request's line and headers. Commands to execute and selectors travel in URLs.
const MAX_HEAD_BYTES: u32 = 256 * 1024;
/// Streams of one HTTP/2 connection (K: --http2-max-streams-per-connection).
const MAX_STREAMS: u32 = 250;
/// Of one HTTP/2 stream, waiting to be sent.
const MAX_SEND_BYTES: usize = 256 * 1024;

tokio::task_local! {
    /// Ends the HTTP/2 stream whose task this is.
    static STREAM: CancellationToken;
}

pub(crate) async fn serve(
    server: Arc<ApiServer>,
    listener: TcpListener,
    tls: ServerTls,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let sweep_every = SWEEP_EVERY.min(limits.idle / 2).min(limits.write / 2).max(Duration::from_millis(10));
    let connections = Connections::new(limits);
    let acceptor = TlsAcceptor::from(tls.config.clone());
    let mut tasks = tokio::task::JoinSet::new();
    let mut sweep = tokio::time::interval(sweep_every);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => {}
            _ = sweep.tick() => connections.sweep(),
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let Some(connection) = connections.admit() else {
                        tracing::warn!(%address, "too many connections: refused one");
                        continue;
                    };
                    let peer = Peer { server: server.clone(), connections: connections.clone(), connection, address };
                    tasks.spawn(peer.run(acceptor.clone(), tls.clone(), stream));
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
    let drained = tokio::time::timeout(SHUTDOWN_PATIENCE, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::info!(n = tasks.len(), "closing connections that are still busy");
    }
    tasks.shutdown().await;
    // What was HTTP once ends by itself when `stop` says so.
    server.sessions.close();
    let _ = tokio::time::timeout(SHUTDOWN_PATIENCE, server.sessions.wait()).await;
    Ok(())
}

/// One client's connection.
struct Peer {
    server: Arc<ApiServer>,
    connections: Arc<Connections>,
    connection: Arc<Connection>,
    address: SocketAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.connections.closed(&self.connection);
    }
}

impl Peer {
    async fn run(self, acceptor: TlsAcceptor, tls: ServerTls, stream: TcpStream) {
        let abort = self.connection.abort.clone();
        tokio::select! {
            () = abort.cancelled() => {}
            () = self.speak(acceptor, tls, stream) => {}
        }
    }

    async fn speak(&self, acceptor: TlsAcceptor, tls: ServerTls, stream: TcpStream) {
        // A small answer should not wait for the next packet.
        let _ = stream.set_nodelay(true);
        let limits = self.connections.limits();
        let handshake = tokio::time::timeout(limits.handshake, acceptor.accept(stream));
        let Ok(Ok(stream)) = handshake.await else {
            self.server.metrics.handshake_failed();
            return;
        };
        let credential = tls.credential(stream.get_ref().1.peer_certificates());
        if matches!(credential, Credential::Known(_)) {
            self.connection.set_known();
        }
        let (server, connections) = (self.server.clone(), self.connections.clone());
        let (connection, address) = (self.connection.clone(), self.address);
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (server, connection, credential) = (server.clone(), connection.clone(), credential.clone());
            let connections = connections.clone();
            async move {
                // Asked here, in the stream's own task: the call itself is made by the connection's.
                let abort = STREAM.try_with(CancellationToken::clone).unwrap_or_else(|_| connection.abort.clone());
                let source = connections.source(&connection, address, abort);
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(source);
                let response = match authenticate(&server, credential, request.headers_mut()) {
                    Some(user) => server.handle(user, request).await,
                    None => server.handle_invalid(request).await,
                };
                if response.status() != StatusCode::UNAUTHORIZED {
                    connection.set_known();
                }
                Ok::<_, Infallible>(response)
            }
        });
        // Nobody is waited for who does not say which HTTP he speaks: the handshake has settled it.
        let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let builder = auto::Builder::new(Streams);
        let mut builder = if speaks_h2 { builder.http2_only() } else { builder.http1_only() };
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(MAX_HEAD_BYTES as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(Duration::from_secs(30)))
            .max_header_list_size(MAX_HEAD_BYTES)
            .max_send_buf_size(MAX_SEND_BYTES)
            .max_concurrent_streams(Some(MAX_STREAMS));
        let mut serving = std::pin::pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = self.server.stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
            () = self.connection.end.cancelled() => {
                serving.as_mut().graceful_shutdown();
                match tokio::time::timeout(SHUTDOWN_PATIENCE, serving).await {
                    Ok(ended) => ended,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// Runs each HTTP/2 stream in a task that can be ended by itself: one stuck stream is no reason to drop its neighbours.
#[derive(Debug, Clone, Copy)]
struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let abort = CancellationToken::new();
        let aborted = abort.clone().cancelled_owned();
        tokio::spawn(STREAM.scope(abort, async move {
            tokio::select! {
                _ = stream => {}
                () = aborted => {}
            }
        }));
    }
}
