//! The Kubernetes API over HTTP: generic handlers over `kinds::KINDS` on a `store::Store`. Must not know any kind by name.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
pub mod node;
pub mod openapi;
pub mod protobuf;
pub mod server;

pub use node::NodeConnection;
pub use server::{ApiServer, Config};
