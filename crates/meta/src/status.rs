//! metav1.Status: what every answer that is not an object is (K:apimachinery/pkg/api/errors).

use crate::field::{FieldError, quote};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// metav1.Status. Build one with the constructors; the texts are the API server's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Always `Status`.
    pub kind: String,
    /// Always `v1`.
    pub api_version: String,
    /// List metadata; an empty object.
    #[serde(default)]
    pub metadata: Value,
    /// `Success` or `Failure`.
    pub status: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// For programs: `NotFound`, `Invalid` …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What it is about: name, group, kind, uid, causes, retryAfterSeconds. Null when absent.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
    /// The HTTP status code. Not written when it is 200, like the API server's own answer to DELETE.
    #[serde(default = "ok", skip_serializing_if = "is_ok")]
    pub code: u16,
}

fn ok() -> u16 {
    200
}

fn is_ok(code: &u16) -> bool {
    *code == ok()
}

/// Group and plural name of a resource, for texts such as `jobs.batch "x" not found`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupResource<'a> {
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural name.
    pub resource: &'a str,
}

impl std::fmt::Display for GroupResource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&qualified(self.resource, self.group))
    }
}

/// `jobs.batch`; the bare name in the core group.
fn qualified(name: &str, group: &str) -> String {
    match group {
        "" => name.to_owned(),
        _ => format!("{name}.{group}"),
    }
}

impl Status {
    /// 200: done, nothing else to say.
    pub fn success() -> Self {
        Self {
            kind: "Status".to_owned(),
            api_version: "v1".to_owned(),
            metadata: json!({}),
            status: "Success".to_owned(),
            message: String::new(),
            reason: String::new(),
            details: Value::Null,
            code: ok(),
        }
    }
    /// 200 with what was deleted, as DELETE answers when the object is gone.
    pub fn deleted(what: GroupResource<'_>, name: &str, uid: &str) -> Self {
        let mut details = details_of(what, name);
        insert(&mut details, "uid", uid);
        Self { details, ..Self::success() }
    }
    /// 404 NotFound: `jobs.batch "x" not found`.
    pub fn not_found(what: GroupResource<'_>, name: &str) -> Self {
        let message = format!("{what} {} not found", quote(name));
        failure(404, "NotFound", message).about(details_of(what, name))
    }
    /// 409 AlreadyExists: `jobs.batch "x" already exists`.
    pub fn already_exists(what: GroupResource<'_>, name: &str) -> Self {
        let message = format!("{what} {} already exists", quote(name));
        failure(409, "AlreadyExists", message).about(details_of(what, name))
    }
    /// 409 AlreadyExists, after every generated name collided.
    pub fn generated_name_exists(what: GroupResource<'_>, name: &str) -> Self {
        let message = format!(
            "{what} {} already exists, the server was not able to generate a unique name for the object",
            quote(name)
        );
        failure(409, "AlreadyExists", message).about(details_of(what, name))
    }
    /// 409 Conflict: `Operation cannot be fulfilled on jobs.batch "x": DETAIL`.
    pub fn conflict(what: GroupResource<'_>, name: &str, detail: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {what} {}: {detail}", quote(name));
        failure(409, "Conflict", message).about(details_of(what, name))
    }
    /// 409 Conflict for a resourceVersion that is not the object's any more.
    pub fn modified(what: GroupResource<'_>, name: &str) -> Self {
        Self::conflict(
            what,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }
    /// 403 Forbidden: `jobs.batch "x" is forbidden: DETAIL`; without a name `jobs.batch is forbidden: …`,
    /// without a resource `forbidden: …`.
    pub fn forbidden(what: GroupResource<'_>, name: &str, detail: &str) -> Self {
        let message = match (what.resource, name) {
            ("", _) => format!("forbidden: {detail}"),
            (_, "") => format!("{what} is forbidden: {detail}"),
            _ => format!("{what} {} is forbidden: {detail}", quote(name)),
        };
        failure(403, "Forbidden", message).about(details_of(what, name))
    }
    /// 422 Invalid with all causes; duplicates by text are dropped.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(FieldError::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let subject = format!("{} {}", qualified(kind, group), quote(name));
        let message = match texts.as_slice() {
            [] => format!("{subject} is invalid"),
            [text] => format!("{subject} is invalid: {text}"),
            _ => format!("{subject} is invalid: [{}]", texts.join(", ")),
        };
        let mut details = details_of(GroupResource { group, resource: kind }, name);
        let causes: Vec<Value> = errors.iter().map(cause_of).collect();
        if !causes.is_empty() {
            insert(&mut details, "causes", causes);
        }
        failure(422, "Invalid", message).about(details)
    }
    /// 400 BadRequest.
    pub fn bad_request(message: impl Into<String>) -> Self {
        failure(400, "BadRequest", message)
    }
    /// 401 Unauthorized.
    pub fn unauthorized() -> Self {
        failure(401, "Unauthorized", "Unauthorized")
    }
    /// 405 MethodNotAllowed: `patch is not supported on resources of kind "jobs.batch"`.
    pub fn method_not_allowed(what: GroupResource<'_>, verb: &str) -> Self {
        let resource = quote(&what.to_string());
        let message = format!("{verb} is not supported on resources of kind {resource}");
        failure(405, "MethodNotAllowed", message).about(details_of(what, ""))
    }
    /// 406 NotAcceptable.
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        failure(406, "NotAcceptable", message)
    }
    /// 415 UnsupportedMediaType.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        failure(415, "UnsupportedMediaType", message)
    }
    /// 413: `Request entity is too large: limit is N`.
    pub fn request_entity_too_large(limit_bytes: usize) -> Self {
        let message = format!("Request entity is too large: limit is {limit_bytes}");
        failure(413, "RequestEntityTooLarge", message)
    }
    /// 410 Expired.
    pub fn expired(message: impl Into<String>) -> Self {
        failure(410, "Expired", message)
    }
    /// 404 for a path nothing is served at.
    pub fn path_not_found() -> Self {
        failure(404, "NotFound", "the server could not find the requested resource").about(json!({}))
    }
    /// 500: `Internal error occurred: MESSAGE`.
    pub fn internal(message: impl Into<String>) -> Self {
        let message = message.into();
        let details = json!({"causes": [{"message": message}]});
        let message = format!("Internal error occurred: {message}");
        failure(500, "InternalError", message).about(details)
    }
    /// 504: `Timeout: MESSAGE`.
    pub fn timeout(message: impl Into<String>) -> Self {
        let message = format!("Timeout: {}", message.into());
        failure(504, "Timeout", message).about(json!({}))
    }
    /// 429 TooManyRequests, to be tried again after so many seconds.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        failure(429, "TooManyRequests", message).about(json!({"retryAfterSeconds": retry_after_seconds}))
    }
    /// 503 ServiceUnavailable.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        failure(503, "ServiceUnavailable", message)
    }
    /// 501: this version does not do that.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        failure(501, "NotImplemented", message)
    }

    /// The same with other details.
    pub fn about(self, details: Value) -> Self {
        Self { details, ..self }
    }
    /// The same with one more cause in its details.
    pub fn because(mut self, reason: &str, message: &str, field: &str) -> Self {
        let mut cause = Map::new();
        for (key, text) in [("reason", reason), ("message", message), ("field", field)] {
            if !text.is_empty() {
                cause.insert(key.to_owned(), text.into());
            }
        }
        if !self.details.is_object() {
            self.details = json!({});
        }
        match self.details.get_mut("causes").and_then(Value::as_array_mut) {
            Some(causes) => causes.push(cause.into()),
            None => insert(&mut self.details, "causes", vec![Value::from(cause)]),
        }
        self
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Status {}

fn failure(code: u16, reason: &str, message: impl Into<String>) -> Status {
    Status {
        status: "Failure".to_owned(),
        message: message.into(),
        reason: reason.to_owned(),
        code,
        ..Status::success()
    }
}

fn details_of(what: GroupResource<'_>, name: &str) -> Value {
    let mut details = json!({});
    for (key, text) in [("name", name), ("group", what.group), ("kind", what.resource)] {
        if !text.is_empty() {
            insert(&mut details, key, text);
        }
    }
    details
}

fn insert(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = object {
        fields.insert(key.to_owned(), value.into());
    }
}

fn cause_of(error: &FieldError) -> Value {
    json!({"reason": error.cause(), "message": error.body, "field": error.field})
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: GroupResource<'_> = GroupResource { group: "batch", resource: "jobs" };
    const PODS: GroupResource<'_> = GroupResource { group: "", resource: "pods" };

    #[track_caller]
    fn check(status: Status, code: u16, reason: &str, message: &str, details: Value) {
        assert_eq!(status.code, code);
        assert_eq!(status.reason, reason);
        assert_eq!(status.message, message);
        assert_eq!(status.details, details);
        assert_eq!(status.status, "Failure");
    }

    #[test]
    fn texts_and_details_are_the_api_servers_own() {
        let about_job = json!({"name": "x", "group": "batch", "kind": "jobs"});
        check(Status::not_found(JOBS, "x"), 404, "NotFound", "jobs.batch \"x\" not found", about_job.clone());
        check(
            Status::not_found(PODS, "x"),
            404,
            "NotFound",
            "pods \"x\" not found",
            json!({"name": "x", "kind": "pods"}),
        );
        check(
            Status::already_exists(JOBS, "x"),
            409,
            "AlreadyExists",
            "jobs.batch \"x\" already exists",
            about_job.clone(),
        );
        check(
            Status::modified(JOBS, "x"),
            409,
            "Conflict",
            "Operation cannot be fulfilled on jobs.batch \"x\": the object has been modified; \
             please apply your changes to the latest version and try again",
            about_job.clone(),
        );
        check(Status::forbidden(JOBS, "x", "no"), 403, "Forbidden", "jobs.batch \"x\" is forbidden: no", about_job);
        check(
            Status::forbidden(JOBS, "", "no"),
            403,
            "Forbidden",
            "jobs.batch is forbidden: no",
            json!({"group": "batch", "kind": "jobs"}),
        );
        check(
            Status::method_not_allowed(PODS, "patch"),
            405,
            "MethodNotAllowed",
            "patch is not supported on resources of kind \"pods\"",
            json!({"kind": "pods"}),
        );
        check(
            Status::internal("odd"),
            500,
            "InternalError",
            "Internal error occurred: odd",
            json!({"causes": [{"message": "odd"}]}),
        );
        check(
            Status::request_entity_too_large(3145728),
            413,
            "RequestEntityTooLarge",
            "Request entity is too large: limit is 3145728",
            Value::Null,
        );
        check(Status::path_not_found(), 404, "NotFound", "the server could not find the requested resource", json!({}));
        check(
            Status::forbidden(JOBS, "x", "gone").because("NamespaceTerminating", "m", "metadata.namespace"),
            403,
            "Forbidden",
            "jobs.batch \"x\" is forbidden: gone",
            json!({"name": "x", "group": "batch", "kind": "jobs",
                "causes": [{"reason": "NamespaceTerminating", "message": "m", "field": "metadata.namespace"}]}),
        );
    }

    #[test]
    fn one_mistake_stands_bare_and_several_in_brackets_without_duplicates() {
        let one = FieldError::required("spec.a", "");
        let two = FieldError::invalid("spec.b", 1, "odd");
        let cause = json!({"reason": "FieldValueRequired", "message": "Required value", "field": "spec.a"});
        check(
            Status::invalid("batch", "Job", "x", std::slice::from_ref(&one)),
            422,
            "Invalid",
            "Job.batch \"x\" is invalid: spec.a: Required value",
            json!({"name": "x", "group": "batch", "kind": "Job", "causes": [cause]}),
        );
        let several = Status::invalid("", "Pod", "x", &[one.clone(), two, one]);
        assert_eq!(several.message, "Pod \"x\" is invalid: [spec.a: Required value, spec.b: Invalid value: 1: odd]");
    }

    #[test]
    fn success_is_written_without_a_code_and_read_back() {
        let text = serde_json::to_string(&Status::success()).unwrap();
        assert_eq!(text, r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}"#);
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), Status::success());
    }

    #[test]
    fn fields_are_written_in_the_api_servers_order() {
        let text = serde_json::to_string(&Status::not_found(JOBS, "x")).unwrap();
        assert_eq!(
            text,
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"jobs.batch \"x\" not found","reason":"NotFound","details":{"name":"x","group":"batch","kind":"jobs"},"code":404}"#
        );
    }
}
