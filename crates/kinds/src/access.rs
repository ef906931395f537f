//! What may be asked of an authorizer, and what it answers (K:apiserver/pkg/authorization/authorizer).

/// What is asked for, in the words of RBAC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// get, list, watch, create, update, patch, delete, deletecollection; for paths the method in lower case.
    pub verb: &'a str,
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Plural name; empty when a path is asked for.
    pub resource: &'a str,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Empty for all namespaces and for cluster-scoped resources.
    pub namespace: &'a str,
    /// Empty for collections.
    pub name: &'a str,
    /// The path, when no resource is asked for; then all but the verb is empty.
    pub path: Option<&'a str>,
}

/// An authorizer's answer, with the reason it gives; empty when there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a decision nobody applies is a lost decision"]
pub enum Decision {
    /// Yes.
    Allow(String),
    /// Nothing allows it, which is as good as no.
    NoOpinion(String),
}

impl Decision {
    /// Whether it is a yes.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}
