//! A simulated world: virtual clock, seeded randomness, in-memory store, a fake kubelet; the shipped API server and controllers
//! between them. A scenario of an hour takes a fraction of a second, and the same seed gives the same hour again.
//!
//! ```text
//! [ scenario ] ─▶ kube::Client ─▶ apiserver ─▶ store (memory)
//!                                   ▲    ▲
//!                     controllers ──┘    └── kubelet (programs: `succeed 5`, `fail 2 1`, `sleep`)
//! ```
//! Must not know about real time and real disks.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chance;
mod crash;
mod invariants;
mod kubelet;
mod recorder;
mod world;

pub use chance::Chance;
pub use world::World;
