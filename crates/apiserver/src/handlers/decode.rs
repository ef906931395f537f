//! From a request's body to an object of the kind the path names.

use super::Call;
use crate::body::{self, BodyError};
use crate::error::Failure;
use crate::{negotiate, storage};
use axum::body::Body;
use bytes::Bytes;
use kinds::KINDS;
use kinds::schema::{self, Strictness};
use meta::status::Status;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Reads, decodes and defaults the body. Strict complaints are the error; under Warn they become warnings.
pub(super) async fn object(call: &mut Call<'_>, body: Body, strictness: Strictness) -> Result<Value, Failure> {
    let bytes = body::read(body).await?;
    let content_type = negotiate::content_type(&call.headers);
    let names = call.kind.names();
    let unrecognized = |bytes: &[u8], error: &str| {
        Failure::from(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; {error} ({})",
            names.kind,
            summary(bytes)
        )))
    };
    let text = body::to_json(bytes.clone(), &content_type).map_err(|error| match error {
        BodyError::UnknownFormat => body::unknown_format(body::OBJECT_TYPES),
        BodyError::Malformed(error) => unrecognized(&bytes, &error),
    })?;
    let header = Header::read(&text).map_err(|error| unrecognized(&bytes, &format!("json parse error: {error}")))?;
    check_kind(call, &header)?;
    let shown_kind = header.kind.as_deref().filter(|k| !k.is_empty()).unwrap_or(names.kind);
    let cannot = |error: &str| {
        Failure::from(Status::bad_request(format!(
            "{shown_kind} in version {:?} cannot be handled as a {}: {error}",
            names.version, names.kind
        )))
    };
    let decoded = decode(call, &text, strictness).map_err(|error| cannot(&error))?;
    if strictness == Strictness::Strict && !decoded.complaints.is_empty() {
        return Err(cannot(&strict_error(&decoded.complaints)));
    }
    call.warnings.extend(decoded.complaints);
    let mut object = decoded.object;
    settle(call, &mut object)?;
    Ok(object)
}

/// `strict decoding error: unknown field "a", duplicate field "b"`.
pub(super) fn strict_error(complaints: &[String]) -> String {
    format!("strict decoding error: {}", complaints.join(", "))
}

/// Makes an object of this kind whole: apiVersion, kind, metadata, defaults.
pub(super) fn settle(call: &Call<'_>, object: &mut Value) -> Result<(), Failure> {
    let Some(fields) = object.as_object_mut() else {
        return Err(Status::bad_request("the object must be a JSON object").into());
    };
    fields.insert("apiVersion".into(), storage::api_version(call.kind).into());
    fields.insert("kind".into(), call.kind.names().kind.into());
    match fields.get("metadata") {
        None | Some(Value::Null) => {
            fields.insert("metadata".into(), serde_json::json!({}));
        }
        Some(Value::Object(_)) => {}
        Some(_) => return Err(Status::bad_request("metadata must be a JSON object").into()),
    }
    drop_empty_metadata(object);
    call.kind.default(object);
    Ok(())
}

/// Labels, annotations, finalizers and owners of which none is left are not there, as in every object of Kubernetes.
fn drop_empty_metadata(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    // An empty list of managed fields asks for something: see `handlers::managed`.
    metadata.retain(|key, value| match value {
        _ if key == "managedFields" => true,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    });
}

/// A type the table should know; without it there is nothing to decode by.
pub(super) fn schema_type(call: &Call<'_>) -> Result<schema::TypeRef, String> {
    let name = call.kind.type_name();
    schema::lookup(name).ok_or_else(|| format!("no schema for {name}"))
}

fn decode(call: &Call<'_>, text: &Bytes, strictness: Strictness) -> Result<schema::Decoded, String> {
    schema::decode(text, schema_type(call)?, strictness)
}

/// What a body says it is.
#[derive(Debug, Default, PartialEq)]
struct Header {
    kind: Option<String>,
    api_version: Option<String>,
}

impl Header {
    /// Errors in Go's words. Of a field that stands twice the last counts; whether that is allowed is not asked here.
    fn read(text: &[u8]) -> Result<Self, String> {
        let parsed: Result<Option<HashMap<String, &RawValue>>, _> = serde_json::from_slice(text);
        let fields = parsed.map_err(|error| {
            schema::syntax_error(text).unwrap_or_else(|| match json_type(text) {
                "object" => error.to_string(),
                word => format!("json: cannot unmarshal {word} into Go value of type struct {{ {GO_FIELDS} }}"),
            })
        })?;
        let text_of = |name: &str| -> Result<Option<String>, String> {
            let Some(value) = fields.as_ref().and_then(|fields| fields.get(name)) else { return Ok(None) };
            serde_json::from_str(value.get()).map_err(|_| {
                let word = json_type(value.get().as_bytes());
                format!("json: cannot unmarshal {word} into Go struct field .{name} of type string")
            })
        };
        Ok(Self { kind: text_of("kind")?, api_version: text_of("apiVersion")? })
    }
}

const GO_FIELDS: &str = r#"APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"""#;

/// Go's word for the type of a JSON value.
fn json_type(text: &[u8]) -> &'static str {
    match text.trim_ascii_start().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "bool",
        _ => "number",
    }
}

/// A body may leave kind and apiVersion out, but not lie about them (K:apiserver/pkg/endpoints/handlers/create.go).
fn check_kind(call: &Call<'_>, header: &Header) -> Result<(), Failure> {
    let names = call.kind.names();
    let expected = storage::api_version(call.kind);
    let kind = header.kind.as_deref().unwrap_or("");
    let api_version = match header.api_version.as_deref() {
        None | Some("") => expected.as_str(),
        Some(given) => given,
    };
    if api_version == expected && (kind.is_empty() || kind == names.kind) {
        return Ok(());
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let known = KINDS.iter().any(|other| {
        let other = other.names();
        (other.group, other.version, other.kind) == (group, version, kind)
    });
    let message = if known && api_version != expected || kind.is_empty() {
        format!("the API version in the data ({api_version}) does not match the expected API version ({expected})")
    } else if known {
        format!(
            "{kind} in version {version:?} cannot be handled as a {}: converting ({version}.{kind}) to ({}.{}): unknown conversion",
            names.kind,
            group_word(names.group),
            names.kind
        )
    } else {
        format!(
            "{kind} in version {version:?} cannot be handled as a {}: no kind {kind:?} is registered for version {api_version:?}",
            names.kind
        )
    };
    Err(Status::bad_request(message).into())
}

/// The package that Kubernetes' own text would name: `batch`, `core`.
fn group_word(group: &str) -> &str {
    match group.split('.').next() {
        None | Some("") => "core",
        Some(word) => word,
    }
}

/// The start of a body, as text when it looks like JSON, else as hex (K: handlers/create.go summarizeData).
fn summary(bytes: &[u8]) -> String {
    const MAX: usize = 30;
    let (start, dots) = match bytes.get(..MAX) {
        Some(start) if MAX < bytes.len() => (start, " ..."),
        _ => (bytes, ""),
    };
    match bytes.first() {
        None => "<empty>".into(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(start)),
        Some(_) => {
            let hex: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{dots}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, drop_empty_metadata, summary};
    use serde_json::json;

    #[test]
    fn headers_are_read_as_go_reads_them() {
        let header = |kind: &str, version: &str| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            Ok(Header { kind: some(kind), api_version: some(version) })
        };
        let wrong = |text: &str| Err(text.to_owned());
        for (text, expect) in [
            (r#"{"kind":"Job","apiVersion":"batch/v1","x":[{}]}"#, header("Job", "batch/v1")),
            (r#"{"kind":"Pod","kind":"Job","\u0061piVersion":null}"#, header("Job", "")),
            ("null", header("", "")),
            ("{}", header("", "")),
            ("", wrong("unexpected end of JSON input")),
            ("{kind}", wrong("invalid character 'k' looking for beginning of object key string")),
            (r#"{"kind":5}"#, wrong("json: cannot unmarshal number into Go struct field .kind of type string")),
            (
                r#"{"apiVersion":{}}"#,
                wrong("json: cannot unmarshal object into Go struct field .apiVersion of type string"),
            ),
            (
                "[]",
                wrong(
                    r#"json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#,
                ),
            ),
        ] {
            assert_eq!(Header::read(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn lists_and_maps_of_nothing_are_left_out_of_metadata() {
        let mut object = json!({"metadata": {"name": "a", "labels": {}, "finalizers": [], "ownerReferences": [],
            "annotations": {"kept": ""}}, "data": {}});
        drop_empty_metadata(&mut object);
        assert_eq!(object, json!({"metadata": {"name": "a", "annotations": {"kept": ""}}, "data": {}}));
    }

    #[test]
    fn summaries_are_short() {
        for (bytes, expect) in [
            ("", "<empty>"),
            ("{\"a\"", "{\"a\""),
            ("{\"a\":\"0123456789012345678901234567890123\"}", "{\"a\":\"012345678901234567890123 ..."),
            ("ab", "6162"),
        ] {
            assert_eq!(summary(bytes.as_bytes()), expect);
        }
    }
}
