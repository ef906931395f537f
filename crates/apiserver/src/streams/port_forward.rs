//! Ports of a pod over a WebSocket of channels: for each port one for its bytes and one for its error, each beginning with the port's
//! number (K:kubelet/pkg/cri/streaming/portforward/websocket.go). Client libraries speak it; kubectl speaks SPDY.

use super::channels::{Dialect, Said};
use super::{FINISHING, PIECE, PING_EVERY, say_goodbye};
use crate::error::Failure;
use crate::node::{Connection, NodeConnection, Target};
use futures::{SinkExt as _, Stream, StreamExt as _};
use meta::status::Status;
use std::num::IntErrorKind;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

/// Two channels a port, whose numbers are a byte (a digit, where messages are text).
const MAX_PORTS: usize = 100;
/// Messages on their way to a port or from it, before the sender has to wait.
const QUEUE: usize = 8;

/// The ports of a query's `ports` parameters: each may be a list with commas.
pub(crate) fn ports<'a>(parameters: impl Iterator<Item = &'a str>) -> Result<Vec<u16>, Failure> {
    let mut ports = Vec::new();
    let mut is_given = false;
    for parameter in parameters {
        is_given = true;
        if parameter.is_empty() {
            return Err(Status::bad_request("query parameter \"port\" cannot be empty").into());
        }
        for text in parameter.split(',') {
            match text.parse::<u16>() {
                Ok(0) => return Err(Status::bad_request(format!("port {parameter:?} must be > 0")).into()),
                Ok(port) => ports.push(port),
                Err(error) => {
                    let reason = match error.kind() {
                        IntErrorKind::PosOverflow => "value out of range",
                        _ => "invalid syntax",
                    };
                    let text = format!(
                        "unable to parse {parameter:?} as a port: strconv.ParseUint: parsing {text:?}: {reason}"
                    );
                    return Err(Status::bad_request(text).into());
                }
            }
        }
    }
    if !is_given {
        return Err(Status::bad_request("query parameter \"port\" is required").into());
    }
    if MAX_PORTS < ports.len() {
        return Err(Status::bad_request(format!("at most {MAX_PORTS} ports can be forwarded at once")).into());
    }
    Ok(ports)
}

/// What a failed connection is told (K: handleStreamPortForwardErr).
pub(crate) fn failure(pod: &Target, port: u16, why: &str) -> String {
    format!("error forwarding port {port} to pod {}, uid {}: {why}", pod.pod, pod.pod_uid)
}

/// Serves until every port's connection has ended or the client has.
pub(crate) async fn serve<S>(
    socket: WebSocketStream<S>,
    dialect: Dialect,
    node: Arc<dyn NodeConnection>,
    pod: Target,
    ports: Vec<u16>,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, stream) = socket.split();
    let (out, mut outgoing) = mpsc::channel::<Message>(QUEUE);
    let mut inputs = Vec::new();
    let mut connections = tokio::task::JoinSet::new();
    for (index, port) in ports.into_iter().enumerate() {
        let (input, incoming) = mpsc::channel(QUEUE);
        inputs.push(input);
        let channel = u8::try_from(index * 2).expect("there are at most a hundred ports");
        let lane = Lane { dialect, channel, out: out.clone() };
        connections.spawn(lane.run(node.clone(), pod.clone(), port, incoming));
    }
    drop(out);
    let input = take(stream, dialect, inputs);
    tokio::pin!(input);
    let output = async {
        let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            let message = tokio::select! {
                message = outgoing.recv() => message,
                _ = pings.tick() => Some(Message::Ping(Bytes::new())),
            };
            let Some(message) = message else { break };
            if sink.send(message).await.is_err() {
                return;
            }
        }
        say_goodbye(&mut sink).await;
    };
    tokio::select! {
        () = output => drop(timeout(FINISHING, input).await),
        () = input.as_mut() => {}
        () = stop.cancelled() => {}
    }
    connections.shutdown().await;
}

/// Gives what the client sends to its ports. A port that does not take it holds up the others: there is one connection for all.
async fn take(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    dialect: Dialect,
    inputs: Vec<mpsc::Sender<Bytes>>,
) {
    while let Some(Ok(message)) = stream.next().await {
        if let Some(Said::Data(channel, data)) = dialect.decode(message)
            && channel % 2 == 0
            && let Some(input) = inputs.get(usize::from(channel / 2))
        {
            // A port whose connection has ended takes nothing more.
            let _ = input.send(data).await;
        }
    }
}

/// One port's two channels.
struct Lane {
    dialect: Dialect,
    /// Of its bytes; that of its error is the next.
    channel: u8,
    out: mpsc::Sender<Message>,
}

impl Lane {
    async fn run(self, node: Arc<dyn NodeConnection>, pod: Target, port: u16, incoming: mpsc::Receiver<Bytes>) {
        let number = port.to_le_bytes();
        for channel in [self.channel, self.channel + 1] {
            if self.out.send(self.dialect.encode(channel, &number)).await.is_err() {
                return;
            }
        }
        let result = match node.connect(&pod, port).await {
            Ok(connection) => self.pump(connection, incoming).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        if let Err(why) = result {
            let text = failure(&pod, port, &why);
            let _ = self.out.send(self.dialect.encode(self.channel + 1, text.as_bytes())).await;
        }
    }

    /// Until the port has closed its side. The client cannot close his own: the protocol has no word for it.
    async fn pump(&self, connection: Box<dyn Connection>, mut incoming: mpsc::Receiver<Bytes>) -> std::io::Result<()> {
        let (mut reader, mut writer) = tokio::io::split(connection);
        let to_port = async {
            while let Some(data) = incoming.recv().await {
                writer.write_all(&data).await?;
            }
            std::future::pending().await
        };
        let from_port = async {
            let mut piece = vec![0; PIECE];
            loop {
                let length = reader.read(&mut piece).await?;
                let message = self.dialect.encode(self.channel, &piece[..length]);
                if length == 0 || self.out.send(message).await.is_err() {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            ended = to_port => ended,
            ended = from_port => ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_the_kubelet_reads_them() {
        for (parameters, expect) in [
            (&["80"][..], Ok(vec![80])),
            (&["80,81", "82"], Ok(vec![80, 81, 82])),
            (&[], Err("query parameter \"port\" is required")),
            (&[""], Err("query parameter \"port\" cannot be empty")),
            (&["0"], Err("port \"0\" must be > 0")),
            (&["x"], Err("unable to parse \"x\" as a port: strconv.ParseUint: parsing \"x\": invalid syntax")),
            (
                &["70000"],
                Err("unable to parse \"70000\" as a port: strconv.ParseUint: parsing \"70000\": value out of range"),
            ),
        ] {
            let seen = ports(parameters.iter().copied()).map_err(|failure| failure.status().message.clone());
            assert_eq!(seen, expect.map_err(String::from), "{parameters:?}");
        }
    }
}
