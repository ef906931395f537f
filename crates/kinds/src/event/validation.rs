//! Rules for events (K:pkg/apis/core/validation/events.go). The core group asks for little, as it always has.

use crate::at::At;
use crate::kind::Scope;
use crate::metadata;
use meta::field::FieldError;
use meta::names;
use serde_json::Value;

const TEXT_LENGTH: usize = 128;
const NOTE_LENGTH: usize = 1024;

/// Every mistake in an event of the core group.
pub(super) fn validate_core(event: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(event, Scope::Namespaced, names::dns_subdomain_errors);
    let root = At::root(event);
    check_namespace(&root, "involvedObject", &mut errors);
    if root.field("eventTime").is_set() {
        check_report(&root, "reportingComponent", "message", &mut errors);
    }
    errors
}

/// Every mistake in an event of events.k8s.io.
pub(super) fn validate_new(event: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(event, Scope::Namespaced, names::dns_subdomain_errors);
    let root = At::root(event);
    check_namespace(&root, "regarding", &mut errors);
    // Events that were made through the core group have no event time; their other fields are as free as there.
    if !root.field("eventTime").is_set() {
        let is_older = root.field("deprecatedFirstTimestamp").is_set() || root.field("deprecatedSource").is_set();
        if !is_older {
            errors.push(root.field("eventTime").required(""));
        }
        return errors;
    }
    check_report(&root, "reportingController", "note", &mut errors);
    let event_type = root.field("type");
    if !matches!(event_type.text(), "Normal" | "Warning") {
        let detail = format!("has invalid value: {}", event_type.text());
        errors.push(FieldError::invalid(&event_type.path, "", &detail));
    }
    errors
}

/// Every mistake in changing an event of events.k8s.io: only its series goes on.
pub(super) fn validate_new_update(event: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (root, old) = (At::root(event), At::root(old));
    let fields = ["regarding", "reason", "reportingController", "reportingInstance", "action", "note", "type"];
    for field in fields {
        root.field(field).check_immutable(&old.field(field), &mut errors);
    }
    errors
}

/// An event lies beside the object it is about; events about objects without a namespace lie in `default`.
fn check_namespace(event: &At<'_>, about: &str, errors: &mut Vec<FieldError>) {
    let namespace = event.fields(&["metadata", "namespace"]).text();
    let theirs = event.fields(&[about, "namespace"]);
    let fits = match theirs.text() {
        "" => namespace == "default",
        theirs => theirs == namespace,
    };
    if !fits {
        let path = "involvedObject.namespace";
        errors.push(FieldError::invalid(path, theirs.text(), "does not match event.namespace"));
    }
}

fn check_report(event: &At<'_>, controller: &str, note: &str, errors: &mut Vec<FieldError>) {
    let controller = event.field(controller);
    controller.check_required_rule(names::qualified_name_errors, errors);
    for field in ["reportingInstance", "action", "reason"] {
        let field = event.field(field);
        if field.text().is_empty() {
            errors.push(field.required(""));
        } else if TEXT_LENGTH < field.text().len() {
            errors.push(too_long(&field, TEXT_LENGTH));
        }
    }
    if NOTE_LENGTH < event.field(note).text().len() {
        errors.push(too_long(&event.field(note), NOTE_LENGTH));
    }
}

fn too_long(field: &At<'_>, max: usize) -> FieldError {
    FieldError::invalid(&field.path, "", &format!("can have at most {max} characters"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::json;

    #[test]
    fn an_event_lies_beside_its_object() {
        for (namespace, about, expect) in
            [("n", "n", true), ("default", "", true), ("n", "", false), ("n", "other", false)]
        {
            let event =
                json!({"metadata": {"name": "e", "namespace": namespace}, "involvedObject": {"namespace": about}});
            let wrong = format!("involvedObject.namespace: Invalid value: \"{about}\": does not match event.namespace");
            let expect = if expect { vec![] } else { vec![wrong] };
            assert_eq!(texts(&validate_core(&event)), expect);
        }
    }

    #[test]
    fn newer_events_say_who_reports_what() {
        let event = json!({"metadata": {"name": "e", "namespace": "n"}, "regarding": {"namespace": "n"},
            "eventTime": "2026-01-01T00:00:00.000000Z", "reason": "x".repeat(129), "note": "x".repeat(1025)});
        assert_eq!(
            texts(&validate_new(&event)),
            [
                "reportingController: Required value",
                "reportingInstance: Required value",
                "action: Required value",
                "reason: Invalid value: \"\": can have at most 128 characters",
                "note: Invalid value: \"\": can have at most 1024 characters",
                "type: Invalid value: \"\": has invalid value: ",
            ]
        );
        let bare = json!({"metadata": {"name": "e", "namespace": "default"}});
        assert_eq!(texts(&validate_new(&bare)), ["eventTime: Required value"]);
    }
}
