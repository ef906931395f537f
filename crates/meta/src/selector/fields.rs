//! Field selectors (K:apimachinery/pkg/fields/selector.go).

/// `metadata.name=x,status.phase!=Running`: (field, equal?, value).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldSelector {
    /// What must all hold: field, whether it must equal (or differ from) the value, value.
    pub terms: Vec<(String, bool, String)>,
}

impl FieldSelector {
    /// Parses the text with its escapes (`\,`, `\=`, `\\`).
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for term in split_terms(text) {
            if term.is_empty() {
                continue;
            }
            let Some((field, is_equal, value)) = split_term(term) else {
                return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
            };
            terms.push((field.to_owned(), is_equal, unescape(value)?));
        }
        Ok(Self { terms })
    }

    /// Whether an object matches; `get` looks a field up.
    pub fn matches(&self, get: impl Fn(&str) -> String) -> bool {
        self.terms.iter().all(|(field, is_equal, value)| (get(field) == *value) == *is_equal)
    }

    /// The value that `field` must equal, if the selector says so.
    pub fn required(&self, field: &str) -> Option<&str> {
        self.terms.iter().find(|(name, is_equal, _)| name == field && *is_equal).map(|(_, _, value)| value.as_str())
    }
}

/// Cuts at commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut is_escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Cuts at the first `!=`, `==` or `=`.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    for (index, _) in term.char_indices() {
        let rest = &term[index..];
        for (operator, is_equal) in [("!=", false), ("==", true), ("=", true)] {
            if let Some(value) = rest.strip_prefix(operator) {
                return Some((&term[..index], is_equal, value));
            }
        }
    }
    None
}

fn unescape(value: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
                Some(other) => {
                    return Err(format!("invalid field selector: invalid escape sequence: \\{other}"));
                }
                None => {
                    return Err("invalid field selector: invalid escape sequence: \\".to_owned());
                }
            },
            ',' | '=' => {
                let code = u32::from(character);
                return Err(format!("invalid field selector: unescaped character in value: {code}"));
            }
            _ => plain.push(character),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, bool, &str)]) {
        let expect: Vec<_> = expect
            .iter()
            .map(|(field, is_equal, value)| ((*field).to_owned(), *is_equal, (*value).to_owned()))
            .collect();
        assert_eq!(FieldSelector::parse(text).unwrap().terms, expect, "for {text:?}");
    }

    #[test]
    fn terms_are_cut_at_unescaped_commas() {
        check("", &[]);
        check("a=b", &[("a", true, "b")]);
        check("a==b", &[("a", true, "b")]);
        check("a!=b,", &[("a", false, "b")]);
        check("a=,b!=", &[("a", true, ""), ("b", false, "")]);
        check(r"a=x\,y\=z\\,b=c", &[("a", true, r"x,y=z\"), ("b", true, "c")]);
        check("metadata.name=é", &[("metadata.name", true, "é")]);
    }

    #[test]
    fn malformed_selectors_are_refused_with_kubernetes_texts() {
        for (text, expect) in [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'"),
            (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
            (r"a=x\", r"invalid field selector: invalid escape sequence: \"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ] {
            assert_eq!(FieldSelector::parse(text).unwrap_err(), expect, "for {text:?}");
        }
    }

    #[test]
    fn all_terms_must_hold() {
        let get = |field: &str| {
            if field == "phase" { "Running".to_owned() } else { String::new() }
        };
        let matches = |text| FieldSelector::parse(text).unwrap().matches(get);
        assert!(matches("phase=Running,node="));
        assert!(matches("phase!=Failed"));
        assert!(!matches("phase=Running,node=one"));
        assert!(!matches("phase!=Running"));
    }

    #[test]
    fn what_must_be_equal_can_be_asked_for() {
        let selector = FieldSelector::parse("a!=x,a=b").unwrap();
        assert_eq!(selector.required("a"), Some("b"));
        assert_eq!(selector.required("c"), None);
    }
}
