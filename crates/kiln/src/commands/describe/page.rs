//! What descriptions are written on: lines whose tabs become columns, and the forms that fields share. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::output::{printable, tabs};

/// Longer annotations have lines of their own.
const ANNOTATION_WIDTH: usize = 140;
/// What `kubectl apply` notes for itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// When and where somebody looks.
pub struct View {
    /// What ages are counted from.
    pub now: Timestamp,
    /// What times are shown in.
    pub zone: TimeZone,
}

impl View {
    /// `Thu, 26 Nov 2026 18:03:06 +0000`
    pub fn time(&self, value: &Value) -> String {
        match instant(value) {
            Some(time) => time.to_zoned(self.zone.clone()).strftime("%a, %d %b %Y %H:%M:%S %z").to_string(),
            None => "<unknown>".into(),
        }
    }

    /// `5m`
    pub fn age(&self, value: &Value) -> String {
        match instant(value) {
            Some(time) => meta::duration::human(self.now.duration_since(time)),
            None => "<unknown>".into(),
        }
    }
}

/// A timestamp, if it is one.
pub fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Lines of a description.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// A line; tabs separate its cells.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(&printable(text.as_ref()));
        self.0.push('\n');
    }

    /// `Name:\tvalue`
    pub fn field(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line(format!("{name}:\t{value}"));
    }

    /// The same, if there is a value.
    pub fn field_if(&mut self, name: &str, value: &Value) {
        if let Some(value) = text_of(value) {
            self.field(name, value);
        }
    }

    /// `Name:` with a line for each of the values, or `<none>`.
    pub fn lines_of(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let mut values = values.into_iter();
        self.field(name, values.next().unwrap_or_else(|| "<none>".into()));
        values.for_each(|value| self.line(format!("\t{value}")));
    }

    /// Labels: `a=b`, sorted.
    pub fn labels(&mut self, name: &str, labels: &Value) {
        let labels =
            sorted(labels).into_iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
        self.lines_of(name, labels);
    }

    /// Annotations: `a: b`; long ones on lines of their own.
    pub fn annotations(&mut self, name: &str, annotations: &Value) {
        let mut lines = Vec::new();
        for (key, value) in sorted(annotations).into_iter().filter(|(key, _)| *key != LAST_APPLIED) {
            let value = value.as_str().unwrap_or_default();
            let value = value.strip_suffix('\n').unwrap_or(value);
            if ANNOTATION_WIDTH < value.len() + key.len() + 2 || value.contains('\n') {
                lines.push(format!("{key}:"));
                lines.extend(value.split('\n').map(|line| format!("  {}", shortened(line, ANNOTATION_WIDTH - 2))));
            } else {
                lines.push(format!("{key}: {value}"));
            }
        }
        self.lines_of(name, lines);
    }

    /// `Controlled By:` the owner that controls it.
    pub fn controlled_by(&mut self, object: &Value) {
        if let Some(owner) = meta::object::controller(object) {
            self.field(
                "Controlled By",
                format!(
                    "{}/{}",
                    owner["kind"].as_str().unwrap_or_default(),
                    owner["name"].as_str().unwrap_or_default()
                ),
            );
        }
    }

    /// The text, in columns.
    pub fn finish(self) -> String {
        tabs::align(&self.0, tabs::DESCRIPTION)
    }
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        text.to_owned()
    } else {
        format!("{}...", text.chars().take(width).collect::<String>())
    }
}

/// The fields of a map by their names.
pub fn sorted(map: &Value) -> Vec<(&String, &Value)> {
    let mut fields: Vec<(&String, &Value)> = map.as_object().into_iter().flatten().collect();
    fields.sort_by_key(|(key, _)| *key);
    fields
}

/// A list's items, or nothing.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Text, number or boolean as it is printed; nothing for what is not there or empty.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(meta::patch::go_text(other)),
    }
}

/// The same, or another word.
pub fn text_or(value: &Value, instead: &str) -> String {
    text_of(value).unwrap_or_else(|| instead.to_owned())
}

/// `True` or `False`
pub fn capital(value: &Value) -> &'static str {
    if value.as_bool().unwrap_or(false) { "True" } else { "False" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_and_annotations_have_a_line_each() {
        let mut page = Page::default();
        page.labels("Labels", &json!({ "b": "2", "a": "1" }));
        page.labels("None", &json!(null));
        page.annotations("Annotations", &json!({ "x": "y", "lines": "a\nb\n", LAST_APPLIED: "{}" }));
        let expect = "Labels:       a=1\n              b=2\nNone:         <none>\nAnnotations:  lines:\n                a\n                b\n              x: y\n";
        assert_eq!(page.finish(), expect);
    }

    #[test]
    fn times_are_shown_where_somebody_looks() {
        let view = View { now: "2026-11-26T18:10:06Z".parse().unwrap(), zone: TimeZone::get("Europe/Berlin").unwrap() };
        assert_eq!(view.time(&json!("2026-11-26T18:03:06Z")), "Thu, 26 Nov 2026 19:03:06 +0100");
        assert_eq!(view.age(&json!("2026-11-26T18:03:06Z")), "7m");
        assert_eq!(view.age(&json!(null)), "<unknown>");
    }
}
