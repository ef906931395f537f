//! A server of one test, and what comes back from it.

use crate::fake_node::FakeNode;
use apiserver::auth::{TokenKeys, Trust, User};
use apiserver::{ApiServer, Config};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use meta::clock::{Clock, Entropy};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
pub const PODS: &str = "/api/v1/namespaces/default/pods";
pub const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub const TABLE: &str =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
pub const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Stands still until told to move.
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub fn advance(&self, seconds: i64) {
        *self.0.lock() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// Bytes that count up: every uid is another, every run the same.
#[derive(Default)]
struct Counting(Mutex<u64>);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock();
        for byte in buffer {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
    }
}

pub struct Server {
    pub api: Arc<ApiServer>,
    pub node: Arc<FakeNode>,
    pub clock: Arc<ManualClock>,
    pub user: User,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or("").to_owned()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    pub fn warnings(&self) -> Vec<&str> {
        self.headers.get_all("warning").iter().map(|value| value.to_str().unwrap()).collect()
    }
    /// The code must be this one; the answer shows why it is not.
    #[track_caller]
    pub fn expect(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{}", self.text());
        self
    }
    /// A Status with this code, reason and message.
    #[track_caller]
    pub fn expect_status(self, code: u16, reason: &str, message: &str) -> Self {
        let json = self.json();
        assert_eq!(json["kind"], "Status", "{json}");
        assert_eq!((self.code, json["reason"].as_str(), json["message"].as_str()), (code, Some(reason), Some(message)));
        assert_eq!(json["code"], code);
        self
    }
}

impl Server {
    pub fn new() -> Self {
        Self::on(store::Store::in_memory(store::Options::default()))
    }

    /// A server with keys for tokens and a CA to name, as one with a listener has.
    pub fn trusted() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tokens = TokenKeys::load_or_create(dir.path()).unwrap();
        let trust = Trust { tokens, root_ca: "-----BEGIN CERTIFICATE-----".into() };
        Self::with(store::Store::in_memory(store::Options::default()), Some(trust))
    }

    pub fn on(store: store::Store) -> Self {
        Self::with(store, None)
    }

    fn with(store: store::Store, trust: Option<Trust>) -> Self {
        let clock = Arc::new(ManualClock(Mutex::new("2026-03-01T12:00:00.5Z".parse().unwrap())));
        let node = Arc::new(FakeNode::default());
        let api = ApiServer::new(Config {
            store,
            clock: clock.clone(),
            entropy: Arc::new(Counting::default()),
            node: node.clone(),
            version: "v1.36.2+kiln.0.1.0".into(),
            trust,
        });
        let user = User { name: "admin".into(), groups: vec!["system:masters".into()], ..User::default() };
        Self { api, node, clock, user }
    }

    pub async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.api.handle(self.user.clone(), request.body(body.into()).unwrap()).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Reply { code: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], Body::empty()).await
    }
    pub async fn post(&self, path: &str, object: &Value) -> Reply {
        self.send("POST", path, &[], object.to_string()).await
    }
    pub async fn put(&self, path: &str, object: &Value) -> Reply {
        self.send("PUT", path, &[], object.to_string()).await
    }
    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], Body::empty()).await
    }
    pub async fn patch(&self, path: &str, kind: &str, patch: &Value) -> Reply {
        let content_type = format!("application/{kind}");
        self.send("PATCH", path, &[("content-type", &content_type)], patch.to_string()).await
    }

    /// Server-side apply as `manager`; `query` begins with `&`.
    pub async fn apply(&self, path: &str, manager: &str, query: &str, config: &Value) -> Reply {
        let headers = [("content-type", "application/apply-patch+yaml")];
        self.send("PATCH", &format!("{path}?fieldManager={manager}{query}"), &headers, config.to_string()).await
    }

    /// Opens a watch whose lines `next` reads.
    pub async fn watch(&self, path: &str, headers: &[(&str, &str)]) -> Watch {
        let response = self.open("GET", path, headers, Body::empty()).await;
        assert_eq!(response.status(), 200, "{path}");
        Watch { body: response.into_body(), buffer: Vec::new() }
    }
}

/// A watch response being read.
pub struct Watch {
    body: Body,
    buffer: Vec<u8>,
}

impl Watch {
    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = tokio::time::timeout(Duration::from_secs(7200), self.body.frame());
            let frame = frame.await.expect("the watch says something within two hours")?;
            self.buffer.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    }

    /// Type and name of the next event.
    pub async fn next_name(&mut self) -> (String, String) {
        let event = self.next().await.expect("an event");
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }
}

/// Who owns what: `MANAGER OPERATION SUBRESOURCE TIME FIELDS`, the object's own order.
pub fn owners(object: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries
        .map(|entry| {
            let words = ["manager", "operation", "subresource", "time"].map(|field| text(&entry[field]));
            let [manager, operation, subresource, time] = words;
            let time = time.trim_start_matches("2026-03-01T12:").trim_end_matches('Z').to_owned();
            [manager, operation, subresource, time, entry["fieldsV1"].to_string()].join(" ")
        })
        .collect()
}

pub fn job(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "kiln/demo", "command": ["pi", "10"]}],
        }}},
    })
}

pub fn config_map(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"key": "value"}})
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "a", "image": "kiln/demo"}, {"name": "b", "image": "kiln/demo"}]},
    })
}
