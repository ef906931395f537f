#![cfg_attr(test, allow(clippy::unwrap_used))]
//! What every Kubernetes object has, and the algebra on it: names, selectors, quantities, field errors,
//! Status, patches. Pure: no clock, no file, no socket; must not know about any kind.

pub mod clock;
pub mod duration;
pub mod field;
pub mod fields;
pub mod go_duration;
pub mod names;
pub mod object;
pub mod patch;
pub mod quantity;
pub mod selector;
pub mod status;
pub mod user;
