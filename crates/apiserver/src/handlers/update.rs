//! PUT, and what every change of an existing object has in common.

use super::{Call, decode, managed};
use crate::admission::{self, Gate};
use crate::error::{Failure, commit_failed};
use crate::respond::Answer;
use crate::storage;
use axum::body::Body;
use http::StatusCode;
use kinds::admission::{Operation, Write};
use kinds::{Kind, Part};
use meta::field::FieldError;
use meta::status::Status;
use serde_json::Value;
use std::sync::Arc;
use store::{CommitError, Op, Record, Txn};

/// How often an update that names no resourceVersion is tried again when others write meanwhile.
const ATTEMPTS: usize = 5;
/// How often what admission writes along may change under an update before it is told to come back.
const RACES: usize = 16;

/// Replaces the part of the object that this path may change.
pub(crate) async fn update(call: &mut Call<'_>, body: Body, part: Part) -> Result<Answer, Failure> {
    let dry_run = call.query.dry_run("UpdateOptions")?;
    let strictness = call.query.strictness("UpdateOptions")?;
    call.query.field_manager("UpdateOptions")?;
    let object = decode::object(call, body, strictness).await?;
    check_name(call, &object)?;
    let is_conditional = !meta::object::text(&object, "resourceVersion").is_empty();
    for attempt in 1.. {
        let record = call.record()?;
        let old = storage::object(call.kind, &record)?;
        let change = Change { call, part, dry_run };
        match change.apply(&record, &old, object.clone()).await {
            Err(Lost::Race) if !is_conditional && attempt < ATTEMPTS => {}
            Err(lost) => return Err(lost.into_failure(call)),
            Ok(written) => return written.answer(call, StatusCode::OK),
        }
    }
    Err(Status::modified(call.what(), &call.path.name).into())
}

/// The object in the body must be the one in the path (K: handlers/rest.go checkName).
pub(super) fn check_name(call: &Call<'_>, object: &Value) -> Result<(), Failure> {
    let (name, namespace) = (meta::object::name(object), meta::object::namespace(object));
    let path = &call.path;
    let message = if name.is_empty() {
        format!("the name of the object ({} based on URL) was undeterminable: name must be provided", path.name)
    } else if name != path.name {
        format!("the name of the object ({name}) does not match the name on the URL ({})", path.name)
    } else if !namespace.is_empty() && !path.namespace.is_empty() && namespace != path.namespace {
        format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request ({})",
            path.namespace
        )
    } else {
        return Ok(());
    };
    Err(Status::bad_request(message).into())
}

/// Why a change did not happen.
pub(crate) enum Lost {
    /// Somebody else wrote between the read and the write.
    Race,
    /// Somebody else wrote what admission wants written along.
    Along,
    Failed(Failure),
}

impl Lost {
    pub(crate) fn into_failure(self, call: &Call<'_>) -> Failure {
        match self {
            Self::Race | Self::Along => Status::modified(call.what(), &call.path.name).into(),
            Self::Failed(failure) => failure,
        }
    }
}

impl<E: Into<Failure>> From<E> for Lost {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

/// What became of an object.
pub(crate) enum Written {
    Stored(Arc<Record>),
    /// Only tried, or gone: its last state.
    Value(Value),
}

impl Written {
    pub(crate) fn answer(self, call: &Call<'_>, code: StatusCode) -> Result<Answer, Failure> {
        match self {
            Self::Stored(record) => call.answer_record(code, &record),
            Self::Value(object) => call.answer_object(code, object),
        }
    }
}

/// One change of one object.
pub(crate) struct Change<'c, 'a> {
    pub call: &'c mut Call<'a>,
    pub part: Part,
    pub dry_run: bool,
}

impl Change<'_, '_> {
    /// Notes whose the changed fields are, checks `new` against `old`, which was read as `record`, and writes it if
    /// nobody else has meanwhile. An object whose deletion waited for this very change goes.
    pub(crate) async fn apply(self, record: &Arc<Record>, old: &Value, mut new: Value) -> Result<Written, Lost> {
        managed::on_update(self.call, self.part, old, &mut new);
        self.finish(record, old, new).await
    }

    /// The same for an object that knows already whose its fields are.
    pub(crate) async fn finish(self, record: &Arc<Record>, old: &Value, mut new: Value) -> Result<Written, Lost> {
        let kind = self.call.kind;
        check_preconditions(self.call, old, &new)?;
        let gate = Gate { operation: Operation::Update, old: Some(old), dry_run: self.dry_run };
        gate.mutate(self.call, &mut new)?;
        keep_system_metadata(&mut new, old);
        kind.prepare_update(&mut new, old, self.part);
        if self.part == Part::Spec {
            kind.note_edit(&mut new, old, self.call.server.clock.now());
        }
        let mut errors = kind.validate_changed(&new, old, self.part);
        errors.extend(kind.validate_update(&new, old, self.part));
        errors.extend(new_finalizers(&new, old));
        if !errors.is_empty() {
            let names = kind.names();
            let name = meta::object::name(old);
            return Err(Status::invalid(names.group, names.kind, name, &errors).into());
        }
        if self.part == Part::Spec {
            let warnings = kind.update_warnings(&new, old);
            self.call.warnings.extend(warnings);
        }
        let writes = gate.validate(self.call, &new)?;
        storage::set_revision(&mut new, record.revision);
        managed::keep_times(old, &mut new);
        if new == *old && writes.is_empty() && !is_finished_deletion(kind, &new) {
            return Ok(Written::Stored(record.clone()));
        }
        if writes.is_empty() || self.dry_run || is_finished_deletion(kind, &new) {
            return self.write(record, new).await;
        }
        self.write_together(&gate, record, &new).await
    }

    /// Writes the object with what admission wants written along, which others may write meanwhile.
    async fn write_together(self, gate: &Gate<'_>, record: &Arc<Record>, new: &Value) -> Result<Written, Lost> {
        // As in a create: one after the other.
        let server = self.call.server.clone();
        let _charging = server.charging.lock().await;
        let mut writes = gate.validate(self.call, new)?;
        if writes.is_empty() {
            return put(self.call, record, new).await.map(Written::Stored);
        }
        for _ in 1..RACES {
            match put_with(self.call, record, new, &writes).await {
                Err(Lost::Along) => writes = gate.validate(self.call, new)?,
                other => return other.map(Written::Stored),
            }
        }
        put_with(self.call, record, new, &writes).await.map(Written::Stored)
    }

    /// Writes what has been checked, or lets the object go.
    pub(crate) async fn write(self, record: &Arc<Record>, mut new: Value) -> Result<Written, Lost> {
        let may_go = is_finished_deletion(self.call.kind, &new);
        if self.dry_run {
            storage::set_revision(&mut new, record.revision);
            return Ok(Written::Value(new));
        }
        if may_go {
            let revision = remove(self.call, record).await?;
            storage::set_revision(&mut new, revision);
            return Ok(Written::Value(new));
        }
        put(self.call, record, &new).await.map(Written::Stored)
    }
}

/// Writes an object over the record it was read as. What changes nothing is not written.
pub(crate) async fn put(call: &Call<'_>, record: &Arc<Record>, object: &Value) -> Result<Arc<Record>, Lost> {
    put_with(call, record, object, &[]).await
}

/// The same, together with what admission wants written along.
async fn put_with(
    call: &Call<'_>,
    record: &Arc<Record>,
    object: &Value,
    writes: &[Write],
) -> Result<Arc<Record>, Lost> {
    let value = storage::stored_form(call.kind, object);
    if value == record.value && writes.is_empty() {
        return Ok(record.clone());
    }
    let key = record.key.to_string();
    let mut txn =
        Txn { conditions: vec![(key.clone(), record.revision)], ops: vec![Op::Put { key: key.clone(), value }] };
    admission::join(&mut txn, writes)?;
    match call.server.store.commit(txn).await {
        Ok(committed) => {
            let record = committed.records.into_iter().next().flatten();
            let record = record.ok_or_else(|| Status::internal("a put left no record"))?;
            storage::remember(call.kind, &record, object);
            Ok(record)
        }
        Err(CommitError::Conflict { key: lost, .. }) if lost != key => Err(Lost::Along),
        Err(CommitError::Conflict { .. }) => Err(Lost::Race),
        Err(error) => Err(Lost::Failed(commit_failed(&error))),
    }
}

/// Removes the object if it still is what was read; answers the deletion's revision.
pub(crate) async fn remove(call: &Call<'_>, record: &Arc<Record>) -> Result<u64, Lost> {
    let key = record.key.to_string();
    let txn = Txn { conditions: vec![(key.clone(), record.revision)], ops: vec![Op::Delete { key }] };
    match call.server.store.commit(txn).await {
        Ok(committed) => Ok(committed.revision),
        Err(CommitError::Conflict { .. }) => Err(Lost::Race),
        Err(error) => Err(Lost::Failed(commit_failed(&error))),
    }
}

/// Marked as being deleted, and nothing holds it any more.
pub(super) fn is_finished_deletion(kind: &dyn Kind, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let grace_is_over = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0;
    meta::object::is_being_deleted(object)
        && grace_is_over
        && meta::object::finalizers(object).next().is_none()
        && !kind.holds_deletion(object)
}

/// resourceVersion and uid, when given, must be the object's.
fn check_preconditions(call: &Call<'_>, old: &Value, new: &Value) -> Result<(), Failure> {
    let name = meta::object::name(old);
    let text = |object, field| meta::object::text(object, field).to_owned();
    let (wanted, current) = (text(new, "uid"), text(old, "uid"));
    if !wanted.is_empty() && wanted != current {
        let detail = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {current}");
        return Err(Status::conflict(call.what(), name, &detail).into());
    }
    let (wanted, current) = (text(new, "resourceVersion"), text(old, "resourceVersion"));
    if !matches!(wanted.as_str(), "" | "0") && wanted != current {
        return Err(Status::modified(call.what(), name).into());
    }
    Ok(())
}

/// No write changes what identifies an object or says how far its deletion is.
fn keep_system_metadata(new: &mut Value, old: &Value) {
    let fields = meta::object::metadata(new);
    for key in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
    ] {
        match old["metadata"].get(key) {
            Some(value) => {
                fields.insert(key.into(), value.clone());
            }
            None => {
                fields.shift_remove(key);
            }
        }
    }
    fields.shift_remove("selfLink");
}

fn new_finalizers(new: &Value, old: &Value) -> Option<FieldError> {
    if !meta::object::is_being_deleted(old) {
        return None;
    }
    let added: Vec<String> = meta::object::finalizers(new)
        .filter(|finalizer| !meta::object::finalizers(old).any(|kept| kept == *finalizer))
        .map(meta::field::quote)
        .collect();
    (!added.is_empty()).then(|| {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        FieldError::forbidden("metadata.finalizers", &detail)
    })
}
