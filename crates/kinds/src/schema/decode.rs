//! Strict decoding: one walk of the table over JSON text or over a value already parsed.
//!
//! Unknown fields are dropped, `null` means absent, quantities and times become canonical. A wrong type is an error in
//! Go's words; the walk goes on after it, so that a syntax error further on is still found first, as in Go.

use super::scalar::{self, Misfit, Token};
use super::{Field, Kind, Shape, Type, TypeRef, suggest, syntax};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Go stops collecting at this many.
pub(super) const MAX_COMPLAINTS: usize = 100;
/// Bodies are bounded where they are read; this bound is for callers that are not on the network.
const MAX_BYTES: usize = 16 << 20;

/// What to do about unknown and duplicate fields: `fieldValidation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Say nothing.
    Ignore,
    /// Warning headers.
    Warn,
    /// An error.
    Strict,
}

/// A decoded body.
#[derive(Debug)]
pub struct Decoded {
    /// The object with unknown fields dropped, quantities and times canonical.
    pub object: Value,
    /// `unknown field "spec.x" (did you mean "y"?)`, `duplicate field "spec.y"`, in order of appearance.
    /// Empty under `Ignore`.
    pub complaints: Vec<String>,
}

/// Decodes JSON text against a type. Errors (malformed JSON, a wrong type such as
/// `json: cannot unmarshal string into Go struct field JobSpec.spec.completions of type int32`) are always errors;
/// complaints are for the caller to turn into an error or into warnings.
/// Depth and size are bounded; nothing panics.
pub fn decode(body: &[u8], ty: TypeRef, strictness: Strictness) -> Result<Decoded, String> {
    if body.len() > MAX_BYTES {
        return Err(format!("the body is larger than {MAX_BYTES} bytes"));
    }
    let mut walk = Walk::new(strictness);
    let mut text = serde_json::Deserializer::from_slice(body);
    let object = Object { walk: &mut walk, ty: ty.ty() }
        .deserialize(&mut text)
        .and_then(|object| text.end().map(|()| object))
        .map_err(|error| syntax::describe(body).unwrap_or_else(|| error.to_string()))?;
    walk.finish(object)
}

/// The same walk over a value already parsed (a patched object): duplicates cannot be seen any more.
pub fn check(object: Value, ty: TypeRef, strictness: Strictness) -> Result<Decoded, String> {
    walk_value(object, ty, Walk::new(strictness))
}

/// The same for an object that a strategic merge patch made. Kubernetes does not write such an object out and read it
/// again but fills its types from the maps, and tells wrong types in that converter's words:
/// `unrecognized type: int32` (K:apimachinery/pkg/runtime/converter.go).
pub fn convert(object: Value, ty: TypeRef, strictness: Strictness) -> Result<Decoded, String> {
    walk_value(object, ty, Walk { is_converting: true, ..Walk::new(strictness) })
}

fn walk_value(object: Value, ty: TypeRef, mut walk: Walk) -> Result<Decoded, String> {
    let object = Object { walk: &mut walk, ty: ty.ty() }.deserialize(object).map_err(|error| error.to_string())?;
    walk.finish(object)
}

/// Where the walk is and what it has found.
struct Walk {
    strictness: Strictness,
    path: Vec<Step>,
    complaints: Vec<String>,
    error: Option<String>,
    /// Whether wrong types are told in the converter's words.
    is_converting: bool,
}

#[derive(Clone, Copy)]
enum Step {
    Field(&'static str),
    Index(usize),
}

impl Walk {
    fn new(strictness: Strictness) -> Self {
        Self { strictness, path: Vec::with_capacity(16), complaints: Vec::new(), error: None, is_converting: false }
    }

    fn finish(self, object: Option<Value>) -> Result<Decoded, String> {
        match self.error {
            Some(error) => Err(error),
            None => {
                Ok(Decoded { object: object.unwrap_or_else(|| Value::Object(Map::new())), complaints: self.complaints })
            }
        }
    }

    /// `spec.containers[0].LAST`.
    fn path_to(&self, last: &str) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.extend([".", name]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        if !path.is_empty() {
            path.push('.');
        }
        path + last
    }

    fn complain(&mut self, complaint: String) {
        if self.complaints.len() < MAX_COMPLAINTS && !self.complaints.contains(&complaint) {
            self.complaints.push(complaint);
        }
    }

    fn unknown(&mut self, ty: &'static Type, name: &str) {
        if self.strictness == Strictness::Ignore || MAX_COMPLAINTS <= self.complaints.len() {
            return;
        }
        let hint = match suggest::nearest(ty, name) {
            Some(near) => format!(" (did you mean {near:?}?)"),
            None => String::new(),
        };
        self.complain(format!("unknown field {:?}{hint}", self.path_to(name)));
    }

    fn duplicate(&mut self, name: &str) {
        if self.strictness != Strictness::Ignore {
            self.complain(format!("duplicate field {:?}", self.path_to(name)));
        }
    }

    /// Remembers the first misfit. Go names the struct that holds the field and the path without indexes.
    fn misfit(&mut self, owner: &Type, misfit: Misfit) {
        if self.error.is_some() {
            return;
        }
        self.error = Some(match misfit {
            Misfit::Text(text) => text,
            Misfit::Type { word, go_type } if self.is_converting => cannot_convert(&word, &go_type),
            Misfit::Type { word, go_type } => {
                let names = self.path.iter().filter_map(|step| match step {
                    Step::Field(name) => Some(*name),
                    Step::Index(_) => None,
                });
                let path = names.collect::<Vec<_>>().join(".");
                let target = match path.as_str() {
                    "" => "value".to_owned(),
                    path => format!("struct field {}.{path}", owner.short_name()),
                };
                format!("json: cannot unmarshal {word} into Go {target} of type {go_type}")
            }
        });
    }
}

/// What Go's converter says of a JSON value that does not fit a type.
fn cannot_convert(word: &str, go_type: &str) -> String {
    let is_fraction = word.strip_prefix("number ").is_some_and(|number| number.contains(['.', 'e', 'E']));
    let found = match word {
        "object" => "map",
        "array" => "slice",
        _ if is_fraction => "float64",
        _ if word.starts_with("number") => "int64",
        word => word,
    };
    match go_type {
        _ if go_type.starts_with("[]") => format!("cannot restore slice from {found}"),
        _ if go_type.starts_with("map[") => format!("cannot restore map from {found}"),
        _ if go_type.contains('.') => format!("cannot restore struct from: {found}"),
        // Go could make a letter of a number, but JSON does not mean that.
        "string" if found == "int64" => "cannot convert int64 to string".to_owned(),
        "int32" | "int64" if is_fraction => format!("cannot convert float64 to {go_type}"),
        _ => format!("unrecognized type: {go_type}"),
    }
}

/// Reads one object of type `ty`; `None` for null and for what is not an object.
struct Object<'w> {
    walk: &'w mut Walk,
    ty: &'static Type,
}

impl Object<'_> {
    fn fields<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let Self { walk, ty } = self;
        let mut object = Map::new();
        let mut seen: u128 = 0;
        while let Some(key) = entries.next_key_seed(Key(ty))? {
            let index = match key {
                FoundKey::Known(index) => index,
                FoundKey::Unknown(name) => {
                    walk.unknown(ty, &name);
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let field = &ty.fields[index];
            // No type has more than 128 fields (there is a test); one that did would only miss duplicates.
            let bit = 1u128.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0);
            let is_duplicate = seen & bit != 0;
            if is_duplicate {
                walk.duplicate(field.name);
            }
            seen |= bit;
            walk.path.push(Step::Field(field.name));
            let slot = Slot { walk, owner: ty, kind: field.kind, shape: field.shape };
            let value = entries.next_value_seed(slot)?;
            walk.path.pop();
            match value {
                Some(value) => {
                    object.insert(field.name.to_owned(), value);
                }
                None if is_duplicate => {
                    object.shift_remove(field.name);
                }
                None => {}
            }
        }
        Ok(Value::Object(object))
    }

    fn refuse(self, word: &str) {
        let go_type = format!("v1.{}", self.ty.short_name());
        self.walk.misfit(self.ty, Misfit::Type { word: word.to_owned(), go_type });
    }
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Option<Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ty.name)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        self.refuse("bool");
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        self.refuse("number");
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        self.refuse("number");
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        self.refuse("number");
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        self.refuse("string");
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        self.refuse("array");
        IgnoredAny::deserialize(SeqAccessDeserializer::new(items))?;
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        self.fields(entries).map(Some)
    }
}

/// Reads a field's value, or one of its items: `shape` is what is still to be unwrapped.
struct Slot<'w> {
    walk: &'w mut Walk,
    owner: &'static Type,
    kind: Kind,
    shape: Shape,
}

impl Slot<'_> {
    fn is_free(&self) -> bool {
        self.shape == Shape::One && matches!(self.kind, Kind::Raw | Kind::FieldsV1)
    }

    fn scalar(self, token: Token<'_>) -> Option<Value> {
        let read = match self.shape {
            Shape::One if self.is_free() => return Some(free(token)),
            Shape::One => scalar::read(self.kind, token),
            Shape::List | Shape::Map => return self.refuse(scalar::word(token)),
        };
        match read {
            Ok(value) => Some(value),
            Err(misfit) => {
                self.walk.misfit(self.owner, misfit);
                None
            }
        }
    }

    fn refuse(self, word: &str) -> Option<Value> {
        let item = scalar::go_type(self.kind);
        let go_type = match self.shape {
            Shape::One => item,
            Shape::List => format!("[]{item}"),
            Shape::Map => format!("map[string]{item}"),
        };
        self.walk.misfit(self.owner, Misfit::Type { word: word.to_owned(), go_type });
        None
    }

    fn list<'de, A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0).min(1024));
        for index in 0usize.. {
            self.walk.path.push(Step::Index(index));
            let slot = Slot { walk: self.walk, owner: self.owner, kind: self.kind, shape: Shape::One };
            let item = items.next_element_seed(slot)?;
            self.walk.path.pop();
            match item {
                Some(item) => list.push(item.unwrap_or_else(|| scalar::zero(self.kind))),
                None => break,
            }
        }
        Ok(Value::Array(list))
    }

    fn map<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (kind, shape) = match self.kind {
            Kind::Strings => (Kind::String, Shape::List),
            kind => (kind, Shape::One),
        };
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                self.walk.duplicate(&key);
            }
            let slot = Slot { walk: self.walk, owner: self.owner, kind, shape };
            let value = entries.next_value_seed(slot)?;
            map.insert(key, value.unwrap_or_else(|| scalar::zero(self.kind)));
        }
        Ok(Value::Object(map))
    }
}

fn free(token: Token<'_>) -> Value {
    match token {
        Token::Bool(value) => value.into(),
        Token::Signed(value) => value.into(),
        Token::Unsigned(value) => value.into(),
        Token::Float(value) => value.into(),
        Token::Text(text) => text.into(),
    }
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = Option<Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.scalar(Token::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.scalar(Token::Signed(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.scalar(Token::Unsigned(value)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(self.scalar(Token::Float(value)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.scalar(Token::Text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        if self.is_free() {
            return Value::deserialize(SeqAccessDeserializer::new(items)).map(Some);
        }
        if self.shape == Shape::List {
            return self.list(items).map(Some);
        }
        self.refuse("array");
        IgnoredAny::deserialize(SeqAccessDeserializer::new(items))?;
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        if self.is_free() {
            return Value::deserialize(MapAccessDeserializer::new(entries)).map(Some);
        }
        match (self.shape, self.kind) {
            (Shape::Map, _) => self.map(entries).map(Some),
            (Shape::One, Kind::Message(ty)) => Object { walk: self.walk, ty: ty.ty() }.fields(entries).map(Some),
            (Shape::One | Shape::List, _) => {
                self.refuse("object");
                IgnoredAny::deserialize(MapAccessDeserializer::new(entries))?;
                Ok(None)
            }
        }
    }
}

/// Reads a key without keeping a copy of known ones.
struct Key(&'static Type);

enum FoundKey {
    Known(usize),
    Unknown(String),
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = FoundKey;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FoundKey, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = FoundKey;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }
    fn visit_str<E>(self, name: &str) -> Result<FoundKey, E> {
        let found: Result<usize, usize> = self.0.fields.binary_search_by(|field: &Field| field.name.cmp(name));
        Ok(found.map_or_else(|_| FoundKey::Unknown(name.to_owned()), FoundKey::Known))
    }
}

#[cfg(test)]
mod tests;
