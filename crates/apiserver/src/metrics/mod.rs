//! `/metrics`: the API server's own names, so that dashboards and alerts written for a cluster work here
//! (K:apiserver/pkg/endpoints/metrics). What is kiln's alone begins with `kiln_` and is registered by whoever counts it.
//!
//! Labels take their values from what is served, never from what a client writes, so there are only so many of them.

mod process;
mod storage;

use crate::request::RequestInfo;
use crate::respond::Answer;
use crate::server::ApiServer;
use http::StatusCode;
use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Upper bounds in seconds, up to the longest that a request may take.
const LATENCY_BUCKETS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
];
/// Upper bounds in bytes: 1 kB to 1 GB.
const SIZE_BUCKETS: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Target {
    verb: &'static str,
    group: &'static str,
    version: &'static str,
    resource: &'static str,
    subresource: &'static str,
    scope: &'static str,
    component: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tried {
    dry_run: &'static str,
    #[prometheus(flatten)]
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    code: u16,
    #[prometheus(flatten)]
    tried: Tried,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    code: u16,
    #[prometheus(flatten)]
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestKind {
    request_kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Watched {
    group: &'static str,
    version: &'static str,
    resource: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is counted.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    durations: Histograms<Tried>,
    response_sizes: Histograms<Target>,
    long_running: Family<Target, Gauge>,
    terminations: Family<Refused, Counter>,
    in_flight: Family<RequestKind, Gauge>,
    watch_events: Family<Watched, Counter>,
    handshake_errors: Counter,
}

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    /// By a limit or a deadline, before it was done.
    Terminated,
}

impl Metrics {
    pub(crate) fn new(store: &store::Store, version: &str) -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS)),
            response_sizes: Family::new_with_constructor(|| Histogram::new(SIZE_BUCKETS)),
            long_running: Family::default(),
            terminations: Family::default(),
            in_flight: Family::default(),
            watch_events: Family::default(),
            handshake_errors: Counter::default(),
        };
        let mut registry = metrics.registry.lock();
        registry.register(
            "apiserver_request",
            "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code",
            metrics.requests.clone(),
        );
        registry.register(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component",
            metrics.durations.clone(),
        );
        registry.register(
            "apiserver_response_sizes",
            "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component",
            metrics.response_sizes.clone(),
        );
        registry.register(
            "apiserver_longrunning_requests",
            "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component",
            metrics.long_running.clone(),
        );
        registry.register(
            "apiserver_request_terminations",
            "Number of requests which apiserver terminated in self-defense",
            metrics.terminations.clone(),
        );
        registry.register(
            "apiserver_current_inflight_requests",
            "Number of requests being worked on, per request kind",
            metrics.in_flight.clone(),
        );
        registry.register(
            "apiserver_watch_events",
            "Number of events sent in watch clients",
            metrics.watch_events.clone(),
        );
        registry.register(
            "apiserver_tls_handshake_errors",
            "Number of requests dropped with 'TLS handshake error from' error",
            metrics.handshake_errors.clone(),
        );
        let build: Family<[(&str, String); 1], Gauge> = Family::default();
        build.get_or_create(&[("git_version", version.to_owned())]).set(1);
        registry.register("kubernetes_build_info", "A constant 1, labelled by the version that is served", build);
        registry.register_collector(Box::new(storage::Objects(store.clone())));
        registry.register_collector(Box::new(process::Process));
        drop(registry);
        metrics
    }

    /// Lets another room add what it counts; its names begin with `kiln_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock());
    }

    /// A request was answered, and the answer is through.
    pub(crate) fn answered(&self, request: &Request, code: u16, n_bytes: u64, latency: Duration, end: End) {
        let Request { target, dry_run } = request;
        let tried = Tried { dry_run, target: target.clone() };
        self.requests.get_or_create(&Answered { code, tried: tried.clone() }).inc();
        self.durations.get_or_create(&tried).observe(latency.as_secs_f64());
        if matches!(target.verb, "GET" | "LIST") {
            #[expect(clippy::cast_precision_loss, reason = "histograms are of floats")]
            self.response_sizes.get_or_create(target).observe(n_bytes as f64);
        }
        if end == End::Terminated {
            self.terminations.get_or_create(&Refused { code, target: target.clone() }).inc();
        }
    }

    /// Counts a stream until the guard is dropped.
    pub(crate) fn long_running(&self, request: &Request) -> LongRunning {
        let gauge = self.long_running.get_or_create(&request.target).clone();
        gauge.inc();
        LongRunning(gauge)
    }

    /// What a watch of this kind counts its events with.
    pub(crate) fn watch_events(&self, kind: &'static dyn kinds::Kind) -> Counter {
        let names = kind.names();
        let watched = Watched { group: names.group, version: names.version, resource: names.plural };
        self.watch_events.get_or_create(&watched).clone()
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshake_errors.inc();
    }

    /// `/metrics`
    pub(crate) fn answer(&self, server: &ApiServer) -> Answer {
        let (read_only, mutating) = server.in_flight.counts();
        for (request_kind, n) in [("readOnly", read_only), ("mutating", mutating)] {
            self.in_flight.get_or_create(&RequestKind { request_kind }).set(i64::try_from(n).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // Writing to a String does not fail; a collector that cannot read its numbers leaves them out.
        let _ = prometheus_text::encode(&mut text, &self.registry.lock());
        Answer::whole(StatusCode::OK, prometheus_text::CONTENT_TYPE, text)
    }
}

/// One of the streams counted.
#[derive(Debug)]
pub(crate) struct LongRunning(Gauge);

impl Drop for LongRunning {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A request in the words of labels.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    target: Target,
    dry_run: &'static str,
}

impl Request {
    pub(crate) fn of(info: &RequestInfo, is_dry_run: bool) -> Self {
        let kind = kinds::by_resource(&info.group, &info.resource).map(kinds::Kind::names);
        let known = |text: &str, known: &[&'static str]| known.iter().find(|name| **name == text).copied();
        let target = match (info.is_resource, kind) {
            (true, Some(names)) => Target {
                verb: verb(info),
                group: names.group,
                version: names.version,
                resource: names.plural,
                subresource: known(&info.subresource, names.subresources).unwrap_or_default(),
                scope: scope(info),
                component: "apiserver",
            },
            _ => Target {
                verb: verb(info),
                group: "",
                version: "",
                resource: "",
                subresource: known(info.path.trim_end_matches('/'), &PATHS).unwrap_or_default(),
                scope: "",
                component: "apiserver",
            },
        };
        Self { target, dry_run: if is_dry_run { "All" } else { "" } }
    }
}

/// Paths that are told apart.
const PATHS: [&str; 9] =
    ["/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"];

/// The verb as metrics have always spelt it.
fn verb(info: &RequestInfo) -> &'static str {
    if matches!(info.subresource.as_str(), "exec" | "attach" | "portforward") {
        return "CONNECT";
    }
    match info.verb.as_str() {
        "get" => "GET",
        "list" => "LIST",
        "watch" => "WATCH",
        "create" | "post" => "POST",
        "update" | "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        _ => "other",
    }
}

/// K:apiserver/pkg/endpoints/metrics CleanScope.
fn scope(info: &RequestInfo) -> &'static str {
    match (info.name.as_str(), info.namespace.as_str()) {
        _ if info.verb == "create" => "resource",
        ("", "") => "cluster",
        ("", _) => "namespace",
        _ => "resource",
    }
}
