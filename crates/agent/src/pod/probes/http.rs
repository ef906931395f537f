//! GET as the kubelet's probes and hooks do it (K:pkg/probe/http): no certificate is checked, redirects are followed on the same host
//! only, little of the body is read.

use super::dial::{Way, Wire, errno, join};
use crate::images::registry::tls;
use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::HTTPGetAction;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

/// How much of a body is read; the rest does no harm.
const MAX_BODY: usize = 10 << 10;
/// Where Go stops as well.
const MAX_REDIRECTS: usize = 10;

/// An answer that came, whatever it says.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// 200, 503, …
    pub status: u16,
    /// Its beginning.
    pub body: String,
}

/// None came, or not all of it. The texts are Go's.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer.
    Head(String),
    /// The answer broke off.
    Body(String),
    /// To `https` a server answered in plain HTTP.
    Plain(String),
}

/// Where a GET goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Url {
    is_https: bool,
    host: String,
    port: u16,
    /// With the query.
    path: String,
    /// As it was given.
    shown: String,
}

impl Url {
    fn new(is_https: bool, host: &str, port: u16, path: &str) -> Self {
        let scheme = if is_https { "https" } else { "http" };
        let path = clean(path);
        let shown = format!("{scheme}://{}{path}", join(host, port));
        Self { is_https, host: host.to_owned(), port, path, shown }
    }

    /// Where a redirect to `location` leads.
    fn follow(&self, location: &str) -> Option<Self> {
        let absolute = match location.strip_prefix("//") {
            Some(rest) => format!("{}://{rest}", if self.is_https { "https" } else { "http" }),
            None if location.contains("://") => location.to_owned(),
            None => {
                let directory = self.path.split('?').next().unwrap_or("").rsplit_once('/').map_or("", |(dir, _)| dir);
                let path = if location.starts_with('/') { location.into() } else { format!("{directory}/{location}") };
                return Some(Self::new(self.is_https, &self.host, self.port, &path));
            }
        };
        let (scheme, rest) = absolute.split_once("://")?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority: http::uri::Authority = rest[..end].parse().ok()?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Some(Self { shown: absolute.clone(), ..Self::new(is_https, host, port, &rest[end..]) })
    }
}

/// A path that can be sent: what Go would encode is encoded.
fn clean(path: &str) -> String {
    let path = path.split('#').next().unwrap_or("");
    let mut clean = String::from(if path.starts_with('/') { "" } else { "/" });
    for byte in path.bytes() {
        let is_plain = byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        match is_plain {
            true => clean.push(char::from(byte)),
            false => {
                // Writing to a string does not fail.
                let _ = write!(clean, "%{byte:02X}");
            }
        }
    }
    clean
}

/// What is sent along; `purpose` is `probe` or `lifecycle`.
fn headers(get: &HTTPGetAction, purpose: &str, authority: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for header in get.http_headers.iter().flatten() {
        // Names were validated; a value that cannot be sent is left out, as Go's would never be.
        let name = HeaderName::from_bytes(header.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(header.value.as_bytes())) {
            headers.append(name, value);
        }
    }
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    headers.entry(USER_AGENT).or_insert_with(|| value(&format!("kube-{purpose}/1.36")));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if headers.get(ACCEPT).is_some_and(HeaderValue::is_empty) {
        headers.remove(ACCEPT);
    }
    headers.entry(HOST).or_insert_with(|| value(authority));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers
}

/// Asks, for `patience` at most.
pub async fn get(
    way: &Way,
    get: &HTTPGetAction,
    port: u16,
    purpose: &str,
    patience: Option<Duration>,
) -> Result<Page, Fault> {
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    let is_https = get.scheme.as_deref() == Some("HTTPS");
    let path = get.path.as_deref().unwrap_or("/");
    let mut url = Url::new(is_https, way.host(get.host.as_deref()), port, path);
    let host = url.host.clone();
    for _ in 0..MAX_REDIRECTS {
        let headers = headers(get, purpose, &join(&url.host, url.port));
        let failed = |text: String| format!("Get \"{}\": {text}", url.shown);
        let Some(opened) = within(deadline, open(way, get.host.as_deref(), &url, headers)).await else {
            let text = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
            return Err(Fault::Head(failed(text.into())));
        };
        let answer = opened.map_err(|fault| match fault {
            Fault::Plain(text) => Fault::Plain(failed(text)),
            Fault::Head(text) | Fault::Body(text) => Fault::Head(failed(text)),
        })?;
        let is_redirect = matches!(answer.head.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        let location = answer.head.headers().get(LOCATION).filter(|_| is_redirect);
        let Some(location) = location.and_then(|location| location.to_str().ok()) else {
            return answer.read(deadline).await;
        };
        match url.follow(location) {
            Some(next) if next.host == host => url = next,
            Some(_) => return answer.read(deadline).await,
            None => {
                let text = format!("failed to parse Location header {location:?}");
                return Err(Fault::Head(failed(text)));
            }
        }
    }
    Err(Fault::Head(format!("Get \"{}\": stopped after {MAX_REDIRECTS} redirects", url.shown)))
}

async fn within<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.ok(),
        None => Some(work.await),
    }
}

/// An answer whose body has not been read.
struct Opened {
    head: http::Response<Incoming>,
    /// Moves its bytes; ends with it.
    _connection: JoinSet<()>,
}

impl Opened {
    async fn read(mut self, deadline: Option<Instant>) -> Result<Page, Fault> {
        let status = self.head.status().as_u16();
        let mut body = Vec::new();
        while body.len() < MAX_BODY {
            let Some(frame) = within(deadline, self.head.body_mut().frame()).await else {
                let text = "context deadline exceeded (Client.Timeout or context cancellation while reading body)";
                return Err(Fault::Body(text.into()));
            };
            match frame {
                None => break,
                Some(Ok(frame)) => body.extend(frame.data_ref().into_iter().flatten()),
                Some(Err(error)) => return Err(Fault::Body(exchange_error(&error))),
            }
        }
        body.truncate(MAX_BODY);
        Ok(Page { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Connects and waits for the head of the answer.
async fn open(way: &Way, named: Option<&str>, url: &Url, headers: HeaderMap) -> Result<Opened, Fault> {
    let wire = way.connect(named, url.port).await.map_err(Fault::Head)?;
    let wire: Box<dyn Wire> = if url.is_https { encrypt(wire, &url.host).await? } else { wire };
    let head = |error: hyper::Error| Fault::Head(exchange_error(&error));
    let mut builder = http1::Builder::new();
    builder.title_case_headers(true);
    let (mut sender, connection) = builder.handshake(TokioIo::new(wire)).await.map_err(head)?;
    let mut driver = JoinSet::new();
    // What goes wrong with it, the sender says.
    driver.spawn(async move { drop(connection.await) });
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = url.path.parse().map_err(|error| Fault::Head(format!("invalid path: {error}")))?;
    *request.headers_mut() = headers;
    let head = sender.send_request(request).await.map_err(head)?;
    Ok(Opened { head, _connection: driver })
}

async fn encrypt(wire: Box<dyn Wire>, host: &str) -> Result<Box<dyn Wire>, Fault> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| tls::unchecked().map(Arc::new));
    let config = config.clone().map_err(Fault::Head)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| Fault::Head(format!("tls: {error}")))?;
    match TlsConnector::from(config).connect(name, wire).await {
        Ok(wire) => Ok(Box::new(wire)),
        Err(error) => Err(tls_error(&error)),
    }
}

fn tls_error(error: &io::Error) -> Fault {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
            Fault::Plain("http: server gave HTTP response to HTTPS client".into())
        }
        Some(cause) => Fault::Head(format!("tls: {cause}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Head("EOF".into()),
        None => Fault::Head(format!("read: {}", errno(error))),
    }
}

fn exchange_error(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "EOF".into();
    }
    if error.is_parse() {
        return format!("net/http: HTTP/1.x transport connection broken: malformed HTTP response: {error}");
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return format!("read: {}", errno(error));
        }
        source = cause.source();
    }
    error.to_string()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
