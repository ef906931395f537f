//! Fields that a type does not have: misspelt ones, and those that belong somewhere else.

use crate::schema::{Kind, Shape, Type, TypeRef, nearest};
use serde_json::{Map, Value};

/// A field that is not known where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub path: String,
    pub meant: Meant,
}

/// What may have been meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// A field beside it.
    Misspelt(&'static str),
    /// The field of the same name at this path; `[]` stands for one of a list.
    Elsewhere(String),
    /// Nobody knows; these are the fields that could stand there.
    Nothing(String),
}

/// An object as it was meant, with what is wrong in it as it is.
#[derive(Debug)]
pub(super) struct Reading {
    /// Without unknown fields: misspelt ones under the name that was meant, misplaced ones where they belong, unless
    /// something stands there. So one mistake does not lead to others.
    pub object: Value,
    pub unknown: Vec<Unknown>,
}

/// Reads an object as one of this type.
pub(super) fn meant(object: &Value, ty: TypeRef) -> Reading {
    let mut walk = Walk { unknown: Vec::new(), around: Vec::new(), moved: Vec::new() };
    let mut object = walk.message(object, ty, "");
    for (path, value) in walk.moved {
        put(&mut object, &path, value);
    }
    Reading { object, unknown: walk.unknown }
}

/// A step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Index(usize),
    Key(String),
}

/// The way to the first value that is of another type than its field: the same that strict decoding finds.
pub(super) fn misfit(value: &Value, ty: TypeRef) -> Option<Vec<Step>> {
    let Value::Object(fields) = value else { return (!value.is_null()).then(Vec::new) };
    fields.iter().find_map(|(name, value)| {
        let field = ty.field_named(name)?;
        let way = match (field.shape, value) {
            (_, Value::Null) => None,
            (Shape::One, value) => misfit_of_one(field.kind, value),
            (Shape::List, Value::Array(items)) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| Some(after(Step::Index(index), misfit_of_one(field.kind, item)?))),
            (Shape::Map, Value::Object(entries)) => entries
                .iter()
                .find_map(|(key, entry)| Some(after(Step::Key(key.clone()), misfit_of_one(field.kind, entry)?))),
            (Shape::List | Shape::Map, _) => Some(Vec::new()),
        };
        Some(after(Step::Field(name.clone()), way?))
    })
}

fn after(step: Step, way: Vec<Step>) -> Vec<Step> {
    std::iter::once(step).chain(way).collect()
}

fn misfit_of_one(kind: Kind, value: &Value) -> Option<Vec<Step>> {
    let fits = match kind {
        _ if value.is_null() => true,
        Kind::Message(target) => return misfit(value, target),
        Kind::String | Kind::Bytes | Kind::Time | Kind::MicroTime => value.is_string(),
        Kind::Int32 => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Kind::Int64 => value.is_i64(),
        Kind::Bool => value.is_boolean(),
        Kind::Double => value.is_number(),
        Kind::Quantity => value.is_string() || value.is_number(),
        Kind::IntOrString => value.is_string() || value.is_i64(),
        Kind::Strings => value.is_array(),
        Kind::Raw | Kind::FieldsV1 => true,
    };
    (!fits).then(Vec::new)
}

/// The API path of a way.
pub(super) fn path_of(way: &[Step]) -> String {
    way.iter().fold(String::new(), |path, step| match step {
        Step::Field(name) => join(&path, name),
        Step::Index(index) => format!("{path}[{index}]"),
        Step::Key(key) => format!("{path}[{key}]"),
    })
}

/// Puts null in the place of a value.
pub(super) fn remove(object: &mut Value, way: &[Step]) {
    let end = way.iter().try_fold(object, |here, step| match step {
        Step::Field(name) | Step::Key(name) => here.get_mut(name.as_str()),
        Step::Index(index) => here.get_mut(*index),
    });
    if let Some(end) = end {
        *end = Value::Null;
    }
}

struct Walk {
    unknown: Vec<Unknown>,
    /// The types around the place, with their paths.
    around: Vec<(TypeRef, String)>,
    moved: Vec<(String, Value)>,
}

impl Walk {
    fn message(&mut self, value: &Value, ty: TypeRef, path: &str) -> Value {
        let Value::Object(fields) = value else { return value.clone() };
        self.around.push((ty, path.to_owned()));
        let mut known = Map::new();
        for (name, value) in fields {
            let place = join(path, name);
            let name = match ty.ty().field(name) {
                Some(field) => field.name,
                None => match self.unknown(ty, name, &place) {
                    Some(right) if !fields.contains_key(right) => {
                        known.insert(right.to_owned(), self.field(value, ty.ty(), right, &join(path, right)));
                        continue;
                    }
                    _ => {
                        self.keep_for_elsewhere(value);
                        continue;
                    }
                },
            };
            known.insert(name.to_owned(), self.field(value, ty.ty(), name, &place));
        }
        self.around.pop();
        Value::Object(known)
    }

    fn field(&mut self, value: &Value, ty: &'static Type, name: &str, path: &str) -> Value {
        let Some(field) = ty.field(name) else { return value.clone() };
        let Kind::Message(target) = field.kind else { return value.clone() };
        match (field.shape, value) {
            (Shape::One, _) => self.message(value, target, path),
            (Shape::List, Value::Array(items)) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| self.message(item, target, &format!("{path}[{index}]"))).collect()
            }
            (Shape::Map, Value::Object(entries)) => {
                let entries = entries.iter();
                let entry = |(key, entry): (&String, &Value)| {
                    (key.clone(), self.message(entry, target, &format!("{path}[{key}]")))
                };
                Value::Object(entries.map(entry).collect())
            }
            _ => value.clone(),
        }
    }

    /// Tells of an unknown field; gives the name beside it that was meant.
    fn unknown(&mut self, ty: TypeRef, name: &str, path: &str) -> Option<&'static str> {
        let elsewhere = elsewhere(&self.around, name);
        let near = nearest(ty.ty(), name);
        let (meant, right) = match (elsewhere, near) {
            (Some((steps, path)), _) if steps <= CLOSE => (Meant::Elsewhere(path), None),
            (_, Some(near)) => (Meant::Misspelt(near), Some(near)),
            (Some((_, path)), None) => (Meant::Elsewhere(path), None),
            (None, None) => (Meant::Nothing(known(ty.ty())), None),
        };
        self.unknown.push(Unknown { path: path.to_owned(), meant });
        right
    }

    fn keep_for_elsewhere(&mut self, value: &Value) {
        if let Some(Unknown { meant: Meant::Elsewhere(path), .. }) = self.unknown.last()
            && !path.contains('[')
        {
            self.moved.push((path.clone(), value.clone()));
        }
    }
}

/// A field of the very name that is as near as this is meant, even if another one here is spelt alike.
const CLOSE: usize = 2;
/// No further than from a CronJob's spec to its containers.
const FAR: usize = 8;
/// What leads to a Job's pods; everything else is looked into only from beside it.
const SPINE: [&str; 5] = ["metadata", "spec", "jobTemplate", "template", "containers"];

/// The nearest place for a field of this name, up first and then down, with how many steps it takes.
fn elsewhere(around: &[(TypeRef, String)], name: &str) -> Option<(usize, String)> {
    let farthest = FAR + around.len();
    (1..=farthest).find_map(|steps| {
        (0..=steps.min(around.len().saturating_sub(1))).rev().find_map(|up| {
            let (ty, path) = &around[around.len() - 1 - up];
            below(*ty, name, steps - up).map(|below| (steps, join(path, &below)))
        })
    })
}

/// The path from a type down to a field of this name, exactly so many types further.
fn below(ty: TypeRef, name: &str, depth: usize) -> Option<String> {
    if depth == 0 {
        return ty.field_named(name).map(|field| field.name.to_owned());
    }
    if FAR < depth {
        return None;
    }
    let mut aside = Vec::new();
    for field in ty.ty().fields {
        let (Kind::Message(target), Shape::One | Shape::List) = (field.kind, field.shape) else { continue };
        let step = if field.shape == Shape::List { format!("{}[]", field.name) } else { field.name.to_owned() };
        if SPINE.contains(&field.name) {
            if let Some(rest) = below(target, name, depth - 1) {
                return Some(join(&step, &rest));
            }
        } else if depth == 1 && field.name != "status" && target.field_named(name).is_some() {
            aside.push(join(&step, name));
        }
    }
    // Several would be a guess.
    if aside.len() == 1 { aside.pop() } else { None }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn known(ty: &Type) -> String {
    let names: Vec<&str> = ty.fields.iter().map(|field| field.name).collect();
    names.join(", ")
}

/// Puts a value at a path of names, unless there is one.
fn put(object: &mut Value, path: &str, value: Value) {
    let mut here = object;
    for name in path.split('.') {
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(fields) = here else { return };
        here = fields.entry(name).or_insert(Value::Null);
    }
    if here.is_null() {
        *here = value;
    }
}
