//! One rule of a role, and what it allows (K:pkg/apis/rbac/v1/evaluation_helpers.go).

use crate::access::Attributes;
use meta::field::quote;
use serde_json::{Map, Value, json};

/// Stands for every verb, group, resource or path.
const ALL: &str = "*";

/// rbac/v1 PolicyRule.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// `get`, `list` …, `*`
    pub verbs: Vec<String>,
    /// `""`, `batch` …, `*`
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale`, `*`
    pub resources: Vec<String>,
    /// Empty for every name.
    pub resource_names: Vec<String>,
    /// `/healthz`, `/healthz/*`, `*`
    pub non_resource_urls: Vec<String>,
}

impl Rule {
    /// From its JSON; what is not a list of texts reads as empty.
    pub fn of(rule: &Value) -> Self {
        let texts = |field: &str| -> Vec<String> {
            let items = rule[field].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            verbs: texts("verbs"),
            api_groups: texts("apiGroups"),
            resources: texts("resources"),
            resource_names: texts("resourceNames"),
            non_resource_urls: texts("nonResourceURLs"),
        }
    }

    /// The rules of a role.
    pub fn all_of(role: &Value) -> Vec<Self> {
        role["rules"].as_array().into_iter().flatten().map(Self::of).collect()
    }

    /// As it stands in a role.
    pub fn to_json(&self) -> Value {
        let mut rule = Map::new();
        rule.insert("verbs".into(), json!(self.verbs));
        for (field, texts) in self.parts() {
            if !texts.is_empty() {
                rule.insert(field.into(), json!(texts));
            }
        }
        rule.into()
    }

    fn parts(&self) -> [(&'static str, &[String]); 4] {
        [
            ("apiGroups", &self.api_groups),
            ("resources", &self.resources),
            ("resourceNames", &self.resource_names),
            ("nonResourceURLs", &self.non_resource_urls),
        ]
    }

    /// Whether it allows what is asked for.
    pub fn allows(&self, attributes: &Attributes<'_>) -> bool {
        if !has(&self.verbs, attributes.verb) {
            return false;
        }
        match attributes.path {
            Some(path) => self.non_resource_urls.iter().any(|url| url_covers(url, path)),
            None => {
                has(&self.api_groups, attributes.group)
                    && self.names_resource(attributes.resource, attributes.subresource)
                    && (self.resource_names.is_empty()
                        || self.resource_names.iter().any(|name| name == attributes.name))
            }
        }
    }

    fn names_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|named| match (named.as_str(), named.split_once('/')) {
            (ALL, _) => true,
            (whole, None) => subresource.is_empty() && whole == resource,
            // Of every resource this subresource: `*/scale`.
            (_, Some((ALL, sub))) => !subresource.is_empty() && sub == subresource,
            (_, Some((main, sub))) => main == resource && sub == subresource && !sub.is_empty(),
        })
    }
}

/// `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`, as escalation errors name what is missing.
impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ]
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .map(|(part, texts)| format!("{part}:{}", quoted(texts)))
        .collect();
        write!(f, "{{{}}}", parts.join(", "))
    }
}

/// Texts as Go's `%q` prints a slice of them: `["a" "b"]`.
pub(crate) fn quoted(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", texts.join(" "))
}

fn has(texts: &[String], text: &str) -> bool {
    texts.iter().any(|own| own == ALL || own == text)
}

/// Whether a rule's URL covers a path, or another rule's URL: `/apis/*` covers `/apis/batch` and `/apis/batch/*`.
pub(crate) fn url_covers(url: &str, path: &str) -> bool {
    url == path || (url.ends_with('*') && path.starts_with(url.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(rule: Value) -> Rule {
        Rule::of(&rule)
    }

    #[test]
    fn resources_are_matched_by_verb_group_resource_subresource_and_name() {
        let pods = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
        let log = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]});
        let scale = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*/scale"]});
        let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        let named =
            json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a", "b"]});
        let odd = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/", "/log", "*/"]});
        let of = |verb, group, resource, subresource, name| Attributes {
            verb,
            group,
            resource,
            subresource,
            name,
            ..Attributes::default()
        };
        for (what, attributes, expect) in [
            (&pods, of("get", "", "pods", "", "x"), true),
            (&pods, of("list", "", "pods", "", ""), false),
            (&pods, of("get", "batch", "pods", "", ""), false),
            (&pods, of("get", "", "pods", "log", "x"), false),
            (&pods, of("get", "", "secrets", "", ""), false),
            (&log, of("get", "", "pods", "log", "x"), true),
            (&log, of("get", "", "pods", "", "x"), false),
            (&scale, of("patch", "apps", "deployments", "scale", "x"), true),
            (&scale, of("patch", "apps", "deployments", "status", "x"), false),
            (&scale, of("patch", "apps", "deployments", "", "x"), false),
            (&all, of("escalate", "x.y", "anything", "at-all", "x"), true),
            (&named, of("get", "", "pods", "", "a"), true),
            (&named, of("get", "", "pods", "", "c"), false),
            // Without a name nothing is known of what will be seen.
            (&named, of("list", "", "pods", "", ""), false),
            (&odd, of("get", "", "pods", "", ""), false),
            (&odd, of("get", "", "pods", "log", ""), false),
        ] {
            assert_eq!(rule(what.clone()).allows(&attributes), expect, "{what} {attributes:?}");
        }
    }

    #[test]
    fn paths_are_matched_by_verb_and_prefix() {
        for (urls, verb, path, expect) in [
            (json!(["/healthz"]), "get", "/healthz", true),
            (json!(["/healthz"]), "get", "/healthz/ping", false),
            (json!(["/healthz"]), "post", "/healthz", false),
            (json!(["/healthz/*"]), "get", "/healthz/ping/x", true),
            (json!(["/healthz/*"]), "get", "/healthz", false),
            (json!(["/api*"]), "get", "/apis", true),
            (json!(["*"]), "get", "/anything", true),
            (json!(["/*/x"]), "get", "/a/x", false),
            (json!([]), "get", "/", false),
        ] {
            let what = json!({"verbs": ["get"], "nonResourceURLs": urls});
            let attributes = Attributes { verb, path: Some(path), ..Attributes::default() };
            assert_eq!(rule(what).allows(&attributes), expect, "{urls} {verb} {path}");
        }
        // A rule for resources says nothing about paths, nor the other way round.
        let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        assert!(!rule(all).allows(&Attributes { verb: "get", path: Some("/"), ..Attributes::default() }));
        let paths = json!({"verbs": ["*"], "nonResourceURLs": ["*"]});
        assert!(!rule(paths).allows(&Attributes { verb: "get", resource: "pods", ..Attributes::default() }));
    }

    #[test]
    fn rules_are_printed_as_errors_name_them_and_survive_json() {
        let whole = json!({"verbs": ["get", "list"], "apiGroups": ["", "batch"], "resources": ["jobs"], "resourceNames": ["x"]});
        let rule = rule(whole.clone());
        assert_eq!(
            rule.to_string(),
            r#"{APIGroups:["" "batch"], Resources:["jobs"], ResourceNames:["x"], Verbs:["get" "list"]}"#
        );
        assert_eq!(rule.to_json(), whole);
    }
}
