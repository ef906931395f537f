//! What every controller stands on.
//!
//! ```text
//! watch ─▶ cache ─▶ queue ─▶ reconcile(key) ─▶ apply ─▶ API server
//!            ▲                                    │
//!            └──────── expectations ◀─────────────┘   a key rests until its own writes have come back
//! ```

pub mod apply;
pub mod cache;
pub mod expectations;
pub mod queue;
pub mod rush;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Names an object within its resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Empty for objects of the cluster.
    pub namespace: String,
    pub name: String,
}

impl Key {
    /// The key of the object with this metadata.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}
