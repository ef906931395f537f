//! Thin shells that obey the decisions in `kinds`. Must not know about the store and the API server: they see only a
//! `kube::Client`.

use std::future::Future;
use std::sync::Arc;

/// What every controller is given.
#[derive(Clone)]
pub struct Context {
    pub client: kube::Client,
    pub clock: Arc<dyn meta::clock::Clock>,
    pub entropy: Arc<dyn meta::clock::Entropy>,
}

/// Runs every controller until `shutdown`.
pub async fn run(context: Context, shutdown: impl Future<Output = ()> + Send) {
    let _ = context;
    shutdown.await
}
