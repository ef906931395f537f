//! PATCH with `application/apply-patch+yaml`: server-side apply (K:apiserver/pkg/endpoints/handlers/patch.go applyPatcher).
//! What there is not yet is created. The algebra is `meta::fields`; here it meets requests, texts and the store.

use super::update::{Change, Lost, check_name};
use super::{Call, create, decode, managed};
use crate::auth::Attributes;
use crate::error::{Failure, invalid_options};
use crate::respond::Answer;
use crate::{body, storage};
use axum::body::Body;
use http::StatusCode;
use kinds::Part;
use kinds::schema::{self, Strictness, ValueType};
use meta::field::FieldError;
use meta::fields::{self, Applied, Applier, Conflicts, Entry, Set, Writer};
use meta::status::Status;
use serde_json::{Value, json};

/// The content type that means server-side apply.
pub(super) const CONTENT_TYPE: &str = "application/apply-patch+yaml";
/// Whose everything is that was there before anybody's fields were known (K:managedfields/internal/skipnonapplied.go).
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// How often a configuration is applied anew when others write meanwhile.
const ATTEMPTS: usize = 5;

/// What patch.rs has read of the query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub part: Part,
    pub strictness: Strictness,
    pub dry_run: bool,
}

pub(super) async fn apply(call: &mut Call<'_>, body: Body, options: Options) -> Result<Answer, Failure> {
    if call.query.text("fieldManager").is_empty() {
        let error = FieldError::required("fieldManager", "is required for apply patch");
        return Err(invalid_options("PatchOptions", &[error]));
    }
    let text = text(&body::read(body).await?)?;
    let config = Config::read(call, &text, options.part)?;
    let n_warnings = call.warnings.len();
    for attempt in 1.. {
        call.warnings.truncate(n_warnings);
        let done = match call.server.store.get(&call.key()) {
            Some(record) => change(call, &config, &text, &record, options).await,
            None if options.part == Part::Spec => make(call, &config, &text, options).await,
            None => Err(call.not_found().into()),
        };
        match done {
            Err(Lost::Race) if attempt < ATTEMPTS => {}
            other => return other.map_err(|lost| lost.into_failure(call)),
        }
    }
    Err(Lost::Race.into_failure(call))
}

/// The body as JSON text: YAML, of which JSON is a part.
fn text(body: &[u8]) -> Result<String, Failure> {
    let wrong = |error: &str| Failure::from(Status::bad_request(format!("error decoding patch: {error}")));
    if body.trim_ascii_start().first() == Some(&b'{')
        && let Ok(text) = std::str::from_utf8(body)
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    {
        return Ok(text.to_owned());
    }
    body::yaml_to_json(body).map_err(|error| wrong(&error))
}

/// A configuration that can be applied.
struct Config {
    value: Value,
    ty: ValueType,
    ignored: Set,
    /// `NAMESPACE/NAME; GROUP/VERSION, Kind=KIND`, as errors name it.
    shown: String,
}

impl Config {
    fn read(call: &Call<'_>, text: &str, part: Part) -> Result<Self, Failure> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
        let value = match value {
            Value::Object(_) => value,
            Value::Null => json!({}),
            other => {
                let error = meta::patch::not_a_map(&other);
                return Err(Status::bad_request(format!(
                    "error decoding patch: error unmarshaling JSON: while decoding JSON: {error}"
                ))
                .into());
            }
        };
        let said = |field: &str| value[field].as_str().unwrap_or("").to_owned();
        let (api_version, kind) = (said("apiVersion"), said("kind"));
        // Go prints the group before the version, also when there is none.
        let group_version = if api_version.contains('/') { api_version.clone() } else { format!("/{api_version}") };
        if api_version != storage::api_version(call.kind) || kind != call.kind.names().kind {
            return Err(Status::bad_request(format!("invalid object type: {group_version}, Kind={kind}")).into());
        }
        if !value["metadata"]["managedFields"].is_null() {
            return Err(Status::bad_request("metadata.managedFields must be nil").into());
        }
        let ty = managed::value_type(call.kind)
            .ok_or_else(|| Status::internal(format!("no schema for {}", call.kind.type_name())))?;
        let shown =
            format!("{}/{}; {group_version}, Kind={kind}", meta::object::namespace(&value), meta::object::name(&value));
        let errors = fields::validate(&value, ty);
        if !errors.is_empty() {
            return Err(not_typed(&format!("failed to create typed patch object ({shown}): {}", joined(&errors))));
        }
        Ok(Self { value, ty, ignored: managed::ignored(call.kind, part), shown })
    }
}

/// Several mistakes each get a line.
fn joined(errors: &[String]) -> String {
    match errors {
        [error] => error.clone(),
        errors => format!("errors:\n  {}", errors.join("\n  ")),
    }
}

/// Kubernetes answers a configuration that does not fit the schema with 500 and no reason; kubectl shows the text alone.
fn not_typed(message: &str) -> Failure {
    let mut status = Status::internal("");
    message.clone_into(&mut status.message);
    status.reason.clear();
    status.details = Value::Null;
    status.into()
}

/// Applies to an object that is there.
async fn change(
    call: &mut Call<'_>,
    config: &Config,
    text: &str,
    record: &std::sync::Arc<store::Record>,
    options: Options,
) -> Result<Answer, Lost> {
    let old = storage::object(call.kind, record)?;
    let mut live = old.clone();
    let mut entries = managed::take(&mut live).map(fields::read_own).unwrap_or_default();
    if entries.is_empty() {
        entries = before_first_apply(call, config, &live);
    }
    let new = merged(call, config, &live, entries, options)?;
    complain(call, text, options.strictness)?;
    check_name(call, &new)?;
    let change = Change { call, part: options.part, dry_run: options.dry_run };
    let written = change.finish(record, &old, new).await?;
    Ok(written.answer(call, StatusCode::OK)?)
}

/// Creates the object.
async fn make(call: &mut Call<'_>, config: &Config, text: &str, options: Options) -> Result<Answer, Lost> {
    let path = call.path.clone();
    let create = Attributes {
        verb: "create",
        group: &path.group,
        resource: &path.resource,
        subresource: "",
        namespace: &path.namespace,
        name: &path.name,
        path: None,
    };
    call.server.authorizer.require(&call.user, &create)?;
    let nothing =
        json!({"apiVersion": storage::api_version(call.kind), "kind": call.kind.names().kind, "metadata": {}});
    let mut new = merged(call, config, &nothing, Vec::new(), options)?;
    complain(call, text, options.strictness)?;
    let uid = meta::object::uid(&new);
    if !uid.is_empty() {
        let detail = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
        return Err(Status::conflict(call.what(), &call.path.name, &detail).into());
    }
    check_name(call, &new)?;
    create::place(call, &mut new)?;
    match create::insert(call, new, options.dry_run).await {
        // Somebody was faster: then it is a change.
        Err(failure) if failure.status().reason == "AlreadyExists" && !options.dry_run => Err(Lost::Race),
        other => Ok(other?),
    }
}

/// The object with the configuration in it, typed, defaulted and with its owners.
fn merged(
    call: &mut Call<'_>,
    config: &Config,
    live: &Value,
    entries: Vec<Entry>,
    options: Options,
) -> Result<Value, Failure> {
    let applied = attempt(call, config, live, entries, options).map_err(|conflicts| refused(&conflicts))?;
    let mut object = applied.object.unwrap_or_else(|| live.clone());
    if call.query.text("fieldManager") == fields::KUBECTL {
        fields::set_last_applied(&mut object, &config.value);
    }
    let root = decode::schema_type(call).map_err(Status::internal)?;
    let checked = schema::check(object, root, Strictness::Ignore).map_err(|error| {
        let shown = &config.shown;
        Status::bad_request(format!("failed to convert new typed object ({shown}) to object: {error}"))
    })?;
    let mut object = checked.object;
    decode::settle(call, &mut object)?;
    managed::put(&mut object, applied.entries);
    Ok(object)
}

/// The apply itself. What kubectl applied by itself before is no conflict with kubectl.
fn attempt(
    call: &Call<'_>,
    config: &Config,
    live: &Value,
    entries: Vec<Entry>,
    options: Options,
) -> Result<Applied, Conflicts> {
    let (api_version, now) = (storage::api_version(call.kind), call.server.now_text());
    let manager = call.query.text("fieldManager");
    let writer = Writer { manager, api_version: &api_version, subresource: &call.path.subresource, now: &now };
    let apply = |entries: Vec<Entry>, force: bool| {
        let applier = Applier { writer, ignored: &config.ignored, force };
        fields::apply(live, &config.value, config.ty, entries, &applier, &mut |new, version| {
            managed::changes_at(call, version, options.part, live, new)
        })
    };
    if manager != fields::KUBECTL {
        return apply(entries, call.query.flag("force"));
    }
    apply(entries.clone(), call.query.flag("force")).or_else(|conflicts| {
        let Some(allowed) = fields::allowed_by_last_applied(live, &api_version, config.ty) else {
            return Err(conflicts);
        };
        match conflicts.except(&allowed) {
            Conflicts(left) if left.is_empty() => apply(entries, true),
            left => Err(left),
        }
    })
}

/// Everything in an object whose owners nobody noted is owned by what came before.
fn before_first_apply(call: &Call<'_>, config: &Config, live: &Value) -> Vec<Entry> {
    let (api_version, now) = (storage::api_version(call.kind), call.server.now_text());
    let writer = Writer {
        manager: BEFORE_FIRST_APPLY,
        api_version: &api_version,
        subresource: &call.path.subresource,
        now: &now,
    };
    let changes = fields::compare(&json!({}), live, config.ty).without(&config.ignored);
    let mut entries = Vec::new();
    fields::update(&mut entries, &changes, &writer, &mut |_| None);
    entries
}

/// 409 with a cause for each field.
fn refused(conflicts: &Conflicts) -> Failure {
    let causes: Vec<Value> = conflicts
        .causes()
        .map(|(message, field)| json!({"reason": "FieldManagerConflict", "message": message, "field": field}))
        .collect();
    let mut status = Status::bad_request(conflicts.to_string()).about(json!({ "causes": causes }));
    status.code = 409;
    status.reason = "Conflict".into();
    status.into()
}

/// Fields that stand twice. That others are known is required at every strictness.
fn complain(call: &mut Call<'_>, text: &str, strictness: Strictness) -> Result<(), Failure> {
    let complaints = match strictness {
        Strictness::Ignore => return Ok(()),
        Strictness::Warn | Strictness::Strict => schema::duplicates(text.as_bytes()),
    };
    if strictness == Strictness::Strict && !complaints.is_empty() {
        let detail = complaints.join(", ");
        return Err(Status::bad_request(format!("error strict decoding patch: {detail}")).into());
    }
    call.warnings.extend(complaints);
    Ok(())
}
