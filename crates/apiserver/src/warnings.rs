//! Warning headers: each text once, and not more of them than a client takes.

use http::HeaderValue;

/// Beyond so many characters in all, each text is cut to `ITEM_CHARS` (K:apiserver/pkg/endpoints/filters/warning.go).
const TOTAL_CHARS: usize = 4 * 1024;
const ITEM_CHARS: usize = 256;

/// Their values, in order.
pub(crate) fn headers(texts: &[String]) -> impl Iterator<Item = HeaderValue> {
    let mut once: Vec<&str> = Vec::new();
    for text in texts {
        if !once.contains(&text.as_str()) {
            once.push(text);
        }
    }
    let n_chars = |text: &str| text.chars().count();
    let is_too_much = TOTAL_CHARS < once.iter().map(|text| n_chars(text)).sum();
    let item_chars = if is_too_much { ITEM_CHARS } else { TOTAL_CHARS };
    let mut left = TOTAL_CHARS;
    once.into_iter().map_while(move |text| {
        let cut: String = text.chars().take(item_chars).collect();
        left = left.checked_sub(n_chars(&cut))?;
        header(&cut)
    })
}

/// `299 - "text"`, as kubectl prints it.
fn header(text: &str) -> Option<HeaderValue> {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let quoted = plain.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(warnings: &[String]) -> Vec<String> {
        headers(warnings).map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap()).collect()
    }

    #[test]
    fn each_text_comes_once_and_quoted() {
        let warnings = ["unknown field \"a\"", "é\r\nX: y", "unknown field \"a\""].map(String::from);
        assert_eq!(texts(&warnings), [r#"299 - "unknown field \"a\"""#, r#"299 - "é  X: y""#]);
    }

    #[test]
    fn many_long_texts_are_cut() {
        let one = vec!["x".repeat(4_000)];
        assert_eq!(texts(&one), [format!("299 - \"{}\"", "x".repeat(4_000))]);
        let many: Vec<String> = (0..100).map(|n| format!("{n:03}{}", "é".repeat(2_000))).collect();
        let cut = texts(&many);
        assert_eq!(cut.len(), 16);
        assert!(cut.iter().all(|text| text.chars().count() == ITEM_CHARS + 8), "{cut:?}");
    }
}
