//! Connections that stop being HTTP: programs in containers, ports of pods, and watches and logs for those who cannot read a response
//! that does not end.
//!
//! ```text
//!  request -> upgrade (is it one? which dialect?) -> channels (how a message says whose it is) -> remote_command | port_forward | deliver
//! ```
//!
//! Nothing here knows a kind, nor where a program runs.

pub(crate) mod channels;
pub(crate) mod deliver;
pub(crate) mod port_forward;
pub(crate) mod remote_command;
pub(crate) mod spdy;
pub(crate) mod upgrade;

use futures::Sink;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// A quiet client is asked whether it lives: else one whose machine has vanished would hold its program for ever.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(30);

/// How long a client may take to read the last of it and close. Closing first would make the kernel drop what is still on its way
/// (K:apiserver/pkg/util/proxy/websocket.go finishTimeout).
pub(crate) const FINISHING: Duration = Duration::from_secs(15 * 60);

/// How much is read from a program at once, and sent as one message: as the API server does.
pub(crate) const PIECE: usize = 32 * 1024;

/// Says that all is said. The client answers by closing.
pub(crate) async fn say_goodbye<S: Sink<Message> + Unpin>(sink: &mut S) {
    use futures::SinkExt as _;
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let _ = sink.send(Message::Close(Some(frame))).await;
}
