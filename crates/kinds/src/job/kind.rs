//! Job as the server sees it: names, and which file decides what.

use super::{columns, defaults, status, strategy, update, validation};
use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Propagation, Row, Scope};
use crate::pod;
use crate::verbs;
use jiff::Timestamp;
use meta::field::FieldError;
use serde_json::Value;

/// Jobs of the batch group.
#[derive(Debug)]
pub struct Job;

pub(super) const NAMES: Names = Names {
    group: "batch",
    version: "v1",
    kind: "Job",
    plural: "jobs",
    singular: "job",
    short: &[],
    categories: &["all"],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &["status"],
};

impl Kind for Job {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.batch.v1.Job"
    }
    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }
    fn prepare_create(&self, object: &mut Value) {
        strategy::prepare_create(object);
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        crate::strategy::keep(object, old, part);
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = validation::validate(object);
        pod::unsupported::check(&At::root(object).fields(&["spec", "template", "spec"]), &mut errors);
        errors
    }
    fn validate_update(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        match part {
            Part::Spec => update::validate_update(object, old),
            Part::Status => status::validate_update(object, old),
        }
    }
    fn warnings(&self, object: &Value) -> Vec<String> {
        validation::warnings(object)
    }
    fn unknown_field(&self, field: &str) -> String {
        format!("field label {} not supported for batchv1.Job", meta::field::quote(field))
    }
    fn update_warnings(&self, object: &Value, old: &Value) -> Vec<String> {
        validation::update_warnings(object, old)
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        let succeeded = object["status"]["succeeded"].as_i64().unwrap_or(0);
        vec![("status.successful", succeeded.to_string())]
    }
    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        columns::row(object, now)
    }
    fn default_propagation(&self) -> Propagation {
        Propagation::Orphan
    }
    fn deletion_warning(&self) -> Option<&'static str> {
        Some(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them \
             or set propagationPolicy=Orphan to suppress this warning",
        )
    }
}
