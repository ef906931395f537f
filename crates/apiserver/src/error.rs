//! Failures on their way to a client: a Status, and the texts that have no constructor of their own in `meta`.

use kinds::Names;
use meta::field::FieldError;
use meta::status::{GroupResource, Status};
use serde_json::json;

/// A Status that ends a request. Boxed, because results carry it everywhere.
#[derive(Debug)]
pub(crate) struct Failure(Box<Status>);

impl Failure {
    pub(crate) fn status(&self) -> &Status {
        &self.0
    }
}

impl From<Box<Status>> for Failure {
    fn from(status: Box<Status>) -> Self {
        Self(status)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(Box::new(status))
    }
}

/// The group and resource of a kind, as error texts name it.
pub(crate) fn what(names: &Names) -> GroupResource<'static> {
    GroupResource { group: names.group, resource: names.plural }
}

/// 422 for options: `ListOptions.meta.k8s.io "" is invalid: …`.
pub(crate) fn invalid_options(kind: &str, errors: &[FieldError]) -> Failure {
    Status::invalid("meta.k8s.io", kind, "", errors).into()
}

/// 504 for a revision from the future.
pub(crate) fn too_large_revision(wanted: u64, current: u64) -> Failure {
    Status::timeout(format!("Too large resource version: {wanted}, current: {current}"))
        .about(json!({"retryAfterSeconds": 1}))
        .because("ResourceVersionTooLarge", "Too large resource version", "")
        .into()
}

/// What a failed commit means to a client; conflicts are the caller's to name.
pub(crate) fn commit_failed(error: &store::CommitError) -> Failure {
    match error {
        store::CommitError::Conflict { key, .. } => Status::internal(format!("{key} was written meanwhile")).into(),
        store::CommitError::TooLarge(_) => Status::request_entity_too_large(MAX_BODY_BYTES).into(),
        store::CommitError::DiskFull => {
            let mut status = Status::internal(
                "no space left in the data directory: nothing can be created or changed until space is freed; reads and deletes go on",
            );
            status.code = 507;
            status.reason = "InsufficientStorage".into();
            status.into()
        }
        store::CommitError::Unsealed(why) => Status::internal(why.as_str()).into(),
        store::CommitError::Closed => Status::service_unavailable("the server is shutting down").into(),
    }
}

/// K:apiserver/pkg/server/config.go MaxRequestBodyBytes.
pub(crate) const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;
