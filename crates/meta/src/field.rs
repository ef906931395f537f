//! Mistakes in an object, each with its API path (K:apimachinery/util/validation/field/errors.go).

use serde_json::Value;
use std::fmt::Write;

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has to be there.
    Required,
    /// Its value breaks a rule.
    Invalid,
    /// Its value is none of the known ones.
    NotSupported,
    /// It may not be there, or not change.
    Forbidden,
    /// Its text is too long.
    TooLong,
    /// Its list has too many items.
    TooMany,
    /// The same value stands elsewhere.
    Duplicate,
    /// It names something that is not there.
    NotFound,
    /// Its value is of the wrong type.
    TypeInvalid,
}

/// One mistake: `FIELD: BODY`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// What kind of mistake it is.
    pub reason: Reason,
    /// The API path, e.g. `spec.template.spec.containers[0].image`.
    pub field: String,
    /// What stands after the path, e.g. `Required value`.
    pub body: String,
}

impl FieldError {
    /// `Required value[: DETAIL]`.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        new(Reason::Required, field, None, detail)
    }
    /// `Invalid value: V: DETAIL`.
    pub fn invalid(field: impl Into<String>, value: impl Into<Value>, detail: &str) -> Self {
        new(Reason::Invalid, field, Some(value.into()), detail)
    }
    /// `Invalid value: DETAIL`, for values that are better not shown.
    pub fn invalid_unshown(field: impl Into<String>, detail: &str) -> Self {
        new(Reason::Invalid, field, None, detail)
    }
    /// `Unsupported value: V: supported values: "A", "B"`, in the order given.
    pub fn not_supported(field: impl Into<String>, value: impl Into<Value>, supported: &[&str]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|text| quote(text)).collect();
        let detail = match quoted.is_empty() {
            true => String::new(),
            false => format!("supported values: {}", quoted.join(", ")),
        };
        new(Reason::NotSupported, field, Some(value.into()), &detail)
    }
    /// `Forbidden: DETAIL`.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        new(Reason::Forbidden, field, None, detail)
    }
    /// `Too long: may not be more than N bytes`.
    pub fn too_long(field: impl Into<String>, max_bytes: usize) -> Self {
        let detail = format!("may not be more than {max_bytes} bytes");
        new(Reason::TooLong, field, None, &detail)
    }
    /// `Too many: ACTUAL: must have at most N items`.
    pub fn too_many(field: impl Into<String>, actual: usize, max: usize) -> Self {
        let items = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {items}");
        new(Reason::TooMany, field, Some(actual.into()), &detail)
    }
    /// `Duplicate value: V`.
    pub fn duplicate(field: impl Into<String>, value: impl Into<Value>) -> Self {
        new(Reason::Duplicate, field, Some(value.into()), "")
    }
    /// `Not found: V`.
    pub fn not_found(field: impl Into<String>, value: impl Into<Value>) -> Self {
        new(Reason::NotFound, field, Some(value.into()), "")
    }
    /// `Invalid value: V: DETAIL`, for a value of the wrong JSON type.
    pub fn type_invalid(field: impl Into<String>, value: impl Into<Value>, detail: &str) -> Self {
        new(Reason::TypeInvalid, field, Some(value.into()), detail)
    }
    /// The cause's reason on the wire: `FieldValueRequired`, `FieldValueInvalid` …
    pub fn cause(&self) -> &'static str {
        match self.reason {
            Reason::Required => "FieldValueRequired",
            Reason::Invalid => "FieldValueInvalid",
            Reason::NotSupported => "FieldValueNotSupported",
            Reason::Forbidden => "FieldValueForbidden",
            Reason::TooLong => "FieldValueTooLong",
            Reason::TooMany => "FieldValueTooMany",
            Reason::Duplicate => "FieldValueDuplicate",
            Reason::NotFound => "FieldValueNotFound",
            Reason::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.body)
    }
}

fn new(reason: Reason, field: impl Into<String>, value: Option<Value>, detail: &str) -> FieldError {
    let mut body = match reason {
        Reason::Required => "Required value",
        Reason::Invalid | Reason::TypeInvalid => "Invalid value",
        Reason::NotSupported => "Unsupported value",
        Reason::Forbidden => "Forbidden",
        Reason::TooLong => "Too long",
        Reason::TooMany => "Too many",
        Reason::Duplicate => "Duplicate value",
        Reason::NotFound => "Not found",
    }
    .to_owned();
    if let Some(value) = value {
        body.push_str(": ");
        body.push_str(&print(&value));
    }
    if !detail.is_empty() {
        body.push_str(": ");
        body.push_str(detail);
    }
    FieldError { reason, field: field.into(), body }
}

/// Texts quoted, everything else as JSON with `<`, `>` and `&` escaped, as Go writes it.
fn print(value: &Value) -> String {
    if let Value::String(text) = value {
        return quote(text);
    }
    let json = value.to_string();
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A text between double quotes, with the escapes of Go's `%q`.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            ' ' => quoted.push(' '),
            _ if is_unprintable(character) => escape(&mut quoted, character),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a text may show this character as it is (Go's unicode.IsPrint): of white space only the blank.
pub fn is_printable(character: char) -> bool {
    character == ' ' || !is_unprintable(character)
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || character.is_whitespace()
        || matches!(character, '\u{ad}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}')
}

fn escape(quoted: &mut String, character: char) {
    let code = u32::from(character);
    let written = match code {
        ..0x80 => write!(quoted, "\\x{code:02x}"),
        0x80..0x1_0000 => write!(quoted, "\\u{code:04x}"),
        _ => write!(quoted, "\\U{code:08x}"),
    };
    written.expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(error: FieldError, expect: &str, cause: &str) {
        assert_eq!(error.to_string(), expect);
        assert_eq!(error.cause(), cause);
    }

    #[test]
    fn every_kind_of_mistake_has_its_text_and_its_cause() {
        type E = FieldError;
        check(E::required("a", ""), "a: Required value", "FieldValueRequired");
        check(E::required("a.b", "when c"), "a.b: Required value: when c", "FieldValueRequired");
        check(
            E::invalid("spec.x", -1, "must be greater than or equal to 0"),
            "spec.x: Invalid value: -1: must be greater than or equal to 0",
            "FieldValueInvalid",
        );
        check(E::invalid_unshown("data[k]", "secret"), "data[k]: Invalid value: secret", "FieldValueInvalid");
        check(
            E::not_supported("m", "x", &["A", "B"]),
            "m: Unsupported value: \"x\": supported values: \"A\", \"B\"",
            "FieldValueNotSupported",
        );
        check(E::forbidden("f", "no"), "f: Forbidden: no", "FieldValueForbidden");
        check(E::too_long("l", 63), "l: Too long: may not be more than 63 bytes", "FieldValueTooLong");
        check(E::too_many("m", 21, 20), "m: Too many: 21: must have at most 20 items", "FieldValueTooMany");
        check(E::too_many("m", 2, 1), "m: Too many: 2: must have at most 1 item", "FieldValueTooMany");
        check(E::duplicate("d", "x"), "d: Duplicate value: \"x\"", "FieldValueDuplicate");
        check(E::not_found("n", "v"), "n: Not found: \"v\"", "FieldValueNotFound");
        check(E::type_invalid("t", true, "odd"), "t: Invalid value: true: odd", "FieldValueTypeInvalid");
    }

    #[test]
    fn values_are_printed_as_go_prints_them() {
        for (value, expect) in [
            (json!(7), "7"),
            (json!(true), "true"),
            (json!(null), "null"),
            (json!("a\"b\\c\n\u{1}é\u{a0}"), r#""a\"b\\c\n\x01é\u00a0""#),
            (json!({"a": "<&>", "b": [1, 2]}), r#"{"a":"\u003c\u0026\u003e","b":[1,2]}"#),
        ] {
            assert_eq!(print(&value), expect);
        }
    }
}
