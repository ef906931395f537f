//! SPDY/3.1, as far as Kubernetes uses it: many streams in one connection, each opened by the client with a few headers. kubectl up to 1.29
//! executes and attaches over it, every kubectl forwards ports over it, since 1.31 inside a WebSocket.
//!
//! ```text
//!  bytes -> frame (cuts) -> headers (inflates) -> connection (one task reads, one writes) -> remote_command | port_forward
//! ```
//!
//! `frame` and `headers` are pure. No flow control: the library that Kubernetes uses on both sides has none either.

pub(crate) mod connection;
pub(crate) mod port_forward;
pub(crate) mod remote_command;

mod frame;
mod headers;
