//! What operators look at: metrics, health, the request log; and what protects the server from too much of a good thing.

use crate::harness::{CONFIG_MAPS, JOBS, Server, config_map, job};
use apiserver::auth::User;
use axum::body::Body;
use http::Request;
use serde_json::json;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// The value of the one sample of this name that has all of these labels.
fn sample(metrics: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let found: Vec<f64> = metrics
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| labels.iter().all(|(key, value)| line.contains(&format!("{key}=\"{value}\""))))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(found.len() <= 1, "{name} {labels:?}: {found:?}");
    found.first().copied().unwrap_or(0.0)
}

#[tokio::test]
async fn metrics_have_the_api_servers_names() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    server.post(&format!("{JOBS}?dryRun=All"), &job("b")).await.expect(201);
    server.get(&format!("{JOBS}/a")).await.expect(200);
    server.get(&format!("{JOBS}/none")).await.expect(404);
    server.get(JOBS).await.expect(200);
    server.get("/livez").await.expect(200);
    let reply = server.get("/metrics").await.expect(200);
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let metrics = reply.text();
    let jobs =
        [("group", "batch"), ("version", "v1"), ("resource", "jobs"), ("subresource", ""), ("component", "apiserver")];
    for (more, expect) in [
        (&[("verb", "POST"), ("code", "201"), ("scope", "resource"), ("dry_run", "")][..], 1.0),
        (&[("verb", "POST"), ("code", "201"), ("dry_run", "All")], 1.0),
        (&[("verb", "GET"), ("code", "200"), ("scope", "resource")], 1.0),
        (&[("verb", "GET"), ("code", "404")], 1.0),
        (&[("verb", "LIST"), ("code", "200"), ("scope", "namespace")], 1.0),
    ] {
        assert_eq!(
            sample(&metrics, "apiserver_request_total", &[&jobs[..], more].concat()),
            expect,
            "{more:?}\n{metrics}"
        );
    }
    let get = [&jobs[..], &[("verb", "GET")]].concat();
    assert_eq!(sample(&metrics, "apiserver_request_duration_seconds_count", &get), 2.0);
    assert_eq!(sample(&metrics, "apiserver_response_sizes_count", &get), 2.0);
    assert!(sample(&metrics, "apiserver_response_sizes_sum", &get) > 500.0);
    assert_eq!(sample(&metrics, "apiserver_storage_objects", &[("resource", "jobs.batch")]), 1.0);
    assert!(sample(&metrics, "apiserver_storage_objects", &[("resource", "namespaces")]) >= 3.0);
    assert_eq!(sample(&metrics, "apiserver_current_inflight_requests", &[("request_kind", "readOnly")]), 1.0);
    assert_eq!(sample(&metrics, "apiserver_request_total", &[("subresource", "/livez"), ("code", "200")]), 1.0);
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_start_time_seconds"] {
        assert!(sample(&metrics, name, &[]) > 0.0, "{name}\n{metrics}");
    }
    assert!(metrics.contains("\nprocess_cpu_seconds_total "), "{metrics}");
    for family in [
        "apiserver_request_total counter",
        "apiserver_request_duration_seconds histogram",
        "apiserver_storage_objects gauge",
    ] {
        assert!(metrics.contains(&format!("# TYPE {family}\n")), "{family}");
    }
}

#[tokio::test]
async fn clients_cannot_make_labels() {
    let server = Server::new();
    for path in
        ["/apis/evil-group/v1/evil-resource", "/evil-path", "/api/v1/namespaces/evil-ns/pods/evil-name/evil-sub"]
    {
        for method in ["GET", "EVIL-VERB"] {
            server.send(method, path, &[("user-agent", "evil-agent")], "").await;
        }
    }
    let metrics = server.get("/metrics").await.text();
    assert!(!metrics.to_lowercase().contains("evil"), "{metrics}");
    assert!(sample(&metrics, "apiserver_request_total", &[("verb", "other"), ("code", "404"), ("resource", "")]) > 0.0);
}

#[tokio::test(start_paused = true)]
async fn streams_are_counted_while_they_last() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true"), &[]).await;
    watch.next().await.unwrap();
    let watches = [("verb", "WATCH"), ("resource", "configmaps")];
    let metrics = server.get("/metrics").await.text();
    assert_eq!(sample(&metrics, "apiserver_longrunning_requests", &watches), 1.0);
    assert_eq!(sample(&metrics, "apiserver_watch_events_total", &[("resource", "configmaps"), ("version", "v1")]), 1.0);
    assert_eq!(sample(&metrics, "apiserver_request_total", &watches), 0.0, "not over yet");
    drop(watch);
    let metrics = server.get("/metrics").await.text();
    assert_eq!(sample(&metrics, "apiserver_longrunning_requests", &watches), 0.0);
    assert_eq!(sample(&metrics, "apiserver_request_total", &watches), 1.0);
}

#[tokio::test]
async fn other_rooms_can_count_too() {
    let server = Server::new();
    let ticks = prometheus_client::metrics::counter::Counter::<u64>::default();
    ticks.inc_by(7);
    server.api.metrics().register(|registry| registry.register("kiln_cron_ticks", "Ticks", ticks.clone()));
    assert_eq!(sample(&server.get("/metrics").await.text(), "kiln_cron_ticks_total", &[]), 7.0);
}

#[tokio::test]
async fn health_checks_have_names() {
    let server = Server::new();
    assert_eq!(
        server.get("/livez?verbose").await.expect(200).text(),
        "[+]ping ok\n[+]log ok\n[+]store ok\nlivez check passed\n"
    );
    assert_eq!(
        server.get("/readyz").await.expect(500).text(),
        "[+]ping ok\n[+]log ok\n[+]store ok\n[+]store-readiness ok\n[-]startup failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n"
    );
    assert_eq!(server.get("/readyz?exclude=startup").await.expect(200).text(), "ok");
    assert_eq!(
        server.get("/livez?verbose&exclude=etcd&exclude=x&exclude=ping").await.expect(200).text(),
        "[+]ping excluded: ok\n[+]log ok\n[+]store excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"x\"\nlivez check passed\n"
    );
    for (path, code, text) in [
        ("/readyz/ping", 200, "ok"),
        ("/livez/etcd", 200, "ok"),
        ("/livez/store", 200, "ok"),
        ("/healthz/log", 200, "ok"),
        ("/readyz/startup", 500, "internal server error: kiln is still starting\n"),
        ("/readyz/informer-sync", 500, "internal server error: kiln is still starting\n"),
    ] {
        let reply = server.get(path).await.expect(code);
        assert_eq!((reply.text().as_str(), reply.header("x-content-type-options")), (text, "nosniff"), "{path}");
    }
    server.get("/livez/startup").await.expect(404);
    server.get("/readyz/nonsense").await.expect(404);
    server.api.set_ready();
    assert_eq!(server.get("/readyz/startup").await.expect(200).text(), "ok");
}

#[tokio::test]
async fn a_store_that_takes_nothing_is_not_healthy() {
    let store = store::Store::in_memory(store::Options::default());
    let server = Server::on(store.clone());
    store.close().await;
    let text = server.get("/livez").await.expect(500).text();
    assert!(text.contains("[-]store failed: reason withheld\nlivez check failed\n"), "{text}");
    assert!(server.get("/livez/etcd").await.expect(500).text().starts_with("internal server error: "));
}

#[tokio::test]
async fn beyond_a_number_of_requests_in_flight_it_is_429_but_not_for_those_who_can_help() {
    let mut server = Server::new();
    let admin = std::mem::replace(&mut server.user, User::new("dev", &["system:authenticated"]));
    // Answers that nobody has taken yet.
    let mut held = Vec::new();
    for _ in 0..400 {
        held.push(server.open("GET", "/version", &[], "").await);
    }
    let reply = server.get("/version").await.expect_status(
        429,
        "TooManyRequests",
        "Too many requests, please try again later.",
    );
    assert_eq!(reply.header("retry-after"), "1");
    server.post(JOBS, &job("a")).await.expect(403);
    let dev = std::mem::replace(&mut server.user, admin);
    server.get("/version").await.expect(200);
    let metrics = server.get("/metrics").await.text();
    assert_eq!(sample(&metrics, "apiserver_request_terminations_total", &[("code", "429"), ("verb", "GET")]), 1.0);
    server.user = dev;
    held.pop();
    server.get("/version").await.expect(200);
}

/// A body that begins and does not go on.
fn endless() -> Body {
    use futures::StreamExt;
    let begin = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"{\"kind\":"))]);
    Body::from_stream(begin.chain(futures::stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn a_request_takes_a_minute_at_most_or_what_it_says() {
    let server = Server::new();
    for (query, seconds) in [("", 60), ("?timeout=5s", 5), ("?timeout=5m", 60)] {
        let begin = tokio::time::Instant::now();
        let reply = server.send("POST", &format!("{JOBS}{query}"), &[], endless()).await;
        reply.expect_status(504, "Timeout", "Timeout: request did not complete within the allotted timeout");
        assert_eq!(begin.elapsed(), Duration::from_secs(seconds));
    }
    let mut watch = server.watch(&format!("{CONFIG_MAPS}?watch=true&timeout=1s&timeoutSeconds=90"), &[]).await;
    let begin = tokio::time::Instant::now();
    assert_eq!(watch.next().await, None);
    assert_eq!(begin.elapsed(), Duration::from_secs(90), "timeout is not for watches");
}

#[derive(Clone, Default)]
struct Log(Arc<parking_lot::Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_request_log_says_who_did_what_and_shows_no_secret() {
    let log = Log::default();
    let (writer, filter) = (log.clone(), tracing_subscriber::EnvFilter::new("trace"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::new();
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"}});
    let path = "/api/v1/namespaces/default/secrets";
    let request = Request::builder()
        .method("POST")
        .uri(format!("{path}?fieldManager=quiet-parameter"))
        .header("authorization", "Bearer very-secret-token")
        .header("audit-id", "0b1c")
        .header("user-agent", "kubectl/v1.33.1")
        .body(Body::from(secret.to_string()))
        .unwrap();
    let response = server.api.handle(server.user.clone(), request).await;
    assert_eq!(response.status(), 201);
    assert!(!String::from_utf8_lossy(&log.0.lock()).contains("0b1c"), "the answer is not through yet");
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    server.get(&format!("{path}/s")).await.expect(200);
    server
        .patch(&format!("{path}/s"), "merge-patch+json", &json!({"stringData": {"password": "hunter3"}}))
        .await
        .expect(200);
    server.send("PUT", &format!("{path}/s"), &[], "{\"data\": {\"password\": \"hunter4\"").await.expect(400);
    let as_ann = [("impersonate-user", "ann"), ("audit-id", "a5a5")];
    server.send("GET", "/version", &as_ann, "").await.expect(200);
    let text = String::from_utf8(log.0.lock().clone()).unwrap();
    let line = text.lines().find(|line| line.contains("a5a5")).unwrap();
    for part in ["user=\"admin\"", "as_user=\"ann\"", "as_groups=\"system:authenticated\""] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let line = text.lines().find(|line| line.contains("0b1c")).unwrap();
    assert!(!line.contains("as_user"), "{line}");
    for part in [
        "kiln::audit",
        "user=\"admin\"",
        "groups=[\"system:masters\"]",
        "verb=\"create\"",
        "resource=\"secrets\"",
        "namespace=\"default\"",
        "code=201",
        "user_agent=\"kubectl/v1.33.1\"",
        "latency_ms=",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(text.lines().filter(|line| line.contains("kiln::audit")).count(), 5, "one line a request\n{text}");
    for secret in ["hunter", "aHVudGVyM", "very-secret-token", "quiet-parameter"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}
