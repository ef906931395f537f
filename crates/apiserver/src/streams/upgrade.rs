//! What a request wants its connection to become, and the answer that makes it so.

use crate::error::Failure;
use crate::respond::{Answer, Payload};
use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use meta::status::Status;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::codec::{BytesCodec, Framed};

/// Larger messages end the connection: this much is held in memory for each client.
const MAX_MESSAGE: usize = 16 << 20;

/// A WebSocket as the server holds it.
pub(crate) type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// What an upgrade asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    WebSocket(Handshake),
    /// SPDY/3.1, with the protocols inside it in the client's order of preference.
    Spdy(Vec<String>),
}

/// Names the protocol inside SPDY.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// A WebSocket handshake (RFC 6455, section 4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handshake {
    key: String,
    /// In the client's order of preference.
    pub protocols: Vec<String>,
}

/// What these headers ask for; `None` if it is an ordinary request. Errors are malformed handshakes.
pub(crate) fn wish(headers: &HeaderMap) -> Result<Option<Wish>, Failure> {
    let has_word = |name: &HeaderName, word: &str| words(headers, name).any(|found| found.eq_ignore_ascii_case(word));
    if !has_word(&CONNECTION, "upgrade") {
        return Ok(None);
    }
    if has_word(&UPGRADE, "spdy/3.1") {
        let protocols = words(headers, &STREAM_PROTOCOL).map(String::from).collect();
        return Ok(Some(Wish::Spdy(protocols)));
    }
    if !has_word(&UPGRADE, "websocket") {
        return Ok(None);
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").trim();
    if text(&SEC_WEBSOCKET_VERSION) != "13" {
        return Err(Status::bad_request("missing or bad WebSocket Version").into());
    }
    let key = text(&SEC_WEBSOCKET_KEY);
    if key.is_empty() {
        return Err(Status::bad_request("mismatch challenge/response").into());
    }
    let protocols = words(headers, &SEC_WEBSOCKET_PROTOCOL).map(String::from).collect();
    Ok(Some(Wish::WebSocket(Handshake { key: key.to_owned(), protocols })))
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

impl Handshake {
    /// The first of the client's protocols that is among ours; `None` if it names none.
    pub(crate) fn choose<T: Copy>(&self, ours: &[(&'static str, T)]) -> Result<Option<(&'static str, T)>, Failure> {
        if self.protocols.is_empty() {
            return Ok(None);
        }
        let known = |name: &String| ours.iter().find(|(own, _)| own == name).copied();
        match self.protocols.iter().find_map(known) {
            Some(chosen) => Ok(Some(chosen)),
            None => {
                let ours: Vec<_> = ours.iter().map(|(name, _)| *name).collect();
                let mut status = Status::bad_request(format!(
                    "requested protocol(s) are not supported: [{}]; supports [{}]",
                    self.protocols.join(" "),
                    ours.join(" ")
                ));
                status.code = 403;
                status.reason = "Forbidden".into();
                Err(status.into())
            }
        }
    }

    /// The answer after which the connection speaks WebSocket.
    pub(crate) fn accept(&self, protocol: Option<&str>) -> Answer {
        let mut headers =
            vec![(CONNECTION, HeaderValue::from_static("Upgrade")), (UPGRADE, HeaderValue::from_static("websocket"))];
        let accept = derive_accept_key(self.key.as_bytes());
        headers.extend(HeaderValue::from_str(&accept).ok().map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
        let protocol = protocol.and_then(|name| HeaderValue::from_str(name).ok());
        headers.extend(protocol.map(|name| (SEC_WEBSOCKET_PROTOCOL, name)));
        switching(headers)
    }
}

/// The first of the client's protocols that is among ours, `default` if it names none (K:apimachinery/pkg/util/httpstream Handshake).
pub(crate) fn choose_spdy<T: Copy>(
    theirs: &[String],
    ours: &[(&'static str, T)],
    default: T,
) -> Result<(Option<&'static str>, T), Failure> {
    if theirs.is_empty() {
        return Ok((None, default));
    }
    let known = |name: &String| ours.iter().find(|(own, _)| own == name).copied();
    match theirs.iter().find_map(known) {
        Some((name, value)) => Ok((Some(name), value)),
        None => {
            let ours: Vec<_> = ours.iter().map(|(name, _)| *name).collect();
            let mut status = Status::bad_request(format!(
                "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
                theirs.join(" "),
                ours.join(" ")
            ));
            status.code = 403;
            status.reason = "Forbidden".into();
            Err(status.into())
        }
    }
}

/// The answer after which the connection speaks SPDY.
pub(crate) fn accept_spdy(protocol: Option<&'static str>) -> Answer {
    let mut headers =
        vec![(CONNECTION, HeaderValue::from_static("Upgrade")), (UPGRADE, HeaderValue::from_static("SPDY/3.1"))];
    headers.extend(protocol.map(|name| (STREAM_PROTOCOL, HeaderValue::from_static(name))));
    switching(headers)
}

/// 101.
fn switching(headers: Vec<(HeaderName, HeaderValue)>) -> Answer {
    Answer { code: StatusCode::SWITCHING_PROTOCOLS, content_type: "", payload: Payload::Whole(Bytes::new()), headers }
}

/// 400 for requests to what needs an upgrade.
pub(crate) fn required() -> Failure {
    Status::bad_request("Upgrade request required").into()
}

/// HTTP/2 and the server's own clients have no connection that could become something else.
pub(crate) fn impossible() -> Failure {
    Status::bad_request("this connection cannot be upgraded: use HTTP/1.1").into()
}

/// The WebSocket, once the answer has been sent.
pub(crate) async fn web_socket(on_upgrade: OnUpgrade) -> Option<WebSocket> {
    let upgraded = on_upgrade.await.ok()?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        // What is written goes out at once: people wait for echoes.
        .write_buffer_size(0);
    Some(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await)
}

/// The connection itself, once the answer has been sent: pieces of bytes both ways.
pub(crate) async fn bytes(on_upgrade: OnUpgrade) -> Option<Framed<TokioIo<Upgraded>, BytesCodec>> {
    let upgraded = on_upgrade.await.ok()?;
    Some(Framed::new(TokioIo::new(upgraded), BytesCodec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    const ASKED: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn upgrades_are_recognised_and_bad_ones_refused() {
        assert_eq!(wish(&headers(&[])).unwrap(), None);
        assert_eq!(wish(&headers(&[("upgrade", "websocket")])).unwrap(), None);
        assert_eq!(wish(&headers(&[("connection", "upgrade"), ("upgrade", "h2c")])).unwrap(), None);
        assert_eq!(
            wish(&headers(&[("connection", "Upgrade"), ("upgrade", "SPDY/3.1")])).unwrap(),
            Some(Wish::Spdy(vec![]))
        );
        assert!(matches!(wish(&headers(&ASKED)).unwrap(), Some(Wish::WebSocket(_))));
        for missing in 2..4 {
            let mut pairs = ASKED.to_vec();
            pairs.remove(missing);
            assert_eq!(wish(&headers(&pairs)).unwrap_err().status().code, 400);
        }
    }

    #[test]
    fn the_answer_is_that_of_the_rfc() {
        let Some(Wish::WebSocket(handshake)) = wish(&headers(&ASKED)).unwrap() else { panic!() };
        let answer = handshake.accept(Some("v5.channel.k8s.io"));
        let header =
            |name| answer.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.to_str().unwrap());
        assert_eq!(header(SEC_WEBSOCKET_ACCEPT), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(header(SEC_WEBSOCKET_PROTOCOL), Some("v5.channel.k8s.io"));
    }

    #[test]
    fn the_client_prefers() {
        let mut pairs = ASKED.to_vec();
        pairs.push(("sec-websocket-protocol", "c, b"));
        pairs.push(("sec-websocket-protocol", "a"));
        let Some(Wish::WebSocket(handshake)) = wish(&headers(&pairs)).unwrap() else { panic!() };
        assert_eq!(handshake.protocols, ["c", "b", "a"]);
        assert_eq!(handshake.choose(&[("a", 1), ("b", 2)]).unwrap(), Some(("b", 2)));
        let refusal = handshake.choose(&[("d", 3)]).unwrap_err();
        assert_eq!(refusal.status().message, "requested protocol(s) are not supported: [c b a]; supports [d]");
        assert_eq!(Handshake { protocols: vec![], ..handshake }.choose(&[("d", 3)]).unwrap(), None);
    }
}
