//! What a Job's status may say, and how it may go on (K:pkg/apis/batch/validation/validation.go, validateJobStatus;
//! pkg/registry/batch/job/strategy.go says which rule applies to which change).

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
    change.check_outcomes(&mut errors);
    change.check_finished(&mut errors);
    change.check_indexes(&mut errors);
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

    /// Which conditions exclude, and which require, each other.
    fn check_outcomes(&self, errors: &mut Vec<FieldError>) {
        let (complete, failed) = (self.has("Complete"), self.has("Failed"));
        let (success, failure) = (self.has("SuccessCriteriaMet"), self.has("FailureTarget"));
        let mut refuse = |is_wrong: bool, detail: &str| {
            if is_wrong {
                errors.push(self.conditions(detail));
            }
        };
        let has_complete_flipped = self.has_flipped("Complete");
        refuse(
            complete && failed && (has_complete_flipped || self.has_flipped("Failed")),
            "cannot set Complete=True and Failed=true conditions",
        );
        refuse(
            complete && failure && (has_complete_flipped || self.has_flipped("FailureTarget")),
            "cannot set Complete=True and FailureTarget=true conditions",
        );
        refuse(
            failed && !failure && (self.has_flipped("Failed") || self.has_flipped("FailureTarget")),
            "cannot set Failed=True condition without the FailureTarget=true condition",
        );
        refuse(
            complete && !success && (has_complete_flipped || self.has_flipped("SuccessCriteriaMet")),
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        );
        refuse(success && failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
        refuse(success && failure, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
    }

    /// A Job that is over has nothing running and nothing uncounted.
    fn check_finished(&self, errors: &mut Vec<FieldError>) {
        let (is_finished, has_flipped) = (self.is_finished(), self.has_finished_flipped());
        let start = self.field("startTime");
        let completion = self.field("completionTime");
        if self.has_flipped("Complete") || self.has_changed("completionTime") {
            if completion.is_set() && !self.has("Complete") {
                errors.push(completion.invalid("cannot set completionTime when there is no Complete=True condition"));
            }
            if !completion.is_set() && self.has("Complete") {
                errors.push(completion.required("completionTime is required for Complete jobs"));
            }
        }
        if (self.has_changed("startTime") || self.has_changed("completionTime"))
            && let (Some(start), Some(end)) = (self.time("startTime"), self.time("completionTime"))
            && end < start
        {
            errors.push(completion.invalid("must be equal to or after `startTime`"));
        }
        let is_over = |field: &str| is_finished && (has_flipped || self.has_changed(field));
        if is_over("active") && self.number("active") > 0 {
            errors.push(self.field("active").invalid("active>0 is invalid for finished job"));
        }
        let spec = &self.new["spec"];
        let never_started = spec["suspend"] == true && spec["completions"] == 0;
        if is_over("startTime") && !start.is_set() && !never_started {
            errors.push(start.required("startTime is required for finished job"));
        }
        let uncounted = self.field("uncountedTerminatedPods");
        let n_uncounted = uncounted.field("succeeded").len() + uncounted.field("failed").len();
        if is_over("uncountedTerminatedPods") && n_uncounted > 0 {
            errors.push(uncounted.invalid("must be empty for finished job"));
        }
        if is_over("terminating") && self.number("terminating") > 0 {
            errors.push(self.field("terminating").invalid("terminating>0 is invalid for finished job"));
        }
    }

    fn check_indexes(&self, errors: &mut Vec<FieldError>) {
        let spec = &self.new["spec"];
        let completed = self.field("completedIndexes");
        if self.has_changed("completedIndexes") && !completed.text().is_empty() && spec["completionMode"] != "Indexed" {
            errors.push(completed.invalid("cannot set non-empty completedIndexes when non-indexed completion mode"));
        }
        let failed = self.field("failedIndexes");
        if self.has_changed("failedIndexes") && failed.is_set() && spec["backoffLimitPerIndex"].is_null() {
            errors.push(failed.invalid("cannot set non-null failedIndexes when backoffLimitPerIndex is null"));
        }
        if (self.has_changed("ready") || self.has_changed("active"))
            && self.field("ready").int().is_some_and(|ready| self.number("active") < ready)
        {
            errors.push(self.field("ready").invalid("cannot set more ready pods than active"));
        }
    }

    /// Counters do not run backwards and outcomes are not taken back.
    fn check_progress(&self, errors: &mut Vec<FieldError>) {
        for outcome in ["Failed", "Complete", "FailureTarget"] {
            if self.had(outcome) && !self.has(outcome) {
                errors.push(self.conditions(&format!("cannot disable the terminal {outcome}=True condition")));
            }
        }
        let spec = &self.new["spec"];
        let may_shrink = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"];
        for (counter, is_guarded) in [("failed", true), ("succeeded", !may_shrink)] {
            if is_guarded && self.number(counter) < self.old_number(counter) {
                let counted = At { value: &Value::from(self.number(counter)), ..self.field(counter) };
                errors.push(counted.invalid(&format!("cannot decrease the {counter} counter")));
            }
        }
        let old_status = &self.old["status"];
        let completion = self.field("completionTime");
        if completion.is_set() && !old_status["completionTime"].is_null() && self.has_changed("completionTime") {
            errors.push(completion.invalid(crate::at::IMMUTABLE));
        }
        let is_suspended = spec["suspend"] == true;
        if !old_status["startTime"].is_null() && self.has_changed("startTime") && !is_suspended {
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
                "status.uncountedTerminatedPods: Invalid value: {\"failed\":[\"u\"]}: must be empty for finished job",
                "status.terminating: Invalid value: 2: terminating>0 is invalid for finished job",
            ],
        );
        check(
            json!({}),
            json!({"startTime": END, "completionTime": START}),
            &[
                "status.completionTime: Invalid value: \"2026-01-01T00:00:00Z\": cannot set completionTime when there is no Complete=True condition",
                "status.completionTime: Invalid value: \"2026-01-01T00:00:00Z\": must be equal to or after `startTime`",
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
