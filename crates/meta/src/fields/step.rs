//! One step of a field's path: a field's name, or what tells a list's item from the others.

use crate::field::quote;
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::fmt;

/// Where a field is: from the root down.
pub type Path = Vec<Step>;

/// One step. They sort as Kubernetes sorts them: fields, keys, values, indexes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// `f:NAME`: a field of an object or a key of a map.
    Field(Box<str>),
    /// `k:{…}`: the item of a list with these fields, sorted by name.
    Key(Box<[(Box<str>, Scalar)]>),
    /// `v:VALUE`: this item of a set.
    Value(Scalar),
    /// `i:N`: an item by its place.
    Index(i64),
}

/// A value that tells items apart.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Box<str>),
    /// True or false.
    Bool(bool),
    /// What no schema asks for but a client may write: JSON text.
    Other(Box<str>),
}

impl Step {
    /// A field by its name.
    pub fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    /// The key this step has in FieldsV1.
    pub fn key(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(fields) => {
                let pairs: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{}:{}", json_text(name), value.json())).collect();
                format!("k:{{{}}}", pairs.join(","))
            }
            Self::Value(value) => format!("v:{}", value.json()),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// Reads a key of FieldsV1; `None` for kinds of steps that nobody knows yet, which readers skip.
    pub fn parse(key: &str) -> Result<Option<Self>, String> {
        let mut bytes = key.bytes();
        let (Some(kind), Some(colon)) = (bytes.next(), bytes.next()) else {
            return Err("key must be 2 characters long".to_owned());
        };
        if colon != b':' {
            return Err(format!("missing colon: {key}"));
        }
        let rest = key.get(2..).ok_or_else(|| format!("missing colon: {key}"))?;
        let broken = |error: serde_json::Error| format!("{key}: {error}");
        Ok(Some(match kind {
            b'f' => Self::field(rest),
            b'v' => Self::Value(Scalar::of(&serde_json::from_str(rest).map_err(broken)?)),
            b'k' => {
                let fields: Map<String, Value> = serde_json::from_str(rest).map_err(broken)?;
                Self::of_fields(fields.iter().map(|(name, value)| (name.as_str(), Scalar::of(value))))
            }
            b'i' => Self::Index(rest.parse().map_err(|_| format!("{key}: not an index"))?),
            _ => return Ok(None),
        }))
    }

    /// The item with these fields.
    pub fn of_fields<'a>(fields: impl Iterator<Item = (&'a str, Scalar)>) -> Self {
        let mut fields: Vec<(Box<str>, Scalar)> = fields.map(|(name, value)| (name.into(), value)).collect();
        fields.sort();
        Self::Key(fields.into())
    }
}

/// As people read it: `.spec`, `[name="main"]`, `[="x"]`, `[0]`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(fields) => {
                let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", pairs.join(","))
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// `.spec.containers[name="main"].image`.
pub fn path_text(path: &[Step]) -> String {
    path.iter().map(Step::to_string).collect()
}

impl Scalar {
    /// What a JSON value says.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Number(number) => Self::of_number(number),
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Other(value.to_string().into()),
        }
    }

    fn of_number(number: &Number) -> Self {
        /// Beyond this a float has no exact whole number.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Self::Int(whole),
            // `1.0` and `1` are one value.
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < EXACT => Self::Int(float as i64),
            (None, Some(float)) => Self::Float(float),
            (None, None) => Self::Other(number.to_string().into()),
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Float(value) => Value::from(*value).to_string(),
            Self::Text(text) => json_text(text),
            Self::Bool(value) => value.to_string(),
            Self::Other(json) => json.to_string(),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Int(_) | Self::Float(_) => 0,
            Self::Text(_) => 1,
            Self::Bool(_) => 2,
            Self::Other(_) => 3,
        }
    }
}

impl Ord for Scalar {
    fn cmp(&self, other: &Self) -> Ordering {
        #[expect(clippy::cast_precision_loss, reason = "a float that is not whole is small enough to compare with")]
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Float(left), Self::Float(right)) => left.total_cmp(right),
            (Self::Int(left), Self::Float(right)) => (*left as f64).total_cmp(right).then(Ordering::Less),
            (Self::Float(left), Self::Int(right)) => left.total_cmp(&(*right as f64)).then(Ordering::Greater),
            (Self::Text(left), Self::Text(right)) | (Self::Other(left), Self::Other(right)) => left.cmp(right),
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}
impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Scalar {}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quote(text)),
            other => f.write_str(&other.json()),
        }
    }
}

/// A JSON string as Go's encoder writes it, with what could be HTML escaped.
fn json_text(text: &str) -> String {
    let json = Value::from(text).to_string();
    if !json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return json;
    }
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_as_kubernetes_does() {
        for (key, canonical, text) in [
            ("f:spec", "f:spec", ".spec"),
            ("f:", "f:", "."),
            ("f:a.b/c:d", "f:a.b/c:d", ".a.b/c:d"),
            (r#"k:{"name":"main"}"#, r#"k:{"name":"main"}"#, r#"[name="main"]"#),
            (
                r#"k:{ "protocol":"TCP", "containerPort":80 }"#,
                r#"k:{"containerPort":80,"protocol":"TCP"}"#,
                r#"[containerPort=80,protocol="TCP"]"#,
            ),
            (r#"v:"a<b""#, "v:\"a\\u003cb\"", "[=\"a<b\"]"),
            ("v:1.0", "v:1", "[=1]"),
            ("v:1.5", "v:1.5", "[=1.5]"),
            ("v:true", "v:true", "[=true]"),
            ("v:[1]", "v:[1]", "[=[1]]"),
            ("i:7", "i:7", "[7]"),
        ] {
            let step = Step::parse(key).unwrap().unwrap();
            assert_eq!((step.key().as_str(), step.to_string().as_str()), (canonical, text), "{key}");
            assert_eq!(Step::parse(canonical).unwrap().unwrap(), step);
        }
        assert_eq!(Step::parse("x:new"), Ok(None));
        for key in ["", "f", "é", "spec", "k:[]", "v:", "i:x", "v:{"] {
            assert!(Step::parse(key).is_err(), "{key}");
        }
    }

    #[test]
    fn steps_sort_by_their_kind_and_then_their_value() {
        let keys = [
            "f:a",
            "f:b",
            r#"k:{"name":"a"}"#,
            r#"k:{"name":"b"}"#,
            r#"k:{"port":1}"#,
            "v:-1",
            "v:0.5",
            "v:2",
            r#"v:"a""#,
            "v:false",
            "v:true",
            "i:0",
            "i:10",
        ];
        let steps: Vec<Step> = keys.iter().map(|key| Step::parse(key).unwrap().unwrap()).collect();
        assert!(steps.is_sorted(), "{steps:?}");
    }
}
