//! A place in an object: its value and its API path. Validation and defaulting walk objects with it, so that every
//! mistake can name where it stands. Absent and null are the same; a wrong type reads as absent, because decoding has
//! checked types before.

use meta::field::FieldError;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// A value and the path that leads to it.
#[derive(Debug, Clone)]
pub(crate) struct At<'a> {
    pub value: &'a Value,
    pub path: String,
}

impl<'a> At<'a> {
    /// The whole object; its path is empty.
    pub fn root(object: &'a Value) -> Self {
        Self { value: object, path: String::new() }
    }
    /// `path.FIELD`.
    pub fn field(&self, field: &str) -> At<'a> {
        let path = match self.path.as_str() {
            "" => field.to_owned(),
            path => format!("{path}.{field}"),
        };
        At { value: &self.value[field], path }
    }
    /// Several fields deep: `path.A.B`.
    pub fn fields(&self, fields: &[&str]) -> At<'a> {
        fields.iter().fold(self.clone(), |at, field| at.field(field))
    }
    /// The items of a list: `path[0]`, `path[1]` …
    pub fn items(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        let path = self.path.clone();
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(move |(index, value)| At { value, path: format!("{path}[{index}]") })
    }
    /// The entries of a map: key, and `path[KEY]`.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + use<'a> {
        let path = self.path.clone();
        let entries = self.value.as_object().into_iter().flatten();
        entries.map(move |(key, value)| {
            let path = format!("{path}[{key}]");
            (key.as_str(), At { value, path })
        })
    }
    pub fn is_set(&self) -> bool {
        !self.value.is_null()
    }
    /// The text; empty when there is none.
    pub fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or("")
    }
    pub fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }
    pub fn is_true(&self) -> bool {
        self.value == &Value::Bool(true)
    }
    pub fn is_false(&self) -> bool {
        self.value == &Value::Bool(false)
    }
    pub fn len(&self) -> usize {
        match self.value {
            Value::Array(items) => items.len(),
            Value::Object(entries) => entries.len(),
            _ => 0,
        }
    }

    pub fn required(&self, detail: &str) -> FieldError {
        FieldError::required(self.path.as_str(), detail)
    }
    /// Nothing is shown as `"null"`, as Kubernetes shows a nil pointer.
    pub fn invalid(&self, detail: &str) -> FieldError {
        match self.value {
            Value::Null => FieldError::invalid(self.path.as_str(), "null", detail),
            value => FieldError::invalid(self.path.as_str(), value.clone(), detail),
        }
    }
    /// As `invalid`, for texts that are no pointers in Go: none is shown as `""`.
    pub fn invalid_text(&self, detail: &str) -> FieldError {
        FieldError::invalid(self.path.as_str(), self.text(), detail)
    }
    /// As `invalid`, for numbers that are no pointers in Go: none is shown as 0.
    pub fn invalid_number(&self, detail: &str) -> FieldError {
        FieldError::invalid(self.path.as_str(), self.int().unwrap_or(0), detail)
    }
    /// None is shown as `""`.
    pub fn not_supported(&self, supported: &[&str]) -> FieldError {
        match self.value {
            Value::Null => FieldError::not_supported(self.path.as_str(), "", supported),
            value => FieldError::not_supported(self.path.as_str(), value.clone(), supported),
        }
    }
    pub fn forbidden(&self, detail: &str) -> FieldError {
        FieldError::forbidden(self.path.as_str(), detail)
    }

    /// The number must not be below zero.
    pub fn check_not_negative(&self, errors: &mut Vec<FieldError>) {
        if self.int().is_some_and(|number| number < 0) {
            errors.push(self.invalid("must be greater than or equal to 0"));
        }
    }
    /// The text must be there.
    pub fn check_required(&self, errors: &mut Vec<FieldError>) {
        if self.text().is_empty() {
            errors.push(self.required(""));
        }
    }
    /// The number, if there is one, must be within these bounds.
    pub fn check_within(&self, bounds: RangeInclusive<i64>, errors: &mut Vec<FieldError>) {
        if self.int().is_some_and(|number| !bounds.contains(&number)) {
            errors.push(self.invalid(&format!("must be between {} and {}, inclusive", bounds.start(), bounds.end())));
        }
    }
    /// The text must be there and be one of `supported`.
    pub fn check_choice(&self, supported: &[&str], errors: &mut Vec<FieldError>) {
        match self.text() {
            "" => errors.push(self.required("")),
            _ => self.check_among(supported, errors),
        }
    }
    /// The text, if there is any, must keep a rule.
    pub fn check_optional_rule(&self, rule: fn(&str) -> Vec<String>, errors: &mut Vec<FieldError>) {
        if !self.text().is_empty() {
            self.check_rule(rule, errors);
        }
    }
    /// The text must be one of `supported`; nothing is said about no text.
    pub fn check_among(&self, supported: &[&str], errors: &mut Vec<FieldError>) {
        if self.is_set() && !supported.contains(&self.text()) {
            errors.push(self.not_supported(supported));
        }
    }
    /// The text must keep a rule.
    pub fn check_rule(&self, rule: fn(&str) -> Vec<String>, errors: &mut Vec<FieldError>) {
        let wrong = rule(self.text());
        errors.extend(wrong.iter().map(|detail| self.invalid_text(detail)));
    }
    /// The text must be there and keep a rule.
    pub fn check_required_rule(&self, rule: fn(&str) -> Vec<String>, errors: &mut Vec<FieldError>) {
        match self.text() {
            "" => errors.push(self.required("")),
            _ => self.check_rule(rule, errors),
        }
    }
    /// The value must be what it was.
    pub fn check_immutable(&self, old: &At<'_>, errors: &mut Vec<FieldError>) {
        if !is_same(self.value, old.value) {
            errors.push(self.invalid(IMMUTABLE));
        }
    }
}

/// What is said about a field that may not change.
pub(crate) const IMMUTABLE: &str = "field is immutable";

/// Whether two values mean the same: null, `[]` and (for the fields that Kubernetes always writes) `{}` are as good as
/// absent.
pub(crate) fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => is_covered(left, right) && is_covered(right, left),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        _ if is_nothing(left) && is_nothing(right) => true,
        _ => left == right,
    }
}

fn is_covered(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    left.iter().all(|(key, value)| match right.get(key) {
        Some(other) => is_same(value, other),
        None => is_nothing(value) || is_written_when_empty(key, value),
    })
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Fields whose empty object means what their absence means. An empty `emptyDir` means something.
fn is_written_when_empty(key: &str, value: &Value) -> bool {
    let is_empty = value.as_object().is_some_and(Map::is_empty);
    is_empty
        && matches!(
            key,
            "metadata"
                | "labels"
                | "annotations"
                | "resources"
                | "limits"
                | "requests"
                | "nodeSelector"
                | "matchLabels"
                | "status"
        )
}

/// Sets `object.FIELD` unless it is there. An empty text is as good as none where the default is a text.
pub(crate) fn set_default(object: &mut Value, field: &str, value: impl Into<Value>) {
    let value = value.into();
    let is_empty_text = value.is_string() && object[field] == "";
    if (object[field].is_null() || is_empty_text) && object.is_object() {
        object[field] = value;
    }
}

/// The list at `object.FIELD`, to be changed in place; empty when there is none.
pub(crate) fn items_mut<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_know_their_paths() {
        let object = json!({"spec": {"list": [{"name": "a"}], "map": {"k": 1}}});
        let root = At::root(&object);
        let item = root.fields(&["spec", "list"]).items().next().unwrap();
        assert_eq!(item.field("name").path, "spec.list[0].name");
        assert_eq!(item.field("name").text(), "a");
        let map = root.fields(&["spec", "map"]);
        let (key, entry) = map.entries().next().unwrap();
        assert_eq!((key, entry.path.as_str(), entry.int()), ("k", "spec.map[k]", Some(1)));
        assert!(!root.fields(&["no", "such", "place"]).is_set());
    }

    #[test]
    fn nothing_is_the_same_as_absent() {
        for (left, right, expect) in [
            (json!({"a": null}), json!({}), true),
            (json!({"a": []}), json!({}), true),
            (json!({"resources": {}}), json!({}), true),
            (json!({"emptyDir": {}}), json!({}), false),
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true),
            (json!({"a": 1}), json!({"a": 2}), false),
            (json!([1, 2]), json!([1]), false),
            (json!([{"a": null}]), json!([{}]), true),
            (json!(null), json!([]), true),
            (json!(false), json!(null), false),
        ] {
            assert_eq!(is_same(&left, &right), expect, "{left} and {right}");
            assert_eq!(is_same(&right, &left), expect, "{right} and {left}");
        }
    }

    #[test]
    fn defaults_do_not_replace_what_is_there() {
        let mut object = json!({"a": 1, "b": null, "d": "", "e": ""});
        set_default(&mut object, "a", 2);
        set_default(&mut object, "b", 2);
        set_default(&mut object, "c", 2);
        set_default(&mut object, "d", "text");
        set_default(&mut object, "e", 2);
        assert_eq!(object, json!({"a": 1, "b": 2, "c": 2, "d": "text", "e": ""}));
        let mut wrong = json!("text");
        assert_eq!(items_mut(&mut wrong, "a").count(), 0);
    }
}
