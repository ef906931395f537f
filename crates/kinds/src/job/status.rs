//! What a Job's status may say, and how it may go on (K:pkg/apis/batch/validation/validation.go, validateJobStatus;
//! pkg/registry/batch/job/strategy.go says which rule applies to which change).

use super::intervals;
use crate::at::{At, is_same};
use crate::table;
use jiff::Timestamp;
use meta::field::FieldError;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every mistake in the status that `job` brings to `old`.
pub(super) fn validate_update(job: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let change = Change { new: job, old };
    change.check_numbers(&mut errors);
    change.check_uncounted(&mut errors);
    change.check_outcome(&mut errors);
    change.check_finished(&mut errors);
    change.check_indexes(&mut errors);
    change.check_rest(&mut errors);
    change.check_progress(&mut errors);
    errors
}

struct Change<'a> {
    new: &'a Value,
    old: &'a Value,
}

impl<'a> Change<'a> {
    fn field(&self, field: &str) -> At<'a> {
        At::root(self.new).fields(&["status", field])
    }
    fn spec(&self, field: &str) -> &'a Value {
        &self.new["spec"][field]
    }
    fn number(&self, field: &str) -> i64 {
        self.field(field).int().unwrap_or(0)
    }
    fn old_number(&self, field: &str) -> i64 {
        self.old["status"][field].as_i64().unwrap_or(0)
    }
    fn time(&self, field: &str) -> Option<Timestamp> {
        table::instant(self.field(field).value)
    }
    fn has(&self, condition: &str) -> bool {
        table::has_condition(self.new, condition)
    }
    fn had(&self, condition: &str) -> bool {
        table::has_condition(self.old, condition)
    }
    fn is_finished(&self) -> bool {
        self.has("Complete") || self.has("Failed")
    }
    fn is_indexed(&self) -> bool {
        self.spec("completionMode") == "Indexed"
    }
    fn has_changed(&self, field: &str) -> bool {
        !is_same(&self.new["status"][field], &self.old["status"][field])
    }
    fn has_flipped(&self, condition: &str) -> bool {
        self.has(condition) != self.had(condition)
    }
    fn has_finished_flipped(&self) -> bool {
        self.is_finished() != (self.had("Complete") || self.had("Failed"))
    }
    fn conditions(&self, detail: &str) -> FieldError {
        FieldError::invalid_unshown("status.conditions", detail)
    }

    fn check_numbers(&self, errors: &mut Vec<FieldError>) {
        for field in ["active", "succeeded", "failed", "ready", "terminating"] {
            self.field(field).check_not_negative(errors);
        }
    }

    fn check_uncounted(&self, errors: &mut Vec<FieldError>) {
        let uncounted = self.field("uncountedTerminatedPods");
        let mut seen = BTreeSet::new();
        for uid in ["succeeded", "failed"].iter().flat_map(|list| uncounted.field(list).items()) {
            if uid.text().is_empty() {
                errors.push(FieldError::invalid(&uid.path, "", "must not be empty"));
            } else if !seen.insert(uid.text()) {
                errors.push(FieldError::duplicate(&uid.path, uid.text()));
            }
        }
    }

    /// Which conditions and times exclude, and which require, each other.
    fn check_outcome(&self, errors: &mut Vec<FieldError>) {
        let (complete, failed) = (self.has("Complete"), self.has("Failed"));
        let (success, failure) = (self.has("SuccessCriteriaMet"), self.has("FailureTarget"));
        let has_complete_flipped = self.has_flipped("Complete");
        if complete && failed && (has_complete_flipped || self.has_flipped("Failed")) {
            errors.push(self.conditions("cannot set Complete=True and Failed=true conditions"));
        }
        if complete && failure && (has_complete_flipped || self.has_flipped("FailureTarget")) {
            errors.push(self.conditions("cannot set Complete=True and FailureTarget=true conditions"));
        }
        let completion = self.field("completionTime");
        if has_complete_flipped || self.has_changed("completionTime") {
            if completion.is_set() && !complete {
                errors.push(completion.invalid("cannot set completionTime when there is no Complete=True condition"));
            }
            if !completion.is_set() && complete {
                errors.push(completion.required("completionTime is required for Complete jobs"));
            }
        }
        if (self.has_changed("startTime") || self.has_changed("completionTime"))
            && let (Some(start), Some(end)) = (self.time("startTime"), self.time("completionTime"))
            && end < start
        {
            errors.push(completion.invalid("completionTime cannot be set before startTime"));
        }
        if failed && !failure && (self.has_flipped("Failed") || self.has_flipped("FailureTarget")) {
            let detail = "cannot set Failed=True condition without the FailureTarget=true condition";
            errors.push(self.conditions(detail));
        }
        if complete && !success && (has_complete_flipped || self.has_flipped("SuccessCriteriaMet")) {
            let detail = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
            errors.push(self.conditions(detail));
        }
    }

    /// A Job that is over has nothing running and nothing uncounted.
    fn check_finished(&self, errors: &mut Vec<FieldError>) {
        if self.is_over("active") && self.number("active") > 0 {
            errors.push(self.field("active").invalid("active>0 is invalid for finished job"));
        }
        let start = self.field("startTime");
        let never_started = self.spec("suspend") == true && self.spec("completions") == 0;
        if self.is_over("startTime") && !start.is_set() && !never_started {
            errors.push(start.required("startTime is required for finished job"));
        }
        let uncounted = self.field("uncountedTerminatedPods");
        let n_uncounted = uncounted.field("succeeded").len() + uncounted.field("failed").len();
        if self.is_over("uncountedTerminatedPods") && n_uncounted > 0 {
            errors.push(uncounted.invalid("uncountedTerminatedPods needs to be empty for finished job"));
        }
    }

    /// Finished, and this or the field has only now become so.
    fn is_over(&self, field: &str) -> bool {
        self.is_finished() && (self.has_finished_flipped() || self.has_changed(field))
    }

    /// Which indexes have completed or failed: readable, disjoint, and only of Jobs that count so.
    fn check_indexes(&self, errors: &mut Vec<FieldError>) {
        let (completed, failed) = (self.field("completedIndexes"), self.field("failedIndexes"));
        let (completed_changed, failed_changed) =
            (self.has_changed("completedIndexes"), self.has_changed("failedIndexes"));
        let has_limit_per_index = !self.spec("backoffLimitPerIndex").is_null();
        let mut check_text = |at: &At<'_>, name: &str| {
            let Some(completions) = self.spec("completions").as_i64() else { return };
            if let Err(wrong) = intervals::parse(at.text(), completions) {
                errors.push(at.invalid_text(&format!("error parsing {name}: {wrong}")));
            }
        };
        if completed_changed {
            check_text(&completed, "completedIndexes");
        }
        if failed_changed && failed.is_set() && has_limit_per_index {
            check_text(&failed, "failedIndexes");
        }
        if completed_changed && !completed.text().is_empty() && !self.is_indexed() {
            errors.push(completed.invalid("cannot set non-empty completedIndexes when non-indexed completion mode"));
        }
        if failed_changed && failed.is_set() && !has_limit_per_index {
            errors.push(failed.invalid("cannot set non-null failedIndexes when backoffLimitPerIndex is null"));
        }
        if (completed_changed || failed_changed)
            && failed.is_set()
            && let Some(completions) = self.spec("completions").as_i64()
            && let Some(index) = intervals::overlap(completed.text(), failed.text(), completions)
        {
            errors.push(failed.invalid(&format!("failedIndexes and completedIndexes overlap at index: {index}")));
        }
    }

    fn check_rest(&self, errors: &mut Vec<FieldError>) {
        if self.is_over("terminating") && self.number("terminating") > 0 {
            errors.push(self.field("terminating").invalid("terminating>0 is invalid for finished job"));
        }
        if (self.has_changed("ready") || self.has_changed("active"))
            && self.field("ready").int().is_some_and(|ready| self.number("active") < ready)
        {
            errors.push(self.field("ready").invalid("cannot set more ready pods than active"));
        }
        let success = self.has("SuccessCriteriaMet");
        for outcome in ["Failed", "FailureTarget"] {
            if success && self.has(outcome) {
                let detail = format!("cannot set SuccessCriteriaMet=True and {outcome}=true conditions");
                errors.push(self.conditions(&detail));
            }
        }
        if !self.spec("successPolicy").is_null() && !success && self.has("Complete") {
            let detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
            errors.push(self.conditions(detail));
        }
    }

    /// Counters do not run backwards and outcomes are not taken back.
    fn check_progress(&self, errors: &mut Vec<FieldError>) {
        for outcome in ["Failed", "Complete", "FailureTarget"] {
            if self.had(outcome) && !self.has(outcome) {
                errors.push(self.conditions(&format!("cannot disable the terminal {outcome}=True condition")));
            }
        }
        // An elastic Job that shrinks forgets the indexes beyond its end.
        let may_shrink = self.is_indexed() && self.spec("completions") == self.spec("parallelism");
        for (counter, is_guarded) in [("failed", true), ("succeeded", !may_shrink)] {
            if is_guarded && self.number(counter) < self.old_number(counter) {
                let detail = format!("cannot decrease the {counter} counter");
                errors.push(self.field(counter).invalid_number(&detail));
            }
        }
        let old_status = &self.old["status"];
        let completion = self.field("completionTime");
        if completion.is_set() && !old_status["completionTime"].is_null() && self.has_changed("completionTime") {
            errors.push(completion.invalid("completionTime cannot be mutated"));
        }
        let is_resuming = self.had("Suspended") && !self.has("Suspended");
        let may_restart = self.spec("suspend") == true || is_resuming;
        if !old_status["startTime"].is_null() && self.has_changed("startTime") && !may_restart {
            errors.push(self.field("startTime").required("startTime cannot be removed for unsuspended job"));
        }
        if self.had("SuccessCriteriaMet") && !self.has("SuccessCriteriaMet") {
            errors.push(self.conditions("cannot disable the SuccessCriteriaMet=True condition"));
        }
        if self.had("Complete") && !self.had("SuccessCriteriaMet") && self.has("SuccessCriteriaMet") {
            let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
            errors.push(self.conditions(detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::json;

    const START: &str = "2026-01-01T00:00:00Z";
    const END: &str = "2026-01-01T00:00:09Z";

    #[track_caller]
    fn check(old: Value, new: Value, expect: &[&str]) {
        let job = |status: Value| json!({"metadata": {"name": "j"}, "spec": {"completions": 1, "parallelism": 1}, "status": status});
        assert_eq!(texts(&validate_update(&job(new), &job(old))), expect);
    }
    fn conditions(types: &[&str]) -> Value {
        types.iter().map(|t| json!({"type": t, "status": "True"})).collect()
    }

    #[test]
    fn the_way_of_a_job_that_succeeds() {
        let started = json!({"startTime": START, "active": 1, "ready": 1, "uncountedTerminatedPods": {}});
        let met = json!({"startTime": START, "active": 0, "uncountedTerminatedPods": {"succeeded": ["u"]},
            "conditions": conditions(&["SuccessCriteriaMet"])});
        let complete = json!({"startTime": START, "completionTime": END, "succeeded": 1, "uncountedTerminatedPods": {},
            "conditions": conditions(&["SuccessCriteriaMet", "Complete"])});
        check(json!({}), started.clone(), &[]);
        check(started, met.clone(), &[]);
        check(met, complete.clone(), &[]);
        check(complete.clone(), complete, &[]);
    }

    #[test]
    fn the_way_of_a_job_that_fails() {
        let target = json!({"startTime": START, "failed": 1, "conditions": conditions(&["FailureTarget"])});
        let failed = json!({"startTime": START, "failed": 1, "conditions": conditions(&["FailureTarget", "Failed"])});
        check(json!({"startTime": START}), target.clone(), &[]);
        check(target, failed, &[]);
    }

    #[test]
    fn outcomes_exclude_and_require_each_other() {
        let at = |types: &[&str]| json!({"startTime": START, "completionTime": END, "conditions": conditions(types)});
        check(
            json!({"startTime": START}),
            at(&["Complete", "SuccessCriteriaMet", "Failed", "FailureTarget"]),
            &[
                "status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions",
                "status.conditions: Invalid value: cannot set Complete=True and FailureTarget=true conditions",
                "status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and Failed=true conditions",
                "status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
            ],
        );
        check(
            json!({"startTime": START}),
            at(&["Complete"]),
            &[
                "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
            ],
        );
        check(
            json!({"startTime": START}),
            json!({"startTime": START, "conditions": conditions(&["Failed"])}),
            &[
                "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
            ],
        );
    }

    #[test]
    fn a_finished_job_has_times_and_nothing_left() {
        check(
            json!({}),
            json!({"active": 1, "terminating": 2, "uncountedTerminatedPods": {"failed": ["u"]},
                "conditions": conditions(&["SuccessCriteriaMet", "Complete"])}),
            &[
                "status.completionTime: Required value: completionTime is required for Complete jobs",
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
                "status.startTime: Required value: startTime is required for finished job",
                "status.uncountedTerminatedPods: Invalid value: {\"failed\":[\"u\"]}: uncountedTerminatedPods needs to be empty for finished job",
                "status.terminating: Invalid value: 2: terminating>0 is invalid for finished job",
            ],
        );
        check(
            json!({}),
            json!({"startTime": END, "completionTime": START}),
            &[
                "status.completionTime: Invalid value: \"2026-01-01T00:00:00Z\": cannot set completionTime when there is no Complete=True condition",
                "status.completionTime: Invalid value: \"2026-01-01T00:00:00Z\": completionTime cannot be set before startTime",
            ],
        );
    }

    #[test]
    fn nothing_runs_backwards() {
        let old = json!({"startTime": START, "completionTime": END, "failed": 2, "succeeded": 3,
            "conditions": conditions(&["SuccessCriteriaMet", "Complete"])});
        check(
            old,
            json!({"failed": 1, "succeeded": 2, "ready": 1}),
            &[
                "status.ready: Invalid value: 1: cannot set more ready pods than active",
                "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
                "status.failed: Invalid value: 1: cannot decrease the failed counter",
                "status.succeeded: Invalid value: 2: cannot decrease the succeeded counter",
                "status.startTime: Required value: startTime cannot be removed for unsuspended job",
                "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
            ],
        );
    }

    #[test]
    fn indexes_are_readable_and_disjoint() {
        let job = |status: Value| {
            json!({"spec": {"completionMode": "Indexed", "completions": 5, "parallelism": 2, "backoffLimitPerIndex": 1},
            "status": status})
        };
        let check =
            |status: Value, expect: &[&str]| assert_eq!(texts(&validate_update(&job(status), &job(json!({})))), expect);
        check(json!({"completedIndexes": "0,2-3", "failedIndexes": "1"}), &[]);
        check(
            json!({"completedIndexes": "1-5", "failedIndexes": "2,1"}),
            &[
                "status.completedIndexes: Invalid value: \"1-5\": error parsing completedIndexes: too large index: \"5\"",
                "status.failedIndexes: Invalid value: \"2,1\": error parsing failedIndexes: non-increasing order, previous: 2, current: 1",
            ],
        );
        check(
            json!({"completedIndexes": "1-3", "failedIndexes": "3"}),
            &["status.failedIndexes: Invalid value: \"3\": failedIndexes and completedIndexes overlap at index: 3"],
        );
    }

    #[test]
    fn a_job_that_is_resumed_starts_anew() {
        let suspended = json!({"startTime": START, "conditions": conditions(&["Suspended"])});
        check(suspended, json!({"startTime": END}), &[]);
        check(
            json!({"startTime": START}),
            json!({"startTime": END}),
            &["status.startTime: Required value: startTime cannot be removed for unsuspended job"],
        );
        let complete = |end: &str| json!({"startTime": START, "completionTime": end, "conditions": conditions(&["SuccessCriteriaMet", "Complete"])});
        check(
            complete(END),
            complete("2026-01-01T00:00:10Z"),
            &["status.completionTime: Invalid value: \"2026-01-01T00:00:10Z\": completionTime cannot be mutated"],
        );
    }

    #[test]
    fn numbers_and_uids_are_sound() {
        check(
            json!({}),
            json!({"active": -1, "uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}}),
            &[
                "status.active: Invalid value: -1: must be greater than or equal to 0",
                "status.uncountedTerminatedPods.succeeded[1]: Invalid value: \"\": must not be empty",
                "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\"",
            ],
        );
        check(
            json!({}),
            json!({"completedIndexes": "0", "failedIndexes": ""}),
            &[
                "status.completedIndexes: Invalid value: \"0\": cannot set non-empty completedIndexes when non-indexed completion mode",
                "status.failedIndexes: Invalid value: \"\": cannot set non-null failedIndexes when backoffLimitPerIndex is null",
            ],
        );
    }
}
