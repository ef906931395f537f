//! A simulated world: virtual clock, seeded randomness, in-memory store, a runtime that plays its containers; the shipped API
//! server, controllers and agent between them. A scenario of an hour takes a moment. A scenario gives the same output every
//! time, and so does a storm for its seed, `SEED=n`.
//!
//! ```text
//! [ scenario ] ─▶ kube::Client ─▶ apiserver ─▶ store (memory)
//!                                   ▲    ▲
//!                     controllers ──┘    └── agent ─▶ runtime (programs: `succeed 5`, `fail 2 1`, `sleep`)
//! ```
//! Must not know about real time. The agent's few small files lie in a temporary directory, written on the spot.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chance;
mod containers;
mod crash;
mod cron;
mod door;
mod invariants;
mod node;
mod recorder;
mod weather;
mod world;

pub use chance::Chance;
pub use crash::{Fuse, When};
pub use weather::{Damage, Weather};
pub use world::World;
