//! Whether rules cover other rules: nobody may grant more than he has
//! (K:component-helpers/auth/rbac/validation/policy_comparator.go, K:pkg/registry/rbac/validation/policy_compact.go).

use super::rule::{Rule, url_covers};
use std::collections::BTreeMap;

/// So many single permissions are looked at in all. A rule of a few thousand verbs, groups and resources means more of
/// them than there is memory for.
const MAX_PARTS: usize = 20_000;

/// The parts of `wanted` that `held` does not cover, each with one verb, one group and one resource, or one path. Of
/// rules that mean more than `MAX_PARTS` permissions, those that no single rule covers are uncovered as a whole.
pub fn uncovered(held: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let mut uncovered = Vec::new();
    let mut n_left = MAX_PARTS;
    for rule in wanted {
        if held.iter().any(|own| covers(own, rule)) {
            continue;
        }
        match n_left.checked_sub(n_parts(rule)) {
            Some(left) => {
                n_left = left;
                let parts = broken_down(rule).into_iter();
                uncovered.extend(parts.filter(|part| !held.iter().any(|own| covers(own, part))));
            }
            None => uncovered.push(rule.clone()),
        }
    }
    uncovered
}

/// How many single permissions a rule means.
fn n_parts(rule: &Rule) -> usize {
    let lists = [rule.api_groups.len(), rule.resources.len(), rule.verbs.len(), rule.resource_names.len().max(1)];
    let of_resources = lists.into_iter().fold(1, usize::saturating_mul);
    of_resources.saturating_add(rule.non_resource_urls.len().saturating_mul(rule.verbs.len()))
}

/// Puts rules together again that differ in their verbs only.
pub fn compacted(rules: Vec<Rule>) -> Vec<Rule> {
    let mut simple: BTreeMap<(String, String), Rule> = BTreeMap::new();
    let mut compact = Vec::new();
    for rule in rules {
        let key = match (rule.api_groups.as_slice(), rule.resources.as_slice()) {
            ([group], [resource]) if rule.resource_names.is_empty() && rule.non_resource_urls.is_empty() => {
                (group.clone(), resource.clone())
            }
            _ => {
                compact.push(rule);
                continue;
            }
        };
        match simple.get_mut(&key) {
            Some(existing) => existing.verbs.extend(rule.verbs),
            None => {
                simple.insert(key, rule);
            }
        }
    }
    compact.extend(simple.into_values());
    compact
}

/// Every single permission of a rule.
fn broken_down(rule: &Rule) -> Vec<Rule> {
    let one = |text: &String| vec![text.clone()];
    let mut parts = Vec::new();
    for (group, resource, verb) in triples(rule) {
        let part = Rule { verbs: one(verb), api_groups: one(group), resources: one(resource), ..Rule::default() };
        match rule.resource_names.is_empty() {
            true => parts.push(part),
            false => {
                parts.extend(rule.resource_names.iter().map(|name| Rule { resource_names: one(name), ..part.clone() }))
            }
        }
    }
    for url in &rule.non_resource_urls {
        parts.extend(rule.verbs.iter().map(|verb| Rule {
            verbs: one(verb),
            non_resource_urls: one(url),
            ..Rule::default()
        }));
    }
    parts
}

fn triples(rule: &Rule) -> impl Iterator<Item = (&String, &String, &String)> {
    rule.api_groups.iter().flat_map(move |group| {
        rule.resources.iter().flat_map(move |resource| rule.verbs.iter().map(move |verb| (group, resource, verb)))
    })
}

/// Whether a rule covers a permission, or every one of another rule.
fn covers(rule: &Rule, part: &Rule) -> bool {
    let has_all = |own: &[String], wanted: &[String]| own.iter().any(|text| text == "*") || holds(own, wanted);
    // A permission without names is one for every name: a rule with names does not cover it.
    let names = match part.resource_names.as_slice() {
        [] => rule.resource_names.is_empty(),
        wanted => rule.resource_names.is_empty() || holds(&rule.resource_names, wanted),
    };
    names
        && has_all(&rule.verbs, &part.verbs)
        && has_all(&rule.api_groups, &part.api_groups)
        && part.resources.iter().all(|resource| covers_resource(&rule.resources, resource))
        && part.non_resource_urls.iter().all(|path| rule.non_resource_urls.iter().any(|url| url_covers(url, path)))
}

fn holds(own: &[String], wanted: &[String]) -> bool {
    wanted.iter().all(|text| own.contains(text))
}

fn covers_resource(own: &[String], resource: &str) -> bool {
    let of_all = resource.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    own.iter().any(|named| named == "*" || named == resource || Some(named) == of_all.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rules(list: Value) -> Vec<Rule> {
        list.as_array().unwrap().iter().map(Rule::of).collect()
    }

    #[track_caller]
    fn check(held: Value, wanted: Value, expect: &[&str]) {
        let missing = compacted(uncovered(&rules(held), &rules(wanted)));
        let texts: Vec<String> = missing.iter().map(Rule::to_string).collect();
        assert_eq!(texts, expect);
    }

    fn on(verbs: &[&str], groups: &[&str], resources: &[&str]) -> Value {
        json!({"verbs": verbs, "apiGroups": groups, "resources": resources})
    }

    #[test]
    fn several_rules_together_cover_one() {
        check(
            json!([on(&["get"], &[""], &["pods"]), on(&["list"], &[""], &["pods", "secrets"])]),
            json!([on(&["get", "list"], &[""], &["pods"])]),
            &[],
        );
    }

    #[test]
    fn what_is_missing_is_named_with_its_verbs_together() {
        check(
            json!([on(&["get"], &[""], &["pods"])]),
            json!([on(&["get", "list", "watch"], &["", "batch"], &["pods"])]),
            &[
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}"#,
                r#"{APIGroups:["batch"], Resources:["pods"], Verbs:["get" "list" "watch"]}"#,
            ],
        );
    }

    #[test]
    fn stars_cover_and_are_covered_by_stars_only() {
        check(json!([on(&["*"], &["*"], &["*"])]), json!([on(&["get"], &["a"], &["b/c"])]), &[]);
        check(json!([on(&["*"], &["*"], &["*"])]), json!([on(&["*"], &["*"], &["*"])]), &[]);
        check(
            json!([on(&["get", "list"], &[""], &["pods"])]),
            json!([on(&["*"], &[""], &["pods"])]),
            &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["*"]}"#],
        );
        check(json!([on(&["get"], &[""], &["*/log"])]), json!([on(&["get"], &[""], &["pods/log"])]), &[]);
        check(
            json!([on(&["get"], &[""], &["pods"])]),
            json!([on(&["get"], &[""], &["pods/log"])]),
            &[r#"{APIGroups:[""], Resources:["pods/log"], Verbs:["get"]}"#],
        );
    }

    #[test]
    fn names_narrow() {
        let named = |names: &[&str]| {
            let mut rule = on(&["get"], &[""], &["pods"]);
            rule["resourceNames"] = json!(names);
            json!([rule])
        };
        let any = json!([on(&["get"], &[""], &["pods"])]);
        check(any.clone(), named(&["a", "b"]), &[]);
        check(named(&["a", "b"]), named(&["a"]), &[]);
        check(named(&["a"]), any, &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["get"]}"#]);
        check(
            named(&["a"]),
            named(&["b"]),
            &[r#"{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}"#],
        );
    }

    #[test]
    fn rules_that_mean_more_than_can_be_counted_are_covered_whole_or_not_at_all() {
        let many = |prefix: &str| -> Vec<String> { (0..3_000).map(|n| format!("{prefix}{n}")).collect() };
        let huge = Rule {
            verbs: many("v"),
            api_groups: many("g"),
            resources: many("r"),
            resource_names: many("n"),
            ..Rule::default()
        };
        let all = rules(json!([on(&["*"], &["*"], &["*"])]));
        let huge = [huge];
        assert_eq!(uncovered(&[], &huge), huge);
        assert_eq!(uncovered(&all, &huge), []);
        assert_eq!(uncovered(&huge, &huge), []);
        // Many that are each within the bound are not together.
        let large =
            Rule { verbs: many("v"), api_groups: vec!["g".into()], resources: vec!["r".into()], ..Rule::default() };
        assert_eq!(uncovered(&[], &vec![large; 1_000]).len(), 6 * 3_000 + 994);
    }

    #[test]
    fn paths_are_covered_by_prefixes() {
        let on = |urls: &[&str]| json!([{"verbs": ["get"], "nonResourceURLs": urls}]);
        check(on(&["/apis/*"]), on(&["/apis/batch", "/apis/batch/*"]), &[]);
        check(on(&["*"]), on(&["*", "/x"]), &[]);
        check(on(&["/apis"]), on(&["/apis/*"]), &[r#"{NonResourceURLs:["/apis/*"], Verbs:["get"]}"#]);
        check(
            json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]),
            on(&["/x"]),
            &[r#"{NonResourceURLs:["/x"], Verbs:["get"]}"#],
        );
    }
}
