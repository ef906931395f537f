//! From a pod bound to this node to running containers and back to its status.

use crate::images::{Image, ImageError};

/// Where images come from; sim has a fake.
#[async_trait::async_trait]
pub trait Images: Send + Sync + 'static {
    async fn resolve(&self, reference: &str) -> Result<Image, ImageError>;
}
