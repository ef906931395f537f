//! Values as Go's `%v` prints them, for error texts that quote a patch.

use serde_json::Value;
use std::fmt::Write;

/// `map[a:1 b:[x y]]`: keys sorted, texts bare, null `<nil>`.
pub fn go_text(value: &Value) -> String {
    let mut text = String::new();
    print(value, &mut text);
    text
}

fn print(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("<nil>"),
        Value::String(value) => text.push_str(value),
        Value::Bool(_) | Value::Number(_) => {
            write!(text, "{value}").expect("writing to a String does not fail");
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                print(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            text.push_str("map[");
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(key);
                text.push(':');
                print(value, text);
            }
            text.push(']');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_in_go() {
        let value = json!({"b": [1, "x y", null], "a": {"t": true}});
        assert_eq!(go_text(&value), "map[a:map[t:true] b:[1 x y <nil>]]");
    }
}
