//! Exec, attach, port-forward, watches and logs over WebSockets.

use crate::harness::{CONFIG_MAPS, PODS, Server, config_map, pod};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const PATIENCE: Duration = Duration::from_secs(60);

type Socket = WebSocketStream<DuplexStream>;

/// A connection to the server, HTTP/1.1 as its listener speaks it.
fn connect(server: &Server) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (api, user) = (server.api.clone(), server.user.clone());
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let (api, user) = (api.clone(), user.clone());
        async move { Ok::<_, std::convert::Infallible>(api.handle(user, request.map(axum::body::Body::new)).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service);
    tokio::spawn(serving.with_upgrades());
    ours
}

async fn try_open(server: &Server, path: &str, protocols: &[&str]) -> Result<Socket, (u16, String)> {
    let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
    if !protocols.is_empty() {
        let value = HeaderValue::from_str(&protocols.join(", ")).unwrap();
        request.headers_mut().insert("sec-websocket-protocol", value);
    }
    match client_async(request, connect(server)).await {
        Ok((socket, response)) => {
            let chosen = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
            assert_eq!(chosen, protocols.last().copied());
            Ok(socket)
        }
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
        }
        Err(other) => panic!("{other}"),
    }
}

async fn open(server: &Server, path: &str, protocols: &[&str]) -> Socket {
    try_open(server, path, protocols).await.unwrap()
}

/// The next message of substance; `None` at the end.
async fn next(socket: &mut Socket) -> Option<Message> {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("something comes")?;
        match message {
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(message) => return Some(message),
            Err(_) => return None,
        }
    }
}

/// Everything to the end, a string a channel (the digit of its number), and the close code.
async fn read_all(socket: &mut Socket) -> ([Vec<u8>; 4], Option<u16>) {
    let mut channels = [const { Vec::new() }; 4];
    loop {
        match next(socket).await {
            Some(Message::Binary(bytes)) => channels[usize::from(bytes[0])].extend_from_slice(&bytes[1..]),
            Some(Message::Close(frame)) => return (channels, frame.map(|frame| frame.code.into())),
            other => panic!("{other:?}"),
        }
    }
}

/// A server with a pod `p` of containers `a` and `b` on a node.
async fn server() -> Server {
    let server = Server::new();
    server.post(PODS, &pod("p")).await.expect(201);
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "box"}});
    server.post(&format!("{PODS}/p/binding"), &binding).await.expect(201);
    server
}

fn exec(query: &str) -> String {
    format!("{PODS}/p/exec?container=a&{query}")
}

fn data(channel: u8, text: &str) -> Message {
    Message::Binary(Bytes::from([&[channel], text.as_bytes()].concat()))
}

#[tokio::test]
async fn a_program_gives_its_output_and_its_exit_code() {
    let server = server().await;
    let path = exec("command=exit&command=7&stdout=true&stderr=true");
    let mut socket = open(&server, &path, &["v5.channel.k8s.io"]).await;
    assert_eq!(next(&mut socket).await, Some(data(1, "")), "the first message says that the connection stands");
    let (channels, code) = read_all(&mut socket).await;
    assert_eq!((channels[1].as_slice(), code), (b"bye".as_slice(), Some(1000)));
    let status: Value = serde_json::from_slice(&channels[3]).unwrap();
    assert_eq!(status["reason"], "NonZeroExitCode");
    assert_eq!(status["details"]["causes"], json!([{"reason": "ExitCode", "message": "7"}]));
    let request = server.node.execs.lock().pop().unwrap();
    assert_eq!(request.command, ["exit", "7"]);
    assert_eq!((request.target.container.as_str(), request.target.pod.as_str()), ("a", "p"));
    assert!(!request.wanted.stdin && request.wanted.stdout && request.wanted.stderr && !request.wanted.tty);
}

#[tokio::test]
async fn input_goes_in_until_it_is_closed() {
    let server = server().await;
    let path = exec("command=cat&stdin=true&stdout=true&stderr=true");
    let mut socket = open(&server, &path, &["v5.channel.k8s.io"]).await;
    socket.send(data(0, "word")).await.unwrap();
    socket.send(Message::Binary(Bytes::from_static(&[255, 0]))).await.unwrap();
    let (channels, _) = read_all(&mut socket).await;
    assert_eq!((channels[1].as_slice(), channels[2].as_slice()), (b"word".as_slice(), b"WORD".as_slice()));
    let status: Value = serde_json::from_slice(&channels[3]).unwrap();
    assert_eq!(status, json!({"metadata": {}, "status": "Success"}));
}

#[tokio::test]
async fn much_goes_in_while_much_comes_out() {
    let server = server().await;
    let path = exec("command=cat&stdin=true&stdout=true");
    let (mut sink, mut stream) = open(&server, &path, &["v5.channel.k8s.io"]).await.split();
    let text: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    let writing = async {
        for piece in text.as_bytes().chunks(50_000) {
            sink.send(data(0, std::str::from_utf8(piece).unwrap())).await.unwrap();
        }
        sink.send(Message::Binary(Bytes::from_static(&[255, 0]))).await.unwrap();
    };
    let reading = async {
        let mut seen = Vec::new();
        while let Some(Ok(Message::Binary(bytes))) = stream.next().await {
            if bytes[0] == 1 {
                seen.extend_from_slice(&bytes[1..]);
            }
        }
        seen
    };
    let both = tokio::time::timeout(PATIENCE, async { tokio::join!(writing, reading).1 });
    assert!(both.await.unwrap() == text.as_bytes());
}

#[tokio::test]
async fn every_dialect_is_spoken() {
    let server = server().await;
    let path = exec("command=exit&command=3&stdout=true");
    let text = "command terminated with non-zero exit code: error executing command [exit 3], exit code 3";
    for (protocols, is_status) in [(&["v4.channel.k8s.io"][..], true), (&["channel.k8s.io"], false), (&[], false)] {
        let mut socket = open(&server, &path, protocols).await;
        let (channels, _) = read_all(&mut socket).await;
        assert_eq!(channels[1], b"bye", "{protocols:?}");
        let error = String::from_utf8(channels[3].clone()).unwrap();
        match is_status {
            true => assert_eq!(serde_json::from_str::<Value>(&error).unwrap()["message"], text),
            false => assert_eq!(error, text),
        }
    }
    let mut socket = open(&server, &path, &["base64.channel.k8s.io"]).await;
    let mut seen = Vec::new();
    while let Some(Message::Text(text)) = next(&mut socket).await {
        seen.push(text.to_string());
    }
    assert_eq!(seen[..2], ["1".to_owned(), "1Ynll".into()]);
    assert!(seen[2].starts_with('3'), "{seen:?}");
    let refused = try_open(&server, &path, &["v9.channel.k8s.io"]).await.unwrap_err();
    assert_eq!(refused.0, 403);
    assert!(
        refused.1.contains("requested protocol(s) are not supported: [v9.channel.k8s.io]; supports ["),
        "{}",
        refused.1
    );
}

#[tokio::test]
async fn a_program_that_cannot_be_executed_and_a_container_that_does_not_run() {
    let server = server().await;
    let mut socket = open(&server, &exec("command=missing&stdout=true"), &["v5.channel.k8s.io"]).await;
    let status: Value = serde_json::from_slice(&read_all(&mut socket).await.0[3]).unwrap();
    let text = "Internal error occurred: error executing command in container: not there";
    assert_eq!((&status["reason"], &status["message"]), (&json!("InternalError"), &json!(text)));

    let path = exec("command=nobody&stdout=true");
    let mut socket = open(&server, &path, &["v5.channel.k8s.io"]).await;
    let status: Value = serde_json::from_slice(&read_all(&mut socket).await.0[3]).unwrap();
    let text = "Internal error occurred: unable to upgrade connection: container not found (\"a\")";
    assert_eq!(status["message"], text);
    let refused = try_open(&server, &path, &["v4.channel.k8s.io"]).await.unwrap_err();
    assert_eq!(refused, (500, "container not found (\"a\")\n".into()));
}

#[tokio::test]
async fn terminals_are_resized_and_have_one_output() {
    let server = server().await;
    let path = exec("command=size&stdin=true&stdout=true&stderr=true&tty=true");
    let mut socket = open(&server, &path, &["v5.channel.k8s.io"]).await;
    for text in ["nonsense", r#"{"Width":0}"#, r#"{"Width":80,"Height":24}"#] {
        socket.send(data(4, text)).await.unwrap();
    }
    assert_eq!(read_all(&mut socket).await.0[1], b"80x24");
    let request = server.node.execs.lock().pop().unwrap();
    assert!(request.wanted.tty && !request.wanted.stderr);
}

#[tokio::test]
async fn whoever_goes_or_closes_ends_what_he_started() {
    let server = server().await;
    for closes in [false, true] {
        let mut socket = open(&server, &exec("command=hold&stdin=true&stdout=true"), &["v5.channel.k8s.io"]).await;
        assert_eq!(next(&mut socket).await, Some(data(1, "")));
        assert_eq!(server.node.n_running(), 1);
        match closes {
            true => socket.close(None).await.unwrap(),
            false => drop(socket),
        }
        let start = std::time::Instant::now();
        while server.node.n_running() != 0 {
            assert!(start.elapsed() < PATIENCE);
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn pings_are_answered_while_a_program_reads_nothing() {
    let server = server().await;
    let mut socket = open(&server, &exec("command=hold&stdin=true&stdout=true"), &["v5.channel.k8s.io"]).await;
    socket.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
    let pong = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Message::Pong(bytes) = socket.next().await.unwrap().unwrap() {
                return bytes;
            }
        }
    });
    assert_eq!(pong.await.unwrap(), b"there?".as_slice());
}

#[tokio::test]
async fn attaching_ends_with_its_program_or_with_its_input() {
    let server = server().await;
    let path = |container: &str| format!("{PODS}/p/attach?container={container}&stdin=true&stdout=true&stderr=true");
    for (container, expect) in [("a", b"word".as_slice()), ("b", b"")] {
        let mut socket = open(&server, &path(container), &["v5.channel.k8s.io"]).await;
        socket.send(data(0, "word")).await.unwrap();
        socket.send(Message::Binary(Bytes::from_static(&[255, 0]))).await.unwrap();
        let (channels, code) = read_all(&mut socket).await;
        assert_eq!((channels[1].as_slice(), code), (expect, Some(1000)), "{container}");
        let status: Value = serde_json::from_slice(&channels[3]).unwrap();
        assert_eq!(status["status"], "Success");
    }
    assert_eq!(server.node.attaches.lock().len(), 2);
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let server = server().await;
    server.post(PODS, &pod("unbound")).await.expect(201);
    for (path, code, message) in [
        (
            format!("{PODS}/p/exec?command=x&stdout=true"),
            400,
            "a container name must be specified for pod p, choose one of: [a b]",
        ),
        (format!("{PODS}/p/exec?container=c&command=x&stdout=true"), 400, "container c is not valid for pod p"),
        (exec("command=x"), 400, "you must specify at least 1 of stdin, stdout, stderr"),
        (exec("command=x&stderr=true&tty=true"), 400, "you must specify at least 1 of stdin, stdout, stderr"),
        (exec("stdout=true"), 400, "you must specify at least one command for the container"),
        (format!("{PODS}/none/exec?command=x&stdout=true"), 404, "pods \"none\" not found"),
        (format!("{PODS}/unbound/attach?container=a&stdout=true"), 400, "pod unbound does not have a host assigned"),
        (format!("{PODS}/unbound/portforward?ports=1"), 400, "pod unbound does not have a host assigned"),
        (format!("{PODS}/p/portforward"), 400, "query parameter \"port\" is required"),
    ] {
        let (seen, body) = try_open(&server, &path, &["v4.channel.k8s.io"]).await.unwrap_err();
        let status: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((seen, status["message"].as_str()), (code, Some(message)), "{path}");
    }
    for subresource in ["exec?container=a&command=x&stdout=true", "attach?container=a&stdout=true", "portforward"] {
        let path = format!("{PODS}/p/{subresource}");
        for reply in [server.get(&path).await, server.post(&path, &json!({})).await] {
            reply.expect_status(400, "BadRequest", "Upgrade request required");
        }
    }
    assert!(server.node.execs.lock().is_empty());
}

#[tokio::test]
async fn ports_are_forwarded_with_their_errors() {
    let server = server().await;
    let path = format!("{PODS}/p/portforward?ports=7&ports=1");
    let mut socket = open(&server, &path, &["v4.channel.k8s.io"]).await;
    socket.send(data(0, "there and back")).await.unwrap();
    let mut channels = [const { Vec::new() }; 4];
    while channels[0].len() < 16 || channels[3].len() < 20 {
        let Some(Message::Binary(bytes)) = next(&mut socket).await else { panic!("it ends") };
        channels[usize::from(bytes[0])].extend_from_slice(&bytes[1..]);
    }
    assert_eq!(channels[0], b"\x07\x00there and back", "the port comes first, little end first");
    assert_eq!(channels[1], b"\x07\x00");
    assert_eq!(channels[2], b"\x01\x00");
    let error = String::from_utf8(channels[3][2..].to_vec()).unwrap();
    assert!(error.starts_with("error forwarding port 1 to pod p, uid "), "{error}");
    assert!(error.ends_with(": connection refused"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_closed_ends_the_connection() {
    let server = server().await;
    let mut socket = open(&server, &format!("{PODS}/p/portforward?ports=9"), &[]).await;
    let mut n = 0;
    while let Some(Message::Binary(_)) = next(&mut socket).await {
        n += 1;
    }
    assert_eq!(n, 2, "the two numbers, and the end");
}

#[tokio::test]
async fn watches_send_an_event_a_message() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("one", json!({}))).await.expect(201);
    server.post(CONFIG_MAPS, &config_map("two", json!({}))).await.expect(201);
    let mut socket = open(&server, &format!("{CONFIG_MAPS}?watch=true"), &[]).await;
    for name in ["one", "two", "three"] {
        let Some(Message::Text(text)) = next(&mut socket).await else { panic!("no event") };
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&event["type"], &event["object"]["metadata"]["name"]), (&json!("ADDED"), &json!(name)));
        if name == "two" {
            server.post(CONFIG_MAPS, &config_map("three", json!({}))).await.expect(201);
        }
    }
    // A single protocol is accepted, whatever it is.
    open(&server, &format!("{CONFIG_MAPS}?watch=true"), &["base64.binary.k8s.io"]).await;
    let mut socket = open(&server, &format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=1&resourceVersion=0"), &[]).await;
    while let Some(Message::Text(_)) = next(&mut socket).await {}
}

#[tokio::test]
async fn logs_come_as_messages() {
    let server = server().await;
    let path = format!("{PODS}/p/log?container=a");
    let text = "p a tail=None follow=false";
    let mut socket = open(&server, &path, &["binary.k8s.io"]).await;
    let mut seen = Vec::new();
    while let Some(Message::Binary(bytes)) = next(&mut socket).await {
        seen.extend_from_slice(&bytes);
    }
    assert_eq!(seen, text.as_bytes());
    use base64::Engine;
    let mut socket = open(&server, &path, &["base64.binary.k8s.io"]).await;
    let mut seen = Vec::new();
    while let Some(Message::Text(part)) = next(&mut socket).await {
        seen.extend(base64::engine::general_purpose::STANDARD.decode(part.as_bytes()).unwrap());
    }
    assert_eq!(seen, text.as_bytes());
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_session_and_not_the_server() {
    let server = server().await;
    let mut socket = open(&server, &exec("command=hold&stdin=true&stdout=true"), &["v5.channel.k8s.io"]).await;
    let _ = tokio::time::timeout(PATIENCE, socket.send(data(0, &"x".repeat(17 << 20)))).await;
    let start = std::time::Instant::now();
    while server.node.n_running() != 0 {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    server.get(PODS).await.expect(200);
}
