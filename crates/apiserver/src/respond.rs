//! Answers: what goes back, in the form that was asked for, compressed when that pays.

use crate::error::Failure;
use crate::negotiate::{Encoding, Form, Shape};
use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::BoxStream;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, VARY};
use http::{HeaderValue, Response, StatusCode};
use meta::status::Status;
use serde_json::{Value, json};
use std::io::Write as _;

/// Smaller answers are not worth compressing (K:apiserver/pkg/endpoints/handlers/responsewriters).
const GZIP_FROM_BYTES: usize = 128 * 1024;

/// Pieces of a large JSON text.
pub(crate) type Chunks = Box<dyn Iterator<Item = Vec<u8>> + Send>;

/// A body.
pub(crate) enum Payload {
    Whole(Bytes),
    /// Pieces made while they are sent, and about how many bytes they are.
    Chunks(Chunks, usize),
    /// As it comes, never compressed.
    Stream(BoxStream<'static, std::io::Result<Bytes>>),
}

/// An answer on its way out.
pub(crate) struct Answer {
    pub code: StatusCode,
    pub content_type: &'static str,
    pub payload: Payload,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    pub(crate) fn whole(code: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { code, content_type, payload: Payload::Whole(body.into()), headers: Vec::new() }
    }

    pub(crate) fn ok_json(value: &Value) -> Self {
        Self::whole(StatusCode::OK, JSON, value.to_string())
    }

    pub(crate) fn text(code: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::whole(code, "text/plain; charset=utf-8", body)
    }

    pub(crate) fn stream(content_type: &'static str, stream: BoxStream<'static, std::io::Result<Bytes>>) -> Self {
        Self { code: StatusCode::OK, content_type, payload: Payload::Stream(stream), headers: Vec::new() }
    }

    /// The HTTP response, compressed if the client takes that and it is worth it.
    pub(crate) fn into_response(self, gzip: bool) -> Response<Body> {
        let large = match &self.payload {
            Payload::Whole(bytes) => GZIP_FROM_BYTES < bytes.len(),
            Payload::Chunks(_, estimate) => GZIP_FROM_BYTES < *estimate,
            Payload::Stream(_) => false,
        };
        let compress = gzip && large;
        let body = match self.payload {
            Payload::Whole(bytes) if compress => chunked(gzipped(Box::new(pieces(bytes)))),
            Payload::Whole(bytes) => Body::from(bytes),
            Payload::Chunks(chunks, _) if compress => chunked(gzipped(chunks)),
            Payload::Chunks(chunks, _) if large => chunked(chunks),
            Payload::Chunks(chunks, _) => Body::from(chunks.flatten().collect::<Vec<u8>>()),
            Payload::Stream(stream) => Body::from_stream(stream),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.code;
        let headers = response.headers_mut();
        // An upgrade has no content.
        if !self.content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        headers.extend(self.headers);
        if compress {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        response
    }
}

const JSON: &str = "application/json";

fn chunked(chunks: Chunks) -> Body {
    Body::from_stream(futures::stream::iter(chunks.map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)))))
}

/// A large text in pieces, so that compressing it does not hold a thread for long at once.
fn pieces(bytes: Bytes) -> impl Iterator<Item = Vec<u8>> + Send {
    const PIECE: usize = 64 * 1024;
    (0..bytes.len().div_ceil(PIECE)).map(move |index| {
        let start = index * PIECE;
        bytes[start..bytes.len().min(start + PIECE)].to_vec()
    })
}

fn gzipped(mut chunks: Chunks) -> Chunks {
    // Level 4 is what the API server uses: most of the gain for little time.
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::new(4)));
    Box::new(std::iter::from_fn(move || {
        loop {
            let Some(chunk) = chunks.next() else {
                return encoder.take()?.finish().ok();
            };
            let encoder = encoder.as_mut()?;
            encoder.write_all(&chunk).ok()?;
            if !encoder.get_ref().is_empty() {
                return Some(std::mem::take(encoder.get_mut()));
            }
        }
    }))
}

/// A value in the encoding asked for. Shapes are the caller's work.
pub(crate) fn value(form: Form, code: StatusCode, value: &Value, pretty: bool) -> Result<Answer, Failure> {
    let (content_type, bytes) = match form.encoding {
        Encoding::Json => (JSON, json_text(value, pretty)),
        Encoding::Yaml => {
            let text = serde_saphyr::to_string(value)
                .map_err(|error| Status::internal(format!("failed to write YAML: {error}")))?;
            ("application/yaml", text.into_bytes())
        }
        Encoding::Protobuf => {
            let bytes = crate::protobuf::encode(value).map_err(Status::not_acceptable)?;
            ("application/vnd.kubernetes.protobuf", bytes)
        }
    };
    Ok(Answer::whole(code, content_type, bytes))
}

fn json_text(value: &Value, pretty: bool) -> Vec<u8> {
    let text = match pretty {
        true => serde_json::to_vec_pretty(value),
        false => serde_json::to_vec(value),
    };
    let mut text = text.expect("a Value always serialises");
    text.push(b'\n');
    text
}

/// A Status, in protobuf if nothing else is wanted and it can be.
pub(crate) fn status(form: Form, status: &Status, pretty: bool) -> Answer {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut json = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        fields.entry("code").or_insert(status.code.into());
    }
    let mut answer =
        value(form, code, &json, pretty).unwrap_or_else(|_| Answer::whole(code, JSON, json_text(&json, pretty)));
    if let Some(seconds) = status.details["retryAfterSeconds"].as_u64() {
        answer.headers.push((http::header::RETRY_AFTER, HeaderValue::from(seconds)));
    }
    answer
}

/// `meta.k8s.io/v1`, or v1beta1 for clients that know no better.
pub(crate) fn meta_version(form: Form) -> &'static str {
    match form.v1beta1 {
        true => "meta.k8s.io/v1beta1",
        false => "meta.k8s.io/v1",
    }
}

/// An object's metadata alone.
pub(crate) fn partial(form: Form, object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": meta_version(form),
        "metadata": object["metadata"],
    })
}

/// Whether plain JSON text, as it is kept, is what the client wants.
pub(crate) fn is_plain(form: Form, pretty: bool) -> bool {
    form.encoding == Encoding::Json && form.shape == Shape::Object && !pretty
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::io::Read as _;

    #[tokio::test]
    async fn large_answers_are_compressed_and_whole() {
        let text = "kiln ".repeat(100_000);
        let parts: Vec<Vec<u8>> = text.as_bytes().chunks(777).map(Vec::from).collect();
        for payload in [Payload::Whole(text.clone().into()), Payload::Chunks(Box::new(parts.into_iter()), text.len())] {
            let answer = Answer { payload, ..Answer::text(StatusCode::OK, "") };
            let response = answer.into_response(true);
            assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let mut unpacked = String::new();
            flate2::read::GzDecoder::new(bytes.as_ref()).read_to_string(&mut unpacked).unwrap();
            assert_eq!(unpacked, text);
        }
        let small = Answer::text(StatusCode::OK, "x").into_response(true);
        assert!(!small.headers().contains_key(CONTENT_ENCODING));
    }
}
