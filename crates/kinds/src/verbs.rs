//! The verbs that kinds are served with.

/// Every verb; kinds with fewer say so themselves.
pub(crate) const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Namespaces are not deleted by the dozen.
pub(crate) const ALL_BUT_DELETE_COLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];

/// Questions are asked, not kept.
pub(crate) const CREATE: &[&str] = &["create"];
