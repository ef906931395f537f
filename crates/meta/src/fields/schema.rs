//! What ownership needs to know of types, and how items of lists are told apart.

use super::step::{Scalar, Step};
use serde_json::Value;

/// The type of one value. `kinds::schema` implements it.
pub trait FieldSchema: Copy {
    /// What the value is.
    fn form(self) -> Form<Self>;
    /// The type of an object's field; `None` when it has none of that name.
    fn field(self, name: &str) -> Option<Self>;
    /// The object's field that a misspelt name is near to.
    fn nearest(self, _name: &str) -> Option<&'static str> {
        None
    }
    /// What an item's key is when the item does not say: the protocol of a port is TCP.
    fn key_default(self, key: &str) -> Option<Scalar>;
    /// Whether the field stands in every object that Kubernetes writes, even when nobody set it. Then setting what is in
    /// it does not make the field itself one's own.
    fn is_always_there(self) -> bool;
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<S> {
    /// One value.
    Scalar(ScalarForm),
    /// Any JSON, owned whole.
    Free,
    /// An object with known fields.
    Struct {
        /// Owned whole.
        is_atomic: bool,
    },
    /// A map with any keys.
    Map {
        /// The type of its values.
        item: S,
        /// Owned whole.
        is_atomic: bool,
    },
    /// A list.
    List {
        /// The type of its items.
        item: S,
        /// How they are told apart.
        list: ListForm,
    },
}

/// What a scalar may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarForm {
    /// A string.
    Text,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// Any of them: quantities, times, ports.
    Any,
}

/// How a list's items are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListForm {
    /// Not at all: the list is owned whole.
    Atomic,
    /// Scalars, each once.
    Set,
    /// By these fields.
    Keyed(&'static [&'static str]),
}

/// Whether a value of this form is owned whole.
pub(super) fn is_leaf<S>(form: &Form<S>) -> bool {
    match form {
        Form::Scalar(_) | Form::Free => true,
        Form::Struct { is_atomic } | Form::Map { is_atomic, .. } => *is_atomic,
        Form::List { list, .. } => *list == ListForm::Atomic,
    }
}

/// The type of an entry of an object or map.
pub(super) fn entry<S: FieldSchema>(ty: S, form: &Form<S>, name: &str) -> Option<S> {
    match form {
        Form::Map { item, .. } => Some(*item),
        Form::Struct { .. } => ty.field(name),
        Form::Scalar(_) | Form::Free | Form::List { .. } => None,
    }
}

/// Null and empty lists and objects.
pub(super) fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(_) => false,
    }
}

/// What tells an item of a list from the others. The error is Kubernetes' text.
pub(super) fn step_of<S: FieldSchema>(value: &Value, item: S, list: ListForm, index: usize) -> Result<Step, String> {
    match list {
        ListForm::Atomic => Ok(Step::Index(i64::try_from(index).unwrap_or(i64::MAX))),
        ListForm::Set => match value {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
            scalar => Ok(Step::Value(Scalar::of(scalar))),
        },
        ListForm::Keyed(keys) => keyed_step(value, item, keys),
    }
}

fn keyed_step<S: FieldSchema>(value: &Value, item: S, keys: &[&'static str]) -> Result<Step, String> {
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let scalar = match (fields.get(*key), item.key_default(key)) {
            (Some(value), _) => Scalar::of(value),
            (None, Some(default)) => default,
            (None, None) => {
                return Err(format!(
                    "associative list with keys has an element that omits key field {key:?} (and doesn't have default value)"
                ));
            }
        };
        found.push((*key, scalar));
    }
    Ok(Step::of_fields(found.into_iter()))
}

/// The items of a list with their steps. Items without one, which validation refuses, are left out.
pub(super) fn steps<S: FieldSchema>(items: &[Value], item: S, list: ListForm) -> Vec<(Step, &Value)> {
    let steps = items.iter().enumerate();
    steps.filter_map(|(index, value)| Some((step_of(value, item, list, index).ok()?, value))).collect()
}
