//! Kubernetes protobuf ↔ JSON, driven by the schema table. Envelope `6b 38 73 00` + runtime.Unknown.
//!
//! `6b 38 73 00` · Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: raw message, 3: encoding, 4: content type }
//!
//! What JSON leaves out and protobuf does not (zero scalars that Go holds by value) is dropped on the way in, so that a
//! decoded body is the JSON that the same client would have sent.

mod decode;
mod encode;
mod partial;
pub(crate) mod wire;

use kinds::schema;
use serde_json::{Map, Value};
use wire::{Payload, Reader, Writer};

const MAGIC: &[u8; 4] = b"k8s\0";

/// Decodes an enveloped body to JSON, with apiVersion and kind from the envelope.
/// A kind that the schema table does not have is an error that says so.
pub fn decode(body: &[u8]) -> Result<Value, String> {
    let unknown = body
        .strip_prefix(MAGIC)
        .ok_or("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")?;
    let envelope = Envelope::read(unknown)?;
    let Envelope { api_version, kind, .. } = envelope;
    if !envelope.encoding.is_empty() {
        return Err(format!("content encoding {:?} is not supported", envelope.encoding));
    }
    let ty = schema::by_kind(api_version, kind)
        .ok_or_else(|| format!("no kind {kind:?} is registered for version {api_version:?}"))?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    decode::message(envelope.raw, ty.ty(), &mut object)?;
    Ok(Value::Object(object))
}

/// Encodes an object (any kind of the table, Status, lists of served kinds, metadata alone) in an envelope.
pub fn encode(object: &Value) -> Result<Vec<u8>, String> {
    let api_version = object["apiVersion"].as_str().ok_or("the object has no apiVersion")?;
    let kind = object["kind"].as_str().ok_or("the object has no kind")?;
    let fields = object.as_object().ok_or("the object is not a JSON object")?;
    let message = match schema::by_kind(api_version, kind) {
        Some(ty) => encode::message(fields, ty.ty())?,
        None => partial::encode(api_version, kind, object)?.ok_or_else(|| not_marshalable(kind))?,
    };
    let mut type_meta = Writer::default();
    type_meta.bytes(1, api_version.as_bytes());
    type_meta.bytes(2, kind.as_bytes());
    let mut unknown = Writer::default();
    unknown.bytes(1, &type_meta.finish());
    unknown.bytes(2, &message);
    unknown.bytes(3, b"");
    unknown.bytes(4, b"");
    Ok([&MAGIC[..], &unknown.finish()].concat())
}

/// Tables, for one, have no protobuf form (K:apimachinery/pkg/runtime/serializer/protobuf errNotMarshalable).
fn not_marshalable(kind: &str) -> String {
    format!(
        "object *v1.{kind} does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message"
    )
}

/// What runtime.Unknown holds.
#[derive(Default)]
struct Envelope<'a> {
    api_version: &'a str,
    kind: &'a str,
    raw: &'a [u8],
    encoding: &'a str,
}

impl<'a> Envelope<'a> {
    fn read(unknown: &'a [u8]) -> Result<Self, String> {
        let mut envelope = Self::default();
        let mut fields = Reader::new(unknown);
        while let Some((tag, payload)) = fields.next()? {
            match (tag, payload) {
                (1, Payload::Bytes(type_meta)) => {
                    let mut parts = Reader::new(type_meta);
                    while let Some((tag, payload)) = parts.next()? {
                        match tag {
                            1 => envelope.api_version = payload.text()?,
                            2 => envelope.kind = payload.text()?,
                            _ => {}
                        }
                    }
                }
                (2, Payload::Bytes(raw)) => envelope.raw = raw,
                (3, payload) => envelope.encoding = payload.text()?,
                _ => {}
            }
        }
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests;
