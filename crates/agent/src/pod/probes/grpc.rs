//! The gRPC health protocol (grpc.health.v1.Health/Check) in clear text, as the kubelet asks it (K:pkg/probe/grpc).

use super::Answer;
use super::dial::{Way, join};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Before a connection that was refused is tried again (K: grpc-go's first back-off).
const RETRY: Duration = Duration::from_secs(1);
/// Far more than an answer has.
const MAX_ANSWER: usize = 4 << 10;
/// `grpc.health.v1.HealthCheckResponse.ServingStatus`
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING: u64 = 1;
/// `google.rpc.Code`, as Go names them.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
const UNKNOWN: usize = 2;
const UNIMPLEMENTED: usize = 12;
const INTERNAL: usize = 13;
const UNAVAILABLE: usize = 14;

/// A call that did not succeed: code and text.
#[derive(Debug, PartialEq, Eq)]
struct Failed(usize, String);

/// Asks for `service`, for `patience` at most.
pub async fn ask(way: &Way, port: u16, service: &str, patience: Duration) -> Answer {
    let deadline = Instant::now() + patience;
    let within = format!("{}s", patience.as_secs());
    let connected = timeout_at(deadline, async {
        loop {
            match way.connect(None, port).await {
                Ok(wire) => return wire,
                // Until the time is over, as grpc-go does.
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    });
    let Ok(wire) = connected.await else {
        let address = join(way.host(None), port);
        return Answer::Failure(format!(
            "timeout: failed to connect service {address:?} within {within}: context deadline exceeded"
        ));
    };
    let authority = join(way.host(None), port);
    match timeout_at(deadline, call(wire, &authority, service)).await {
        Ok(result) => judge(result),
        Err(_) => Answer::Failure(format!("timeout: health rpc did not complete within {within}")),
    }
}

fn judge(result: Result<u64, Failed>) -> Answer {
    Answer::Failure(match result {
        Ok(SERVING) => return Answer::Success,
        Ok(status) => {
            let number = status.to_string();
            let name = usize::try_from(status).ok().and_then(|status| STATUSES.get(status)).copied();
            format!("service unhealthy (responded with {:?})", name.unwrap_or(&number))
        }
        Err(Failed(UNIMPLEMENTED, text)) => {
            format!("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {text}")
        }
        Err(Failed(code, text)) => {
            let name = CODES.get(code).copied().unwrap_or("Unknown");
            format!("error: health rpc probe failed: rpc error: code = {name} desc = {text}")
        }
    })
}

async fn call(wire: Box<dyn super::dial::Wire>, authority: &str, service: &str) -> Result<u64, Failed> {
    let broken = |error: hyper::Error| Failed(UNAVAILABLE, error.to_string());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(wire)).await.map_err(broken)?;
    // Moves the bytes until this returns.
    let mut driver = JoinSet::new();
    driver.spawn(async move { drop(connection.await) });
    let request = Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "kube-probe/1.36")
        .body(Full::new(Bytes::from(request(service))))
        .map_err(|error| Failed(INTERNAL, error.to_string()))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    read(answer).await
}

async fn read(answer: Response<Incoming>) -> Result<u64, Failed> {
    let (head, mut body) = answer.into_parts();
    if head.status != StatusCode::OK {
        let reason = head.status.canonical_reason().unwrap_or("");
        let text = format!("unexpected HTTP status code received from server: {} ({reason})", head.status.as_u16());
        return Err(Failed(code_of(head.status), text));
    }
    let (mut message, mut trailers) = (Vec::new(), head.headers);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failed(UNAVAILABLE, error.to_string()))?;
        message.extend(frame.data_ref().into_iter().flatten());
        if MAX_ANSWER < message.len() {
            return Err(Failed(8, "grpc: received message larger than max".into()));
        }
        if let Ok(last) = frame.into_trailers() {
            trailers.extend(last);
        }
    }
    status_of(&trailers)?;
    serving_status(&message).ok_or_else(|| Failed(INTERNAL, "grpc: failed to unmarshal the received message".into()))
}

/// K: grpc-go's HTTPStatusConvTab.
fn code_of(status: StatusCode) -> usize {
    match status.as_u16() {
        400 => INTERNAL,
        401 => 16,
        403 => 7,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// What the trailers say of the call; they may be headers if there is nothing else.
fn status_of(trailers: &HeaderMap) -> Result<(), Failed> {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status").map(str::parse) {
        Some(Ok(0)) => Ok(()),
        Some(Ok(code)) => Err(Failed(code, decode(text("grpc-message").unwrap_or("")))),
        Some(Err(_)) | None => Err(Failed(UNKNOWN, "malformed grpc-status".into())),
    }
}

/// Percent-encoded text.
fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let escaped = || {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        match (*first == b'%').then(escaped).flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A `HealthCheckRequest` in its frame: not compressed, its length, `service` as field 1.
fn request(service: &str) -> Vec<u8> {
    let mut message = vec![];
    if !service.is_empty() {
        message.push(1 << 3 | 2);
        put_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(message);
    frame
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while 0x7f < number {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// `status`, field 1 of a `HealthCheckResponse` in its frame. Fields that are not known are passed over.
fn serving_status(frame: &[u8]) -> Option<u64> {
    let (head, message) = frame.split_at_checked(5)?;
    let length = u32::from_be_bytes(*head.last_chunk()?);
    if head.first() != Some(&0) || usize::try_from(length) != Ok(message.len()) {
        return None;
    }
    let (mut rest, mut status) = (message, 0);
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let skip = match key & 7 {
            0 => {
                let number = take_varint(&mut rest)?;
                if key >> 3 == 1 {
                    status = number;
                }
                0
            }
            1 => 8,
            2 => usize::try_from(take_varint(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        rest = rest.get(skip..)?;
    }
    Some(status)
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
