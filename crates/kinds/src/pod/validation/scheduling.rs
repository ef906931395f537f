//! Rules for gates, tolerations and topology spread.

use super::affinity::{check_label_selector, selector_keys};
use crate::at::At;
use meta::field::FieldError;
use meta::names;
use std::collections::{BTreeSet, HashMap};

const NOT_POSITIVE: &str = "must be greater than zero";

/// `readinessGates` and `schedulingGates`.
pub(super) fn check_gates(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    for gate in spec.field("readinessGates").items() {
        gate.field("conditionType").check_rule(names::qualified_name_errors, errors);
    }
    let mut seen = BTreeSet::new();
    for gate in spec.field("schedulingGates").items() {
        let name = gate.field("name").text();
        let wrong = names::qualified_name_errors(name);
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&gate.path, name, detail)));
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(&gate.path, name));
        }
    }
}

/// Taints that a pod puts up with.
pub(crate) fn check_tolerations(tolerations: &At<'_>, errors: &mut Vec<FieldError>) {
    tolerations.items().for_each(|toleration| check_toleration(&toleration, errors));
}

/// One of them.
pub(crate) fn check_toleration(toleration: &At<'_>, errors: &mut Vec<FieldError>) {
    let (key, operator) = (toleration.field("key"), toleration.field("operator"));
    let (value, effect) = (toleration.field("value"), toleration.field("effect"));
    key.check_optional_rule(names::qualified_name_errors, errors);
    if key.text().is_empty() && operator.text() != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(operator.invalid_text(detail));
    }
    if toleration.field("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
        errors.push(effect.invalid_text("effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    match operator.text() {
        "" | "Equal" => {
            let wrong = names::label_value_errors(value.text());
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(&operator.path, value.text(), &wrong.join(";")));
            }
        }
        "Exists" if !value.text().is_empty() => {
            let detail = "value must be empty when `operator` is 'Exists'";
            errors.push(FieldError::invalid(&operator.path, value.text(), detail));
        }
        "Exists" => {}
        _ => errors.push(operator.not_supported(&["Equal", "Exists"])),
    }
    if !effect.text().is_empty() {
        effect.check_among(&["NoSchedule", "PreferNoSchedule", "NoExecute"], errors);
    }
}

/// What no two constraints may have in common.
fn spread_of<'a>(constraint: &At<'a>) -> [&'a str; 2] {
    ["topologyKey", "whenUnsatisfiable"].map(|field| constraint.field(field).text())
}

/// `topologySpreadConstraints`.
pub(super) fn check_spread(constraints: &At<'_>, errors: &mut Vec<FieldError>) {
    let last: HashMap<[&str; 2], usize> =
        constraints.items().enumerate().map(|(index, constraint)| (spread_of(&constraint), index)).collect();
    for (index, constraint) in constraints.items().enumerate() {
        let (skew, topology_key) = (constraint.field("maxSkew"), constraint.field("topologyKey"));
        let action = constraint.field("whenUnsatisfiable");
        if skew.int().unwrap_or(0) <= 0 {
            errors.push(skew.invalid_number(NOT_POSITIVE));
        }
        if topology_key.text().is_empty() {
            errors.push(topology_key.required("can not be empty"));
        }
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&action.text()) {
            errors.push(action.not_supported(&["DoNotSchedule", "ScheduleAnyway"]));
        }
        let comes_again = last.get(&spread_of(&constraint)).is_some_and(|last| index < *last);
        if comes_again {
            let pair = format!("{{{}, {}}}", topology_key.text(), action.text());
            errors.push(FieldError::duplicate(constraint.field("{topologyKey, whenUnsatisfiable}").path, pair));
        }
        let domains = constraint.field("minDomains");
        if domains.int().is_some_and(|domains| domains <= 0) {
            errors.push(domains.invalid(NOT_POSITIVE));
        }
        if domains.is_set() && action.text() != "DoNotSchedule" {
            let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}", action.text());
            errors.push(domains.invalid(&detail));
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            constraint.field(policy).check_among(&["Honor", "Ignore"], errors);
        }
        check_label_keys(&constraint, errors);
        check_label_selector(&constraint.field("labelSelector"), errors);
    }
}

fn check_label_keys(constraint: &At<'_>, errors: &mut Vec<FieldError>) {
    let (keys, selector) = (constraint.field("matchLabelKeys"), constraint.field("labelSelector"));
    if keys.len() == 0 {
        return;
    }
    if !selector.is_set() {
        errors.push(keys.forbidden("must not be specified when labelSelector is not set"));
    }
    let selected = selector_keys(&selector);
    for key in keys.items() {
        key.check_rule(names::qualified_name_errors, errors);
        if selected.contains(key.text()) {
            errors.push(key.invalid("exists in both matchLabelKeys and labelSelector"));
        }
    }
}
