//! Where work that may wait for a disk is done.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, spawn_blocking};

/// Does `work` off the async threads. Where there is only one of them, as in simulations, it is done on the spot: nobody is kept
/// waiting who would not wait anyway, and things happen in the same order each time.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => spawn_blocking(work).await,
    }
}
