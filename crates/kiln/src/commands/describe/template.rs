//! A pod template, within the description of what makes pods of it; and what it shares with a pod's. Pure.

use serde_json::Value;

use super::page::{Page, items, text_or};
use super::{containers, volumes};

/// `Pod Template:` and all within.
pub fn describe(page: &mut Page, template: &Value) {
    let spec = &template["spec"];
    page.line("Pod Template:");
    page.labels("  Labels", &template["metadata"]["labels"]);
    if template["metadata"]["annotations"].as_object().is_some_and(|all| !all.is_empty()) {
        page.annotations("  Annotations", &template["metadata"]["annotations"]);
    }
    page.field_if("  Service Account", &spec["serviceAccountName"]);
    if items(&spec["initContainers"]).next().is_some() {
        page.line("  Init Containers:");
        containers::of_template(page, &spec["initContainers"]);
    }
    page.line("  Containers:");
    containers::of_template(page, &spec["containers"]);
    volumes::describe(page, &spec["volumes"], "  ");
    spread(page, spec, "  ");
    page.field_if("  Priority Class Name", &spec["priorityClassName"]);
    page.labels("  Node-Selectors", &spec["nodeSelector"]);
    tolerations(page, spec, "  ");
}

/// `Tolerations:`, sorted by their keys.
pub fn tolerations(page: &mut Page, spec: &Value, indent: &str) {
    let mut all: Vec<&Value> = items(&spec["tolerations"]).collect();
    all.sort_by_key(|toleration| text_or(&toleration["key"], ""));
    page.lines_of(&format!("{indent}Tolerations"), all.into_iter().map(toleration));
}

fn toleration(toleration: &Value) -> String {
    let text = |field: &str| text_or(&toleration[field], "");
    let (key, value, effect) = (text("key"), text("value"), text("effect"));
    let mut out = key.clone();
    if !value.is_empty() {
        out.push_str(&format!("={value}"));
    }
    if !effect.is_empty() {
        out.push_str(&format!(":{effect}"));
    }
    if toleration["operator"] == "Exists" && value.is_empty() {
        out.push_str(if out.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = toleration["tolerationSeconds"].as_i64() {
        out.push_str(&format!(" for {seconds}s"));
    }
    out
}

/// `Topology Spread Constraints:`, where there are any.
pub fn spread(page: &mut Page, spec: &Value, indent: &str) {
    let constraints: Vec<String> = items(&spec["topologySpreadConstraints"])
        .map(|constraint| {
            let selector = match constraint["labelSelector"].is_object() {
                true => format!(
                    " when max skew {} is exceeded for selector {}",
                    constraint["maxSkew"],
                    super::job::selector(&constraint["labelSelector"])
                ),
                false => format!(" when max skew {} is exceeded", constraint["maxSkew"]),
            };
            format!(
                "{}:{}{selector}",
                text_or(&constraint["topologyKey"], ""),
                text_or(&constraint["whenUnsatisfiable"], "")
            )
        })
        .collect();
    if !constraints.is_empty() {
        page.lines_of(&format!("{indent}Topology Spread Constraints"), constraints);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tolerations_are_one_line_each() {
        for (value, expect) in [
            (
                json!({ "key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }),
                "a:NoExecute op=Exists for 300s",
            ),
            (json!({ "key": "a", "value": "b", "effect": "NoSchedule" }), "a=b:NoSchedule"),
            (json!({ "operator": "Exists" }), "op=Exists"),
        ] {
            assert_eq!(toleration(&value), expect);
        }
    }
}
