//! Rules for `successPolicy`: when an Indexed Job has succeeded before all its indexes have.

use crate::at::At;
use crate::job::intervals;
use meta::field::FieldError;

const MOST_RULES: usize = 20;
const INDEXES_BYTES: usize = 64 * 1024;

/// `successPolicy` of a Job's spec.
pub(super) fn check(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let policy = spec.field("successPolicy");
    if !policy.is_set() {
        return;
    }
    if spec.field("completionMode").text() != "Indexed" {
        errors.push(policy.invalid("requires indexed completion mode"));
        return;
    }
    let rules = policy.field("rules");
    if rules.len() == 0 {
        errors.push(rules.required("at least one rules must be specified when the successPolicy is specified"));
    }
    if MOST_RULES < rules.len() {
        errors.push(FieldError::too_many(&rules.path, rules.len(), MOST_RULES));
    }
    // Without completions there is a mistake already.
    if let Some(completions) = spec.field("completions").int() {
        rules.items().for_each(|rule| check_rule(&rule, completions, errors));
    }
}

fn check_rule(rule: &At<'_>, completions: i64, errors: &mut Vec<FieldError>) {
    let (count, indexes) = (rule.field("succeededCount"), rule.field("succeededIndexes"));
    if !count.is_set() && !indexes.is_set() {
        errors.push(rule.required("at least one of succeededCount or succeededIndexes must be specified"));
    }
    let mut n_indexes = 0;
    if indexes.is_set() {
        if INDEXES_BYTES < indexes.text().len() {
            errors.push(FieldError::too_long(&indexes.path, INDEXES_BYTES));
        }
        match intervals::parse(indexes.text(), completions) {
            Ok(intervals) => n_indexes = intervals::count(&intervals),
            Err(wrong) => errors.push(indexes.invalid(&format!("error parsing succeededIndexes: {wrong}"))),
        }
    }
    let Some(wanted) = count.int() else { return };
    count.check_not_negative(errors);
    let mut refuse = |most: i64, what: &str| {
        if most < wanted {
            errors.push(count.invalid(&format!("must be less than or equal to {most} ({what})")));
        }
    };
    refuse(completions, "the number of specified completions");
    if indexes.is_set() {
        refuse(n_indexes, "the number of indexes in the specified succeededIndexes field");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::{Value, json};

    #[track_caller]
    fn check_rules(rules: Value, expect: &[&str]) {
        let spec = json!({"spec": {"completionMode": "Indexed", "completions": 10, "successPolicy": {"rules": rules}}});
        let mut errors = Vec::new();
        check(&At::root(&spec).field("spec"), &mut errors);
        assert_eq!(texts(&errors), expect);
    }

    #[test]
    fn sound_rules_pass() {
        check_rules(
            json!([{"succeededCount": 10}, {"succeededIndexes": "0-2,9"}, {"succeededIndexes": "1", "succeededCount": 1}]),
            &[],
        );
    }

    #[test]
    fn a_rule_counts_indexes_that_there_are() {
        let at = "spec.successPolicy.rules";
        check_rules(
            json!([{}, {"succeededCount": 11}, {"succeededCount": -1}, {"succeededIndexes": "1-3", "succeededCount": 4},
                {"succeededIndexes": "3,1"}, {"succeededIndexes": "10"}]),
            &[
                &format!(
                    "{at}[0]: Required value: at least one of succeededCount or succeededIndexes must be specified"
                ),
                &format!(
                    "{at}[1].succeededCount: Invalid value: 11: must be less than or equal to 10 (the number of specified completions)"
                ),
                &format!("{at}[2].succeededCount: Invalid value: -1: must be greater than or equal to 0"),
                &format!(
                    "{at}[3].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)"
                ),
                &format!(
                    "{at}[4].succeededIndexes: Invalid value: \"3,1\": error parsing succeededIndexes: non-increasing order, previous: 3, current: 1"
                ),
                &format!(
                    "{at}[5].succeededIndexes: Invalid value: \"10\": error parsing succeededIndexes: too large index: \"10\""
                ),
            ],
        );
        check_rules(
            json!([]),
            &[&format!(
                "{at}: Required value: at least one rules must be specified when the successPolicy is specified"
            )],
        );
        check_rules(
            json!(vec![json!({"succeededCount": 1}); 21]),
            &[&format!("{at}: Too many: 21: must have at most 20 items")],
        );
    }
}
