//! Rules for `podFailurePolicy`: what a pod's failure means, by exit codes or conditions.

use crate::at::At;
use meta::field::FieldError;
use meta::names;
use std::collections::BTreeSet;

const MOST_RULES: usize = 20;
const MOST_PATTERNS: usize = 20;
const MOST_EXIT_CODES: usize = 255;
const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: &[&str] = &["In", "NotIn"];
const STATUSES: &[&str] = &["False", "True", "Unknown"];

/// `podFailurePolicy` of a Job's spec.
pub(super) fn check(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let rules = spec.fields(&["podFailurePolicy", "rules"]);
    check_number(&rules, MOST_RULES, errors);
    let template = spec.fields(&["template", "spec"]);
    let containers = ["containers", "initContainers"].into_iter().flat_map(|list| template.field(list).items());
    let names: BTreeSet<&str> = containers.map(|container| container.field("name").text()).collect();
    for rule in rules.items() {
        check_rule(&rule, &names, spec.field("backoffLimitPerIndex").is_set(), errors);
    }
}

fn check_rule(rule: &At<'_>, containers: &BTreeSet<&str>, has_limit_per_index: bool, errors: &mut Vec<FieldError>) {
    let action = rule.field("action");
    match action.text() {
        "FailIndex" if !has_limit_per_index => {
            errors.push(action.invalid("requires the backoffLimitPerIndex to be set"));
        }
        _ => check_listed(&action, ACTIONS, errors),
    }
    let (exit_codes, conditions) = (rule.field("onExitCodes"), rule.field("onPodConditions"));
    if exit_codes.is_set() {
        check_exit_codes(&exit_codes, containers, errors);
    }
    check_number(&conditions, MOST_PATTERNS, errors);
    for pattern in conditions.items() {
        pattern.field("type").check_rule(names::qualified_name_errors, errors);
        check_listed(&pattern.field("status"), STATUSES, errors);
    }
    let detail = match (exit_codes.is_set(), conditions.len() > 0) {
        (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(FieldError::invalid_unshown(&rule.path, detail));
}

fn check_exit_codes(exit_codes: &At<'_>, containers: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    let (operator, container) = (exit_codes.field("operator"), exit_codes.field("containerName"));
    check_listed(&operator, OPERATORS, errors);
    if container.is_set() && !containers.contains(container.text()) {
        errors.push(container.invalid("must be one of the container or initContainer names in the pod template"));
    }
    let values = exit_codes.field("values");
    match values.len() {
        // A nil list is shown as JSON, unlike a nil pointer.
        0 => errors.push(FieldError::invalid(&values.path, values.value.clone(), "at least one value is required")),
        _ => check_number(&values, MOST_EXIT_CODES, errors),
    }
    let mut seen = BTreeSet::new();
    for value in values.items() {
        if operator.text() == "In" && value.int() == Some(0) {
            errors.push(value.invalid("must not be 0 for the In operator"));
        }
        if !seen.insert(value.int()) {
            errors.push(FieldError::duplicate(&value.path, value.value.clone()));
        }
    }
    let numbers: Vec<Option<i64>> = values.items().map(|value| value.int()).collect();
    if !numbers.is_sorted() {
        errors.push(values.invalid("must be ordered"));
    }
}

fn check_number(list: &At<'_>, most: usize, errors: &mut Vec<FieldError>) {
    if most < list.len() {
        errors.push(FieldError::too_many(&list.path, list.len(), most));
    }
}

/// A choice whose absence is answered with what there is to choose from.
fn check_listed(choice: &At<'_>, supported: &[&str], errors: &mut Vec<FieldError>) {
    if !choice.text().is_empty() {
        return choice.check_among(supported, errors);
    }
    let quoted: Vec<String> = supported.iter().map(|text| meta::field::quote(text)).collect();
    errors.push(choice.required(&format!("valid values: [{}]", quoted.join(" "))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::{Value, json};

    #[track_caller]
    fn check_rules(rules: Value, expect: &[&str]) {
        let spec = json!({"spec": {"podFailurePolicy": {"rules": rules},
            "template": {"spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]}}}});
        let mut errors = Vec::new();
        check(&At::root(&spec).field("spec"), &mut errors);
        assert_eq!(texts(&errors), expect);
    }

    #[test]
    fn sound_rules_pass() {
        check_rules(
            json!([{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1, 42], "containerName": "i"}},
                {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [0]}},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]),
            &[],
        );
        check_rules(json!([]), &[]);
    }

    #[test]
    fn a_rule_has_an_action_and_one_reason() {
        let at = "spec.podFailurePolicy.rules";
        check_rules(
            json!([{}, {"action": "Retry", "onPodConditions": [{"type": "a b", "status": "Yes"}, {"type": "A"}],
                    "onExitCodes": {"operator": "NotIn", "values": [1]}},
                {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1]}}]),
            &[
                &format!(r#"{at}[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]"#),
                &format!("{at}[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"),
                &format!(
                    r#"{at}[1].action: Unsupported value: "Retry": supported values: "Count", "FailIndex", "FailJob", "Ignore""#
                ),
                &format!(
                    r#"{at}[1].onPodConditions[0].type: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#
                ),
                &format!(
                    r#"{at}[1].onPodConditions[0].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown""#
                ),
                &format!(
                    r#"{at}[1].onPodConditions[1].status: Required value: valid values: ["False" "True" "Unknown"]"#
                ),
                &format!("{at}[1]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"),
                &format!(r#"{at}[2].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set"#),
            ],
        );
    }

    #[test]
    fn exit_codes_are_ordered_unique_and_of_a_known_container() {
        let at = "spec.podFailurePolicy.rules";
        check_rules(
            json!([{"action": "Count", "onExitCodes": {"operator": "In", "values": [3, 0, 3], "containerName": "x"}},
                {"action": "Count", "onExitCodes": {"values": []}}, {"action": "Count", "onExitCodes": {"operator": "Is"}},
                {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": (0..256).collect::<Vec<i64>>()}}]),
            &[
                &format!(
                    r#"{at}[0].onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template"#
                ),
                &format!("{at}[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator"),
                &format!("{at}[0].onExitCodes.values[2]: Duplicate value: 3"),
                &format!("{at}[0].onExitCodes.values: Invalid value: [3,0,3]: must be ordered"),
                &format!(r#"{at}[1].onExitCodes.operator: Required value: valid values: ["In" "NotIn"]"#),
                &format!("{at}[1].onExitCodes.values: Invalid value: []: at least one value is required"),
                &format!(r#"{at}[2].onExitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn""#),
                &format!("{at}[2].onExitCodes.values: Invalid value: null: at least one value is required"),
                &format!("{at}[3].onExitCodes.values: Too many: 256: must have at most 255 items"),
            ],
        );
    }

    #[test]
    fn lists_are_bounded() {
        let rule = json!({"action": "Ignore", "onPodConditions": vec![json!({"type": "A", "status": "True"}); 21]});
        let at = "spec.podFailurePolicy.rules";
        check_rules(json!([rule]), &[&format!("{at}[0].onPodConditions: Too many: 21: must have at most 20 items")]);
        let rule = json!({"action": "Ignore", "onPodConditions": [{"type": "A", "status": "True"}]});
        check_rules(json!(vec![rule; 21]), &[&format!("{at}: Too many: 21: must have at most 20 items")]);
    }
}
