//! What the tests of all kinds ask.

use crate::kind::{Kind, Part};
use jiff::Timestamp;
use meta::field::FieldError;
use serde_json::Value;

/// The instant that tests call now.
pub(crate) fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

/// The object as the server would hold it: defaulted.
pub(crate) fn defaulted(kind: &dyn Kind, object: &Value) -> Value {
    let mut object = object.clone();
    kind.default(&mut object);
    object
}

/// The object as it is after a create.
pub(crate) fn created(kind: &dyn Kind, object: &Value) -> Value {
    let mut object = defaulted(kind, object);
    kind.prepare_create(&mut object);
    kind.default(&mut object);
    object
}

#[track_caller]
pub(crate) fn check_errors(kind: &dyn Kind, object: &Value, expect: &[&str]) {
    let errors = kind.validate(&created(kind, object));
    assert_eq!(texts(&errors), expect);
}

#[track_caller]
pub(crate) fn check_update_errors(kind: &dyn Kind, object: &Value, old: &Value, expect: &[&str]) {
    let errors = kind.validate_update(&defaulted(kind, object), &defaulted(kind, old), Part::Spec);
    assert_eq!(texts(&errors), expect);
}

/// The cells of one row.
pub(crate) fn cells(kind: &dyn Kind, object: &Value) -> Vec<Value> {
    let row = kind.row(object, now());
    assert_eq!(row.cells.len(), kind.columns().len(), "one cell for each column");
    row.cells
}

pub(crate) fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(FieldError::to_string).collect()
}
