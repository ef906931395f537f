//! JSON object → protobuf message, fields in the order of their tags.

use super::wire::Writer;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use kinds::schema::{Field, Kind, Shape, Type};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, String>;

/// Writes what the table has a tag for; `null` is absence.
pub fn message(object: &Map<String, Value>, ty: &'static Type) -> Result<Vec<u8>> {
    let mut fields: Vec<&Field> = ty.fields.iter().filter(|field| field.tag != 0).collect();
    fields.sort_by_key(|field| (field.via, field.tag));
    let mut own: BTreeMap<u16, Writer> = BTreeMap::new();
    let mut embedded: BTreeMap<u16, Writer> = BTreeMap::new();
    for field in fields {
        let Some(value) = object.get(field.name).filter(|value| !value.is_null()) else { continue };
        let writer = match field.via {
            0 => own.entry(field.tag).or_default(),
            via => embedded.entry(via).or_default(),
        };
        put(writer, field, value).map_err(|error| format!("{}.{}: {error}", ty.name, field.name))?;
    }
    for (via, inner) in embedded {
        own.entry(via).or_default().bytes(via, &inner.finish());
    }
    Ok(own.into_values().flat_map(Writer::finish).collect())
}

fn put(writer: &mut Writer, field: &Field, value: &Value) -> Result<()> {
    match (field.shape, value) {
        (Shape::One, value) => put_one(writer, field.tag, field.kind, value),
        (Shape::List, Value::Array(items)) => {
            items.iter().try_for_each(|item| put_one(writer, field.tag, field.kind, item))
        }
        (Shape::Map, Value::Object(map)) => map.iter().try_for_each(|(key, value)| {
            let mut entry = Writer::default();
            entry.bytes(1, key.as_bytes());
            put_one(&mut entry, 2, field.kind, value)?;
            writer.bytes(field.tag, &entry.finish());
            Ok(())
        }),
        (Shape::List | Shape::Map, _) => Err("neither a list nor a map".to_owned()),
    }
}

fn put_one(writer: &mut Writer, tag: u16, kind: Kind, value: &Value) -> Result<()> {
    let text = || value.as_str().ok_or_else(|| "not a string".to_owned());
    let integer = || value.as_i64().ok_or_else(|| "not an integer".to_owned());
    match kind {
        Kind::String => writer.bytes(tag, text()?.as_bytes()),
        Kind::Int32 | Kind::Int64 => writer.integer(tag, integer()?),
        Kind::Bool => writer.varint(tag, u64::from(value.as_bool().ok_or("not a boolean")?)),
        Kind::Double => writer.double(tag, value.as_f64().ok_or("not a number")?),
        Kind::Bytes => {
            let bytes = BASE64_STANDARD.decode(text()?).map_err(|error| error.to_string())?;
            writer.bytes(tag, &bytes);
        }
        Kind::Time | Kind::MicroTime => {
            let instant: Timestamp = text()?.parse().map_err(|error| format!("{error}"))?;
            let mut parts = Writer::default();
            parts.integer(1, instant.as_second());
            let nanos = if kind == Kind::Time { 0 } else { instant.subsec_nanosecond() };
            parts.integer(2, nanos.into());
            writer.bytes(tag, &parts.finish());
        }
        Kind::Quantity => writer.bytes(tag, &single(text()?.as_bytes())),
        Kind::IntOrString => {
            let mut parts = Writer::default();
            parts.varint(1, u64::from(value.is_string()));
            parts.integer(2, value.as_i64().unwrap_or_default());
            parts.bytes(3, value.as_str().unwrap_or_default().as_bytes());
            writer.bytes(tag, &parts.finish());
        }
        Kind::Raw | Kind::FieldsV1 => writer.bytes(tag, &single(value.to_string().as_bytes())),
        Kind::Strings => {
            let mut list = Writer::default();
            for item in value.as_array().into_iter().flatten() {
                list.bytes(1, item.as_str().unwrap_or_default().as_bytes());
            }
            writer.bytes(tag, &list.finish());
        }
        Kind::Message(target) => {
            let object = value.as_object().ok_or("not an object")?;
            writer.bytes(tag, &message(object, target.ty())?);
        }
    }
    Ok(())
}

/// A message whose only field is 1.
fn single(bytes: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(1, bytes);
    writer.finish()
}
