//! JSON as Go's encoder writes it, which is what kubectl prints: keys sorted, four blanks, `<`, `>` and `&` escaped. Pure.

use serde_json::Value;

/// The text of `-o json`, with its last newline.
pub fn indented(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, Some(0));
    out.push('\n');
    out
}

/// On one line, without a newline.
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None);
    out
}

/// `depth` is none on one line.
fn write(out: &mut String, value: &Value, depth: Option<usize>) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                separate(out, position, depth);
                write(out, item, depth.map(|depth| depth + 1));
            }
            end_line(out, depth);
            out.push(']');
        }
        Value::Object(fields) if !fields.is_empty() => {
            out.push('{');
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            for (position, (key, field)) in fields.into_iter().enumerate() {
                separate(out, position, depth);
                quote(out, key);
                out.push_str(if depth.is_some() { ": " } else { ":" });
                write(out, field, depth.map(|depth| depth + 1));
            }
            end_line(out, depth);
            out.push('}');
        }
        Value::String(text) => quote(out, text),
        other => out.push_str(&other.to_string()),
    }
}

fn separate(out: &mut String, position: usize, depth: Option<usize>) {
    if 0 < position {
        out.push(',');
    }
    end_line(out, depth.map(|depth| depth + 1));
}

fn end_line(out: &mut String, depth: Option<usize>) {
    if let Some(depth) = depth {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", depth));
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)))
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_reads_as_kubectls() {
        let value = json!({ "b": [1, { "c": null }], "a": {}, "d": [], "e": "<a & \"b\">\u{1}" });
        let expect = r#"{
    "a": {},
    "b": [
        1,
        {
            "c": null
        }
    ],
    "d": [],
    "e": "\u003ca \u0026 \"b\"\u003e\u0001"
}
"#;
        assert_eq!(indented(&value), expect);
        assert_eq!(compact(&json!({ "b": [1, 2], "a": true })), r#"{"a":true,"b":[1,2]}"#);
    }
}
