//! Who owns which field: sets of fields as `metadata.managedFields` writes them, what differs between two objects, and
//! server-side apply (K:sigs.k8s.io/structured-merge-diff, K:apimachinery/pkg/util/managedfields).
//!
//! ```text
//!  config --[ validate ]--> of(config) ---.
//!  live  ---[ merge ]-----> new object ---+--> [ apply ]  object and entries, or conflicts
//!  entries of the others -----------------'
//! ```
//! Everything is generic over a [`FieldSchema`], which says where a leaf ends: scalars, atomic lists and atomic maps are
//! owned whole, all else by its parts. Times are parameters.

mod apply;
mod compare;
mod last_applied;
mod managed;
mod merge;
mod owned;
mod schema;
mod set;
mod step;
mod validate;
mod wire;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

pub use apply::{Applied, Applier, Conflict, Conflicts, apply};
pub use compare::{Changes, compare};
pub use last_applied::{KUBECTL, LAST_APPLIED, allowed_by_last_applied, set_last_applied};
pub use managed::{Entry, Operation, Writer, is_reset, read, read_own, update, write};
pub use merge::merge;
pub use owned::{of, remove, with_named_fields};
pub use schema::{FieldSchema, Form, ListForm, ScalarForm};
pub use set::{Node, Set};
pub use step::{Path, Scalar, Step, path_text};
pub use validate::validate;
pub use wire::{covers, overlaps, parse, print};
