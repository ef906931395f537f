//! What stands behind an object's name: logs, programs in containers, bindings, finalizers, tokens. `status` is an update
//! like any other.

pub(crate) mod binding;
pub(crate) mod eviction;
pub(crate) mod finalize;
pub(crate) mod log;
pub(crate) mod stream;
pub(crate) mod token;

mod container;

use crate::error::Failure;
use meta::status::Status;

/// A subresource that this version does not have, by its plain name.
pub(crate) fn not_supported(resource: &str, subresource: &str) -> Failure {
    Status::not_implemented(format!("{resource}/{subresource} is not supported by this version of kiln")).into()
}
