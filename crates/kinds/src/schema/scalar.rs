//! Single values: checks them against what the table expects and brings them into canonical form.

use super::{Kind, time};
use meta::quantity::Quantity;
use serde_json::Value;

/// A scalar as JSON has it.
#[derive(Debug, Clone, Copy)]
pub enum Token<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
}

/// Why a value does not fit.
#[derive(Debug, PartialEq)]
pub enum Misfit {
    /// `json: cannot unmarshal WORD into … of type GO_TYPE`.
    Type { word: String, go_type: String },
    /// The type is right and the text is not: said in full.
    Text(String),
}

/// The canonical value, or why there is none.
pub fn read(kind: Kind, token: Token<'_>) -> Result<Value, Misfit> {
    match (kind, token) {
        (Kind::String, Token::Text(text)) => Ok(text.into()),
        (Kind::Bool, Token::Bool(value)) => Ok(value.into()),
        (Kind::Int32 | Kind::IntOrString, Token::Signed(_) | Token::Unsigned(_)) => {
            match as_i64(token).and_then(|value| i32::try_from(value).ok()) {
                Some(value) => Ok(value.into()),
                None => Err(out_of_range(kind, token)),
            }
        }
        (Kind::IntOrString, Token::Text(text)) => Ok(text.into()),
        (Kind::Int64, Token::Signed(_) | Token::Unsigned(_)) => match as_i64(token) {
            Some(value) => Ok(value.into()),
            None => Err(out_of_range(kind, token)),
        },
        (Kind::Int32 | Kind::Int64 | Kind::IntOrString, Token::Float(_)) => Err(out_of_range(kind, token)),
        (Kind::Double, Token::Signed(_) | Token::Unsigned(_) | Token::Float(_)) => Ok(number(token)),
        (Kind::Bytes, Token::Text(text)) => base64(text).map(Value::from).map_err(Misfit::Text),
        (Kind::Time | Kind::MicroTime, Token::Text(text)) => {
            let micro = kind == Kind::MicroTime;
            time::canonical(text, micro).map(Value::from).map_err(Misfit::Text)
        }
        (Kind::Quantity, _) => {
            let text = match token {
                Token::Text(text) => text.to_owned(),
                Token::Bool(value) => value.to_string(),
                _ => number(token).to_string(),
            };
            let quantity: Quantity = text.parse().map_err(Misfit::Text)?;
            Ok(quantity.canonical().into())
        }
        _ => Err(Misfit::Type { word: word(token).to_owned(), go_type: go_type(kind) }),
    }
}

/// What `null` among a list's items or a map's values stands for.
pub fn zero(kind: Kind) -> Value {
    match kind {
        Kind::String | Kind::Bytes => "".into(),
        Kind::Int32 | Kind::Int64 | Kind::IntOrString | Kind::Double => 0.into(),
        Kind::Bool => false.into(),
        Kind::Quantity => "0".into(),
        Kind::Message(_) => serde_json::json!({}),
        Kind::Strings => serde_json::json!([]),
        Kind::Time | Kind::MicroTime | Kind::Raw | Kind::FieldsV1 => Value::Null,
    }
}

/// The Go type that errors name.
pub fn go_type(kind: Kind) -> String {
    match kind {
        Kind::String | Kind::Time | Kind::MicroTime => "string".to_owned(),
        Kind::Int32 | Kind::IntOrString => "int32".to_owned(),
        Kind::Int64 => "int64".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::Double => "float64".to_owned(),
        Kind::Bytes => "[]uint8".to_owned(),
        Kind::Quantity => "resource.Quantity".to_owned(),
        Kind::Raw => "runtime.RawExtension".to_owned(),
        Kind::FieldsV1 => "v1.FieldsV1".to_owned(),
        Kind::Strings => "[]string".to_owned(),
        Kind::Message(ty) => format!("v1.{}", ty.ty().short_name()),
    }
}

/// `string`, `number`, `bool`.
pub fn word(token: Token<'_>) -> &'static str {
    match token {
        Token::Bool(_) => "bool",
        Token::Signed(_) | Token::Unsigned(_) | Token::Float(_) => "number",
        Token::Text(_) => "string",
    }
}

fn as_i64(token: Token<'_>) -> Option<i64> {
    match token {
        Token::Signed(value) => Some(value),
        Token::Unsigned(value) => i64::try_from(value).ok(),
        Token::Bool(_) | Token::Float(_) | Token::Text(_) => None,
    }
}

fn number(token: Token<'_>) -> Value {
    match token {
        Token::Bool(value) => value.into(),
        Token::Signed(value) => value.into(),
        Token::Unsigned(value) => value.into(),
        Token::Float(value) => value.into(),
        Token::Text(text) => text.into(),
    }
}

fn out_of_range(kind: Kind, token: Token<'_>) -> Misfit {
    Misfit::Type { word: format!("number {}", number(token)), go_type: go_type(kind) }
}

/// Checks standard base64; line breaks are skipped, as Go skips them.
fn base64(text: &str) -> Result<String, String> {
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut clean = String::with_capacity(text.len());
    let mut quantum_start = 0;
    let mut n_padding = 0;
    for (at, c) in text.bytes().enumerate() {
        if matches!(c, b'\r' | b'\n') {
            continue;
        }
        if clean.len().is_multiple_of(4) {
            quantum_start = at;
        }
        let is_letter = c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/');
        let is_padding = c == b'=' && clean.len() % 4 >= 2;
        if !(is_padding || is_letter && n_padding == 0) || clean.len().is_multiple_of(4) && n_padding > 0 {
            return Err(corrupt(at));
        }
        n_padding += usize::from(is_padding);
        clean.push(char::from(c));
    }
    if clean.len().is_multiple_of(4) { Ok(clean) } else { Err(corrupt(quantum_start)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_checked_like_go_does() {
        for (text, expected) in [
            ("", Ok("")),
            ("aGVsbG8=", Ok("aGVsbG8=")),
            ("aGVs\nbG8=", Ok("aGVsbG8=")),
            ("hello!", Err(5)),
            ("aGVsbG8", Err(4)),
            ("=aaa", Err(0)),
            ("aa==aaaa", Err(4)),
        ] {
            let expected = expected.map(str::to_owned).map_err(|at| format!("illegal base64 data at input byte {at}"));
            assert_eq!(base64(text), expected, "{text}");
        }
    }
}
