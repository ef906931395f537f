//! The pure decoders of requests, for the room that feeds them garbage. Not an interface: nothing else calls these.

use crate::query::Query;
use crate::route::Route;
use crate::snapshot::Token;
use crate::{body, deadline, handlers, negotiate, route};
use base64::Engine as _;
use http::{HeaderMap, HeaderValue};

/// Bodies that real kubectl sent.
pub const KUBECTL_BODIES: [&[u8]; 4] = [
    include_bytes!("protobuf/fixtures/kubectl-1.33-create-job.pb"),
    include_bytes!("protobuf/fixtures/kubectl-1.33-create-cronjob.pb"),
    include_bytes!("protobuf/fixtures/kubectl-1.33-create-configmap.pb"),
    include_bytes!("protobuf/fixtures/kubectl-1.33-create-secret.pb"),
];

/// The parts of a resource's path.
pub fn path(text: &str) -> Option<[String; 6]> {
    match route::parse(text) {
        Route::Resource(path) => {
            Some([path.group, path.version, path.namespace, path.resource, path.name, path.subresource])
        }
        _ => None,
    }
}

/// What the options in a query come to, in words.
pub fn query(text: &str) -> String {
    let query = Query::parse(Some(text));
    let words = |failure: crate::error::Failure| failure.status().message.clone();
    let number = query.number("limit").map_or_else(words, |n| format!("{}", n.is_some()));
    let time = deadline::of(&query).map_or_else(words, |time| format!("{}", time.is_zero()));
    let options = handlers::options_in_words(&query).unwrap_or_else(words);
    format!("{number} {time} {options}")
}

/// The forms an Accept header comes to.
pub fn accept(value: &HeaderValue) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::ACCEPT, value.clone());
    headers.insert(http::header::CONTENT_TYPE, value.clone());
    headers.insert(http::header::ACCEPT_ENCODING, value.clone());
    let (form, content_type) = (negotiate::form(&headers), negotiate::content_type(&headers));
    format!("{form:?} {:?} {}", negotiate::text_form(&headers), negotiate::accepts_gzip(&headers)) + &content_type
}

/// Where a continue token's list goes on. The input is what the token encodes, or a token.
pub fn continue_token(input: &[u8]) -> Result<String, String> {
    let _ = Token::decode(&String::from_utf8_lossy(input), "/core/pods/");
    let text = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(input);
    let token = Token::decode(&text, "/core/pods/")?;
    assert!(token.start.starts_with("/core/pods/"), "{token:?} leaves its list");
    assert_eq!(Token::decode(&token.encode("/core/pods/"), "/core/pods/").as_ref(), Ok(&token));
    Ok(token.start)
}

/// A YAML body as JSON text.
pub fn yaml(body: &[u8]) -> Result<String, String> {
    body::yaml_to_json(body)
}
