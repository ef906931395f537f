//! Images from registries: where to ask, as whom, and that what comes is what was asked for. Decides in pure functions, and does
//! nothing to the disk but unpack verified layers.
//!
//! ```text
//! reference ─ configuration (registries.yaml) ─> endpoints ─┐
//! pull secrets ─> keyring ──────────────────────────────────┴─> session ─ http, tls, challenge
//!                                                                  |
//!                      pull: manifest ─> platform ─> configuration ─> layers (blob) ─> unpack ─> images.json
//! ```

pub mod configuration;
pub mod keyring;
pub mod progress;

mod blob;
mod challenge;
mod endpoints;
mod http;
mod pull;
mod session;
pub(crate) mod tls;

pub(super) use http::Http;
pub use http::Patience;
pub(super) use pull::{Pull, Underway, blocking, pull};

use super::{Image, ImageError};
use std::time::Duration;

/// An image that has just been pulled.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// Ready to run.
    pub image: Image,
    /// How long it took, without waiting for other pulls.
    pub took: Duration,
    /// Bytes that came from the registry.
    pub downloaded_bytes: u64,
}

/// Why an image could not be pulled; the text reaches users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct PullError {
    /// Whose fault it is, which decides what to do about it.
    pub fault: Fault,
    /// What happened, with the image's name.
    pub text: String,
}

/// Whose fault a failed pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The name could never be an image's.
    Name,
    /// The registry has no such image, or none for this machine.
    Absent,
    /// The registry wants other credentials.
    Denied,
    /// The registry cannot be reached, or is too busy.
    Unreachable,
    /// The registry's answer is not what it should be.
    Dishonest,
    /// This machine's: its disk, its `registries.yaml`.
    Local,
}

impl PullError {
    fn new(fault: Fault, text: impl Into<String>) -> Self {
        Self { fault, text: text.into() }
    }

    /// The same, saying in what.
    fn within(self, place: &str) -> Self {
        Self { text: format!("{place}: {}", self.text), ..self }
    }
}

impl From<ImageError> for PullError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Pull(error) => error,
            ImageError::InvalidName(_) => Self::new(Fault::Name, error.to_string()),
            ImageError::NotFound(_) | ImageError::Reserved(_) => Self::new(Fault::Absent, error.to_string()),
            ImageError::Broken(_) => Self::new(Fault::Dishonest, error.to_string()),
            ImageError::InUse(_) | ImageError::Io(_) => Self::new(Fault::Local, error.to_string()),
        }
    }
}
