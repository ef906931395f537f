//! Mistakes in an object, each with its API path (K:apimachinery/util/validation/field/errors.go).

use serde_json::Value;

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Required,
    Invalid,
    NotSupported,
    Forbidden,
    TooLong,
    TooMany,
    Duplicate,
    NotFound,
    TypeInvalid,
}

/// One mistake: `FIELD: BODY`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    pub reason: Reason,
    pub field: String,
    pub body: String,
}

impl FieldError {
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        todo!("{} {detail}", field.into())
    }
    pub fn invalid(field: impl Into<String>, value: impl Into<Value>, detail: &str) -> Self {
        todo!("{} {} {detail}", field.into(), value.into())
    }
    pub fn not_supported(
        field: impl Into<String>,
        value: impl Into<Value>,
        supported: &[&str],
    ) -> Self {
        todo!("{} {} {supported:?}", field.into(), value.into())
    }
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        todo!("{} {detail}", field.into())
    }
    pub fn too_long(field: impl Into<String>, max_bytes: usize) -> Self {
        todo!("{} {max_bytes}", field.into())
    }
    pub fn too_many(field: impl Into<String>, actual: usize, max: usize) -> Self {
        todo!("{} {actual} {max}", field.into())
    }
    pub fn duplicate(field: impl Into<String>, value: impl Into<Value>) -> Self {
        todo!("{} {}", field.into(), value.into())
    }
    pub fn not_found(field: impl Into<String>, value: impl Into<Value>) -> Self {
        todo!("{} {}", field.into(), value.into())
    }
    /// The cause's reason on the wire: `FieldValueRequired`, `FieldValueInvalid` …
    pub fn cause(&self) -> &'static str {
        todo!()
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.body)
    }
}
