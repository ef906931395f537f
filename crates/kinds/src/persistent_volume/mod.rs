//! PersistentVolume: storage that a claim can be bound to (K:pkg/apis/core/validation, K:pkg/registry/core/persistentvolume).
//!
//! `[ Available ] --a claim--> [ Bound ] --the claim is gone--> [ Released ] --Delete--> gone, or [ Failed ]`

mod kind;
mod validation;

pub use kind::PersistentVolume;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
