//! Gates before a write: the namespace must exist and not be on its way out (NamespaceLifecycle), then the plugins of
//! `kinds::admission`, which are shown the store and may have other objects written in the same transaction.

use crate::auth::{Attributes, Authorizer, Decision, User};
use crate::error::{Failure, what};
use crate::handlers::Call;
use crate::server::ApiServer;
use crate::storage;
use kinds::admission::{self, Operation, Request, Verdict, World, Write};
use kinds::rbac::Policy;
use kinds::{Kind, Scope};
use meta::status::{GroupResource, Status};
use serde_json::{Value, json};
use std::sync::Arc;
use store::{Op, Store, Txn};

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

/// The store, as plugins see it. What cannot be read is not there.
pub(crate) struct Stored<'a> {
    store: &'a Store,
    root_ca: Option<&'a str>,
    authorizer: &'a Authorizer,
}

impl<'a> Stored<'a> {
    pub(crate) fn of(server: &'a ApiServer) -> Self {
        Self { store: &server.store, root_ca: server.root_ca(), authorizer: &server.authorizer }
    }
}

impl World for Stored<'_> {
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let kind = kinds::by_resource(group, plural)?;
        let record = self.store.get(&storage::key(kind, namespace, name))?;
        storage::object(kind, &record).ok()
    }

    fn root_ca(&self) -> Option<&str> {
        self.root_ca
    }

    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value> {
        let Some(kind) = kinds::by_resource(group, plural) else {
            return Vec::new();
        };
        let range = self.store.range(&storage::prefix(kind, namespace), None, 0);
        range.records.iter().filter_map(|record| storage::object(kind, record).ok()).collect()
    }

    fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision {
        self.authorizer.authorize(user, attributes)
    }

    fn policy(&self) -> Arc<Policy> {
        self.authorizer.policy()
    }
}

/// What the plugins are told of a request, and where their warnings go.
pub(crate) struct Gate<'a> {
    pub operation: Operation,
    pub old: Option<&'a Value>,
    pub dry_run: bool,
}

impl Gate<'_> {
    /// Lets every plugin complete the object.
    pub(crate) fn mutate(&self, call: &mut Call<'_>, object: &mut Value) -> Result<(), Failure> {
        let warnings = self.ask(call, |request| admission::mutate(request, object))?;
        call.warnings.extend(warnings);
        Ok(())
    }

    /// Asks every plugin whether the object may be stored.
    pub(crate) fn validate(&self, call: &mut Call<'_>, object: &Value) -> Result<Vec<Write>, Failure> {
        let Verdict { warnings, writes } = self.ask(call, |request| admission::validate(request, object))?;
        call.warnings.extend(warnings);
        Ok(writes)
    }

    fn ask<T>(
        &self,
        call: &Call<'_>,
        plugins: impl FnOnce(&Request<'_>) -> Result<T, Box<Status>>,
    ) -> Result<T, Failure> {
        let world = Stored::of(call.server);
        let request = Request {
            user: &call.user,
            operation: self.operation,
            kind: call.kind,
            subresource: &call.path.subresource,
            namespace: &call.path.namespace,
            old: self.old,
            dry_run: self.dry_run,
            now: call.server.clock.now(),
            entropy: call.server.entropy.as_ref(),
            world: &world,
        };
        plugins(&request).map_err(Failure::from)
    }
}

/// Adds what plugins want written to a transaction, on condition that it still is what they saw.
pub(crate) fn join(txn: &mut Txn, writes: &[Write]) -> Result<(), Failure> {
    for write in writes {
        let unknown = || Status::internal(format!("admission writes the unknown resource {}", write.plural));
        let kind = kinds::by_resource(write.group, write.plural).ok_or_else(unknown)?;
        let (namespace, name) = (meta::object::namespace(&write.object), meta::object::name(&write.object));
        let key = storage::key(kind, namespace, name);
        let revision = meta::object::text(&write.object, "resourceVersion").parse().unwrap_or(0);
        txn.conditions.push((key.clone(), revision));
        txn.ops.push(Op::Put { key, value: storage::stored_form(kind, &write.object) });
    }
    Ok(())
}
