//! CronJob as the server sees it: names, and which file decides what.

use super::{columns, defaults, edits, validation};
use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::pod::unsupported;
use crate::{metadata, strategy, verbs};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
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
        edits::forget(object);
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        strategy::keep(object, old, part);
        if part == Part::Status {
            edits::guard(object, old);
        }
    }
    fn note_edit(&self, object: &mut Value, old: &Value, now: Timestamp) {
        edits::remember(object, old, now);
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = validation::validate(object);
        unsupported::check(&job_spec(object).fields(&["template", "spec"]), &mut errors);
        errors
    }
    fn validate_changed(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        if part == Part::Status || strategy::is_same_content(object, old) {
            return metadata::validate_changed(object, NAMES.scope);
        }
        let mut errors = validation::validate_changed(object, old);
        unsupported::check(&job_spec(object).fields(&["template", "spec"]), &mut errors);
        errors
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        // The whole spec may change.
        Vec::new()
    }
    fn warnings(&self, object: &Value) -> Vec<String> {
        validation::warnings(object)
    }
    fn update_warnings(&self, object: &Value, old: &Value) -> Vec<String> {
        validation::update_warnings(object, old)
    }
    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        columns::row(object, &now.to_zoned(TimeZone::UTC))
    }
    fn local_row(&self, object: &Value, now: &Zoned) -> Row {
        columns::row(object, now)
    }
}

/// The spec of the Jobs that it makes.
fn job_spec(cronjob: &Value) -> At<'_> {
    At::root(cronjob).fields(&["spec", "jobTemplate", "spec"])
}
