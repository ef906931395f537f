//! One API server: its state, its tower service, its TLS listener.

use crate::auth::{Authorizer, ServerTls, Trust, User, impersonated, openid_configuration};
use crate::connections::Limits;
use crate::delivery::Delivery;
use crate::error::Failure;
use crate::handlers::{self, Call};
use crate::inflight::{Entry, InFlight};
use crate::metrics::{self, End, Metrics};
use crate::negotiate::{self, Form};
use crate::node::NodeConnection;
use crate::query::Query;
use crate::request::RequestInfo;
use crate::respond::{self, Answer};
use crate::route::{self, ResourcePath, Route, Verb};
use crate::snapshot::Snapshots;
use crate::{bootstrap, deadline, discovery, expiry, health, listener, openapi, streams, subresources};
use axum::body::Body;
use futures::FutureExt as _;
use http::header::{CACHE_CONTROL, USER_AGENT, WARNING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use kinds::{Kind, Part, Scope};
use meta::status::{GroupResource, Status};
use serde_json::json;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a server is given.
pub struct Config {
    /// Where objects are.
    pub store: store::Store,
    /// Tells creation times, ages and when events expire.
    pub clock: Arc<dyn meta::clock::Clock>,
    /// For uids and generated names.
    pub entropy: Arc<dyn meta::clock::Entropy>,
    /// Where container logs (later exec) come from.
    pub node: Arc<dyn NodeConnection>,
    /// kiln's version, for `/version`: `v1.36.2+kiln.0.1.0`.
    pub version: String,
    /// Signs tokens; `None` for a server that nobody reaches from outside: its pods get none.
    pub trust: Option<Trust>,
}

/// The API server. Cheap to share; every request, from socket or in process, goes through `handle`.
pub struct ApiServer {
    pub(crate) store: store::Store,
    pub(crate) clock: Arc<dyn meta::clock::Clock>,
    pub(crate) entropy: Arc<dyn meta::clock::Entropy>,
    pub(crate) node: Arc<dyn NodeConnection>,
    pub(crate) snapshots: Snapshots,
    pub(crate) in_flight: InFlight,
    pub(crate) metrics: Metrics,
    /// Ends watches and background work.
    pub(crate) stop: CancellationToken,
    /// Connections that are no longer HTTP.
    pub(crate) sessions: TaskTracker,
    version: String,
    pub(crate) trust: Option<Trust>,
    /// Where it listens.
    address: OnceLock<SocketAddr>,
    pub(crate) authorizer: Authorizer,
    is_ready: AtomicBool,
    /// Held while what admission writes along is charged: creates in one namespace would else only disturb each other.
    pub(crate) charging: tokio::sync::Mutex<()>,
    bootstrapped: OnceCell<()>,
}

impl ApiServer {
    /// A server that answers at once; `/readyz` says so only after `set_ready`.
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            metrics: Metrics::new(&config.store, &config.version),
            in_flight: InFlight::default(),
            authorizer: Authorizer::new(config.store.clone()),
            store: config.store,
            clock: config.clock,
            entropy: config.entropy,
            node: config.node,
            snapshots: Snapshots::default(),
            stop: CancellationToken::new(),
            sessions: TaskTracker::new(),
            version: config.version,
            trust: config.trust,
            address: OnceLock::new(),
            is_ready: AtomicBool::new(false),
            charging: tokio::sync::Mutex::default(),
            bootstrapped: OnceCell::new(),
        })
    }

    /// Makes the objects that clients take for granted and starts the removal of expired ones. The first request does
    /// it too; a server that wants to know whether it worked calls this first.
    pub async fn bootstrap(self: &Arc<Self>) -> Result<(), Box<Status>> {
        self.ensure_bootstrapped().await.map_err(|failure| Box::new(failure.status().clone()))
    }

    async fn ensure_bootstrapped(self: &Arc<Self>) -> Result<(), Failure> {
        self.bootstrapped
            .get_or_try_init(async || {
                bootstrap::always(self).await?;
                bootstrap::once(self).await?;
                tokio::spawn(expiry::run(Arc::downgrade(self)));
                Ok(())
            })
            .await
            .copied()
    }

    /// Answers one request as `user`. Never panics, whatever the request holds.
    pub async fn handle(self: &Arc<Self>, user: User, request: Request<Body>) -> Response<Body> {
        self.deliver(Ok(user), request).await
    }

    /// Answers a request that came with a credential which is not good: 401, whatever it asks for.
    pub(crate) async fn handle_invalid(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        self.deliver(Err(Status::unauthorized().into()), request).await
    }

    async fn deliver(self: &Arc<Self>, user: Result<User, Failure>, request: Request<Body>) -> Response<Body> {
        let began = Instant::now();
        let (mut parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query());
        let form = negotiate::form(&parts.headers);
        let route = route::parse(parts.uri.path());
        let info = RequestInfo::of(&route, &parts.method, parts.uri.path(), &query);
        let (user, refusal) = match user {
            Ok(user) => (user, None),
            Err(failure) => (User::anonymous(), Some(failure)),
        };
        let labels = metrics::Request::of(&info, query.get("dryRun").is_some());
        let mut delivery = Delivery {
            server: self.clone(),
            entry: self.in_flight.enter(&info, &user),
            long_running: info.is_long_running().then(|| self.metrics.long_running(&labels)),
            labels,
            user: user.clone(),
            acts_as: None,
            audit_id: String::new(),
            user_agent: text_of(&parts.headers, &USER_AGENT).into(),
            source: parts.extensions.get().cloned(),
            began,
            code: None,
            end: End::Answered,
            n_bytes: 0,
            info,
        };
        let mut incoming = Incoming {
            user,
            pretty: is_pretty(&query, &parts.headers),
            form,
            query,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            upgrade: parts.extensions.remove(),
            headers: parts.headers,
            warnings: Vec::new(),
        };
        let result = match (refusal, &delivery.entry) {
            (Some(failure), _) => Err(failure),
            (None, Entry::Full) => {
                delivery.end = End::Terminated;
                Err(Status::too_many_requests("Too many requests, please try again later.", 1).into())
            }
            (None, Entry::Taken(_) | Entry::Free) => self.bounded(&mut incoming, &mut delivery, route, body).await,
        };
        let answer = result
            .unwrap_or_else(|failure| respond::status(form.unwrap_or_default(), failure.status(), incoming.pretty));
        delivery.audit_id = self.audit_id(&incoming.headers);
        let mut response = answer.into_response(negotiate::accepts_gzip(&incoming.headers));
        add_headers(&delivery.audit_id, &incoming.warnings, response.headers_mut());
        if incoming.method == Method::HEAD {
            // HTTP/2 does not drop it for us, and clients break off.
            *response.body_mut() = Body::empty();
        }
        delivery.of(response)
    }

    /// The answer, within the request's time.
    async fn bounded(
        self: &Arc<Self>,
        incoming: &mut Incoming,
        delivery: &mut Delivery,
        route: Route,
        body: Body,
    ) -> Result<Answer, Failure> {
        // The last line of defence: a mistake of ours is a 500, not a dropped connection.
        let (method, path) = (incoming.method.clone(), incoming.path.clone());
        let is_long_running = delivery.info.is_long_running();
        let time = deadline::of(&incoming.query);
        let answer = self.answer(incoming, &delivery.info, &mut delivery.acts_as, route, body);
        let answer = AssertUnwindSafe(answer).catch_unwind();
        let answered = match is_long_running {
            true => answer.await,
            false => match tokio::time::timeout(time?, answer).await {
                Ok(answered) => answered,
                Err(_) => {
                    delivery.end = End::Terminated;
                    return Err(deadline::exceeded());
                }
            },
        };
        answered.unwrap_or_else(|_| {
            tracing::error!(%method, path, "panic while answering");
            Err(Status::internal("this request met a mistake in kiln; its log has more").into())
        })
    }

    /// The one the client gave, to find the request in a log, or a new one.
    fn audit_id(&self, headers: &HeaderMap) -> String {
        match text_of(headers, &HeaderName::from_static("audit-id")) {
            "" => meta::names::uid(self.entropy.as_ref()),
            given => given.into(),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        incoming: &mut Incoming,
        info: &RequestInfo,
        acts_as: &mut Option<User>,
        route: Route,
        body: Body,
    ) -> Result<Answer, Failure> {
        // Without the first objects only masters have rights. A store that takes none must not keep health from being told.
        let bootstrapped = self.ensure_bootstrapped().await;
        if matches!(route, Route::Resource(_)) {
            bootstrapped?;
        }
        if let Some(other) = impersonated(&incoming.headers, &incoming.user, &self.authorizer)? {
            *acts_as = Some(other.clone());
            incoming.user = other;
        }
        self.authorizer.require(&incoming.user, &info.attributes())?;
        match route {
            Route::Resource(path) => self.resource(incoming, path, body).await,
            other => self.document(incoming, other).await,
        }
    }

    /// Everything that is not a resource.
    async fn document(&self, incoming: &Incoming, route: Route) -> Result<Answer, Failure> {
        let headers = &incoming.headers;
        let nothing = || Failure::from(Status::path_not_found());
        if !matches!(incoming.method, Method::GET | Method::HEAD) {
            let known = !matches!(route, Route::Unknown);
            return Err(match known {
                true => wrong_method(),
                false => nothing(),
            });
        }
        match route {
            Route::Version => Ok(Answer::ok_json(&self.version_document())),
            Route::Health { endpoint, check } => {
                health::answer(self, endpoint, &check, &incoming.query).await.ok_or_else(nothing)
            }
            Route::Metrics => Ok(self.metrics.answer(self)),
            Route::Root => Ok(Answer::ok_json(&root_document())),
            Route::CoreVersions => discovery::core_versions(headers).ok_or_else(negotiate::not_acceptable),
            Route::Groups => discovery::groups(headers).ok_or_else(negotiate::not_acceptable),
            Route::Group(group) => {
                let document = discovery::group(&group).ok_or_else(nothing)?;
                respond::value(incoming.document_form()?, StatusCode::OK, &document, incoming.pretty)
            }
            Route::Resources { group, version } => {
                let document = discovery::resources(&group, &version).ok_or_else(nothing)?;
                respond::value(incoming.document_form()?, StatusCode::OK, &document, incoming.pretty)
            }
            Route::OpenIdConfiguration => self.openid_configuration().ok_or_else(nothing),
            Route::JsonWebKeys => self.json_web_keys().ok_or_else(nothing),
            Route::OpenApiV2 => openapi_v2(headers),
            Route::OpenApiV3Index => Ok(openapi_v3_index(headers)),
            Route::OpenApiV3(path) => openapi_v3(&incoming.query, &path).ok_or_else(nothing),
            Route::Unknown | Route::Resource(_) => Err(nothing()),
        }
    }

    async fn resource(
        self: &Arc<Self>,
        incoming: &mut Incoming,
        path: ResourcePath,
        body: Body,
    ) -> Result<Answer, Failure> {
        let verb = Verb::of(&incoming.method, &path, incoming.query.flag("watch"));
        if verb == Some(Verb::List)
            && let Some(list) = discovery::no_custom_resources(&path, self.store.revision())
        {
            return respond::value(incoming.document_form()?, StatusCode::OK, &list, incoming.pretty);
        }
        let path = route::as_binding(path, verb);
        let kind = kinds::by_resource(&path.group, &path.resource)
            .filter(|kind| kind.names().version == path.version)
            .filter(|kind| is_well_placed(*kind, &path))
            .ok_or_else(Status::path_not_found)?;
        let verb = verb.ok_or_else(wrong_method)?;
        let form = incoming.form.ok_or_else(negotiate::not_acceptable)?;
        let mut call = Call {
            server: self,
            user: incoming.user.clone(),
            kind,
            path,
            query: incoming.query.clone(),
            headers: incoming.headers.clone(),
            upgrade: incoming.upgrade.take(),
            form,
            pretty: incoming.pretty,
            warnings: Vec::new(),
        };
        let result = dispatch(&mut call, verb, body).await;
        incoming.warnings = call.warnings;
        result
    }

    /// Makes /readyz answer 200.
    pub fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Release);
    }

    /// Serves TLS connections until `shutdown`, then ends watches and waits a bounded time for requests in flight.
    pub async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        tls: ServerTls,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.serve_within(Limits::default(), listener, tls, shutdown).await
    }

    /// The same with bounds of one's own.
    pub async fn serve_within(
        self: Arc<Self>,
        limits: Limits,
        listener: tokio::net::TcpListener,
        tls: ServerTls,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        // Set once: a second listener is as good as the first.
        let _ = self.address.set(listener.local_addr()?);
        listener::serve(self, listener, tls, limits, shutdown).await
    }

    /// A tower service that answers as `user`, for `kube::Client::new(service, "default")`: no socket.
    pub fn client_service(self: &Arc<Self>, user: User) -> InProcess {
        InProcess { server: self.clone(), user }
    }

    /// The CA's certificate, for clients in pods.
    pub(crate) fn root_ca(&self) -> Option<&str> {
        self.trust.as_ref().map(|trust| trust.root_ca.as_str())
    }

    /// The current second, as metadata has it.
    pub(crate) fn now_text(&self) -> String {
        time_text(self.clock.now())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// What is counted; other rooms may add to it.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where others find the keys that tokens are signed with (K:pkg/serviceaccount/openidmetadata.go).
    fn openid_configuration(&self) -> Option<Answer> {
        self.trust.as_ref()?;
        let mut address = *self.address.get()?;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        let document = openid_configuration(&format!("https://{address}/openid/v1/jwks"));
        Some(for_an_hour(Answer::ok_json(&document)))
    }

    fn json_web_keys(&self) -> Option<Answer> {
        let keys = self.trust.as_ref()?.tokens.jwks().to_string();
        Some(for_an_hour(Answer::whole(StatusCode::OK, "application/jwk-set+json", keys)))
    }

    fn version_document(&self) -> serde_json::Value {
        let mut numbers = self.version.trim_start_matches('v').split('.');
        json!({
            "major": numbers.next().unwrap_or(""),
            "minor": numbers.next().unwrap_or(""),
            "gitVersion": self.version,
            "gitCommit": "",
            "gitTreeState": "",
            "buildDate": "",
            "goVersion": "",
            "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, go_architecture(std::env::consts::ARCH)),
        })
    }
}

/// A request as far as everybody needs it.
struct Incoming {
    user: User,
    method: Method,
    path: String,
    query: Query,
    headers: HeaderMap,
    upgrade: Option<OnUpgrade>,
    /// `None`: the client takes nothing that can be made.
    form: Option<Form>,
    pretty: bool,
    warnings: Vec<String>,
}

impl Incoming {
    /// Documents have one shape.
    fn document_form(&self) -> Result<Form, Failure> {
        negotiate::text_form(&self.headers).ok_or_else(negotiate::not_acceptable)
    }
}

async fn dispatch(call: &mut Call<'_>, verb: Verb, body: Body) -> Result<Answer, Failure> {
    let names = call.kind.names();
    let subresource = call.path.subresource.clone();
    if subresource.is_empty() {
        let is_served = names.verbs.contains(&verb.name());
        let is_whole_collection_write = names.scope == Scope::Namespaced
            && call.path.namespace.is_empty()
            && matches!(verb, Verb::Create | Verb::DeleteCollection);
        if !is_served || is_whole_collection_write {
            return Err(Status::method_not_allowed(call.what(), verb.name()).into());
        }
        return match verb {
            Verb::Get => handlers::get::get(call).await,
            Verb::List => handlers::list::list(call).await,
            Verb::Watch => handlers::watch::watch(call).await.and_then(|answer| streams::deliver::watch(call, answer)),
            Verb::Create => handlers::create::create(call, body).await,
            Verb::Update => handlers::update::update(call, body, Part::Spec).await,
            Verb::Patch => handlers::patch::patch(call, body, Part::Spec).await,
            Verb::Delete => handlers::delete::delete(call, body).await,
            Verb::DeleteCollection => handlers::delete::delete_collection(call, body).await,
        };
    }
    // Known to Kubernetes, not to this version: say so, instead of a path that is not there.
    if matches!(subresource.as_str(), "eviction" | "ephemeralcontainers" | "proxy" | "token" | "resize")
        && !names.subresources.contains(&subresource.as_str())
        && names.group.is_empty()
    {
        return Err(subresources::not_supported(names.plural, &subresource));
    }
    if !names.subresources.contains(&subresource.as_str()) {
        return Err(Status::path_not_found().into());
    }
    match (subresource.as_str(), verb) {
        ("status", Verb::Get) => handlers::get::get(call).await,
        ("status", Verb::Update) => handlers::update::update(call, body, Part::Status).await,
        ("status", Verb::Patch) => handlers::patch::patch(call, body, Part::Status).await,
        ("log", Verb::Get) => subresources::log::log(call).await.and_then(|answer| streams::deliver::log(call, answer)),
        ("exec", Verb::Get | Verb::Create) => subresources::stream::exec(call, verb).await,
        ("attach", Verb::Get | Verb::Create) => subresources::stream::attach(call, verb).await,
        ("portforward", Verb::Get | Verb::Create) => subresources::stream::port_forward(call, verb).await,
        ("binding", Verb::Create) => subresources::binding::bind(call, body).await,
        ("token", Verb::Create) => subresources::token::issue(call, body).await,
        ("eviction", Verb::Create) => subresources::eviction::evict(call, body).await,
        ("finalize", Verb::Update) => subresources::finalize::finalize(call, body).await,
        ("status" | "log" | "exec" | "attach" | "portforward" | "binding" | "eviction" | "finalize" | "token", _) => {
            let resource = format!("{}/{subresource}", names.plural);
            let what = GroupResource { group: names.group, resource: &resource };
            Err(Status::method_not_allowed(what, verb.name()).into())
        }
        _ => Err(subresources::not_supported(names.plural, &subresource)),
    }
}

fn add_headers(audit_id: &str, warnings: &[String], headers: &mut HeaderMap) {
    if let Ok(audit_id) = HeaderValue::from_str(audit_id) {
        headers.insert(HeaderName::from_static("audit-id"), audit_id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    headers.extend(crate::warnings::headers(warnings).map(|value| (WARNING, value)));
}

/// A header's text; empty when it is absent or no text.
fn text_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Objects of a namespace are named in it; what lives in none is not. Lists may span all namespaces.
fn is_well_placed(kind: &dyn Kind, path: &ResourcePath) -> bool {
    match kind.names().scope {
        Scope::Namespaced => !path.namespace.is_empty() || path.name.is_empty(),
        Scope::Cluster => path.namespace.is_empty(),
    }
}

fn wrong_method() -> Failure {
    let mut status = Status::method_not_allowed(GroupResource { group: "", resource: "" }, "");
    status.message = "the server does not allow this method on the requested resource".into();
    status.details = json!({});
    status.into()
}

/// People who ask with a browser or curl can read what they get (K: handlers/negotiation).
fn is_pretty(query: &Query, headers: &HeaderMap) -> bool {
    if query.get("pretty").is_some() {
        return query.flag("pretty");
    }
    let agent = text_of(headers, &USER_AGENT);
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|person| agent.starts_with(person))
}

/// An instant as metadata has it: whole seconds, UTC.
pub(crate) fn time_text(instant: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(instant.as_second()).unwrap_or(instant).to_string()
}

fn root_document() -> serde_json::Value {
    json!({"paths": ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"]})
}

/// Go's word for a machine, which clients compare with image platforms.
fn go_architecture(architecture: &str) -> &str {
    match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn for_an_hour(mut answer: Answer) -> Answer {
    answer.headers.push((CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")));
    answer
}

fn openapi_v2(headers: &HeaderMap) -> Result<Answer, Failure> {
    const OLD: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    const NEW: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    match negotiate::pick(headers, &[OLD, NEW, "application/json"]) {
        Some("application/json") => Ok(Answer::whole(StatusCode::OK, "application/json", openapi::v2_json())),
        // The old name is no valid media type; answers carry the new one.
        Some(_) => Ok(Answer::whole(StatusCode::OK, NEW, openapi::v2_protobuf())),
        None => Err(negotiate::not_acceptable()),
    }
}

fn openapi_v3_index(headers: &HeaderMap) -> Answer {
    let paths: serde_json::Map<String, serde_json::Value> = openapi::v3_index()
        .into_iter()
        .map(|(path, hash)| {
            let url = format!("/openapi/v3/{path}?hash={hash}");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    discovery::tagged(headers, "application/json", &json!({"paths": paths}))
}

fn openapi_v3(query: &Query, path: &str) -> Option<Answer> {
    let mut answer = Answer::whole(StatusCode::OK, "application/json", openapi::v3_json(path)?);
    // A document asked for by its hash never changes.
    if query.get("hash").is_some() {
        let forever = HeaderValue::from_static("public, immutable");
        answer.headers.push((CACHE_CONTROL, forever));
    }
    Some(answer)
}

/// See `ApiServer::client_service`.
#[derive(Clone)]
pub struct InProcess {
    server: Arc<ApiServer>,
    user: User,
}

impl<B> tower::Service<Request<B>> for InProcess
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;
    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (server, user) = (self.server.clone(), self.user.clone());
        Box::pin(async move { Ok(server.handle(user, request.map(Body::new)).await) })
    }
}
