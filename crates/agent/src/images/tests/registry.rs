//! A registry that does as it is told: honest, busy, broken or lying. It speaks HTTP on a port of its own and remembers what it
//! was asked.

use super::{config, digest};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// With its query.
    pub path: String,
    pub headers: HeaderMap,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub then: Then,
}

/// How a body ends.
#[derive(Clone, Copy, PartialEq)]
pub enum Then {
    End,
    /// The connection breaks.
    Break,
    /// Nothing more comes.
    Hang,
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, body: body.into(), then: Then::End }
}

type Rule = Box<dyn Fn(&Asked, usize) -> Option<Answer> + Send>;

#[derive(Default)]
struct State {
    /// Media type and bytes by path below `/v2/`.
    things: HashMap<String, (String, Vec<u8>)>,
    /// Asked first; the number is how often the same path was asked before.
    rules: Vec<Rule>,
    asked: Vec<Asked>,
}

/// Ends with its test: its task dies with the runtime.
pub struct Registry {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Registry {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = registry.state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = state.clone();
                let service = service_fn(move |request| respond(state.clone(), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        registry
    }

    /// `127.0.0.1:PORT/NAME`
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    pub fn put(&self, path: &str, media_type: &str, bytes: &[u8]) {
        self.state.lock().things.insert(path.to_owned(), (media_type.to_owned(), bytes.to_vec()));
    }

    /// Takes precedence over what was put; the newest rule comes first.
    pub fn rule(&self, rule: impl Fn(&Asked, usize) -> Option<Answer> + Send + 'static) {
        self.state.lock().rules.insert(0, Box::new(rule));
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().asked.clone()
    }

    /// Paths asked for, and how often.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for asked in self.asked() {
            *counts.entry(asked.path).or_default() += 1;
        }
        counts
    }

    pub fn blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        self.put(&format!("{repository}/blobs/{}", digest(bytes)), "application/octet-stream", bytes);
        json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
    }

    /// An image of these layers under a tag and its digest; `packed` is what is sent. Returns the manifest's descriptor.
    pub fn push(&self, name: &str, layers: &[Vec<u8>], packed: &[Vec<u8>]) -> Value {
        let (repository, tag) = name.split_once(':').unwrap();
        let config = self.blob(repository, OCI_CONFIG, &config(layers));
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<Value> = packed.iter().map(|packed| self.blob(repository, media_type, packed)).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers});
        self.push_manifest(repository, tag, OCI_MANIFEST, &manifest)
    }

    pub fn push_manifest(&self, repository: &str, tag: &str, media_type: &str, manifest: &Value) -> Value {
        let bytes = manifest.to_string().into_bytes();
        for name in [tag, &digest(&bytes)] {
            self.put(&format!("{repository}/manifests/{name}"), media_type, &bytes);
        }
        json!({"mediaType": media_type, "digest": digest(&bytes), "size": bytes.len()})
    }
}

async fn respond(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, std::io::Error>>, Infallible> {
    let path = request.uri().path_and_query().unwrap().to_string();
    let asked = Asked { path, headers: request.headers().clone() };
    let answer = {
        let mut state = state.lock();
        let before = state.asked.iter().filter(|earlier| earlier.path == asked.path).count();
        state.asked.push(asked.clone());
        let ruled = state.rules.iter().find_map(|rule| rule(&asked, before));
        ruled.unwrap_or_else(|| thing(&state, &asked))
    };
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status).unwrap());
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let first = futures::stream::iter([Ok(Frame::data(Bytes::from(answer.body)))]);
    let rest = async move {
        match answer.then {
            Then::End => None,
            Then::Break => {
                // Pending once: the server sends what it has before it hears of the error.
                tokio::task::yield_now().await;
                Some(Err(std::io::Error::other("broken")))
            }
            Then::Hang => std::future::pending().await,
        }
    };
    let rest = futures::StreamExt::filter_map(futures::stream::once(rest), |end| async { end });
    let body = StreamBody::new(futures::StreamExt::chain(first, rest));
    Ok(response.body(UnsyncBoxBody::new(body.map_err(|error| error))).unwrap())
}

/// What was put there, or the part of it that is asked for.
fn thing(state: &State, asked: &Asked) -> Answer {
    let path = asked.path.split('?').next().unwrap().strip_prefix("/v2/").unwrap_or_default();
    let Some((media_type, bytes)) = state.things.get(path) else {
        return answer(404, &[], r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#);
    };
    let range = asked.headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    if let Some(start) = range.and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok()) {
        let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
        return answer(206, &[("content-range", &range)], &bytes[start..]);
    }
    let length = bytes.len().to_string();
    answer(200, &[("content-type", media_type), ("content-length", &length)], bytes.clone())
}
