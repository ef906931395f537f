//! POST: a new object. The order of work is K:apiserver/pkg/registry/generic/registry/store.go's.

use super::{Call, decode, managed, review};
use crate::admission::{self, Gate};
use crate::error::{Failure, commit_failed};
use crate::respond::Answer;
use crate::storage;
use axum::body::Body;
use http::StatusCode;
use kinds::Scope;
use kinds::admission::Operation;
use meta::field::FieldError;
use meta::status::Status;
use serde_json::{Map, Value};
use store::{CommitError, Op, Txn};

/// How often a generated name may collide before the client is told.
const NAME_ATTEMPTS: usize = 8;

/// No kind's own rules allow as much, but for those (of RBAC) that bound a name by nothing.
const NAME_BYTES: usize = 1024;

/// How often the namespace, or what admission writes along, may change under a create before it is told to come back.
const RACES: usize = 16;

pub(crate) async fn create(call: &mut Call<'_>, body: Body) -> Result<Answer, Failure> {
    let dry_run = call.query.dry_run("CreateOptions")?;
    let strictness = call.query.strictness("CreateOptions")?;
    call.query.field_manager("CreateOptions")?;
    let mut decoded = decode::object(call, body, strictness).await?;
    place(call, &mut decoded)?;
    if let Some(review) = call.kind.as_review() {
        return review::answer(call, review, &decoded);
    }
    managed::on_create(call, &mut decoded);
    insert(call, decoded, dry_run).await
}

/// Creates an object that is in its place and knows whose its fields are.
pub(super) async fn insert(call: &mut Call<'_>, decoded: Value, dry_run: bool) -> Result<Answer, Failure> {
    let is_generated =
        meta::object::name(&decoded).is_empty() && !meta::object::text(&decoded, "generateName").is_empty();
    let n_warnings = call.warnings.len();
    let (mut n_names, mut n_races) = (1, 1);
    loop {
        let name = meta::object::name(&decoded);
        let namespace = &call.path.namespace.clone();
        let condition = admission::namespace_takes(&call.server.store, call.kind, namespace, name)?;
        let gate = Gate { operation: Operation::Create, old: None, dry_run };
        call.warnings.truncate(n_warnings);
        let mut object = decoded.clone();
        gate.mutate(call, &mut object)?;
        complete(call, &mut object)?;
        let n_warnings_before = call.warnings.len();
        let mut writes = gate.validate(call, &object)?;
        let mut charging = None;
        if !writes.is_empty() && !dry_run {
            // One after the other, and looked at again: whoever held the lock has changed it.
            charging = Some(call.server.charging.lock().await);
            call.warnings.truncate(n_warnings_before);
            writes = gate.validate(call, &object)?;
        }
        let name = meta::object::name(&object).to_owned();
        let key = storage::key(call.kind, namespace, &name);
        if dry_run {
            let exists = call.server.store.get(&key).is_some();
            if !exists {
                warn(call, &object);
                return call.answer_object(StatusCode::CREATED, object);
            }
            if is_generated && n_names < NAME_ATTEMPTS {
                n_names += 1;
                continue;
            }
            return Err(Status::already_exists(call.what(), &name).into());
        }
        let value = storage::stored_form(call.kind, &object);
        let mut txn = Txn {
            conditions: [(key.clone(), 0)].into_iter().chain(condition).collect(),
            ops: vec![Op::Put { key: key.clone(), value }],
        };
        admission::join(&mut txn, &writes)?;
        let committed = call.server.store.commit(txn).await;
        drop(charging);
        match committed {
            Ok(committed) => {
                warn(call, &object);
                let record = committed.records.into_iter().next().flatten();
                let record = record.ok_or_else(|| Status::internal("a put left no record"))?;
                storage::remember(call.kind, &record, &object);
                return call.answer_record(StatusCode::CREATED, &record);
            }
            // The namespace, or what admission writes along, was written meanwhile: look at it again.
            Err(CommitError::Conflict { key: lost, .. }) if lost != key => {
                n_races += 1;
                if RACES < n_races {
                    return Err(Status::conflict(call.what(), &name, &format!("{lost} keeps changing")).into());
                }
            }
            Err(CommitError::Conflict { .. }) if !is_generated => {
                return Err(Status::already_exists(call.what(), &name).into());
            }
            Err(CommitError::Conflict { .. }) if n_names < NAME_ATTEMPTS => n_names += 1,
            Err(CommitError::Conflict { .. }) => {
                return Err(Status::generated_name_exists(call.what(), &name).into());
            }
            Err(error) => return Err(commit_failed(&error)),
        }
    }
}

fn warn(call: &mut Call<'_>, object: &Value) {
    let warnings = call.kind.warnings(object);
    call.warnings.extend(warnings);
}

/// Puts the object where the path says; 400 when it says otherwise itself.
pub(super) fn place(call: &Call<'_>, object: &mut Value) -> Result<(), Failure> {
    let given = meta::object::namespace(object).to_owned();
    let fields = meta::object::metadata(object);
    if call.kind.names().scope == Scope::Cluster {
        fields.shift_remove("namespace");
        return Ok(());
    }
    if !given.is_empty() && given != call.path.namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )
        .into());
    }
    fields.insert("namespace".into(), call.path.namespace.clone().into());
    if !call.path.name.is_empty() {
        fields.insert("name".into(), call.path.name.clone().into());
    }
    Ok(())
}

/// Metadata, the kind's own preparations, and every mistake.
fn complete(call: &Call<'_>, object: &mut Value) -> Result<(), Failure> {
    let names = call.kind.names();
    if !meta::object::text(object, "resourceVersion").is_empty() {
        return Err(Status::bad_request("resourceVersion should not be set on objects to be created").into());
    }
    fill_metadata(call, object);
    call.kind.prepare_create(object);
    call.kind.default(object);
    let mut errors = call.kind.validate(object);
    let name = meta::object::name(object);
    if name.is_empty() && errors.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    }
    // A key must hold one name and a path must be able to name it, whatever a kind thinks of it: what nobody can name
    // nobody can delete, and its namespace neither.
    let is_odd = name.contains(['/', '%', '\\']) || name.chars().any(char::is_control);
    if is_odd && errors.is_empty() {
        errors.push(FieldError::invalid("metadata.name", name, "may not contain '/', '%', '\\' or control characters"));
    }
    if NAME_BYTES < name.len() && errors.is_empty() {
        errors.push(FieldError::too_long("metadata.name", NAME_BYTES));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(names.group, names.kind, name, &errors).into())
}

/// What only the server says of an object. The name comes first: generated labels hold it.
fn fill_metadata(call: &Call<'_>, object: &mut Value) {
    let entropy = call.server.entropy.as_ref();
    let mut name = meta::object::name(object).to_owned();
    let prefix = meta::object::text(object, "generateName");
    if name.is_empty() && !prefix.is_empty() {
        name = meta::names::generate(prefix, entropy);
    }
    let fields = meta::object::metadata(object);
    let mut metadata = Map::new();
    if !name.is_empty() {
        metadata.insert("name".into(), name.into());
    }
    for key in ["generateName", "namespace"] {
        if let Some(value) = fields.get(key) {
            metadata.insert(key.into(), value.clone());
        }
    }
    metadata.insert("uid".into(), meta::names::uid(entropy).into());
    metadata.insert("creationTimestamp".into(), call.server.now_text().into());
    for (key, value) in std::mem::take(fields) {
        let is_servers = matches!(
            key.as_str(),
            "name"
                | "uid"
                | "creationTimestamp"
                | "deletionTimestamp"
                | "deletionGracePeriodSeconds"
                | "resourceVersion"
                | "selfLink"
                | "generation"
        );
        if !is_servers {
            metadata.entry(key).or_insert(value);
        }
    }
    *fields = metadata;
}
