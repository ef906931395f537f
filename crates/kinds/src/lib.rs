//! One folder per kind, all pure: names, defaults, validation, strategy, table columns, and the decisions.
//! Must not know about clocks, files, sockets, async.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod kind;

pub mod configmap;
pub mod cronjob;
pub mod event;
pub mod job;
pub mod lease;
pub mod namespace;
pub mod node;
pub mod pod;
pub mod secret;
pub mod service_account;

pub mod correlate;
pub mod schema;

mod at;
mod metadata;
mod strategy;
mod table;
#[cfg(test)]
mod testing;
mod unsupported;
mod verbs;

pub use kind::{Cell, Column, Deletion, Kind, Names, Part, Propagation, Row, Scope};

/// Every kind this server serves. Handlers, discovery, OpenAPI, tables, RBAC names and the CLI are read from it.
pub const KINDS: &[&dyn Kind] = &[
    &configmap::ConfigMap,
    &event::CoreEvent,
    &namespace::Namespace,
    &node::Node,
    &pod::Pod,
    &secret::Secret,
    &service_account::ServiceAccount,
    &job::Job,
    &cronjob::CronJob,
    &lease::Lease,
    &event::Event,
];

/// Looks a kind up by group and plural name.
pub fn by_resource(group: &str, plural: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.names().group == group && kind.names().plural == plural)
}
