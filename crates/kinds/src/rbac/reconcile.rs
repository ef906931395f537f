//! What a server adds at its start to the roles and bindings it came with, when somebody has taken it away
//! (K:component-helpers/auth/rbac/reconciliation). Nothing is ever removed, and nothing is touched that carries the
//! annotation `rbac.authorization.kubernetes.io/autoupdate: "false"`.

use super::aggregate::is_aggregated;
use super::cover::{compacted, uncovered};
use super::rule::Rule;
use crate::at::is_same;
use meta::object;
use serde_json::{Value, json};

/// Says whether the server may complete an object.
pub(super) const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What a role becomes; `None` when it has everything.
pub(super) fn role(existing: &Value, expected: &Value) -> Option<Value> {
    let mut role = common(existing, expected)?;
    // Gathered rules are the controller's.
    if !is_aggregated(expected) {
        let missing = uncovered(&Rule::all_of(existing), &Rule::all_of(expected));
        let rules = compacted(missing).iter().map(Rule::to_json).collect();
        append(&mut role["rules"], rules);
    }
    let wanted = expected["aggregationRule"]["clusterRoleSelectors"].as_array();
    for selector in wanted.into_iter().flatten() {
        let selectors = &mut role["aggregationRule"]["clusterRoleSelectors"];
        let has_it = selectors.as_array().is_some_and(|own| own.iter().any(|own| is_same(own, selector)));
        if !has_it {
            append(selectors, vec![selector.clone()]);
        }
    }
    changed(role, existing)
}

/// What a binding becomes; `None` when it has everything. One that names another role is made anew.
pub(super) fn binding(existing: &Value, expected: &Value) -> Option<Value> {
    let mut binding = common(existing, expected)?;
    if !is_same(&existing["roleRef"], &expected["roleRef"]) {
        binding["roleRef"] = expected["roleRef"].clone();
    }
    let own = existing["subjects"].as_array().map_or(&[][..], Vec::as_slice);
    let wanted = expected["subjects"].as_array().into_iter().flatten();
    let missing = wanted.filter(|subject| !own.iter().any(|own| is_same(own, subject))).cloned().collect();
    append(&mut binding["subjects"], missing);
    changed(binding, existing)
}

/// Labels and annotations that are missing; those that are there stay. `None`: keep off.
fn common(existing: &Value, expected: &Value) -> Option<Value> {
    let is_protected = existing["metadata"]["annotations"][AUTO_UPDATE] == "false";
    if is_protected {
        return None;
    }
    let mut object = existing.clone();
    for field in ["labels", "annotations"] {
        for (key, value) in expected["metadata"][field].as_object().into_iter().flatten() {
            if existing["metadata"][field][key].is_null() {
                object["metadata"][field][key] = value.clone();
            }
        }
    }
    Some(object)
}

fn append(list: &mut Value, items: Vec<Value>) {
    match list.as_array_mut() {
        Some(list) => list.extend(items),
        None if items.is_empty() => {}
        None => *list = json!(items),
    }
}

fn changed(object: Value, existing: &Value) -> Option<Value> {
    debug_assert_eq!(object::name(&object), object::name(existing));
    (!is_same(&object, existing)).then_some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(verbs: &[&str], resource: &str) -> Value {
        json!({"verbs": verbs, "apiGroups": [""], "resources": [resource]})
    }

    fn named(rules: Value) -> Value {
        json!({"metadata": {"name": "r", "labels": {"a": "1"}}, "rules": rules})
    }

    #[test]
    fn missing_rules_and_labels_come_back_and_nothing_goes() {
        let expected = named(json!([on(&["get", "list"], "pods")]));
        let existing = json!({"metadata": {"name": "r", "labels": {"b": "2"}}, "rules": [on(&["get"], "pods"), on(&["get"], "x")]});
        assert_eq!(
            role(&existing, &expected),
            Some(json!({"metadata": {"name": "r", "labels": {"b": "2", "a": "1"}},
                "rules": [on(&["get"], "pods"), on(&["get"], "x"), on(&["list"], "pods")]}))
        );
        assert_eq!(role(&expected, &expected), None);
        assert_eq!(role(&named(json!([on(&["*"], "*")])), &expected), None);
        let bare = json!({"metadata": {"name": "r"}, "rules": null});
        assert_eq!(role(&bare, &expected), Some(expected));
    }

    #[test]
    fn what_its_owner_keeps_is_left_alone() {
        let expected = named(json!([on(&["get"], "pods")]));
        let kept = json!({"metadata": {"name": "r", "annotations": {AUTO_UPDATE: "false"}}, "rules": []});
        assert_eq!(role(&kept, &expected), None);
        assert_eq!(binding(&kept, &json!({"metadata": {"name": "r"}, "subjects": [{"name": "x"}]})), None);
    }

    #[test]
    fn gathered_rules_are_not_compared_but_selectors_are() {
        let expected = json!({"metadata": {"name": "r"}, "rules": [on(&["get"], "pods")],
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "true"}}]}});
        let mut existing = expected.clone();
        existing["rules"] = json!([]);
        assert_eq!(role(&existing, &expected), None);
        existing["aggregationRule"]["clusterRoleSelectors"] = json!([{"matchLabels": {"b": "true"}}]);
        let whole = role(&existing, &expected).unwrap();
        assert_eq!(whole["aggregationRule"]["clusterRoleSelectors"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn missing_subjects_come_back_to_a_binding_of_the_right_role() {
        let expected = json!({"metadata": {"name": "b"}, "roleRef": {"name": "x"}, "subjects": [{"name": "one"}]});
        let existing = json!({"metadata": {"name": "b"}, "roleRef": {"name": "y"}, "subjects": [{"name": "two"}]});
        assert_eq!(
            binding(&existing, &expected),
            Some(
                json!({"metadata": {"name": "b"}, "roleRef": {"name": "x"}, "subjects": [{"name": "two"}, {"name": "one"}]})
            )
        );
        assert_eq!(binding(&expected, &expected), None);
    }
}
