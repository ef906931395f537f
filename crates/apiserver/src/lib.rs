//! The Kubernetes API over HTTP: generic handlers over `kinds::KINDS` on a `store::Store`. Must not know any kind by name.
//!
//! [ listener ] -> [ server ] -> [ route ] -> [ auth ] -> [ handlers | subresources -> streams | discovery ] -> [ storage ]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod server;

mod connections;
mod listener;

mod deadline;
mod delivery;
mod inflight;
mod request;
mod route;

mod audit;
mod health;
pub mod metrics;

pub mod auth;

mod admission;
mod bootstrap;
mod expiry;
mod handlers;
mod streams;
mod subresources;

mod sealing;
mod snapshot;
mod storage;

mod body;
mod discovery;
mod error;
mod negotiate;
mod query;
mod respond;
mod table;
mod warnings;

#[doc(hidden)]
pub mod fuzzing;
pub mod node;
pub mod openapi;
pub mod protobuf;

pub use connections::Limits;
pub use node::NodeConnection;
pub use sealing::Sealer;
pub use server::{ApiServer, Config};
