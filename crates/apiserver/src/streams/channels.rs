//! `channel.k8s.io`: several streams in one WebSocket. The first byte of each message says whose it is; where messages are text it is a
//! digit, and the rest is base64 (K:apimachinery/pkg/util/httpstream/wsstream).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::{Bytes, Message};

pub(crate) const STDIN: u8 = 0;
pub(crate) const STDOUT: u8 = 1;
pub(crate) const STDERR: u8 = 2;
pub(crate) const ERROR: u8 = 3;
pub(crate) const RESIZE: u8 = 4;
/// Version 5 only: the body names a channel that the client has closed.
const CLOSE: u8 = 255;

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub version: u8,
    pub base64: bool,
}

/// What a client that names no protocol gets.
pub(crate) const OLDEST: Dialect = Dialect { version: 1, base64: false };

/// Of programs in containers.
pub(crate) const REMOTE_COMMAND: &[(&str, Dialect)] = &[
    ("v5.channel.k8s.io", Dialect { version: 5, base64: false }),
    ("v4.channel.k8s.io", Dialect { version: 4, base64: false }),
    ("v4.base64.channel.k8s.io", Dialect { version: 4, base64: true }),
    ("channel.k8s.io", Dialect { version: 1, base64: false }),
    ("base64.channel.k8s.io", Dialect { version: 1, base64: true }),
];

/// Of ports.
pub(crate) const PORT_FORWARD: &[(&str, Dialect)] = &[
    ("v4.channel.k8s.io", Dialect { version: 4, base64: false }),
    ("v4.base64.channel.k8s.io", Dialect { version: 4, base64: true }),
];

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Data(u8, Bytes),
    /// It will send nothing more on this channel.
    Closed(u8),
}

impl Dialect {
    /// A message on `channel`.
    pub(crate) fn encode(self, channel: u8, data: &[u8]) -> Message {
        if self.base64 {
            let mut text = String::with_capacity(1 + data.len().div_ceil(3) * 4);
            text.push(char::from(b'0' + channel % 10));
            STANDARD.encode_string(data, &mut text);
            return Message::Text(text.into());
        }
        let mut message = Vec::with_capacity(1 + data.len());
        message.push(channel);
        message.extend_from_slice(data);
        Message::Binary(message.into())
    }

    /// What a message says; `None` if that is nothing, or nothing that can be understood.
    pub(crate) fn decode(self, message: Message) -> Option<Said> {
        let mut bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return None,
        };
        let first = *bytes.first()?;
        let rest = bytes.split_off(1);
        if self.base64 {
            let channel = first.checked_sub(b'0').filter(|digit| *digit < 10)?;
            return Some(Said::Data(channel, STANDARD.decode(&rest).ok()?.into()));
        }
        match first {
            CLOSE if 5 <= self.version => Some(Said::Closed(*rest.first()?)),
            channel => Some(Said::Data(channel, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(name: &str) -> Dialect {
        REMOTE_COMMAND.iter().find(|(own, _)| *own == name).unwrap().1
    }

    #[test]
    fn messages_are_what_kubernetes_sends() {
        for (name, channel, data, expect) in [
            ("v5.channel.k8s.io", STDOUT, "hi", Message::binary(b"\x01hi".as_slice())),
            ("v5.channel.k8s.io", STDOUT, "", Message::binary(b"\x01".as_slice())),
            ("base64.channel.k8s.io", STDERR, "hi", Message::text("2aGk=")),
            ("v4.base64.channel.k8s.io", ERROR, "", Message::text("3")),
        ] {
            assert_eq!(dialect(name).encode(channel, data.as_bytes()), expect, "{name}");
        }
    }

    #[test]
    fn messages_are_understood() {
        let data = |channel, text: &'static str| Some(Said::Data(channel, Bytes::from_static(text.as_bytes())));
        for (name, message, expect) in [
            ("v4.channel.k8s.io", Message::binary(b"\x00hi".as_slice()), data(STDIN, "hi")),
            // Text frames carry bytes too: that is how some clients send input.
            ("v4.channel.k8s.io", Message::text("\u{0}hi"), data(STDIN, "hi")),
            ("v5.channel.k8s.io", Message::binary(b"\xff\x00".as_slice()), Some(Said::Closed(STDIN))),
            ("v5.channel.k8s.io", Message::binary(b"\xff".as_slice()), None),
            ("v4.channel.k8s.io", Message::binary(b"\xff\x00".as_slice()), data(255, "\u{0}")),
            ("base64.channel.k8s.io", Message::text("0aGk="), data(STDIN, "hi")),
            ("base64.channel.k8s.io", Message::text("0!"), None),
            ("base64.channel.k8s.io", Message::text("xaGk="), None),
            ("channel.k8s.io", Message::binary(b"".as_slice()), None),
        ] {
            assert_eq!(dialect(name).decode(message.clone()), expect, "{name} {message:?}");
        }
    }
}
