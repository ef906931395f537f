//! HTTP as registries need it: one request with its redirects, every wait bounded, no body larger than is said. Knows nothing of
//! images.

use super::configuration::{Registries, Tls};
use super::tls;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

/// Registries send one to their storage; nobody sends one round and round.
const MAX_REDIRECTS: usize = 5;

type Connections = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From a request to the head of its answer, connecting included.
    pub answer: Duration,
    /// From one piece of a body to the next.
    pub body: Duration,
    /// Before a failed request is repeated; doubles each time.
    pub pause: Duration,
    /// The longest pause that a registry may ask for (`Retry-After`).
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { answer: seconds(30), body: seconds(60), pause: seconds(1), longest_pause: seconds(10) }
    }
}

/// Connections to registries under one configuration.
pub(in crate::images) struct Http {
    pub(super) registries: Registries,
    pub(super) patience: Patience,
    connections: Mutex<HashMap<Option<String>, Connections>>,
}

/// A request that got no answer; the text says to whom it went.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub text: String,
    /// Another try may do.
    pub may_pass: bool,
}

/// What is asked.
pub(super) struct Ask<'a> {
    pub url: Uri,
    pub headers: &'a HeaderMap,
    /// Goes to the host of `url` and to no other.
    pub authorization: Option<HeaderValue>,
    /// A form to post.
    pub form: Option<String>,
}

impl Http {
    pub(in crate::images) fn new(registries: Registries, patience: Patience) -> Self {
        Self { registries, patience, connections: Mutex::default() }
    }

    /// Asks, and follows redirects. The answer may still be an error's.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Response<Incoming>, NoAnswer> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.ask_once(&ask, &url).await?;
            let is_redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let (true, Some(location)) = (is_redirect, location) else {
                return Ok(answer);
            };
            let next = resolve(&url, location)
                .ok_or_else(|| lasting(&url, format!("redirects to {location:?}, which is no URL")))?;
            let is_downgrade = url.scheme() == Some(&Scheme::HTTPS) && next.scheme() != Some(&Scheme::HTTPS);
            if is_downgrade {
                return Err(lasting(&url, format!("redirects to {}, which is not encrypted", shown(&next))));
            }
            // A form holds a secret.
            if ask.form.is_some() && !same_origin(&url, &next) {
                return Err(lasting(&url, format!("redirects to another host, {}", shown(&next))));
            }
            url = next;
        }
        Err(lasting(&url, format!("more than {MAX_REDIRECTS} redirects")))
    }

    async fn ask_once(&self, ask: &Ask<'_>, url: &Uri) -> Result<Response<Incoming>, NoAnswer> {
        let mut headers = ask.headers.clone();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("kiln/", env!("CARGO_PKG_VERSION"))));
        headers.remove(HOST);
        if let Some(authorization) = &ask.authorization
            && same_origin(&ask.url, url)
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let mut request = Request::new(Full::new(Bytes::from(ask.form.clone().unwrap_or_default())));
        if ask.form.is_some() {
            *request.method_mut() = Method::POST;
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers;
        let connections = self.connections(url).map_err(|text| lasting(url, text))?;
        match timeout(self.patience.answer, connections.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(passing(url, root_cause(&error))),
            Err(_) => Err(passing(url, format!("no answer within {} seconds", self.patience.answer.as_secs()))),
        }
    }

    /// The connections to the host of `url`; hosts with certificates of their own do not share.
    fn connections(&self, url: &Uri) -> Result<Connections, String> {
        let authority = url.authority().map_or("", Authority::as_str);
        let tls = self.registries.host(authority).and_then(|host| host.tls.as_ref());
        let key = tls.map(|_| authority.to_owned());
        if let Some(known) = self.connections.lock().get(&key) {
            return Ok(known.clone());
        }
        let made = connect(tls)?;
        self.connections.lock().insert(key, made.clone());
        Ok(made)
    }

    /// A whole body of at most `limit` bytes.
    pub(super) async fn read(&self, body: Incoming, limit: u64) -> Result<Bytes, String> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let read = http_body_util::Limited::new(body, limit).collect();
        match timeout(self.patience.body, read).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(format!("more than {limit} bytes")),
            Ok(Err(error)) => Err(root_cause(error.as_ref())),
            Err(_) => Err(format!("nothing more within {} seconds", self.patience.body.as_secs())),
        }
    }
}

fn connect(tls: Option<&Tls>) -> Result<Connections, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(Duration::from_secs(10)));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls::client_config(tls)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let idle = Duration::from_secs(30);
    Ok(Client::builder(TokioExecutor::new()).pool_idle_timeout(idle).pool_max_idle_per_host(4).build(connector))
}

/// `Location` as seen from `base`: a URL, or a path on the same host.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    if location.starts_with("http://") || location.starts_with("https://") {
        return location.parse().ok();
    }
    let origin = format!("{}://{}", base.scheme_str()?, base.authority()?);
    if location.starts_with("//") {
        return format!("{}:{location}", base.scheme_str()?).parse().ok();
    }
    if location.starts_with('/') {
        return format!("{origin}{location}").parse().ok();
    }
    let directory = base.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{origin}{directory}/{location}").parse().ok()
}

/// Whether what may be told to `a` may be told to `b`.
pub(super) fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |url: &Uri| url.port_u16().or(if url.scheme() == Some(&Scheme::HTTPS) { Some(443) } else { Some(80) });
    a.scheme() == b.scheme() && a.host() == b.host() && port(a) == port(b)
}

/// Without the query: storage puts signatures there.
pub(super) fn shown(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("");
    format!("{scheme}://{}{}", url.authority().map_or("", Authority::as_str), url.path())
}

fn lasting(url: &Uri, text: impl AsRef<str>) -> NoAnswer {
    NoAnswer { text: format!("{}: {}", shown(url), text.as_ref()), may_pass: false }
}

fn passing(url: &Uri, text: impl AsRef<str>) -> NoAnswer {
    NoAnswer { text: format!("{}: {}", shown(url), text.as_ref()), may_pass: true }
}

/// The innermost error says what happened: `Connection refused (os error 111)`.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Whether an answer's code means that another try may do.
pub(super) fn may_pass(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT || status.is_server_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved() {
        let base: Uri = "https://r.example:5000/v2/a/blobs/x".parse().unwrap();
        for (location, expect) in [
            ("https://cdn.example/b?sig=1", Some("https://cdn.example/b?sig=1")),
            ("//cdn.example/b", Some("https://cdn.example/b")),
            ("/b#fragment", Some("https://r.example:5000/b")),
            ("y", Some("https://r.example:5000/v2/a/blobs/y")),
            ("https://", None),
            ("http://a b/", None),
        ] {
            assert_eq!(resolve(&base, location).map(|url| url.to_string()).as_deref(), expect, "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("https://a/x", "https://a:443/y"));
        assert!(!same("https://a/", "http://a/"));
        assert!(!same("https://a/", "https://a:444/"));
        assert!(!same("https://a/", "https://b/"));
    }
}
