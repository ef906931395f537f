//! ClusterRoles that gather the rules of others by label (K:pkg/controller/clusterroleaggregation).

use meta::object;
use meta::selector::LabelSelector;
use serde_json::Value;

/// Whether the role's rules are gathered and not written by people.
pub fn is_aggregated(role: &Value) -> bool {
    role["aggregationRule"].is_object()
}

/// The rules that an aggregated role should have and has not; `None` when it has them, or is none.
///
/// A role may gather another one that gathers itself: its rules come along once it has them.
pub fn missing_rules<'a>(role: &Value, all: impl IntoIterator<Item = &'a Value>) -> Option<Vec<Value>> {
    if !is_aggregated(role) || object::is_being_deleted(role) {
        return None;
    }
    let gathered = gather(role, all);
    let own = role["rules"].as_array().map_or(&[][..], Vec::as_slice);
    (gathered != own).then_some(gathered)
}

/// Selector by selector, and for each in the order of names; every rule once.
pub(super) fn gather<'a>(role: &Value, all: impl IntoIterator<Item = &'a Value>) -> Vec<Value> {
    let mut others: Vec<&Value> = all.into_iter().filter(|other| object::name(other) != object::name(role)).collect();
    others.sort_by_key(|other| object::name(other));
    let mut rules = Vec::new();
    let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten();
    for selector in selectors.filter_map(|selector| LabelSelector::from_json(selector).ok()) {
        let selected = others.iter().filter(|other| selector.matches(|key| object::label(other, key)));
        for rule in selected.flat_map(|other| other["rules"].as_array().into_iter().flatten()) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(name: &str, label: &str, verb: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {label: "true"}}, "rules": [{"verbs": [verb]}]})
    }

    fn gathering(rules: Value) -> Value {
        json!({"metadata": {"name": "all", "labels": {"a": "true"}}, "rules": rules, "aggregationRule": {
            "clusterRoleSelectors": [{"matchLabels": {"b": "true"}}, {"matchLabels": {"a": "true"}}]}})
    }

    #[test]
    fn rules_come_selector_by_selector_and_name_by_name_each_once() {
        let all = [part("z", "a", "get"), part("y", "a", "list"), part("x", "b", "get"), part("w", "c", "watch")];
        let gathered = json!([{"verbs": ["get"]}, {"verbs": ["list"]}]);
        let role = gathering(json!(null));
        assert_eq!(missing_rules(&role, all.iter().chain([&role])).map(Value::from), Some(gathered.clone()));
        assert_eq!(missing_rules(&gathering(gathered), &all), None);
    }

    #[test]
    fn what_is_no_longer_selected_goes_and_other_roles_are_left_alone() {
        assert_eq!(missing_rules(&gathering(json!([{"verbs": ["get"]}])), &[]), Some(Vec::new()));
        assert_eq!(missing_rules(&gathering(json!(null)), &[]), None);
        assert_eq!(missing_rules(&part("x", "a", "get"), &[part("y", "a", "list")]), None);
    }
}
