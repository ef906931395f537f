//! Gates between a request and the store, beyond what a kind says of itself: they see the user and other objects.
//!
//! decode → default → `mutate` of every plugin → prepare → validation → `validate` of every plugin → stored
//!
//! A plugin is pure: what it looks at comes through a `World`, what it wants written goes out as a `Verdict`.

mod default_storage_class;
mod default_toleration_seconds;
mod limit_ranger;
mod new_namespace;
mod persistent_volume_claim_resize;
pub(crate) mod pod_security;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use_protection;
#[cfg(test)]
pub(crate) mod testing;

use crate::access::{Attributes, Decision};
use crate::kind::Kind;
use crate::rbac::{self, Policy};
use jiff::Timestamp;
use meta::clock::Entropy;
use meta::status::{GroupResource, Status};
use meta::user::User;
use serde_json::Value;
use std::sync::Arc;

/// Every plugin, in the order they are asked (K:pkg/kubeapiserver/options/plugins.go).
pub const PLUGINS: &[&dyn Plugin] = &[
    &new_namespace::NewNamespace,
    &limit_ranger::LimitRanger,
    &service_account::ServiceAccount,
    &pod_security::PodSecurity,
    &priority::Priority,
    &default_toleration_seconds::DefaultTolerationSeconds,
    &storage_object_in_use_protection::StorageObjectInUseProtection,
    &default_storage_class::DefaultStorageClass,
    &persistent_volume_claim_resize::PersistentVolumeClaimResize,
    &runtime_class::RuntimeClass,
    &rbac::escalation::EscalationCheck,
    // Last, so that nothing is charged for what another refuses.
    &resource_quota::ResourceQuota,
];

/// What is about to happen to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Create,
    /// It exists and changes.
    Update,
}

/// Other objects, as they are while the request is looked at.
pub trait World {
    /// One object, with its resourceVersion; the namespace is empty for what lives in none.
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value>;
    /// All objects of a namespace; of all namespaces, or of a kind that lives in none, when it is empty.
    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value>;
    /// May this user do that? Asked for what a request implies beyond itself.
    fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision;
    /// All roles and bindings.
    fn policy(&self) -> Arc<Policy>;
    /// The CA's certificate (PEM) that clients know this server by; `None` for a server that nobody reaches from outside.
    fn root_ca(&self) -> Option<&str> {
        None
    }
}

/// A request as plugins see it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What for.
    pub operation: Operation,
    /// Of which kind the object is.
    pub kind: &'static dyn Kind,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Empty for what lives in no namespace.
    pub namespace: &'a str,
    /// What it is now, on update.
    pub old: Option<&'a Value>,
    /// Nothing will be written.
    pub dry_run: bool,
    /// The current instant.
    pub now: Timestamp,
    /// For names that are made up.
    pub entropy: &'a dyn Entropy,
    /// Other objects.
    pub world: &'a dyn World,
}

impl Request<'_> {
    /// Whether it is about an object of this group and plural itself, not about a subresource.
    pub fn is_about(&self, group: &str, plural: &str) -> bool {
        let names = self.kind.names();
        self.subresource.is_empty() && (names.group, names.plural) == (group, plural)
    }

    /// 403, about this object; before it has its generated name, about the prefix.
    pub fn forbidden(&self, object: &Value, detail: &str) -> Box<Status> {
        let names = self.kind.names();
        let name = match meta::object::name(object) {
            "" => meta::object::text(object, "generateName"),
            name => name,
        };
        let name = if name.is_empty() { "Unknown" } else { name };
        let what = GroupResource { group: names.group, resource: names.plural };
        Box::new(Status::forbidden(what, name, detail))
    }
}

/// Another object that is written together with the one asked for, or both are not.
#[derive(Debug, Clone)]
pub struct Write {
    /// Its kind's group.
    pub group: &'static str,
    /// Its kind's plural.
    pub plural: &'static str,
    /// What it becomes. It is written only if it still has the resourceVersion that stands in it.
    pub object: Value,
}

/// What follows from letting a request pass.
#[derive(Debug, Default)]
#[must_use = "a decision nobody applies is a lost decision"]
pub struct Verdict {
    /// Texts for Warning headers.
    pub warnings: Vec<String>,
    /// What is written with it: a quota that is charged.
    pub writes: Vec<Write>,
}

impl Verdict {
    /// Let it pass, and nothing more.
    pub fn pass() -> Self {
        Self::default()
    }
}

/// One gate.
pub trait Plugin: Sync {
    /// Kubernetes' name for it.
    fn name(&self) -> &'static str;
    /// Completes the object, before validation. May be called again for the same request: it starts from the same object.
    fn mutate(&self, _request: &Request<'_>, _object: &mut Value) -> Result<Vec<String>, Box<Status>> {
        Ok(Vec::new())
    }
    /// Looks at the object as it would be stored.
    fn validate(&self, _request: &Request<'_>, _object: &Value) -> Result<Verdict, Box<Status>> {
        Ok(Verdict::pass())
    }
}

/// Asks every plugin to complete the object; the texts are warnings.
pub fn mutate(request: &Request<'_>, object: &mut Value) -> Result<Vec<String>, Box<Status>> {
    let mut warnings = Vec::new();
    for plugin in PLUGINS {
        warnings.extend(plugin.mutate(request, object)?);
    }
    Ok(warnings)
}

/// Asks every plugin whether the object may be stored. The first that says no decides.
pub fn validate(request: &Request<'_>, object: &Value) -> Result<Verdict, Box<Status>> {
    let mut all = Verdict::pass();
    for plugin in PLUGINS {
        let verdict = plugin.validate(request, object)?;
        all.warnings.extend(verdict.warnings);
        all.writes.extend(verdict.writes);
    }
    Ok(all)
}
