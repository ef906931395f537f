//! What stands behind an object's name: logs, bindings, finalizers, tokens. `status` is an update like any other.

pub(crate) mod binding;
pub(crate) mod finalize;
pub(crate) mod log;
pub(crate) mod token;

use crate::error::Failure;
use meta::status::Status;

/// A subresource that this version does not have, by its plain name.
pub(crate) fn not_supported(resource: &str, subresource: &str) -> Failure {
    let way_out = match subresource {
        "exec" | "attach" => "; what a container prints can be read with kubectl logs",
        _ => "",
    };
    Status::not_implemented(format!("{resource}/{subresource} is not supported by this version of kiln{way_out}"))
        .into()
}
