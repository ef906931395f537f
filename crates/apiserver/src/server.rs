//! One API server: its state, its tower service, its TLS listener.

use crate::auth::{ServerTls, User};
use crate::node::NodeConnection;
use std::future::Future;
use std::sync::Arc;

/// What a server is given.
pub struct Config {
    pub store: store::Store,
    pub clock: Arc<dyn meta::clock::Clock>,
    pub entropy: Arc<dyn meta::clock::Entropy>,
    /// Where container logs (later exec) come from.
    pub node: Arc<dyn NodeConnection>,
    /// kiln's version, for `/version`: `v1.36.2+kiln.0.1.0`.
    pub version: String,
}

/// The API server. Cheap to share; every request, from socket or in process, goes through `handle`.
pub struct ApiServer(());

impl ApiServer {
    pub fn new(config: Config) -> Arc<Self> {
        let _ = config;
        todo!()
    }
    /// Answers one request as `user`. Never panics, whatever the request holds.
    pub async fn handle(
        self: &Arc<Self>,
        user: User,
        request: http::Request<axum::body::Body>,
    ) -> http::Response<axum::body::Body> {
        let _ = (user, request);
        todo!()
    }
    /// Makes /readyz answer 200.
    pub fn set_ready(&self) {
        todo!()
    }
    /// Serves TLS connections until `shutdown`, then ends watches and waits a bounded time for requests in flight.
    pub async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        tls: ServerTls,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let _ = (listener, tls, shutdown);
        todo!()
    }
    /// A tower service that answers as `user`, for `kube::Client::new(service, "default")`: no socket.
    pub fn client_service(self: &Arc<Self>, user: User) -> InProcess {
        InProcess {
            server: self.clone(),
            user,
        }
    }
}

/// See `ApiServer::client_service`.
#[derive(Clone)]
pub struct InProcess {
    server: Arc<ApiServer>,
    user: User,
}

impl<B> tower::Service<http::Request<B>> for InProcess
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = http::Response<axum::body::Body>;
    type Error = std::convert::Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;
    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (server, user) = (self.server.clone(), self.user.clone());
        Box::pin(async move {
            Ok(server
                .handle(user, request.map(axum::body::Body::new))
                .await)
        })
    }
}
