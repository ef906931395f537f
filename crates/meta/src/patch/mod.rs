//! The three patches a client may send. Server-side apply is in `fields`: it is about who owns what.

mod json;
mod print;
pub mod strategic;

pub use json::{json, merge};
pub use print::go_text;
pub use strategic::not_a_map;

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
