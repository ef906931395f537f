//! Protobuf message → JSON object.

use super::wire::{Payload, Reader};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use kinds::schema::{Field, Kind, Shape, Type};
use serde_json::{Map, Value, json};

type Result<T> = std::result::Result<T, String>;

/// Reads a message into `object`. Fields the table does not know are skipped, as an older server would.
pub fn message(bytes: &[u8], ty: &'static Type, object: &mut Map<String, Value>) -> Result<()> {
    scope(bytes, ty, 0, object)
}

/// Reads the fields that lie in the embedded message `via` (0: in the message itself) into the same object.
fn scope(bytes: &[u8], ty: &'static Type, via: u16, object: &mut Map<String, Value>) -> Result<()> {
    let mut fields = Reader::new(bytes);
    while let Some((tag, payload)) = fields.next()? {
        let is = |wanted: u16| u32::from(wanted) == tag;
        if let Some(field) = ty.fields.iter().find(|field| field.via == via && is(field.tag)) {
            put(payload, field, object).map_err(|error| format!("{}.{}: {error}", ty.name, field.name))?;
        } else if via == 0
            && let Some(embedded) = ty.fields.iter().find(|field| field.via != 0 && is(field.via))
        {
            scope(payload.bytes()?, ty, embedded.via, object)?;
        }
    }
    Ok(())
}

fn put(payload: Payload<'_>, field: &'static Field, object: &mut Map<String, Value>) -> Result<()> {
    match field.shape {
        Shape::One => put_one(payload, field, object),
        Shape::List => {
            let items = entry(object, field, || json!([]));
            let Value::Array(items) = items else { return Ok(()) };
            match (field.kind, payload) {
                // Lists of numbers may come packed.
                (Kind::Int32 | Kind::Int64, Payload::Bytes(packed)) => {
                    let mut packed = Reader::new(packed);
                    while let Some(number) = packed.next_varint()? {
                        items.extend(value(field.kind, Payload::Varint(number))?);
                    }
                }
                _ => items.push(value(field.kind, payload)?.unwrap_or(Value::Null)),
            }
            Ok(())
        }
        Shape::Map => {
            let (key, item) = map_entry(payload.bytes()?, field.kind)?;
            if let Value::Object(map) = entry(object, field, || json!({})) {
                map.insert(key, item);
            }
            Ok(())
        }
    }
}

fn put_one(payload: Payload<'_>, field: &'static Field, object: &mut Map<String, Value>) -> Result<()> {
    if let Kind::Message(target) = field.kind {
        // A message that comes in two parts is merged.
        let Value::Object(part) = entry(object, field, || json!({})) else { return Ok(()) };
        return message(payload.bytes()?, target.ty(), part);
    }
    let found = value(field.kind, payload)?;
    match found.filter(|found| field.keeps_zero || !is_zero(field.kind, found)) {
        Some(found) => object.insert(field.name.to_owned(), found),
        None => object.shift_remove(field.name),
    };
    Ok(())
}

fn entry<'o>(object: &'o mut Map<String, Value>, field: &Field, empty: impl FnOnce() -> Value) -> &'o mut Value {
    object.entry(field.name).or_insert_with(empty)
}

fn map_entry(bytes: &[u8], kind: Kind) -> Result<(String, Value)> {
    let mut key = String::new();
    // An absent value is the zero message.
    let mut item = value(kind, Payload::Bytes(b"")).ok().flatten();
    let mut parts = Reader::new(bytes);
    while let Some((tag, payload)) = parts.next()? {
        match tag {
            1 => key = payload.text()?.to_owned(),
            2 => item = value(kind, payload)?,
            _ => {}
        }
    }
    Ok((key, item.unwrap_or(Value::Null)))
}

/// Whether Go's `omitempty` would leave this out. Messages never are.
fn is_zero(kind: Kind, found: &Value) -> bool {
    match kind {
        Kind::String | Kind::Bytes => found == "",
        Kind::Int32 | Kind::Int64 => found == 0,
        Kind::Double => found == 0.0,
        Kind::Bool => found == false,
        Kind::Time | Kind::MicroTime | Kind::Quantity | Kind::IntOrString => false,
        Kind::Raw | Kind::FieldsV1 | Kind::Strings | Kind::Message(_) => false,
    }
}

/// One value; `None` for null.
fn value(kind: Kind, payload: Payload<'_>) -> Result<Option<Value>> {
    Ok(Some(match kind {
        Kind::String => payload.text()?.into(),
        // Go cuts what does not fit into 32 bits.
        Kind::Int32 => (payload.integer()? as i32).into(),
        Kind::Int64 => payload.integer()?.into(),
        Kind::Bool => (payload.integer()? != 0).into(),
        Kind::Double => payload.double()?.into(),
        Kind::Bytes => BASE64_STANDARD.encode(payload.bytes()?).into(),
        Kind::Time => return instant(payload.bytes()?, 0),
        Kind::MicroTime => return instant(payload.bytes()?, 6),
        Kind::Quantity => quantity(payload.bytes()?)?,
        Kind::IntOrString => int_or_string(payload.bytes()?)?,
        Kind::Raw | Kind::FieldsV1 => return raw(payload.bytes()?),
        Kind::Strings => strings(payload.bytes()?)?,
        Kind::Message(target) => {
            let mut object = Map::new();
            message(payload.bytes()?, target.ty(), &mut object)?;
            Value::Object(object)
        }
    }))
}

/// Timestamp { 1: seconds, 2: nanos }; nothing set is no time.
fn instant(bytes: &[u8], precision: usize) -> Result<Option<Value>> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut parts = Reader::new(bytes);
    while let Some((tag, payload)) = parts.next()? {
        match tag {
            1 => seconds = payload.integer()?,
            2 => nanos = payload.integer()?,
            _ => {}
        }
    }
    if (seconds, nanos) == (0, 0) {
        return Ok(None);
    }
    let kept = if precision == 0 { 0 } else { nanos - nanos % 1000 };
    let instant = i32::try_from(kept)
        .ok()
        .and_then(|kept| Timestamp::new(seconds, kept).ok())
        .ok_or_else(|| format!("time {seconds} s {nanos} ns is out of range"))?;
    Ok(Some(format!("{instant:.precision$}").into()))
}

fn quantity(bytes: &[u8]) -> Result<Value> {
    let mut text = "";
    let mut parts = Reader::new(bytes);
    while let Some((tag, payload)) = parts.next()? {
        if tag == 1 {
            text = payload.text()?;
        }
    }
    Ok(if text.is_empty() { "0" } else { text }.into())
}

/// IntOrString { 1: type (0 number, 1 text), 2: number, 3: text }.
fn int_or_string(bytes: &[u8]) -> Result<Value> {
    let (mut is_text, mut number, mut text) = (false, 0, "");
    let mut parts = Reader::new(bytes);
    while let Some((tag, payload)) = parts.next()? {
        match tag {
            1 => is_text = payload.integer()? == 1,
            2 => number = payload.integer()? as i32,
            3 => text = payload.text()?,
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

/// RawExtension and FieldsV1 { 1: JSON text }.
fn raw(bytes: &[u8]) -> Result<Option<Value>> {
    let mut content: &[u8] = b"";
    let mut parts = Reader::new(bytes);
    while let Some((tag, payload)) = parts.next()? {
        if tag == 1 {
            content = payload.bytes()?;
        }
    }
    if content.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(content).map(Some).map_err(|error| format!("raw JSON: {error}"))
}

/// A message of its own: { 1: repeated text }.
fn strings(bytes: &[u8]) -> Result<Value> {
    let mut list = Vec::new();
    let mut parts = Reader::new(bytes);
    while let Some((tag, payload)) = parts.next()? {
        if tag == 1 {
            list.push(payload.text()?.into());
        }
    }
    Ok(Value::Array(list))
}
