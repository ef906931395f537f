//! The three patches a client may send. Server-side apply joins them in a later issue.

pub mod strategic;

use serde_json::Value;

/// Why a patch could not be applied.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PatchError {
    /// The patch itself is not well formed (400).
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object: a failed test, a missing path (422).
    #[error("{0}")]
    Unprocessable(String),
}

/// RFC 6902. At most 10,000 operations.
pub fn json(object: &mut Value, patch: &Value) -> Result<(), PatchError> {
    todo!("{object} {patch}")
}
/// RFC 7386.
pub fn merge(object: &mut Value, patch: &Value) -> Result<(), PatchError> {
    todo!("{object} {patch}")
}
