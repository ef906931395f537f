//! Objects that a server begins with.

use crate::{namespace, priority_class, rbac, service, storage_class};
use serde_json::{Value, json};

/// Makers of objects that a server is given once: whoever deletes or changes one of them afterwards keeps it so. Each has
/// to name its kind, itself and, if it lives in one, its namespace.
pub const ONCE: &[fn() -> Value] = &[storage_class::standard];

/// K:pkg/controlplane/controller/systemnamespaces, and `default`.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Objects that are there whenever a server starts, in an order in which they can be made. What somebody changed in one
/// stays, but for what its kind completes (`Kind::reconcile`).
pub fn always(root_ca: Option<&str>) -> Vec<Value> {
    let namespace_named = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut objects: Vec<Value> = NAMESPACES.into_iter().map(namespace_named).collect();
    for name in NAMESPACES {
        objects.extend(namespace::furniture(name, root_ca).into_iter().map(|(_, object)| object));
    }
    objects.extend(priority_class::system());
    objects.push(service::of_api_server());
    objects.extend(rbac::bootstrap_objects());
    objects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KINDS;
    use crate::testing::{check_errors, created};

    #[test]
    fn each_is_valid() {
        for object in always(Some("PEM")).into_iter().chain(ONCE.iter().map(|make| make())) {
            let kind = KINDS.iter().find(|kind| kind.names().kind == object["kind"].as_str().unwrap()).unwrap();
            check_errors(*kind, &object, &[]);
            assert_eq!(kind.reconcile(&created(*kind, &object), &object), None, "{object}");
        }
    }
}
