//! One folder per kind, all pure: names, defaults, validation, strategy, table columns, and the decisions.
//! Must not know about clocks, files, sockets, async.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod correlate;
pub mod job;
pub mod kind;
pub mod schema;

pub use kind::{Cell, Column, Deletion, Kind, Names, Part, Propagation, Row, Scope};

/// Every kind this server serves. Handlers, discovery, OpenAPI, tables, RBAC names and the CLI are read from it.
pub const KINDS: &[&dyn Kind] = &[];

/// Looks a kind up by group and plural name.
pub fn by_resource(group: &str, plural: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.names().group == group && kind.names().plural == plural)
}
