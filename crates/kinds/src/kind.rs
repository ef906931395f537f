//! What the server needs to know of a kind. Everything here is a pure function of objects and instants.

use crate::review::Review;
use crate::{metadata, strategy};
use jiff::{Timestamp, Zoned};
use meta::field::FieldError;
use serde_json::Value;

/// Whether objects live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They stand by themselves.
    Cluster,
}

/// What a kind is called on the wire.
#[derive(Debug)]
pub struct Names {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version within the group.
    pub version: &'static str,
    /// What `kind` says in objects.
    pub kind: &'static str,
    /// What stands in URLs.
    pub plural: &'static str,
    /// What kubectl prints and takes for one.
    pub singular: &'static str,
    /// Short names that kubectl takes.
    pub short: &'static [&'static str],
    /// Groups of kinds it is listed with: `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub scope: Scope,
    /// e.g. create, delete, deletecollection, get, list, patch, update, watch.
    pub verbs: &'static [&'static str],
    /// Subresources by name, e.g. `status`, `log`, `binding`.
    pub subresources: &'static [&'static str],
}

/// Which part of an object a write may change. Metadata may change with every part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Spec,
    /// The status: subresource `status`.
    Status,
}

/// What happens to dependents when an owner is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They stay, without an owner.
    Orphan,
    /// They go after the owner has gone.
    Background,
    /// They go before the owner does.
    Foreground,
}

/// What a DELETE does to an object that has no finalizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Gone at once.
    Now,
    /// Marked, with this grace period, for its agent to finish.
    Graceful {
        /// How long its agent has.
        grace_seconds: i64,
    },
}

/// A column of `kubectl get`.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading; kubectl prints it in capitals.
    pub name: &'static str,
    /// `string`, `integer`, `boolean`, `date`.
    pub kind: &'static str,
    /// `name` for the first column, else empty.
    pub format: &'static str,
    /// What it shows, for people.
    pub description: &'static str,
    /// 0 always shown; 1 with `-o wide`.
    pub priority: u8,
}

/// One cell: text, number or boolean.
pub type Cell = Value;

/// One row of a table.
#[derive(Debug, Default)]
pub struct Row {
    /// One for each column.
    pub cells: Vec<Cell>,
    /// metav1.TableRowCondition values
    pub conditions: Vec<Value>,
}

/// One kind of object. `object` is always whole: `apiVersion`, `kind`, `metadata`, …
///
/// Order on create: decode (strict) → `default` → server fills metadata (name, namespace, uid, creationTimestamp)
/// → `prepare_create` → `default` again (labels inherited from templates) → `validate` → `warnings` → stored.
/// Order on update: decode → `default` → server keeps system metadata → `prepare_update` → `note_edit` →
/// `validate_changed` + `validate_update` → `update_warnings`.
pub trait Kind: Send + Sync + std::fmt::Debug {
    /// What it is called on the wire.
    fn names(&self) -> &'static Names;
    /// The root's name in the schema table, e.g. `io.k8s.api.batch.v1.Job`.
    fn type_name(&self) -> &'static str;
    /// Fills in defaults. Also run on every read from the store, so it is idempotent.
    fn default(&self, object: &mut Value);
    /// Clears what only controllers write, sets generation and generated fields.
    fn prepare_create(&self, object: &mut Value);
    /// Copies back what this write may not touch (`Part::Spec` keeps old status, `Part::Status` keeps everything but
    /// metadata and status) and bumps metadata.generation when the spec changed.
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part);
    /// Notes in an update of `Part::Spec` what decisions to come have to know of its moment.
    fn note_edit(&self, _object: &mut Value, _old: &Value, _now: Timestamp) {}
    /// Fields that this write never changes, so that it makes nobody their manager; each a path of names.
    fn reset_fields(&self, part: Part) -> &'static [&'static [&'static str]] {
        match (self.names().subresources.contains(&"status"), part) {
            (true, Part::Spec) => &[&["status"]],
            (true, Part::Status) => &[&["spec"]],
            (false, _) => &[],
        }
    }
    /// Every mistake in a new object.
    fn validate(&self, object: &Value) -> Vec<FieldError>;
    /// Every mistake in an object as an update leaves it. What the update did not change is not judged again: a status
    /// write is asked for its metadata only (`validate_update` looks at the status), and so is one that changes metadata
    /// only. An object from before a rule can still lose its finalizers.
    fn validate_changed(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        match part {
            Part::Spec if !strategy::is_same_content(object, old) => self.validate(object),
            Part::Spec | Part::Status => metadata::validate_changed(object, self.names().scope),
        }
    }
    /// Every mistake in changing `old` into `object`.
    fn validate_update(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError>;
    /// Texts for Warning headers on create.
    fn warnings(&self, _object: &Value) -> Vec<String> {
        Vec::new()
    }
    /// The same on an update of anything but the status.
    fn update_warnings(&self, object: &Value, _old: &Value) -> Vec<String> {
        self.warnings(object)
    }
    /// Fields that selectors may name beside metadata.name and metadata.namespace, with this object's values.
    fn selectable_fields(&self, _object: &Value) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// What is said of a field that selectors may not name. Kinds that register fields of their own have other words for
    /// it than those that take the two of every kind (K:apimachinery/pkg/runtime DefaultMetaV1FieldSelectorConversion).
    fn unknown_field(&self, field: &str) -> String {
        match self.selectable_fields(&Value::Null).is_empty() {
            true => {
                let field = meta::field::quote(field);
                format!("{field} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
            }
            false => format!("field label not supported: {field}"),
        }
    }
    /// The columns of `kubectl get`, those of `-o wide` among them.
    fn columns(&self) -> &'static [Column];
    /// One row; `now` is what ages are counted from.
    fn row(&self, object: &Value, now: Timestamp) -> Row;
    /// One row of a kind whose objects may mean the machine's own zone.
    fn local_row(&self, object: &Value, now: &Zoned) -> Row {
        self.row(object, now.timestamp())
    }
    /// What DELETE without propagationPolicy means.
    fn default_propagation(&self) -> Propagation {
        Propagation::Background
    }
    /// What DELETE does, given the grace period asked for (seconds).
    fn deletion(&self, _object: &Value, _grace_seconds: Option<i64>) -> Deletion {
        Deletion::Now
    }
    /// The Warning for a DELETE that names no propagationPolicy: Jobs keep their pods then, which surprises.
    fn deletion_warning(&self) -> Option<&'static str> {
        None
    }
    /// Whether a DELETE that lets an object go answers with the object, and not with a Status: `ReturnDeletedObject` of
    /// K:pkg/registry/*/storage.
    fn returns_deleted(&self) -> bool {
        false
    }
    /// Why this object may not be deleted at all: the namespaces that a cluster begins with.
    fn deletion_refusal(&self, _object: &Value) -> Option<&'static str> {
        None
    }
    /// Whether more than metadata.finalizers keeps a deleted object: a Namespace's spec.finalizers.
    fn holds_deletion(&self, _object: &Value) -> bool {
        false
    }
    /// What else changes when an object is marked as being deleted and stays: a Namespace's phase.
    fn mark_deleted(&self, _object: &mut Value) {}
    /// How long an object lives after its last write, in seconds: events 3600.
    fn time_to_live_seconds(&self) -> Option<i64> {
        None
    }
    /// When the object was last written, as far as it tells itself (events: lastTimestamp, series). Used for objects
    /// that are older than the running server.
    fn last_written(&self, object: &Value) -> Option<Timestamp> {
        object["metadata"]["creationTimestamp"].as_str()?.parse().ok()
    }
    /// Whether objects are kept encrypted on disk.
    fn is_confidential(&self) -> bool {
        false
    }
    /// Group and plural that objects are stored under: events of both groups share the core group's.
    fn storage(&self) -> (&'static str, &'static str) {
        (self.names().group, self.names().plural)
    }
    /// Turns the form that `storage()`'s own kind stores into this kind's.
    #[expect(clippy::wrong_self_convention, reason = "the pair of to_storage; what turns is the argument")]
    fn from_storage(&self, _object: &mut Value) {}
    /// Turns this kind's form into the one that `storage()`'s own kind stores.
    fn to_storage(&self, _object: &mut Value) {}
    /// The kind as a question that is answered and never stored; `None` for every kind that is stored.
    fn as_review(&self) -> Option<&dyn Review> {
        None
    }
    /// What an object of `bootstrap::always` becomes at a later start; `None` when it may stay as it is.
    fn reconcile(&self, _existing: &Value, _expected: &Value) -> Option<Value> {
        None
    }
}
