//! PATCH: JSON patch, merge patch, strategic merge patch; server-side apply is a file of its own.

use super::update::{Change, Lost, check_name};
use super::{Call, apply, decode};
use crate::error::{Failure, invalid_options};
use crate::respond::Answer;
use crate::{body, negotiate, storage};
use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use kinds::Part;
use kinds::schema::{self, Strictness};
use meta::field::FieldError;
use meta::patch::{PatchError, go_text};
use meta::status::Status;
use serde_json::Value;

/// How often a patch is applied anew when others write meanwhile (K: handlers/patch.go maxRetryWhenPatchConflicts).
const ATTEMPTS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Merge,
    Strategic,
}

const PATCH_TYPES: &str = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";

pub(crate) async fn patch(call: &mut Call<'_>, body: Body, part: Part) -> Result<Answer, Failure> {
    let dry_run = call.query.dry_run("PatchOptions")?;
    let strictness = call.query.strictness("PatchOptions")?;
    call.query.field_manager("PatchOptions")?;
    let content_type = negotiate::content_type(&call.headers);
    if content_type == apply::CONTENT_TYPE {
        return apply::apply(call, body, apply::Options { part, strictness, dry_run }).await;
    }
    let format = format(&content_type)?;
    if call.query.get("force").is_some_and(|force| !force.is_empty()) {
        let error = FieldError::forbidden("force", "may not be specified for non-apply patch");
        return Err(invalid_options("PatchOptions", &[error]));
    }
    let bytes = body::read(body).await?;
    let patch: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
    if format != Format::Json && !patch.is_object() {
        return Err(Status::bad_request("error decoding patch: the patch must be a JSON object").into());
    }
    let patch = Patch { format, value: patch, text: bytes, strictness };
    let n_warnings = call.warnings.len();
    for _ in 1..ATTEMPTS {
        call.warnings.truncate(n_warnings);
        match attempt(call, &patch, part, dry_run).await {
            Err(Lost::Race) => {}
            other => return other.map_err(|lost| lost.into_failure(call)),
        }
    }
    attempt(call, &patch, part, dry_run).await.map_err(|lost| lost.into_failure(call))
}

async fn attempt(call: &mut Call<'_>, patch: &Patch, part: Part, dry_run: bool) -> Result<Answer, Lost> {
    let record = call.record()?;
    let old = storage::object(call.kind, &record)?;
    let new = patch.apply(call, &old)?;
    check_name(call, &new)?;
    let change = Change { call, part, dry_run };
    let written = change.apply(&record, &old, new).await?;
    Ok(written.answer(call, StatusCode::OK)?)
}

fn format(content_type: &str) -> Result<Format, Failure> {
    match content_type {
        "application/json-patch+json" => Ok(Format::Json),
        "application/merge-patch+json" => Ok(Format::Merge),
        "application/strategic-merge-patch+json" => Ok(Format::Strategic),
        _ => Err(body::unknown_format(PATCH_TYPES)),
    }
}

/// A patch as it was sent.
struct Patch {
    format: Format,
    value: Value,
    text: Bytes,
    strictness: Strictness,
}

impl Patch {
    /// The patched object, decoded like a body, with complaints as errors or warnings.
    fn apply(&self, call: &mut Call<'_>, old: &Value) -> Result<Value, Failure> {
        let mut new = old.clone();
        let root = decode::schema_type(call).map_err(Status::internal)?;
        let applied = match self.format {
            Format::Json => meta::patch::json(&mut new, &self.value),
            Format::Merge => meta::patch::merge(&mut new, &self.value),
            Format::Strategic => meta::patch::strategic::apply(&mut new, &self.value, Some(root)),
        };
        applied.map_err(refused)?;
        let mut complaints = match self.strictness {
            Strictness::Ignore => Vec::new(),
            Strictness::Warn | Strictness::Strict => schema::duplicates(&self.text),
        };
        let checked = match self.format {
            Format::Strategic => schema::convert(new, root, self.strictness),
            Format::Json | Format::Merge => schema::check(new, root, self.strictness),
        };
        let checked = checked.map_err(|error| self.invalid(&error))?;
        complaints.extend(checked.complaints);
        if self.strictness == Strictness::Strict && !complaints.is_empty() {
            return Err(self.invalid(&decode::strict_error(&complaints)));
        }
        call.warnings.extend(complaints);
        let mut new = checked.object;
        decode::settle(call, &mut new)?;
        Ok(new)
    }

    /// 422 ` "" is invalid: patch: Invalid value: …`, which kubectl shows as `The request is invalid: patch: …`.
    fn invalid(&self, detail: &str) -> Failure {
        let shown = match self.format {
            Format::Strategic => go_text(&self.value),
            Format::Json | Format::Merge => String::from_utf8_lossy(&self.text).into_owned(),
        };
        Status::invalid("", "", "", &[FieldError::invalid("patch", shown, detail)]).into()
    }
}

fn refused(error: PatchError) -> Failure {
    match error {
        PatchError::Malformed(text) => Status::bad_request(text).into(),
        PatchError::Unprocessable(text) => {
            let mut status = Status::bad_request("the server rejected our request due to an error in our request")
                .about(serde_json::json!({}))
                .because("UnexpectedServerResponse", &text, "");
            status.code = 422;
            status.reason = "Invalid".into();
            status.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn go_prints_maps_sorted() {
        let value = json!({"spec": {"b": [1, "x"], "a": null, "c": true}});
        assert_eq!(go_text(&value), "map[spec:map[a:<nil> b:[1 x] c:true]]");
    }
}
