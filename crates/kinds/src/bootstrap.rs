//! Objects that a server is given once. Whoever deletes or changes one of them afterwards keeps it so.

use serde_json::Value;

/// Makers of the objects; each has to name its kind, itself and, if it lives in one, its namespace.
pub const ONCE: &[fn() -> Value] = &[crate::storage_class::standard];
