//! Requests to a server, and what its refusals mean to a person. Warnings of the server go to stderr.

use http::header::{ACCEPT, CONTENT_TYPE};
use kube::client::Body;
use serde_json::Value;

use super::objects::innermost;
use crate::output::Problem;

/// What is asked for everywhere but in tables.
pub const JSON: &str = "application/json";
/// A table for people, as kubectl asks for it.
pub const TABLE: &str =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

/// What is sent, in which form.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// `application/json`, `application/merge-patch+json`, …
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Nothing is sent.
pub const EMPTY: Payload<'static> = Payload { content_type: JSON, body: &[] };

/// A refusal: the server's Status, or why there was no answer.
#[derive(Debug)]
pub enum Refusal {
    /// The server said no.
    Status(Box<kube::core::Status>),
    /// It did not answer, or not sensibly.
    NoAnswer(String),
}

impl Refusal {
    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Refusal::Status(status) if status.code == 404)
    }

    /// Whether it is there already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Refusal::Status(status) if status.code == 409)
    }

    /// As a problem of the command line's user.
    pub fn problem(self) -> Problem {
        match self {
            // The server's own words: what exactly is not there, and all that is wrong with an object.
            Refusal::Status(status) => Problem::failed(status.message),
            Refusal::NoAnswer(cause) => Problem::internal("the server does not answer")
                .because(cause)
                .remedy("see whether it runs: kiln status; start it: kiln up"),
        }
    }
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Refusal::Status(status),
            error => Refusal::NoAnswer(innermost(&error).to_string()),
        }
    }
}

/// A path with a query; pairs without a value are left out.
pub fn path(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", percent_encoded(value)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn percent_encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

/// Sends a request and gives the response's head and its unread body.
async fn send(
    client: &kube::Client,
    method: &str,
    path: &str,
    accept: &str,
    payload: Payload<'_>,
) -> Result<http::Response<Body>, Refusal> {
    let request = http::Request::builder().method(method).uri(path).header(ACCEPT, accept);
    let request = match payload.body.is_empty() {
        true => request.body(Body::empty()),
        false => request.header(CONTENT_TYPE, payload.content_type).body(Body::from(payload.body.to_vec())),
    };
    let request = request.map_err(|error| Refusal::NoAnswer(error.to_string()))?;
    let response = client.send(request).await?;
    response.headers().get_all(http::header::WARNING).iter().for_each(|header| warn(header.as_bytes()));
    Ok(response)
}

/// `299 - "text"`
fn warn(header: &[u8]) {
    eprintln!("Warning: {}", warning_text(header));
}

/// What a warning says may be in any language.
fn warning_text(header: &[u8]) -> String {
    let header = &*String::from_utf8_lossy(header);
    let quoted = header.splitn(3, ' ').nth(2).unwrap_or(header);
    let text = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(quoted);
    crate::output::printable(&text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// A whole answer as text.
pub async fn text(
    client: &kube::Client,
    method: &str,
    path: &str,
    accept: &str,
    payload: Payload<'_>,
) -> Result<String, Refusal> {
    let response = send(client, method, path, accept, payload).await?;
    let code = response.status();
    let bytes = response.into_body().collect_bytes().await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if code.is_success() {
        return Ok(text);
    }
    let status = serde_json::from_str(&text);
    Err(Refusal::Status(
        status.unwrap_or_else(|_| kube::core::Status::failure(text.trim(), "").with_code(code.as_u16()).boxed()),
    ))
}

/// An answer that is JSON.
pub async fn json(
    client: &kube::Client,
    method: &str,
    path: &str,
    accept: &str,
    payload: Payload<'_>,
) -> Result<Value, Refusal> {
    let text = text(client, method, path, accept, payload).await?;
    serde_json::from_str(&text).map_err(|error| Refusal::NoAnswer(format!("the answer is not JSON: {error}")))
}

/// GET of JSON.
pub async fn get(client: &kube::Client, path: &str) -> Result<Value, Refusal> {
    json(client, "GET", path, JSON, EMPTY).await
}

/// An answer that comes bit by bit: a watch, a log.
pub async fn stream(
    client: &kube::Client,
    path: &str,
    accept: &str,
) -> Result<impl futures::AsyncBufRead + use<>, Refusal> {
    let request = http::Request::builder().method("GET").uri(path).header(ACCEPT, accept).body(Vec::new());
    let request = request.map_err(|error| Refusal::NoAnswer(error.to_string()))?;
    Ok(client.request_stream(request).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        let query = [("labelSelector", "a in (b,c)"), ("limit", ""), ("watch", "true")];
        assert_eq!(path("/api/v1/pods", &query), "/api/v1/pods?labelSelector=a%20in%20%28b%2Cc%29&watch=true");
        assert_eq!(path("/api/v1/pods", &[]), "/api/v1/pods");
    }

    #[test]
    fn warnings_lose_their_dress() {
        assert_eq!(warning_text(br#"299 - "unknown field \"spec.x\"""#), r#"unknown field "spec.x""#);
        assert_eq!(warning_text("299 - \"Größe: zu groß\"".as_bytes()), "Größe: zu groß");
        assert_eq!(warning_text(b"299 - \"\xff\x1b[2J\""), "\u{fffd}^[[2J");
    }
}
