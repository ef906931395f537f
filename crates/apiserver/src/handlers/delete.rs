//! DELETE of one object or of a collection: at once, after a grace period, or when the last finalizer is gone.

use super::update::{Lost, is_finished_deletion, put, remove};
use super::{Call, decode};
use crate::body::{self, BodyError};
use crate::error::{Failure, invalid_options};
use crate::respond::Answer;
use crate::{negotiate, storage};
use axum::body::Body;
use http::StatusCode;
use jiff::SignedDuration;
use kinds::schema::{self, Strictness};
use kinds::{Deletion, Kind, Propagation};
use meta::field::FieldError;
use meta::status::Status;
use serde_json::{Value, json};
use std::sync::Arc;
use store::Record;

/// How often a delete is tried again when others write meanwhile.
const ATTEMPTS: usize = 32;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// metav1.DeleteOptions.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) dry_run: bool,
    grace_seconds: Option<i64>,
    propagation: Option<Propagation>,
    uid: Option<String>,
    resource_version: Option<String>,
}

pub(crate) async fn delete(call: &mut Call<'_>, body: Body) -> Result<Answer, Failure> {
    let options = options(call, body).await?;
    let outcome = delete_as(call, &options, |_| {}).await?;
    warn(call, &options);
    match outcome {
        Outcome::Gone(object) if call.kind.returns_deleted() => call.answer_object(StatusCode::OK, object),
        Outcome::Gone(object) => {
            let uid = meta::object::uid(&object);
            let status = Status::deleted(call.what(), &call.path.name, uid);
            Ok(call.answer_status(&status))
        }
        Outcome::Marked(object) => call.answer_object(StatusCode::OK, object),
    }
}

/// Deletes the object that the path names; `touch` writes down in it why, in the same transaction.
pub(crate) async fn delete_as(
    call: &Call<'_>,
    options: &Options,
    touch: impl Fn(&mut Value) + Sync,
) -> Result<Outcome, Failure> {
    for _ in 1..ATTEMPTS {
        let record = call.record()?;
        match delete_record(call, &record, options, &touch).await {
            Ok(outcome) => return Ok(outcome),
            Err(Lost::Race | Lost::Along) => {}
            Err(Lost::Failed(failure)) => return Err(failure),
        }
    }
    Err(Status::modified(call.what(), &call.path.name).into())
}

/// Deletes all that match, one after the other; what vanishes meanwhile is as good as deleted.
pub(crate) async fn delete_collection(call: &mut Call<'_>, body: Body) -> Result<Answer, Failure> {
    let options = options(call, body).await?;
    let (records, revision) = super::list::matching(call).await?;
    let mut items = Vec::with_capacity(records.len());
    for first in records {
        let mut record = first;
        for _ in 1..ATTEMPTS {
            match delete_record(call, &record, &options, &|_| {}).await {
                Ok(Outcome::Gone(mut object) | Outcome::Marked(mut object)) => {
                    if let Some(fields) = object.as_object_mut() {
                        fields.shift_remove("apiVersion");
                        fields.shift_remove("kind");
                    }
                    items.push(object);
                    break;
                }
                Err(Lost::Race | Lost::Along) => {}
                Err(Lost::Failed(failure)) => return Err(failure),
            }
            match call.server.store.get(&record.key) {
                Some(current) => record = current,
                None => break,
            }
        }
    }
    warn(call, &options);
    let list = json!({
        "kind": format!("{}List", call.kind.names().kind),
        "apiVersion": storage::api_version(call.kind),
        "metadata": {"resourceVersion": revision.to_string()},
        "items": items,
    });
    let form = negotiate::Form { shape: negotiate::Shape::Object, ..call.form };
    crate::respond::value(form, StatusCode::OK, &list, call.pretty)
}

fn warn(call: &mut Call<'_>, options: &Options) {
    if options.propagation.is_none() {
        call.warnings.extend(call.kind.deletion_warning().map(String::from));
    }
}

/// What DELETE did.
pub(crate) enum Outcome {
    Gone(Value),
    /// Still there, with its deletionTimestamp.
    Marked(Value),
}

async fn delete_record(
    call: &Call<'_>,
    record: &Arc<Record>,
    options: &Options,
    touch: &(dyn Fn(&mut Value) + Sync),
) -> Result<Outcome, Lost> {
    let old = storage::object(call.kind, record)?;
    if let Some(detail) = call.kind.deletion_refusal(&old) {
        return Err(Status::forbidden(call.what(), meta::object::name(&old), detail).into());
    }
    check_preconditions(call, &old, options)?;
    let mut object = old.clone();
    set_propagation(call.kind, &mut object, options.propagation);
    mark(call, &mut object, options);
    touch(&mut object);
    let may_go = is_finished_deletion(call.kind, &object);
    if options.dry_run {
        return Ok(match may_go {
            true => Outcome::Gone(object),
            false => Outcome::Marked(object),
        });
    }
    if may_go {
        let revision = remove(call, record).await?;
        storage::set_revision(&mut object, revision);
        return Ok(Outcome::Gone(object));
    }
    if object == old {
        return Ok(Outcome::Marked(object));
    }
    let written = put(call, record, &object).await?;
    storage::set_revision(&mut object, written.revision);
    Ok(Outcome::Marked(object))
}

/// Sets deletionTimestamp and the grace period; a later DELETE may only shorten it (K:apiserver/pkg/registry/rest/delete.go).
fn mark(call: &Call<'_>, object: &mut Value, options: &Options) {
    let now = call.server.clock.now();
    let deletion = call.kind.deletion(object, options.grace_seconds);
    let was_marked = meta::object::is_being_deleted(object);
    let grace_seconds = match deletion {
        Deletion::Now => 0,
        Deletion::Graceful { grace_seconds } => grace_seconds.max(0),
    };
    let old_grace = object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    if was_marked && old_grace <= grace_seconds {
        return;
    }
    let marked_at = match was_marked {
        // When the first DELETE came: what is left of its grace period does not count.
        true => meta::object::text(object, "deletionTimestamp")
            .parse::<jiff::Timestamp>()
            .ok()
            .and_then(|then| then.checked_sub(SignedDuration::from_secs(old_grace)).ok())
            .unwrap_or(now),
        false => now,
    };
    let deadline = marked_at.checked_add(SignedDuration::from_secs(grace_seconds)).unwrap_or(now);
    let generation = meta::object::generation(object);
    let fields = meta::object::metadata(object);
    fields.insert("deletionTimestamp".into(), crate::server::time_text(deadline).into());
    fields.insert("deletionGracePeriodSeconds".into(), grace_seconds.into());
    if !was_marked {
        if 0 < generation {
            fields.insert("generation".into(), generation.saturating_add(1).into());
        }
        call.kind.mark_deleted(object);
    }
}

/// What becomes of dependents is written down as a finalizer, for the garbage collector to act on.
fn set_propagation(kind: &dyn Kind, object: &mut Value, asked: Option<Propagation>) {
    let has = |name| meta::object::finalizers(object).any(|finalizer| finalizer == name);
    let propagation = match asked {
        Some(propagation) => propagation,
        None if has(ORPHAN) => Propagation::Orphan,
        None if has(FOREGROUND) => Propagation::Foreground,
        None => kind.default_propagation(),
    };
    let wanted = match propagation {
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Background => None,
    };
    let mut finalizers: Vec<String> = meta::object::finalizers(object)
        .filter(|finalizer| ![ORPHAN, FOREGROUND].contains(finalizer) || Some(*finalizer) == wanted)
        .map(String::from)
        .collect();
    if let Some(wanted) = wanted
        && !finalizers.iter().any(|finalizer| finalizer == wanted)
    {
        finalizers.push(wanted.into());
    }
    let fields = meta::object::metadata(object);
    if finalizers.is_empty() {
        fields.shift_remove("finalizers");
    } else {
        fields.insert("finalizers".into(), finalizers.into());
    }
}

fn check_preconditions(call: &Call<'_>, object: &Value, options: &Options) -> Result<(), Failure> {
    let name = meta::object::name(object);
    if let Some(wanted) = &options.uid {
        let current = meta::object::uid(object);
        if wanted != current {
            let detail = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {current}");
            return Err(Status::conflict(call.what(), name, &detail).into());
        }
    }
    if let Some(wanted) = &options.resource_version {
        let current = meta::object::text(object, "resourceVersion");
        if wanted != current {
            let detail = format!(
                "Precondition failed: ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {current}"
            );
            return Err(Status::conflict(call.what(), name, &detail).into());
        }
    }
    Ok(())
}

/// From the body if there is one, else from the query.
async fn options(call: &mut Call<'_>, body: Body) -> Result<Options, Failure> {
    let bytes = body::read(body).await?;
    let given = if bytes.is_empty() { from_query(call)? } else { from_body(call, bytes)? };
    let dry_run = call.query.dry_run("DeleteOptions")?;
    let options = options_of(&given)?;
    Ok(Options { dry_run: options.dry_run || dry_run, ..options })
}

/// As a DeleteOptions says.
pub(crate) fn options_of(given: &Value) -> Result<Options, Failure> {
    let mut options = Options { grace_seconds: given["gracePeriodSeconds"].as_i64(), ..Options::default() };
    for value in given["dryRun"].as_array().into_iter().flatten() {
        if value != "All" {
            let error = FieldError::not_supported("dryRun", value.clone(), &["All"]);
            return Err(invalid_options("DeleteOptions", &[error]));
        }
        options.dry_run = true;
    }
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(String::from);
    options.uid = text(&given["preconditions"]["uid"]);
    options.resource_version = text(&given["preconditions"]["resourceVersion"]);
    options.propagation = propagation(given)?;
    Ok(options)
}

fn propagation(given: &Value) -> Result<Option<Propagation>, Failure> {
    let orphan = given["orphanDependents"].as_bool();
    let policy = given["propagationPolicy"].as_str();
    let error = match (policy, orphan) {
        (None, None) => return Ok(None),
        (None, Some(true)) => return Ok(Some(Propagation::Orphan)),
        (None, Some(false)) => return Ok(Some(Propagation::Background)),
        (Some("Orphan"), None) => return Ok(Some(Propagation::Orphan)),
        (Some("Background"), None) => return Ok(Some(Propagation::Background)),
        (Some("Foreground"), None) => return Ok(Some(Propagation::Foreground)),
        (Some(policy), Some(_)) => FieldError::invalid(
            "propagationPolicy",
            policy,
            "orphanDependents and deletionPropagation cannot be both set",
        ),
        (Some(other), None) => {
            FieldError::not_supported("propagationPolicy", other, &["Foreground", "Background", "Orphan", "nil"])
        }
    };
    Err(invalid_options("DeleteOptions", &[error]))
}

fn from_query(call: &Call<'_>) -> Result<Value, Failure> {
    let mut given = json!({});
    if let Some(seconds) = call.query.number("gracePeriodSeconds")? {
        given["gracePeriodSeconds"] = seconds.into();
    }
    if let Some(policy) = call.query.get("propagationPolicy") {
        given["propagationPolicy"] = policy.into();
    }
    if call.query.get("orphanDependents").is_some() {
        given["orphanDependents"] = call.query.flag("orphanDependents").into();
    }
    Ok(given)
}

fn from_body(call: &mut Call<'_>, bytes: bytes::Bytes) -> Result<Value, Failure> {
    const TYPE: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
    let cannot = |error: &str| {
        Failure::from(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type DeleteOptions): {error}"
        )))
    };
    let content_type = negotiate::content_type(&call.headers);
    let text = body::to_json(bytes, &content_type).map_err(|error| match error {
        BodyError::UnknownFormat => body::unknown_format(body::OBJECT_TYPES),
        BodyError::Malformed(error) => cannot(&error),
    })?;
    let options: Value = match schema::lookup(TYPE) {
        Some(root) => {
            let decoded = schema::decode(&text, root, Strictness::Warn).map_err(|error| cannot(&error))?;
            let complaints: Vec<String> = decoded.complaints;
            if call.query.text("fieldValidation") == "Strict" && !complaints.is_empty() {
                return Err(cannot(&decode::strict_error(&complaints)));
            }
            decoded.object
        }
        None => serde_json::from_slice(&text).map_err(|error| cannot(&error.to_string()))?,
    };
    match options.is_object() {
        true => Ok(options),
        false => Err(cannot("it is no JSON object")),
    }
}
