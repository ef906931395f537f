//! Query strings, and the options a request carries in them.

use crate::error::{Failure, invalid_options};
use meta::field::FieldError;
use meta::status::Status;

/// K:apimachinery/pkg/apis/meta/v1/validation FieldManagerMaxLength.
pub(crate) const FIELD_MANAGER_MAX_BYTES: usize = 128;

/// Decoded pairs in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Pairs that cannot be decoded are left out, as Go does.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        Self(
            text.unwrap_or("")
                .split('&')
                .filter(|pair| !pair.is_empty())
                .filter_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((percent_decode(key, true)?, percent_decode(value, true)?))
                })
                .collect(),
        )
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value, empty when absent.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or("")
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Present and not `false` or `0`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// A decimal number; 400 with Go's text when it is none.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Failure> {
        match self.get(key) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|error: std::num::ParseIntError| {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                let detail = match error.kind() {
                    PosOverflow | NegOverflow => "value out of range",
                    _ => "invalid syntax",
                };
                Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: {detail}")).into()
            }),
        }
    }

    /// Whether the write is only tried. `kind` names the options' type in the error.
    pub(crate) fn dry_run(&self, kind: &str) -> Result<bool, Failure> {
        let mut dry = false;
        for value in self.all("dryRun") {
            if value != "All" {
                let error = FieldError::not_supported("dryRun", value, &["All"]);
                return Err(invalid_options(kind, &[error]));
            }
            dry = true;
        }
        Ok(dry)
    }

    /// `fieldManager`, which may be empty; 422 when it is no name for a manager
    /// (K:apimachinery/pkg/apis/meta/v1/validation ValidateFieldManager).
    pub(crate) fn field_manager(&self, kind: &str) -> Result<&str, Failure> {
        let manager = self.text("fieldManager");
        let mut errors = Vec::new();
        if FIELD_MANAGER_MAX_BYTES < manager.len() {
            errors.push(FieldError::too_long("fieldManager", FIELD_MANAGER_MAX_BYTES));
        }
        for (place, character) in manager.char_indices() {
            if !meta::field::is_printable(character) {
                let detail = format!("invalid character U+{:04X} (at position {place})", u32::from(character));
                errors.push(FieldError::invalid("fieldManager", manager, &detail));
            }
        }
        match errors.is_empty() {
            true => Ok(manager),
            false => Err(invalid_options(kind, &errors)),
        }
    }

    /// `fieldValidation`, whose default is Warn.
    pub(crate) fn strictness(&self, kind: &str) -> Result<kinds::schema::Strictness, Failure> {
        use kinds::schema::Strictness;
        match self.text("fieldValidation") {
            "" | "Warn" => Ok(Strictness::Warn),
            "Ignore" => Ok(Strictness::Ignore),
            "Strict" => Ok(Strictness::Strict),
            other => Err(invalid_options(
                kind,
                &[FieldError::not_supported("fieldValidation", other, &["Ignore", "Strict", "Warn"])],
            )),
        }
    }
}

/// Undoes `%XX` and, in queries, `+`; `None` when it is malformed or not UTF-8.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_bad_ones_dropped() {
        let query = Query::parse(Some("a=1+2&b=%3D&c&bad=%4&d=x%zz&a=3&=y"));
        assert_eq!(query.get("a"), Some("1 2"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1 2", "3"]);
        assert_eq!(query.text("b"), "=");
        assert!(query.flag("c"));
        assert_eq!(query.get("bad"), None);
        assert_eq!(query.get("d"), None);
    }

    #[test]
    fn flags() {
        for (text, expect) in [("w=true", true), ("w=1", true), ("w=False", false), ("w=0", false), ("", false)] {
            assert_eq!(Query::parse(Some(text)).flag("w"), expect, "{text}");
        }
    }

    #[test]
    fn managers_have_short_printable_names() {
        let long = "x".repeat(128);
        assert_eq!(Query::parse(Some(&format!("fieldManager={long}"))).field_manager("CreateOptions").unwrap(), long);
        for (query, message) in [
            (format!("fieldManager={long}y"), "fieldManager: Too long: may not be more than 128 bytes"),
            (
                "fieldManager=a%0Ab".to_owned(),
                r#"fieldManager: Invalid value: "a\nb": invalid character U+000A (at position 1)"#,
            ),
        ] {
            let failure = Query::parse(Some(&query)).field_manager("CreateOptions").unwrap_err();
            assert_eq!(failure.status().code, 422);
            assert_eq!(failure.status().message, format!("CreateOptions.meta.k8s.io \"\" is invalid: {message}"));
        }
    }

    #[test]
    fn bad_numbers_are_400_with_gos_text() {
        let failure = Query::parse(Some("limit=x")).number("limit").unwrap_err();
        assert_eq!(failure.status().code, 400);
        assert_eq!(failure.status().message, "strconv.ParseInt: parsing \"x\": invalid syntax");
        let failure = Query::parse(Some("limit=99999999999999999999")).number("limit").unwrap_err();
        assert!(failure.status().message.ends_with("value out of range"));
    }
}
