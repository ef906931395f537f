//! metav1.Status: what every answer that is not an object is.

use crate::field::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// metav1.Status. Build one with the constructors; the texts are the API server's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub kind: String,
    pub api_version: String,
    #[serde(default)]
    pub metadata: Value,
    pub status: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
    /// The HTTP status code.
    pub code: u16,
}

/// Group and plural name of a resource, for texts such as `jobs.batch "x" not found`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupResource<'a> {
    pub group: &'a str,
    pub resource: &'a str,
}

impl Status {
    pub fn success() -> Self {
        todo!()
    }
    pub fn not_found(what: GroupResource<'_>, name: &str) -> Self {
        todo!("{what:?} {name}")
    }
    pub fn already_exists(what: GroupResource<'_>, name: &str) -> Self {
        todo!("{what:?} {name}")
    }
    /// 409 Conflict: `Operation cannot be fulfilled on jobs.batch "x": DETAIL`.
    pub fn conflict(what: GroupResource<'_>, name: &str, detail: &str) -> Self {
        todo!("{what:?} {name} {detail}")
    }
    pub fn forbidden(what: GroupResource<'_>, name: &str, detail: &str) -> Self {
        todo!("{what:?} {name} {detail}")
    }
    /// 422 Invalid with all causes; duplicates by text are dropped.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        todo!("{group} {kind} {name} {errors:?}")
    }
    pub fn bad_request(message: impl Into<String>) -> Self {
        todo!("{}", message.into())
    }
    pub fn unauthorized() -> Self {
        todo!()
    }
    pub fn method_not_allowed(what: GroupResource<'_>, verb: &str) -> Self {
        todo!("{what:?} {verb}")
    }
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        todo!("{}", message.into())
    }
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        todo!("{}", message.into())
    }
    pub fn request_entity_too_large(limit_bytes: usize) -> Self {
        todo!("{limit_bytes}")
    }
    /// 410 Expired.
    pub fn expired(message: impl Into<String>) -> Self {
        todo!("{}", message.into())
    }
    /// 404 for a path nothing is served at.
    pub fn path_not_found() -> Self {
        todo!()
    }
    pub fn internal(message: impl Into<String>) -> Self {
        todo!("{}", message.into())
    }
    pub fn timeout(message: impl Into<String>) -> Self {
        todo!("{}", message.into())
    }
    pub fn not_implemented(message: impl Into<String>) -> Self {
        todo!("{}", message.into())
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Status {}
