//! Duplicate keys in any JSON text, without a type.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// Duplicate fields in a JSON text, as complaints (`duplicate field "spec.y"`), each path once.
/// What precedes a syntax error is looked at; the error itself is for `decode` to tell.
pub fn duplicates(body: &[u8]) -> Vec<String> {
    let mut walk = Walk::default();
    let mut text = serde_json::Deserializer::from_slice(body);
    // A malformed text has no further duplicates to report.
    let _ = Node(&mut walk).deserialize(&mut text);
    walk.complaints
}

#[derive(Default)]
struct Walk {
    path: String,
    complaints: Vec<String>,
}

struct Node<'w>(&'w mut Walk);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let parent = self.0.path.len();
        for index in 0usize.. {
            self.0.path.push_str(&format!("[{index}]"));
            let item = items.next_element_seed(Node(self.0))?;
            self.0.path.truncate(parent);
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let parent = self.0.path.len();
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if parent > 0 {
                self.0.path.push('.');
            }
            self.0.path.push_str(&key);
            if !seen.insert(key) {
                let complaint = format!("duplicate field {:?}", self.0.path);
                if !self.0.complaints.contains(&complaint) && self.0.complaints.len() < super::decode::MAX_COMPLAINTS {
                    self.0.complaints.push(complaint);
                }
            }
            entries.next_value_seed(Node(self.0))?;
            self.0.path.truncate(parent);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_found_at_any_depth() {
        for (text, expected) in [
            (r#"{"a":1,"b":2}"#, &[][..]),
            (r#"{"a":1,"a":2,"a":3}"#, &[r#"duplicate field "a""#]),
            (
                r#"{"s":{"y":1,"y":2},"l":[{"k":1},{"k":1,"k":2}]}"#,
                &[r#"duplicate field "s.y""#, r#"duplicate field "l[1].k""#],
            ),
            (r#"{"a":1,"a":2"#, &[r#"duplicate field "a""#]),
            ("", &[]),
            ("[", &[]),
        ] {
            assert_eq!(duplicates(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_overflow() {
        assert!(duplicates("[".repeat(1_000_000).as_bytes()).is_empty());
    }
}
