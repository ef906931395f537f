//! Which objects a list, watch or deletecollection is about.

use super::Call;
use crate::error::Failure;
use crate::storage::{self, View};
use kinds::Scope;
use meta::selector::{FieldSelector, LabelSelector};
use meta::status::Status;
use serde_json::Value;

/// Label and field selectors together.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Filter {
    /// From the query; 400 with the API server's texts when it is malformed or names an unknown field.
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, Failure> {
        let labels = LabelSelector::parse(call.query.text("labelSelector")).map_err(Status::bad_request)?;
        let fields = FieldSelector::parse(call.query.text("fieldSelector")).map_err(Status::bad_request)?;
        let known = call.kind.selectable_fields(&Value::Null);
        for (field, _, _) in &fields.terms {
            let is_known = matches!(field.as_str(), "metadata.name" | "metadata.namespace")
                || known.iter().any(|(name, _)| name == field);
            if !is_known {
                return Err(Status::bad_request(call.kind.unknown_field(field)).into());
            }
        }
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.terms.is_empty()
    }

    pub(crate) fn matches(&self, view: &View) -> bool {
        (self.labels.is_empty() || self.labels.matches(|label| view.label(label)))
            && (self.fields.terms.is_empty() || self.fields.matches(|field| view.field(field)))
    }

    /// What to look under: one object's key when the selector names it (its neighbours, whose keys begin alike, are
    /// still filtered out), else the namespace.
    pub(crate) fn prefix(&self, call: &Call<'_>) -> String {
        let namespace = call.path.namespace.as_str();
        let one_place = !namespace.is_empty() || call.kind.names().scope == Scope::Cluster;
        match self.fields.required("metadata.name") {
            Some(name) if one_place && !name.is_empty() => storage::key(call.kind, namespace, name),
            _ => storage::prefix(call.kind, namespace),
        }
    }
}
