//! A small schema with one of everything.

use super::compare::{Changes, compare};
use super::schema::{FieldSchema, Form, ListForm, ScalarForm};
use super::step::Scalar;
use serde_json::Value;

/// The types of the toy schema. A root has everything; a spec is a root; an item is told apart by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toy {
    Root,
    Item,
    Port,
    Metadata,
    Number,
    Text,
    Any,
    Free,
    Labels,
    Selector,
    Args,
    Set,
    Items,
    Ports,
}

impl FieldSchema for Toy {
    fn form(self) -> Form<Self> {
        match self {
            Self::Root | Self::Item | Self::Port | Self::Metadata => Form::Struct { is_atomic: false },
            Self::Number => Form::Scalar(ScalarForm::Number),
            Self::Text => Form::Scalar(ScalarForm::Text),
            Self::Any => Form::Scalar(ScalarForm::Any),
            Self::Free => Form::Free,
            Self::Labels => Form::Map { item: Self::Text, is_atomic: false },
            Self::Selector => Form::Map { item: Self::Any, is_atomic: true },
            Self::Args => Form::List { item: Self::Text, list: ListForm::Atomic },
            Self::Set => Form::List { item: Self::Text, list: ListForm::Set },
            Self::Items => Form::List { item: Self::Item, list: ListForm::Keyed(&["name"]) },
            Self::Ports => Form::List { item: Self::Port, list: ListForm::Keyed(&["port", "protocol"]) },
        }
    }

    fn field(self, name: &str) -> Option<Self> {
        Some(match (self, name) {
            (Self::Root, "spec") => Self::Root,
            (Self::Root | Self::Item, "n") | (Self::Port, "port") => Self::Number,
            (Self::Root | Self::Item, "t") | (Self::Item, "name") | (Self::Port, "protocol") => Self::Text,
            (Self::Root | Self::Item, "labels") => Self::Labels,
            (Self::Root, "apiVersion") => Self::Text,
            (Self::Root, "metadata") => Self::Metadata,
            (Self::Metadata, "annotations") => Self::Labels,
            (Self::Root, "quantity") => Self::Any,
            (Self::Root, "free") => Self::Free,
            (Self::Root, "selector") => Self::Selector,
            (Self::Root, "args") => Self::Args,
            (Self::Root, "set") => Self::Set,
            (Self::Root, "items") => Self::Items,
            (Self::Root, "ports") => Self::Ports,
            _ => return None,
        })
    }

    fn key_default(self, key: &str) -> Option<Scalar> {
        ((self, key) == (Self::Port, "protocol")).then(|| Scalar::Text("TCP".into()))
    }

    fn is_always_there(self) -> bool {
        matches!(self, Self::Root | Self::Metadata | Self::Items | Self::Ports)
    }
}

pub fn compared(old: &Value, new: &Value) -> Changes {
    compare(old, new, Toy::Root)
}
