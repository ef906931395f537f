//! Pod: containers that run together. Its spec is also what a Job's template holds.

pub mod condition;
pub mod defaults;
pub mod eviction;
pub mod requests;
pub mod unsupported;
pub mod validation;

mod columns;
mod kind;
mod strategy;
mod update;
mod warnings;

pub(crate) use warnings::of_template as template_warnings;

pub use kind::Pod;
pub use strategy::qos_class;
