//! The whole API server in process, on a store in memory and a clock that stands still: requests in, answers out.
#![allow(missing_docs, reason = "a test binary")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fake_node;
mod harness;
mod network;

mod admission;
mod applies;
mod authorization;
mod bodies;
mod connections;
mod consistency;
mod deletion;
mod documents;
mod hostile;
mod impersonation;
mod lists;
mod managed_fields;
mod negotiation;
mod operations;
mod patches;
mod reviews;
mod sealing;
mod subresources;
mod tls;
mod tokens;
mod verbs;
mod volumes;
mod watchers;
mod watches;
mod web_sockets;
