//! Request bodies: bounded, and turned into JSON text whatever they come as.

use crate::error::{Failure, MAX_BODY_BYTES};
use crate::negotiate;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http::HeaderMap;
use meta::status::Status;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Beyond the limit this much more is read and thrown away: a client that is cut off while it sends never sees why.
const DRAIN_BYTES: usize = 64 * 1024 * 1024;
/// Reads a whole body; 413 when it is too large. How long that may take is the request's deadline.
pub(crate) async fn read(body: Body) -> Result<Bytes, Failure> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    let mut total = 0usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Status::bad_request(format!("failed to read the body: {error}")))?;
        total += chunk.len();
        if total <= MAX_BODY_BYTES {
            whole.extend_from_slice(&chunk);
        } else if DRAIN_BYTES < total {
            break;
        }
    }
    if MAX_BODY_BYTES < total {
        return Err(Status::request_entity_too_large(MAX_BODY_BYTES).into());
    }
    Ok(whole.into())
}

/// What is wrong with a body.
#[derive(Debug, PartialEq)]
pub(crate) enum BodyError {
    /// 415
    UnknownFormat,
    /// 400
    Malformed(String),
}

/// JSON text of a body of this content type. JSON passes untouched, duplicate keys and all.
pub(crate) fn to_json(body: Bytes, content_type: &str) -> Result<Bytes, BodyError> {
    match content_type {
        "application/json" | "text/json" => Ok(body),
        "application/yaml" | "application/x-yaml" | "text/yaml" => {
            yaml_to_json(&body).map(Bytes::from).map_err(BodyError::Malformed)
        }
        "application/vnd.kubernetes.protobuf" => {
            let value = crate::protobuf::decode(&body).map_err(BodyError::Malformed)?;
            Ok(value.to_string().into())
        }
        _ => Err(BodyError::UnknownFormat),
    }
}

/// A whole body as JSON text, for what decodes it by itself.
pub(crate) async fn read_text(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let bytes = read(body).await?;
    to_json(bytes, &negotiate::content_type(headers)).map_err(|error| match error {
        BodyError::UnknownFormat => unknown_format(OBJECT_TYPES),
        BodyError::Malformed(error) => Status::bad_request(error).into(),
    })
}

/// 415 with the API server's text.
pub(crate) fn unknown_format(accepted: &str) -> Failure {
    Status::unsupported_media_type(format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    ))
    .into()
}

/// What decodes as an object.
pub(crate) const OBJECT_TYPES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// YAML as JSON text. Duplicate keys stay in the text, for the strict decoder to complain about.
pub(crate) fn yaml_to_json(body: &[u8]) -> Result<String, String> {
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        // kubectl's own converter reads `0644` as octal too.
        legacy_octal_numbers: true,
        budget: serde_saphyr::budget! {
            max_nodes: 250_000,
            max_depth: 100,
            max_total_scalar_bytes: 2 * MAX_BODY_BYTES,
        },
    };
    let text: JsonText = serde_saphyr::from_slice_with_options(body, options)
        .map_err(|error| format!("error converting YAML to JSON: yaml: {}", first_line(&error.to_string())))?;
    Ok(text.0)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

/// JSON text of whatever is deserialized into it.
struct JsonText(String);

impl<'de> serde::Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut out = String::new();
        Append(&mut out).deserialize(deserializer)?;
        Ok(Self(out))
    }
}

/// Appends one value.
struct Append<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Append<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // Aliases could make a small document large (YAML's "billion laughs").
        if 4 * MAX_BODY_BYTES < self.0.len() {
            return Err(D::Error::custom("document grows too large"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Append<'_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push_str(if value { "true" } else { "false" });
        Ok(())
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.push_str(&value.to_string());
        Ok(())
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.push_str(&value.to_string());
        Ok(())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        let number = serde_json::Number::from_f64(value).ok_or_else(|| E::custom("numbers must be finite"))?;
        self.0.push_str(&number.to_string());
        Ok(())
    }
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        push_string(self.0, value);
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push_str("null");
        Ok(())
    }
    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push('[');
        let mut first = true;
        loop {
            let before = self.0.len();
            if !first {
                self.0.push(',');
            }
            if items.next_element_seed(Append(self.0))?.is_none() {
                self.0.truncate(before);
                break;
            }
            first = false;
        }
        self.0.push(']');
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.push('{');
        let mut first = true;
        while let Some(key) = entries.next_key::<KeyText>()? {
            if !first {
                self.0.push(',');
            }
            first = false;
            push_string(self.0, &key.0);
            self.0.push(':');
            entries.next_value_seed(Append(self.0))?;
        }
        self.0.push('}');
        Ok(())
    }
}

fn push_string(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// A mapping's key as text: `1: x` and `true: x` are keys `"1"` and `"true"`.
struct KeyText(String);

impl<'de> serde::Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = KeyText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a scalar key")
            }
            fn visit_str<E>(self, value: &str) -> Result<KeyText, E> {
                Ok(KeyText(value.into()))
            }
            fn visit_bool<E>(self, value: bool) -> Result<KeyText, E> {
                Ok(KeyText(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<KeyText, E> {
                Ok(KeyText(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<KeyText, E> {
                Ok(KeyText(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<KeyText, E> {
                Ok(KeyText(value.to_string()))
            }
        }
        deserializer.deserialize_any(Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_becomes_json_text() {
        for (yaml, expect) in [
            ("a: 1\nb: [x, 2, null, true]\nc: {d: 1.5}\n", r#"{"a":1,"b":["x",2,null,true],"c":{"d":1.5}}"#),
            ("a: 1\na: 2\n", r#"{"a":1,"a":2}"#),
            ("1: x\ntrue: z\n", r#"{"1":"x","true":"z"}"#),
            ("a: \"q\\\"\\n\"\n", r#"{"a":"q\"\n"}"#),
            ("a: |\n  two\n  lines\n", r#"{"a":"two\nlines\n"}"#),
            ("base: &b {x: 1}\nuse: *b\n", r#"{"base":{"x":1},"use":{"x":1}}"#),
            ("mode: 0644\n", r#"{"mode":420}"#),
            ("[]", "[]"),
            ("{}", "{}"),
        ] {
            assert_eq!(yaml_to_json(yaml.as_bytes()).as_deref(), Ok(expect), "{yaml}");
        }
    }

    #[test]
    fn hostile_yaml_is_refused() {
        let laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        let deep = "[".repeat(10_000);
        for yaml in ["a: b: c", "a: &x *x", laughs, &deep, "a: .inf"] {
            assert!(yaml_to_json(yaml.as_bytes()).is_err(), "{:.40}", yaml);
        }
        assert!(yaml_to_json(&[0xff, 0xfe, 0xfd]).is_err());
    }

    #[tokio::test]
    async fn a_large_body_is_413() {
        let failure = read(Body::from(vec![b' '; MAX_BODY_BYTES + 1])).await.unwrap_err();
        assert_eq!(failure.status().code, 413);
        assert_eq!(read(Body::from(vec![b' '; MAX_BODY_BYTES])).await.unwrap().len(), MAX_BODY_BYTES);
    }
}
