//! Pod as the server sees it: names, and which file decides what.

use super::{columns, defaults, strategy, unsupported, update, validation, warnings};
use crate::at::At;
use crate::kind::{Column, Deletion, Kind, Names, Part, Row, Scope};
use crate::{metadata, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use serde_json::Value;

/// Pods of the core group.
#[derive(Debug)]
pub struct Pod;

pub(super) const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "Pod",
    plural: "pods",
    singular: "pod",
    short: &["po"],
    categories: &["all"],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &["status", "log", "exec", "attach", "portforward", "binding", "eviction"],
};

impl Kind for Pod {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.Pod"
    }
    fn default(&self, object: &mut Value) {
        defaults::default_pod(object);
    }
    fn prepare_create(&self, object: &mut Value) {
        strategy::prepare_create(object);
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        strategy::prepare_update(object, old, part);
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = validation::validate_pod(object);
        unsupported::check(&At::root(object).field("spec"), &mut errors);
        errors
    }
    fn validate_changed(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        if part == Part::Status || crate::strategy::is_same_content(object, old) {
            return metadata::validate_changed(object, NAMES.scope);
        }
        validation::validate_whole(object)
    }
    fn validate_update(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        update::validate_update(object, old, part)
    }
    fn warnings(&self, object: &Value) -> Vec<String> {
        warnings::of_pod(object)
    }
    fn update_warnings(&self, _: &Value, _: &Value) -> Vec<String> {
        // Hands seldom touch a pod that is there.
        Vec::new()
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        let text = |part: &str, field: &str| object[part][field].as_str().unwrap_or("").to_owned();
        let is_on_host_network = object["spec"]["hostNetwork"] == true;
        vec![
            ("spec.nodeName", text("spec", "nodeName")),
            ("spec.restartPolicy", text("spec", "restartPolicy")),
            ("spec.schedulerName", text("spec", "schedulerName")),
            ("spec.serviceAccountName", text("spec", "serviceAccountName")),
            ("spec.hostNetwork", is_on_host_network.to_string()),
            ("status.phase", text("status", "phase")),
            ("status.podIP", text("status", "podIP")),
            ("status.nominatedNodeName", text("status", "nominatedNodeName")),
        ]
    }
    fn returns_deleted(&self) -> bool {
        true
    }
    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        columns::row(object, now)
    }
    fn deletion(&self, object: &Value, grace_seconds: Option<i64>) -> Deletion {
        strategy::deletion(object, grace_seconds)
    }
}
