//! What HTTP brings: paths, queries, headers, tokens, bodies, and whole requests to a whole server.

use super::{OBJECT_WORDS, examples, json_examples, texts};
use crate::{Shape, Signal, Target};
use apiserver::auth::{TokenKeys, Trust};
use apiserver::node::{self, AttachRequest, Connection, ExecRequest, LogRequest, NodeConnection, Session};
use apiserver::{ApiServer, Config, fuzzing, protobuf};
use axum::body::Body;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use jiff::Timestamp;
use meta::clock::{Clock, Entropy};
use meta::status::Status;
use meta::user::User;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const TARGETS: &[Target] = &[
    Target {
        name: "path",
        shape: Shape::Bytes,
        seeds: || {
            texts(&[
                "/api/v1/namespaces/a/pods/b/log",
                "/apis/batch/v1/jobs",
                "/readyz/ping",
                "/openapi/v3/apis/batch/v1",
                "/api/v1/pods/a%2fb",
                "/",
            ])
        },
        words: &["/", "..", ".", "%2f", "%00", "%", "namespaces", "status", "//", "\\"],
        run: path,
    },
    Target {
        name: "query",
        shape: Shape::Bytes,
        seeds: || {
            texts(&[
                "limit=500&continue=x",
                "watch=true&resourceVersion=7&timeoutSeconds=5",
                "labelSelector=a%3Db&fieldSelector=metadata.name%3Da",
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                "timeout=32s&dryRun=All&fieldValidation=Strict",
            ])
        },
        words: &[
            "&",
            "=",
            "%",
            "+",
            "limit",
            "resourceVersion",
            "resourceVersionMatch",
            "Exact",
            "sendInitialEvents",
            "watch",
            "timeout",
            "continue",
            "0",
        ],
        run: |input| text_of(input, |text| Signal::of(&fuzzing::query(text))),
    },
    Target {
        name: "accept",
        shape: Shape::Bytes,
        seeds: || {
            texts(&[
                "application/json",
                "application/vnd.kubernetes.protobuf,application/json;q=0.5",
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                "*/*;q=0, text/html",
            ])
        },
        words: &[
            ";",
            ",",
            "q=",
            "q=0",
            "q=NaN",
            "q=inf",
            "as=Table",
            "g=meta.k8s.io",
            "v=v1",
            "application/yaml",
            "*/*",
            "\"",
            "stream=watch",
        ],
        run: |input| {
            Signal::of(&HeaderValue::from_bytes(input).map(|value| fuzzing::accept(&value)).unwrap_or_default())
        },
    },
    Target {
        name: "continue_token",
        shape: Shape::Json,
        seeds: || {
            texts(&[
                r#"{"v":"meta.k8s.io/v1","rv":7,"start":"default/a\u0000"}"#,
                r#"{"v":"meta.k8s.io/v1","rv":-1,"start":"a"}"#,
            ])
        },
        words: &["v", "rv", "start", "meta.k8s.io/v1", "..", "/", "//"],
        run: |input| Signal::result(&fuzzing::continue_token(input), |start| start.len()),
    },
    Target { name: "yaml", shape: Shape::Bytes, seeds: yaml_seeds, words: YAML_WORDS, run: yaml },
    Target {
        name: "protobuf",
        shape: Shape::Bytes,
        seeds: protobuf_seeds,
        words: &["k8s\0", "\u{0}", "batch/v1", "Job"],
        run: from_protobuf,
    },
    Target { name: "to_protobuf", shape: Shape::Json, seeds: json_examples, words: OBJECT_WORDS, run: to_protobuf },
    Target { name: "request", shape: Shape::Bytes, seeds: requests, words: REQUEST_WORDS, run: request },
];

fn text_of(input: &[u8], run: impl FnOnce(&str) -> Signal) -> Signal {
    std::str::from_utf8(input).map_or(Signal::of("no text"), run)
}

fn path(input: &[u8]) -> Signal {
    text_of(input, |text| {
        let parts = fuzzing::path(text);
        for part in parts.iter().flatten() {
            let is_contained = !part.contains(['/', '\0']) && part != ".." && part != ".";
            assert!(is_contained, "{part:?} of {text:?} can leave its place in a key");
        }
        Signal::hash(parts.map(|parts| parts.map(|part| part.is_empty())))
    })
}

const YAML_WORDS: &[&str] = &[
    "&a ",
    "*a",
    "<<: ",
    "- ",
    ": ",
    "? ",
    "|\n",
    ">-\n",
    "!!binary ",
    "!!str ",
    "---\n",
    "...\n",
    "[",
    "]",
    "{",
    "}",
    "~",
    ".inf",
    ".nan",
    "0644",
    "0o7",
    "0x1F",
    "1_000",
    "yes",
    "#",
    "\n  ",
    "\t",
    "'",
    "\"",
    "\\x",
    "%YAML 1.2\n",
];

fn yaml_seeds() -> Vec<Vec<u8>> {
    let mut seeds = examples();
    seeds.extend(texts(&["a: &x [1, 2]\nb: *x\n", "a: |\n  text\n", "? k\n: v\n", "{a: [b, {c: d}]}", "a: 1\na: 2\n"]));
    seeds
}

fn yaml(input: &[u8]) -> Signal {
    let json = fuzzing::yaml(input);
    if let Ok(text) = &json {
        assert!(text.len() <= 16 << 20, "{} bytes from {}", text.len(), input.len());
        // Deeper than a parser of ours goes is refused later; everything else is JSON.
        if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
            assert!(error.to_string().contains("recursion"), "{error}: {text:.200}");
        }
    }
    Signal::result(&json, |text| text.len().checked_ilog2())
}

fn protobuf_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = json_examples()
        .iter()
        .filter_map(|json| serde_json::from_slice(json).ok())
        .filter_map(|object| protobuf::encode(&object).ok())
        .collect();
    seeds.extend(fuzzing::KUBECTL_BODIES.iter().map(|body| body.to_vec()));
    seeds
}

fn from_protobuf(input: &[u8]) -> Signal {
    let decoded = protobuf::decode(input);
    if let Ok(object) = &decoded {
        // Not every object can go back (a time out of range in a raw field stays text), but what goes comes back the same.
        if let Ok(bytes) = protobuf::encode(object) {
            let again = protobuf::decode(&bytes);
            assert_eq!(again.as_ref(), Ok(object), "there and back");
        }
    }
    Signal::result(&decoded, |object| object.to_string().len().checked_ilog2())
}

fn to_protobuf(input: &[u8]) -> Signal {
    let Ok(object) = serde_json::from_slice(input) else { return Signal::of("no JSON") };
    let encoded = protobuf::encode(&object);
    if let Ok(bytes) = &encoded {
        protobuf::decode(bytes).unwrap_or_else(|error| panic!("what was written is not read: {error}"));
    }
    Signal::result(&encoded, |bytes| bytes.len().checked_ilog2())
}

const REQUEST_WORDS: &[&str] = &[
    "GET ",
    "POST ",
    "PUT ",
    "PATCH ",
    "DELETE ",
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
    "/status",
    "?fieldManager=x",
    "&force=true",
    "&dryRun=All",
    "\"spec\":",
    "\"metadata\":",
    "null",
    "{}",
    "[]",
    "\"name\":\"a\"",
];

/// `METHOD PATH CONTENT-TYPE\nBODY`
fn requests() -> Vec<Vec<u8>> {
    const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
    let mut seeds = Vec::new();
    for body in json_examples() {
        let object: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let plural = match object["kind"].as_str() {
            Some("CronJob") => "/apis/batch/v1/namespaces/default/cronjobs",
            Some("PersistentVolumeClaim") => "/api/v1/namespaces/default/persistentvolumeclaims",
            Some("ConfigMap") => "/api/v1/namespaces/default/configmaps",
            _ => JOBS,
        };
        seeds.push([format!("POST {plural} application/json\n").as_bytes(), &body].concat());
        let name = object["metadata"]["name"].as_str().unwrap_or("a");
        let apply = format!("PATCH {plural}/{name}?fieldManager=f&force=true application/apply-patch+yaml\n");
        seeds.push([apply.as_bytes(), &body].concat());
    }
    seeds.extend(texts(&[
        &format!("PATCH {JOBS}/a application/merge-patch+json\n{{\"spec\":{{\"suspend\":true}}}}"),
        &format!("PATCH {JOBS}/a/status application/strategic-merge-patch+json\n{{\"status\":{{\"conditions\":[{{\"type\":\"X\"}}]}}}}"),
        &format!("PATCH {JOBS}/a application/json-patch+json\n[{{\"op\":\"add\",\"path\":\"/metadata/labels\",\"value\":{{}}}}]"),
        &format!("DELETE {JOBS}/a application/json\n{{\"propagationPolicy\":\"Foreground\"}}"),
        &format!("GET {JOBS}?limit=1&labelSelector=a application/json\n"),
        "POST /api/v1/namespaces/default/pods/a/binding application/json\n{\"target\":{\"name\":\"n\"}}",
        "POST /apis/authentication.k8s.io/v1/selfsubjectreviews application/json\n{}",
    ]));
    seeds
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).to_be_bytes()[0];
        }
    }
}

struct NoNode;

#[async_trait::async_trait]
impl NodeConnection for NoNode {
    async fn logs(&self, _: LogRequest) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Status> {
        Err(Status::internal("there is no node"))
    }
    async fn exec(&self, _: ExecRequest) -> Result<Session, Status> {
        Err(Status::internal("there is no node"))
    }
    async fn attach(&self, _: AttachRequest) -> Result<Session, Status> {
        Err(Status::internal("there is no node"))
    }
    async fn connect(&self, _: &node::Target, _: u16) -> Result<Box<dyn Connection>, String> {
        Err("there is no node".into())
    }
}

struct Machine {
    runtime: tokio::runtime::Runtime,
    server: Arc<ApiServer>,
    n_requests: u32,
}

impl Machine {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let keys = tempfile::tempdir().expect("there is room for temporary files");
        let tokens = TokenKeys::load_or_create(keys.path()).expect("keys can be made");
        let server = ApiServer::new(Config {
            store: store::Store::in_memory(store::Options { ring_events: 100, ..store::Options::default() }),
            clock: Arc::new(Still),
            entropy: Arc::new(Counting::default()),
            node: Arc::new(NoNode),
            version: "v1.36.2+kiln.fuzz".into(),
            trust: Some(Trust { tokens, root_ca: String::new() }),
        });
        Self { runtime: runtime.expect("a runtime can be made"), server, n_requests: 0 }
    }
}

thread_local! {
    static MACHINE: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

fn request(input: &[u8]) -> Signal {
    let (head, body) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &b""[..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut words = head.split(' ');
    let (method, path, content_type) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    // Watches and logs last.
    if path.contains("watch") || path.ends_with("/log") {
        return Signal::of("a stream");
    }
    let (Ok(method), Ok(content_type)) = (Method::from_bytes(method.as_bytes()), HeaderValue::from_str(content_type))
    else {
        return Signal::of("no request");
    };
    let Ok(mut request) = Request::builder().method(method).uri(path).body(Body::from(body.to_vec())) else {
        return Signal::of("no request");
    };
    request.headers_mut().insert("content-type", content_type);
    MACHINE.with_borrow_mut(|machine| {
        // A new one now and then: objects pile up.
        if machine.as_ref().is_none_or(|machine| 500 < machine.n_requests) {
            *machine = Some(Machine::new());
        }
        let machine = machine.as_mut().expect("there is one now");
        machine.n_requests += 1;
        let server = machine.server.clone();
        let (code, text) = machine.runtime.block_on(async move {
            let response = server.handle(User::new("admin", &["system:masters"]), request).await;
            let code = response.status().as_u16();
            let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            (code, String::from_utf8_lossy(&bytes).into_owned())
        });
        let message = serde_json::from_str::<serde_json::Value>(&text).ok();
        let message = message.and_then(|value| value["message"].as_str().map(String::from)).unwrap_or_default();
        // An API server answers this one mistake of a client with 500, and kubectl's users know its text.
        let is_known = message.starts_with("failed to create typed patch object");
        assert!(code != 500 || is_known, "{text}");
        Signal::hash((code, Signal::of(&message)))
    })
}
