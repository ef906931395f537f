//! Clients that mean harm, or are just broken, on real sockets: they are answered or cut off, and others are served.

use crate::harness::{CONFIG_MAPS, config_map};
use crate::network::{Connection, Listening, ask, http2, read_all};
use apiserver::Limits;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Limits that a test can wait for.
fn impatient() -> Limits {
    Limits {
        connections: 1_000,
        handshake: Duration::from_millis(300),
        head: Duration::from_millis(300),
        idle: Duration::from_millis(600),
        write: Duration::from_millis(400),
    }
}

/// The other end closes, within a time that only a stuck server exceeds.
async fn is_closed(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open; it sent {:?}", String::from_utf8_lossy(&rest));
}

async fn others_are_served(listening: &Listening) {
    let answer = ask(listening.address, listening.admin(), "/api/v1/namespaces/default").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// The value of a metric without labels, or of all its samples together.
async fn metric(listening: &Listening, name: &str) -> f64 {
    let text = listening.server.get("/metrics").await.text();
    let values = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

async fn becomes(listening: &Listening, name: &str, wanted: f64) {
    let begin = Instant::now();
    while metric(listening, name).await != wanted {
        assert!(begin.elapsed() < Duration::from_secs(20), "{name} is {}", metric(listening, name).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_go_on_is_cut_off() {
    let listening = Listening::within(impatient()).await;
    // Nothing at all; a piece of a handshake; a handshake and nothing; a piece of a head.
    let mut silent = TcpStream::connect(listening.address).await.unwrap();
    let mut half = TcpStream::connect(listening.address).await.unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1, 0]).await.unwrap();
    let mut mute = listening.connect(&listening.stranger()).await;
    let mut slow = listening.connect(&listening.stranger()).await;
    slow.write_all(b"GET /version HTTP/1.1\r\nHost: loc").await.unwrap();
    // The same for HTTP/2: no preface.
    let mut wordless = listening.connect(&http2(&listening.stranger())).await;
    // Kept alive after an answer, and not used.
    let mut idle = listening.connect(&listening.admin()).await;
    idle.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut begun = [0; 15];
    idle.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    is_closed(&mut silent).await;
    is_closed(&mut half).await;
    for stream in [&mut mute, &mut slow, &mut wordless, &mut idle] {
        is_closed(stream).await;
    }
    assert!(2.0 <= metric(&listening, "apiserver_tls_handshake_errors_total").await);
    others_are_served(&listening).await;
    listening.stop().await;
}

async fn tell(listening: &Listening, bytes: &[u8]) -> String {
    let mut stream = listening.connect(&listening.admin()).await;
    // The server may hang up in the middle.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let answer = tokio::time::timeout(Duration::from_secs(20), read_all(&mut stream)).await;
    answer.expect("an answer, or an end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_no_http_ends_in_a_4xx_or_an_end() {
    let listening = Listening::within(impatient()).await;
    let post = |headers: &str, body: &str| {
        format!(
            "POST {CONFIG_MAPS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}\r\n\r\n{body}"
        )
    };
    let long_url =
        format!("GET /version?x={} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "y".repeat(70_000));
    let long_header = format!("GET /version HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "y".repeat(400_000));
    let many_headers = format!("GET /version HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(2_000));
    for (what, request, expect) in [
        // What goes on after the length is not part of the body.
        ("length too short", post("Content-Length: 4", "{}  garbage").into_bytes(), "422"),
        (
            "slow body",
            post("Content-Length: 100", "{").replace(CONFIG_MAPS, &format!("{CONFIG_MAPS}?timeout=200ms")).into_bytes(),
            "504",
        ),
        ("chunk without a length", post("Transfer-Encoding: chunked", "zz\r\n{}\r\n").into_bytes(), "400"),
        (
            "endless chunk length",
            post("Transfer-Encoding: chunked", "fffffffffffffffffff\r\n{}\r\n").into_bytes(),
            "400",
        ),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 3", "{}").into_bytes(), "400"),
        (
            "length and chunks",
            post("Content-Length: 4\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n").into_bytes(),
            "4",
        ),
        ("negative length", post("Content-Length: -1", "{}").into_bytes(), "400"),
        ("long URL", long_url.into_bytes(), "414"),
        ("long header", long_header.into_bytes(), "431"),
        ("many headers", many_headers.into_bytes(), "431"),
        ("no HTTP", b"\x16\x03\x01\x00\x00\xff\xff\r\n\r\n".to_vec(), "400"),
        ("no path", b"GET foo HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), "404"),
    ] {
        let answer = tell(&listening, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{what}: {answer:.300}");
    }
    // A length that is never reached: the client goes, and nobody waits for the rest.
    let mut liar = listening.connect(&listening.admin()).await;
    liar.write_all(post("Content-Length: 1000", "{\"a\":").as_bytes()).await.unwrap();
    drop(liar);
    let large = "x".repeat(4 << 20);
    let answer = tell(&listening, post(&format!("Content-Length: {}", large.len()), &large).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer:.300}");
    assert!(answer.contains("Request entity is too large: limit is 3145728"), "{answer}");
    let version = ask(listening.address, listening.stranger(), "/version").await;
    assert!(version.starts_with("HTTP/1.1 200"), "{version}");
    becomes(&listening, "apiserver_current_inflight_requests", 1.0).await;
    others_are_served(&listening).await;
    listening.stop().await;
}

/// Objects of about this size, again and again, as long as the test wants.
async fn write_much(listening: &Listening, n: usize) {
    for index in 0..n {
        let mut object = config_map("busy", json!({}));
        object["data"]["key"] = format!("{index:07}").repeat(32 * 1024).into();
        listening.server.put(&format!("{CONFIG_MAPS}/busy"), &object).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_does_not_read_is_ended_and_holds_up_nobody() {
    let listening = Listening::within(impatient()).await;
    listening.server.post(CONFIG_MAPS, &config_map("busy", json!({}))).await.expect(201);
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut stream: Connection = listening.connect(&listening.admin()).await;
        let request = format!("GET {CONFIG_MAPS}?watch=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stuck.push(stream);
    }
    becomes(&listening, "apiserver_longrunning_requests", 20.0).await;
    // More than fits into any socket buffer: 200 × 224 KiB.
    let begin = Instant::now();
    write_much(&listening, 200).await;
    assert!(begin.elapsed() < Duration::from_secs(60), "writers went on");
    becomes(&listening, "apiserver_longrunning_requests", 0.0).await;
    others_are_served(&listening).await;
    listening.stop().await;
}

async fn http2_client(listening: &Listening) -> SendRequest<Empty<Bytes>> {
    let stream = listening.connect(&http2(&listening.admin())).await;
    let (client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(8 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://localhost{path}")).body(Empty::new()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_stream_is_ended_without_its_neighbours() {
    let listening = Listening::within(impatient()).await;
    listening.server.post(CONFIG_MAPS, &config_map("busy", json!({}))).await.expect(201);
    let mut client = http2_client(&listening).await;
    let stuck = client.send_request(get(&format!("{CONFIG_MAPS}?watch=true"))).await.unwrap();
    let mut quiet = client.send_request(get("/api/v1/namespaces?watch=true")).await.unwrap();
    assert_eq!((stuck.status(), quiet.status()), (StatusCode::OK, StatusCode::OK));
    becomes(&listening, "apiserver_longrunning_requests", 2.0).await;
    write_much(&listening, 5).await;
    becomes(&listening, "apiserver_longrunning_requests", 1.0).await;
    // The same connection, and the watch that is read, go on.
    let seen = quiet.body_mut().frame().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(seen.data_ref().unwrap()).contains("ADDED"));
    let answer = client.send_request(get("/api/v1/namespaces/default")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let ended = stuck.into_body().collect().await;
    assert!(ended.is_err(), "the client is told that something is missing");
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_http2_connections_are_ended_and_busy_ones_are_not() {
    let listening = Listening::within(impatient()).await;
    let (mut idle, mut busy) = (http2_client(&listening).await, http2_client(&listening).await);
    idle.send_request(get("/version")).await.unwrap().into_body().collect().await.unwrap();
    let watch = busy.send_request(get("/api/v1/namespaces?watch=true")).await.unwrap();
    let begin = Instant::now();
    while !idle.is_closed() {
        assert!(begin.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!busy.is_closed());
    drop(watch);
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_opened_only_to_be_reset_cost_the_connection() {
    let listening = Listening::start().await;
    let mut client = http2_client(&listening).await;
    // CVE-2023-44487: each reset makes room for another request at once.
    let mut n_sent = 0;
    while n_sent < 20_000 && !client.is_closed() && client.ready().await.is_ok() {
        let request = client.send_request(get("/api/v1/namespaces"));
        let _ = tokio::time::timeout(Duration::from_micros(1), request).await;
        n_sent += 1;
    }
    others_are_served(&listening).await;
    becomes(&listening, "apiserver_current_inflight_requests", 1.0).await;
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_bounded_and_those_who_work_keep_theirs() {
    let listening = Listening::within(Limits { connections: 50, ..Limits::default() }).await;
    let (admin, stranger) = (listening.admin(), listening.stranger());
    let mut watching = listening.connect(&admin).await;
    watching.write_all(b"GET /api/v1/namespaces?watch=true HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    becomes(&listening, "apiserver_longrunning_requests", 1.0).await;
    let mut kept = listening.connect(&admin).await;
    let mut strangers = Vec::new();
    for _ in 0..200 {
        strangers.push(listening.connect(&stranger).await);
    }
    // The first of them had to go, the administrator's idle connection not.
    is_closed(&mut strangers[0]).await;
    kept.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_all(&mut kept).await.starts_with("HTTP/1.1 200"));
    assert_eq!(metric(&listening, "apiserver_longrunning_requests").await, 1.0);
    others_are_served(&listening).await;
    listening.stop().await;
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Soft limit of open files.
fn open_files() -> usize {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_are_cheap_and_hold_up_nobody() {
    // Both ends are in this process: two files a connection.
    let n = 10_000.min((open_files() - 200) / 2);
    let n_handshakes = n / 20;
    let patient = Duration::from_secs(600);
    let listening = Listening::within(Limits { handshake: patient, head: patient, ..Limits::default() }).await;
    others_are_served(&listening).await;
    let before = resident_bytes();
    let stranger = listening.stranger();
    let (mut bare, mut greeted) = (Vec::new(), Vec::new());
    for _ in 0..n_handshakes {
        greeted.push(listening.connect(&stranger).await);
    }
    let with_handshakes = resident_bytes();
    for _ in n_handshakes..n {
        bare.push(TcpStream::connect(listening.address).await.unwrap());
    }
    let begin = Instant::now();
    others_are_served(&listening).await;
    let served_after = begin.elapsed();
    let grown = |from: usize, to: usize| to.saturating_sub(from) / 1024;
    let (of_greeted, of_bare) = (grown(before, with_handshakes), grown(with_handshakes, resident_bytes()));
    println!(
        "{n} connections: {of_greeted} KiB for {n_handshakes} with a handshake, {of_bare} KiB for the rest; another was served after {served_after:?}"
    );
    // Both ends of each: the server's and the test's.
    assert!(of_greeted < n_handshakes * 160, "{of_greeted} KiB for {n_handshakes} connections");
    assert!(of_bare < n * 40, "{of_bare} KiB for {n} connections");
    assert!(served_after < Duration::from_secs(10));
    listening.stop().await;
}
