//! PersistentVolumeClaim: a wish for storage, which a volume fulfils (K:pkg/apis/core/validation, K:pkg/registry/core/persistentvolumeclaim).
//!
//! `[ Pending ] --a volume is found or made--> [ Bound ] --its volume is gone--> [ Lost ]`

mod kind;
mod validation;

pub use kind::PersistentVolumeClaim;
pub(crate) use validation::check_spec;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
