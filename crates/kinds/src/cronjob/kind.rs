//! CronJob as the server sees it: names, and which file decides what.

use super::{columns, defaults, validation};
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{strategy, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use serde_json::Value;

/// CronJobs of the batch group.
#[derive(Debug)]
pub struct CronJob;

pub(super) const NAMES: Names = Names {
    group: "batch",
    version: "v1",
    kind: "CronJob",
    plural: "cronjobs",
    singular: "cronjob",
    short: &["cj"],
    categories: &["all"],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &["status"],
};

impl Kind for CronJob {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.batch.v1.CronJob"
    }
    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }
    fn prepare_create(&self, object: &mut Value) {
        strategy::begin(object);
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        strategy::keep(object, old, part);
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validation::validate(object)
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        // The whole spec may change.
        Vec::new()
    }
    fn warnings(&self, object: &Value) -> Vec<String> {
        validation::warnings(object)
    }
    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        columns::row(object, now)
    }
}
