//! Descriptions of kinds that have none of their own: every field under a readable name. Pure.

use serde_json::Value;

use super::page::{Page, sorted, text_or};

/// What stands at the top already, or interests nobody.
const SHOWN_ABOVE: [&str; 6] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.labels",
    "metadata.annotations",
    "metadata.managedFields",
    "metadata.selfLink",
];

/// As kubectl's for kinds that it does not know.
pub fn describe(page: &mut Page, object: &Value) {
    page.field("Name", meta::object::name(object));
    page.field("Namespace", meta::object::namespace(object));
    page.labels("Labels", &object["metadata"]["labels"]);
    page.annotations("Annotations", &object["metadata"]["annotations"]);
    fields(page, object, "", "");
}

fn fields(page: &mut Page, object: &Value, path: &str, indent: &str) {
    let below = format!("{indent}  ");
    for (name, value) in sorted(object) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if SHOWN_ABOVE.contains(&path.as_str()) {
            continue;
        }
        let label = format!("{indent}{}", label(name));
        match value {
            Value::Object(_) => {
                page.line(format!("{label}:"));
                fields(page, value, &path, &below);
            }
            Value::Array(items) => {
                page.line(format!("{label}:"));
                for item in items {
                    match item {
                        Value::Object(_) => fields(page, item, &path, &below),
                        item => page.line(format!("{below}{}", text_or(item, ""))),
                    }
                }
            }
            value => page.field(&label, text_or(value, "")),
        }
    }
}

/// `apiVersion` is `API Version`.
fn label(name: &str) -> String {
    const ACRONYMS: [&str; 5] = ["API", "URL", "UID", "OSB", "GUID"];
    // A name that somebody chose, such as a resource's, stays.
    if name.contains(|char: char| !char.is_alphanumeric() && char != '-') {
        return name.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut was_lower = false;
    for char in name.chars() {
        if words.is_empty() || (char.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(char);
        }
        was_lower = !char.is_uppercase();
    }
    let words = words.into_iter().map(|word| {
        let upper = word.to_uppercase();
        if ACRONYMS.contains(&upper.as_str()) {
            return upper;
        }
        let mut chars = word.chars();
        chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_fields_become_readable() {
        for (name, expect) in [
            ("apiVersion", "API Version"),
            ("creationTimestamp", "Creation Timestamp"),
            ("uid", "UID"),
            ("kind", "Kind"),
            ("example.org/x", "example.org/x"),
        ] {
            assert_eq!(label(name), expect);
        }
    }

    #[test]
    fn every_field_is_shown_once() {
        let mut page = Page::default();
        let object =
            json!({ "kind": "Lease", "metadata": { "name": "x", "uid": "u" }, "spec": { "list": [{ "a": 1 }, "b"] } });
        describe(&mut page, &object);
        let expect = "Name:         x\nNamespace:    \nLabels:       <none>\nAnnotations:  <none>\nKind:         Lease\nMetadata:\n  UID:  u\nSpec:\n  List:\n    A:  1\n    b\n";
        assert_eq!(page.finish(), expect);
    }
}
