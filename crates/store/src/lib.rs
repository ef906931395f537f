//! Keys → bytes with a revision: durable in SQLite, read and watched from memory. Must not know about any kind.
//!
//! ```text
//! commit ──> writer thread ──> SQLite (one fsync for all who wait) ──> memory ──> answer
//! get, range, watch ─────────────────────────────────────────────────> memory
//! ```
//!
//! Keys are `/{group or "core"}/{resource}/{namespace or ""}/{name}`; the first two segments name the resource
//! whose ring of events a watcher reads.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod store;

mod envelope;
mod options;
mod record;
mod txn;

mod memory;
mod ring;
mod watcher;

mod batch;
mod writer;

mod data_dir;
mod database;
mod reserve;

pub use data_dir::{OpenError, holder, prepare};
pub use envelope::Envelope;
pub use options::Options;
pub use record::{Event, Range, Record};
pub use store::Store;
pub use txn::{CommitError, Committed, MAX_TXN_BYTES, MAX_TXN_OPS, Op, Txn};
pub use watcher::{Compacted, Watcher};
