//! Rules for selectors of nodes and pods.

use crate::at::At;
use crate::metadata::check_labels;
use meta::field::FieldError;
use meta::names;
use std::collections::BTreeSet;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `affinity` of a pod.
pub(super) fn check(affinity: &At<'_>, errors: &mut Vec<FieldError>) {
    let node = affinity.field("nodeAffinity");
    let required = node.field(REQUIRED);
    if required.is_set() {
        check_node_selector_terms(&required, errors);
    }
    for term in node.field(PREFERRED).items() {
        check_weight(&term, errors);
        // What a label cannot hold is let through here: such a preference is just never met.
        check_term(&term.field("preference"), false, errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"].map(|kind| affinity.field(kind)) {
        kind.field(REQUIRED).items().for_each(|term| check_pod_term(&term, errors));
        for term in kind.field(PREFERRED).items() {
            check_weight(&term, errors);
            check_pod_term(&term.field("podAffinityTerm"), errors);
        }
    }
}

fn check_weight(term: &At<'_>, errors: &mut Vec<FieldError>) {
    let weight = term.field("weight");
    if weight.int().is_none_or(|weight| !(1..=100).contains(&weight)) {
        errors.push(weight.invalid_number("must be in the range 1-100"));
    }
}

/// core.NodeSelector: at least one term.
fn check_node_selector_terms(selector: &At<'_>, errors: &mut Vec<FieldError>) {
    let terms = selector.field("nodeSelectorTerms");
    if terms.len() == 0 {
        errors.push(terms.required("must have at least one node selector term"));
    }
    terms.items().for_each(|term| check_term(&term, true, errors));
}

fn check_term(term: &At<'_>, checks_values: bool, errors: &mut Vec<FieldError>) {
    for requirement in term.field("matchExpressions").items() {
        check_requirement(&requirement, checks_values, errors);
    }
    for requirement in term.field("matchFields").items() {
        check_field_requirement(&requirement, errors);
    }
}

fn check_requirement(requirement: &At<'_>, checks_values: bool, errors: &mut Vec<FieldError>) {
    let (operator, values) = (requirement.field("operator"), requirement.field("values"));
    match operator.text() {
        "Gt" | "Lt" if values.len() != 1 => {
            errors.push(values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"));
        }
        "Gt" | "Lt" => {}
        _ => check_operator(&operator, &values, errors),
    }
    requirement.field("key").check_rule(names::qualified_name_errors, errors);
    if checks_values {
        values.items().for_each(|value| value.check_rule(names::label_value_errors, errors));
    }
}

fn check_operator(operator: &At<'_>, values: &At<'_>, errors: &mut Vec<FieldError>) {
    match operator.text() {
        "In" | "NotIn" if values.len() == 0 => {
            errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if values.len() > 0 => {
            errors.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.push(operator.invalid_text("not a valid selector operator")),
    }
}

/// The one field that can be selected by is the node's name.
fn check_field_requirement(requirement: &At<'_>, errors: &mut Vec<FieldError>) {
    let (key, operator) = (requirement.field("key"), requirement.field("operator"));
    let values = requirement.field("values");
    match operator.text() {
        "In" | "NotIn" if values.len() != 1 => errors
            .push(values.required("must be only one value when `operator` is 'In' or 'NotIn' for node field selector")),
        "In" | "NotIn" => {}
        _ => errors.push(operator.invalid_text("not a valid selector operator")),
    }
    match key.text() {
        "metadata.name" => values.items().for_each(|value| value.check_rule(names::dns_subdomain_errors, errors)),
        _ => errors.push(key.invalid_text("not a valid field selector key")),
    }
}

fn check_pod_term(term: &At<'_>, errors: &mut Vec<FieldError>) {
    for selector in ["labelSelector", "namespaceSelector"].map(|selector| term.field(selector)) {
        check_label_selector(&selector, errors);
    }
    for name in term.field("namespaces").items() {
        let wrong = names::dns_label_errors(name.text());
        let path = term.field("namespace").path;
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&path, name.text(), detail)));
    }
    check_label_keys(term, errors);
    let topology_key = term.field("topologyKey");
    if topology_key.text().is_empty() {
        errors.push(topology_key.required("can not be empty"));
    }
    topology_key.check_rule(names::qualified_name_errors, errors);
}

/// `matchLabelKeys` and `mismatchLabelKeys`: labels whose values are the pod's own.
fn check_label_keys(term: &At<'_>, errors: &mut Vec<FieldError>) {
    let selector = term.field("labelSelector");
    let (matching, mismatching) = (term.field("matchLabelKeys"), term.field("mismatchLabelKeys"));
    for keys in [&matching, &mismatching].into_iter().filter(|keys| keys.len() > 0) {
        if selector.is_set() {
            keys.items().for_each(|key| key.check_rule(names::qualified_name_errors, errors));
        } else {
            errors.push(keys.forbidden("must not be specified when labelSelector is not set"));
        }
    }
    let selected = selector_keys(&selector);
    for (index, key) in matching.items().enumerate().filter(|(_, key)| selected.contains(key.text())) {
        let path = format!("{}[{index}]", term.path);
        errors.push(FieldError::invalid(path, key.text(), "exists in both matchLabelKeys and labelSelector"));
    }
    for key in matching.items().filter(|key| mismatching.items().any(|other| other.text() == key.text())) {
        errors.push(key.invalid("exists in both matchLabelKeys and mismatchLabelKeys"));
    }
}

/// The keys that a label selector names.
pub(super) fn selector_keys<'a>(selector: &At<'a>) -> BTreeSet<&'a str> {
    let labels = selector.field("matchLabels").entries().map(|(key, _)| key);
    let expressions = selector.field("matchExpressions").items().map(|expression| expression.field("key").text());
    labels.chain(expressions).collect()
}

/// metav1.LabelSelector (K:apimachinery/pkg/apis/meta/v1/validation).
pub(crate) fn check_label_selector(selector: &At<'_>, errors: &mut Vec<FieldError>) {
    check_labels(&selector.field("matchLabels"), errors);
    for expression in selector.field("matchExpressions").items() {
        let values = expression.field("values");
        check_operator(&expression.field("operator"), &values, errors);
        expression.field("key").check_rule(names::qualified_name_errors, errors);
        values.items().for_each(|value| value.check_rule(names::label_value_errors, errors));
    }
}
