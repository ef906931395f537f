//! A response that does not end, as the messages of a WebSocket: watches, an event in each, and logs. Browsers ask for it.

use super::upgrade::{self, Handshake, WebSocket, Wish, web_socket};
use super::{FINISHING, PING_EVERY, say_goodbye};
use crate::error::Failure;
use crate::handlers::Call;
use crate::respond::{Answer, Payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::BoxStream;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;

/// How a response is cut into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// A line of JSON is a text message.
    Lines,
    /// What follows a big-endian u32 length is a binary message.
    Frames,
    /// Each piece is a binary message, as it comes.
    Pieces,
    /// Each piece is a text message of base64.
    Base64,
}

/// Dialects of logs (K: wsstream NewDefaultReaderProtocols).
const READER: &[(&str, Cut)] = &[("binary.k8s.io", Cut::Pieces), ("base64.binary.k8s.io", Cut::Base64)];

/// A response's body.
type Body = BoxStream<'static, std::io::Result<Bytes>>;

/// Makes a watch that asks for it a WebSocket. A single protocol is accepted whatever it is, as the API server does.
pub(crate) fn watch(call: &mut Call<'_>, answer: Answer) -> Result<Answer, Failure> {
    let Some(handshake) = handshake(call)? else {
        return Ok(answer);
    };
    let protocol = match handshake.protocols.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let cut = match answer.content_type.contains("protobuf") {
        true => Cut::Frames,
        false => Cut::Lines,
    };
    carry(call, answer, cut, handshake.accept(protocol))
}

/// The same for a log.
pub(crate) fn log(call: &mut Call<'_>, answer: Answer) -> Result<Answer, Failure> {
    let Some(handshake) = handshake(call)? else {
        return Ok(answer);
    };
    let chosen = handshake.choose(READER)?;
    let cut = chosen.map_or(Cut::Pieces, |(_, cut)| cut);
    carry(call, answer, cut, handshake.accept(chosen.map(|(name, _)| name)))
}

fn handshake(call: &Call<'_>) -> Result<Option<Handshake>, Failure> {
    Ok(match upgrade::wish(&call.headers)? {
        Some(Wish::WebSocket(handshake)) => Some(handshake),
        Some(Wish::Spdy(_)) | None => None,
    })
}

fn carry(call: &mut Call<'_>, answer: Answer, cut: Cut, accepted: Answer) -> Result<Answer, Failure> {
    let body: Body = match answer.payload {
        Payload::Stream(stream) => stream,
        Payload::Whole(bytes) => futures::stream::iter([Ok(bytes)]).boxed(),
        Payload::Chunks(chunks, _) => futures::stream::iter(chunks.map(|chunk| Ok(Bytes::from(chunk)))).boxed(),
    };
    let on_upgrade = call.upgrade.take().ok_or_else(upgrade::impossible)?;
    let stop = call.server.stop.clone();
    call.server.sessions.spawn(deliver(on_upgrade, body, cut, stop));
    Ok(accepted)
}

/// Sends all of `body` once the connection is a WebSocket.
async fn deliver(on_upgrade: OnUpgrade, body: Body, cut: Cut, stop: CancellationToken) {
    let Some(socket) = web_socket(on_upgrade).await else {
        return;
    };
    tokio::select! {
        () = send(socket, body, cut) => {}
        () = stop.cancelled() => {}
    }
}

async fn send(socket: WebSocket, mut body: Body, cut: Cut) {
    let (mut sink, mut stream) = socket.split();
    // Nothing is expected from the client but its close; reading also answers pings.
    let gone = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::pin!(gone);
    let all = async {
        // Log readers are told at once that the connection stands (K: wsstream Reader, ping).
        if matches!(cut, Cut::Pieces | Cut::Base64) && sink.send(message(&[], cut)).await.is_err() {
            return;
        }
        let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        let mut left = Vec::new();
        loop {
            let piece = tokio::select! {
                piece = body.next() => piece,
                _ = pings.tick() => {
                    if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            // A body that breaks off ends like one that is complete: what was sent stands.
            let Some(Ok(piece)) = piece else { break };
            left.extend_from_slice(&piece);
            while let Some(next) = take(&mut left, cut) {
                if sink.send(message(&next, cut)).await.is_err() {
                    return;
                }
            }
        }
        say_goodbye(&mut sink).await;
    };
    tokio::select! {
        () = all => drop(timeout(FINISHING, gone).await),
        () = gone.as_mut() => {}
    }
}

/// The next whole message's content.
fn take(left: &mut Vec<u8>, cut: Cut) -> Option<Vec<u8>> {
    match cut {
        Cut::Lines => {
            let end = left.iter().position(|byte| *byte == b'\n')?;
            Some(left.drain(..=end).collect())
        }
        Cut::Frames => {
            let length = u32::from_be_bytes(*left.first_chunk()?) as usize;
            left.get(4..4 + length)?;
            left.drain(..4);
            Some(left.drain(..length).collect())
        }
        Cut::Pieces | Cut::Base64 => (!left.is_empty()).then(|| std::mem::take(left)),
    }
}

fn message(content: &[u8], cut: Cut) -> Message {
    match cut {
        Cut::Lines => Message::Text(String::from_utf8_lossy(content).into_owned().into()),
        Cut::Frames | Cut::Pieces => Message::Binary(Bytes::copy_from_slice(content)),
        Cut::Base64 => Message::Text(STANDARD.encode(content).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cut: Cut, pieces: &[&[u8]], expect: &[&[u8]]) {
        let (mut left, mut seen) = (Vec::new(), Vec::new());
        for piece in pieces {
            left.extend_from_slice(piece);
            while let Some(message) = take(&mut left, cut) {
                seen.push(message);
            }
        }
        assert_eq!(seen, expect);
    }

    #[test]
    fn events_become_messages_however_they_are_cut() {
        check(Cut::Lines, &[b"{1}\n{2", b"}\n{3}\n", b"{4"], &[b"{1}\n", b"{2}\n", b"{3}\n"]);
        check(Cut::Frames, &[b"\0\0\0\x02ab\0\0", b"\0\x01", b"c\0\0\0\0"], &[b"ab", b"c", b""]);
        check(Cut::Pieces, &[b"any", b"thing\n"], &[b"any", b"thing\n"]);
    }
}
