//! Whether a configuration can be applied at all: known fields, fitting types, items that can be told apart. The texts
//! are those of K:structured-merge-diff typed/validate.go, Go's way of printing values among them.

use super::schema::{FieldSchema, Form, ListForm, ScalarForm, entry, step_of};
use super::step::Step;
use crate::field::quote;
use crate::patch::go_text;
use serde_json::Value;
use std::collections::BTreeSet;

/// More than these nobody reads.
const MAX_ERRORS: usize = 100;

/// Everything wrong with a configuration, each with its path: `.spec.foo: field not declared in schema`. Of the unknown
/// fields of an object the first is told, with what was probably meant.
pub fn validate<S: FieldSchema>(config: &Value, ty: S) -> Vec<String> {
    let mut walk = Walk { path: String::new(), errors: Vec::new() };
    walk.value(config, ty);
    walk.errors
}

struct Walk {
    path: String,
    errors: Vec<String>,
}

impl Walk {
    fn error(&mut self, text: &str) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(match self.path.is_empty() {
                true => text.to_owned(),
                false => format!("{}: {text}", self.path),
            });
        }
    }

    fn below(&mut self, step: &Step, check: impl FnOnce(&mut Self)) {
        let parent = self.path.len();
        self.path.push_str(&step.to_string());
        check(self);
        self.path.truncate(parent);
    }

    fn value<S: FieldSchema>(&mut self, value: &Value, ty: S) {
        if value.is_null() {
            return;
        }
        let form = ty.form();
        match form {
            Form::Free => {}
            Form::Scalar(scalar) => self.scalar(value, scalar),
            Form::Struct { .. } | Form::Map { .. } => {
                let Value::Object(fields) = value else {
                    return self.error(&format!("expected map, got &{{{}}}", go_text(value)));
                };
                for (name, value) in fields {
                    let step = Step::field(name);
                    match entry(ty, &form, name) {
                        Some(child) => self.below(&step, |walk| walk.value(value, child)),
                        None => return self.below(&step, |walk| walk.error(&unknown(ty.nearest(name)))),
                    }
                }
            }
            Form::List { item, list } => {
                let Value::Array(items) = value else {
                    return self.error(&format!("expected list, got &{{{}}}", go_text(value)));
                };
                self.list(items, item, list);
            }
        }
    }

    fn list<S: FieldSchema>(&mut self, items: &[Value], item: S, list: ListForm) {
        let mut seen = BTreeSet::new();
        for (index, value) in items.iter().enumerate() {
            let step = match step_of(value, item, list, index) {
                Ok(step) => step,
                Err(error) => {
                    self.error(&format!("element {index}: {error}"));
                    continue;
                }
            };
            self.below(&step, |walk| walk.value(value, item));
            if !seen.insert(step.clone()) {
                self.error(&format!("duplicate entries for key {step}"));
            }
        }
    }

    fn scalar(&mut self, value: &Value, scalar: ScalarForm) {
        let (fits, expected) = match scalar {
            ScalarForm::Any => (value.is_string() || value.is_number() || value.is_boolean(), "scalar"),
            ScalarForm::Text => (value.is_string(), "string"),
            ScalarForm::Number => (value.is_number(), "numeric (int or float)"),
            ScalarForm::Bool => (value.is_boolean(), "boolean"),
        };
        if !fits {
            self.error(&format!("expected {expected}, got &value.valueUnstructured{{Value:{}}}", go_syntax(value)));
        }
    }
}

fn unknown(nearest: Option<&str>) -> String {
    let meant = nearest.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
    format!("field not declared in schema{meant}")
}

/// A value as Go's `%#v` writes it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => quote(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            let fields: Vec<String> =
                fields.into_iter().map(|(name, value)| format!("{}:{}", quote(name), go_syntax(value))).collect();
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Toy;
    use super::*;
    use serde_json::json;

    #[test]
    fn mistakes_are_named_with_their_paths() {
        for (config, errors) in [
            (json!({"n": 1, "t": "x", "quantity": 1, "labels": {"a": null}, "free": [{"x": 1}]}), &[][..]),
            (json!({"spec": {"foo": 1}}), &[".spec.foo: field not declared in schema"]),
            (json!({"n": "1"}), &[r#".n: expected numeric (int or float), got &value.valueUnstructured{Value:"1"}"#]),
            (json!({"t": 8080}), &[".t: expected string, got &value.valueUnstructured{Value:8080}"]),
            (
                json!({"t": {"a": [1]}}),
                &[
                    r#".t: expected string, got &value.valueUnstructured{Value:map[string]interface {}{"a":[]interface {}{1}}}"#,
                ],
            ),
            (json!({"labels": ["x"]}), &[".labels: expected map, got &{[x]}"]),
            (json!({"items": {"a": 1}}), &[".items: expected list, got &{map[a:1]}"]),
            (
                json!({"items": [{"name": "a", "x": 1}, {"n": 2}, {"name": "a"}]}),
                &[
                    r#".items[name="a"].x: field not declared in schema"#,
                    r#".items: element 1: associative list with keys has an element that omits key field "name" (and doesn't have default value)"#,
                    r#".items: duplicate entries for key [name="a"]"#,
                ],
            ),
            (json!({"set": ["x", "x"]}), &[r#".set: duplicate entries for key [="x"]"#]),
            (json!({"args": ["x", "x"]}), &[]),
            (json!({"args": ["x", 1]}), &[".args[1]: expected string, got &value.valueUnstructured{Value:1}"]),
        ] {
            assert_eq!(validate(&config, Toy::Root), errors, "{config}");
        }
    }
}
