//! Gates before a create: today the namespace must exist and not be on its way out (NamespaceLifecycle).

use crate::error::{Failure, what};
use kinds::{Kind, Scope};
use meta::status::{GroupResource, Status};
use serde_json::json;
use store::Store;

const NAMESPACES: GroupResource<'_> = GroupResource { group: "", resource: "namespaces" };

/// A condition that must still hold when the object is written: key and revision.
pub(crate) type Condition = Option<(String, u64)>;

/// Whether an object of this kind may be created in this namespace now.
pub(crate) fn namespace_takes(
    store: &Store,
    kind: &dyn Kind,
    namespace: &str,
    name: &str,
) -> Result<Condition, Failure> {
    if kind.names().scope == Scope::Cluster {
        return Ok(None);
    }
    let missing = || Failure::from(Status::not_found(NAMESPACES, namespace));
    let namespaces = kinds::by_resource(NAMESPACES.group, NAMESPACES.resource).ok_or_else(missing)?;
    let key = crate::storage::key(namespaces, "", namespace);
    let record = store.get(&key).ok_or_else(missing)?;
    let object = crate::storage::object(namespaces, &record)?;
    if meta::object::text(&object, "deletionTimestamp").is_empty() {
        return Ok(Some((key, record.revision)));
    }
    let detail = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let cause = json!({
        "reason": "NamespaceTerminating",
        "message": format!("namespace {namespace} is being terminated"),
        "field": "metadata.namespace",
    });
    let mut status = Status::forbidden(what(kind.names()), name, &detail);
    if let Some(details) = status.details.as_object_mut() {
        details.insert("causes".into(), json!([cause]));
    }
    Err(status.into())
}
