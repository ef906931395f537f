use super::*;
use crate::pod::probes::dial::{Dial, Wire};
use crate::runtime::fake::{FakeRuntime, Script};
use crate::runtime::{Runtime as _, Sandbox};
use hyper::service::service_fn;
use parking_lot::Mutex;
use proptest::prelude::*;
use std::io;
use std::sync::Arc;

/// Path and body.
type Asked = (String, Vec<u8>);

/// A server that answers every call with these trailers and message; what it was asked.
struct Server {
    status: u16,
    trailers: Vec<(&'static str, &'static str)>,
    message: Vec<u8>,
    asked: Arc<Mutex<Vec<Asked>>>,
    hangs: bool,
    refusals: Mutex<u32>,
}

impl Server {
    fn new(status: u16, trailers: &[(&'static str, &'static str)], message: &[u8]) -> Arc<Self> {
        let (trailers, message) = (trailers.to_vec(), message.to_vec());
        let asked = Arc::default();
        Arc::new(Self { status, trailers, message, asked, hangs: false, refusals: Mutex::new(0) })
    }
}

#[async_trait::async_trait]
impl Dial for Server {
    async fn dial(&self, _: &str, _: u16) -> io::Result<Box<dyn Wire>> {
        if 0 < *self.refusals.lock() {
            *self.refusals.lock() -= 1;
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = tokio::io::duplex(64 << 10);
        let (status, message, asked, hangs) = (self.status, self.message.clone(), self.asked.clone(), self.hangs);
        let pairs = self.trailers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let trailers: HeaderMap = pairs.collect::<Vec<(http::HeaderName, http::HeaderValue)>>().into_iter().collect();
        let serve = service_fn(move |request: Request<Incoming>| {
            let (message, asked, trailers) = (message.clone(), asked.clone(), trailers.clone());
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                asked.lock().push((path, body.to_vec()));
                if hangs {
                    std::future::pending::<()>().await;
                }
                let body = Full::new(Bytes::from(message)).with_trailers(async move { Some(Ok(trailers)) });
                Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        tokio::spawn(async move {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = connection.serve_connection(TokioIo::new(far), serve).await;
        });
        Ok(Box::new(near))
    }
}

struct Clock;

impl meta::clock::Clock for Clock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

async fn ask(server: &Arc<Server>, service: &str) -> Answer {
    let runtime = FakeRuntime::new(Arc::new(Clock), |_, _| Script::of(vec![]));
    let sandbox = serde_json::json!({"pod_uid": "u", "namespace": "ns", "pod_name": "p", "hostname": "p",
        "host_network": false, "dir": "/", "tmpfs": [], "resources": {}, "dies_with_server": false});
    let sandbox: Sandbox = serde_json::from_value(sandbox).unwrap();
    let sandbox = runtime.create(sandbox, None).await.unwrap();
    let way = Way { dial: server.clone(), sandbox, address: Some("10.0.0.1".into()) };
    super::ask(&way, 50051, service, Duration::from_secs(2)).await
}

const OK: &[(&str, &str)] = &[("grpc-status", "0")];

#[tokio::test(start_paused = true)]
async fn a_service_that_serves_is_well() {
    let server = Server::new(200, OK, &[0, 0, 0, 0, 2, 8, 1]);
    assert_eq!(ask(&server, "").await, Answer::Success);
    assert_eq!(ask(&server, "db").await, Answer::Success);
    let path = || "/grpc.health.v1.Health/Check".to_owned();
    let asked = server.asked.lock().clone();
    assert_eq!(asked, [(path(), vec![0; 5]), (path(), vec![0, 0, 0, 0, 4, 10, 2, b'd', b'b'])]);
}

#[tokio::test(start_paused = true)]
async fn everything_else_has_failed_and_says_how() {
    for (status, trailers, message, text) in [
        (200, OK, vec![0, 0, 0, 0, 2, 8, 2], "service unhealthy (responded with \"NOT_SERVING\")"),
        (200, OK, vec![0; 5], "service unhealthy (responded with \"UNKNOWN\")"),
        (200, OK, vec![0, 0, 0, 0, 2, 8, 9], "service unhealthy (responded with \"9\")"),
        (
            200,
            &[("grpc-status", "5"), ("grpc-message", "no%20such%")],
            vec![],
            "error: health rpc probe failed: rpc error: code = NotFound desc = no such%",
        ),
        (
            200,
            &[("grpc-status", "12"), ("grpc-message", "unknown service")],
            vec![],
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
        ),
        (
            503,
            OK,
            vec![],
            "error: health rpc probe failed: rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 503 (Service Unavailable)",
        ),
        (200, &[], vec![], "error: health rpc probe failed: rpc error: code = Unknown desc = malformed grpc-status"),
        (
            200,
            OK,
            vec![1],
            "error: health rpc probe failed: rpc error: code = Internal desc = grpc: failed to unmarshal the received message",
        ),
    ] {
        let server = Server::new(status, trailers, &message);
        assert_eq!(ask(&server, "").await, Answer::Failure(text.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_late_is_waited_for() {
    let server = Server::new(200, OK, &[0, 0, 0, 0, 2, 8, 1]);
    *server.refusals.lock() = 1;
    assert_eq!(ask(&server, "").await, Answer::Success);
    *server.refusals.lock() = 100;
    let text = "timeout: failed to connect service \"10.0.0.1:50051\" within 2s: context deadline exceeded";
    assert_eq!(ask(&server, "").await, Answer::Failure(text.into()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_has_failed() {
    let mut server = Server::new(200, OK, &[]);
    Arc::get_mut(&mut server).unwrap().hangs = true;
    let text = "timeout: health rpc did not complete within 2s";
    assert_eq!(ask(&server, "").await, Answer::Failure(text.into()));
}

proptest! {
    #[test]
    fn no_answer_can_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..40), text in ".{0,20}") {
        let _ = serving_status(&bytes);
        let mut frame = vec![0, 0, 0, 0, bytes.len() as u8];
        frame.extend(&bytes);
        let _ = serving_status(&frame);
        let _ = decode(&text);
    }
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let frame = |message: &[u8]| [&[0, 0, 0, 0, message.len() as u8], message].concat();
    assert_eq!(
        serving_status(&frame(&[0x12, 2, 1, 1, 0x08, 1, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0x25, 0, 0, 0, 0])),
        Some(1)
    );
    assert_eq!(serving_status(&frame(&[0x12, 9, 1])), None);
    assert_eq!(serving_status(&frame(&[0x0b])), None);
}
