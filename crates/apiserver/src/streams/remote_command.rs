//! A program's streams over a WebSocket: exec and attach.

use super::channels::{Dialect, ERROR, RESIZE, STDERR, STDIN, STDOUT, Said};
use super::{FINISHING, PIECE, PING_EVERY, say_goodbye};
use crate::node::{Reader, Resize, Session, Wanted, Writer};
use futures::{FutureExt as _, Sink, SinkExt as _, Stream, StreamExt as _};
use meta::status::Status;
use serde_json::{Value, json};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

/// How long the first word to a client of version 5 is held back after the upgrade. kubectl 1.29 to 1.33 reads before it has set up
/// the streams it reads for, and throws away what comes in between (kubernetes/kubernetes#131189); programs here can end within
/// milliseconds, where a cluster takes longer to start one.
const SETTLING: Duration = Duration::from_millis(50);

/// How a session ended, as a client is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// The program, or what one was attached to, is over; or the client has detached.
    Success,
    /// With this code, after this command.
    ExitCode(i32, Vec<String>),
    /// There was no program, or nothing is known of its end.
    Failure(String),
}

impl End {
    /// From what a node says. Whoever was attached is not told an exit code.
    pub(crate) fn of(result: Result<i32, String>, command: Option<&[String]>) -> Self {
        match (result, command) {
            (Ok(0), _) | (Ok(_), None) => Self::Success,
            (Ok(code), Some(command)) => Self::ExitCode(code, command.to_vec()),
            (Err(why), _) => Self::Failure(why),
        }
    }

    /// As a Status, of version 4 and later.
    pub(crate) fn status(&self) -> Value {
        match self {
            Self::Success => json!({"metadata": {}, "status": "Success"}),
            Self::ExitCode(code, _) => json!({
                "metadata": {},
                "status": "Failure",
                "message": self.text(),
                "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
            }),
            Self::Failure(why) => {
                let mut status = serde_json::to_value(Status::internal(why.as_str())).unwrap_or_default();
                // What goes through a stream is a bare Status, without kind and version.
                if let Some(fields) = status.as_object_mut() {
                    fields.retain(|key, _| key != "kind" && key != "apiVersion");
                    fields.insert("code".into(), 500.into());
                }
                status
            }
        }
    }

    /// As text, of the versions before. Success says nothing.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Success => String::new(),
            Self::ExitCode(code, command) => format!(
                "command terminated with non-zero exit code: error executing command [{}], exit code {code}",
                command.join(" ")
            ),
            Self::Failure(why) => format!("Internal error occurred: {why}"),
        }
    }
}

/// Serves a session until it or the client ends, or the server does.
pub(crate) async fn serve<S>(
    socket: WebSocketStream<S>,
    dialect: Dialect,
    wanted: Wanted,
    session: Session,
    command: Option<Vec<String>>,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, stream) = socket.split();
    let Session { stdin, stdout, stderr, resize, ends_with_input, end } = session;
    // A client that did not ask for a stream gets none, whatever the node has.
    let (stdin, stdout) = (stdin.filter(|_| wanted.stdin), stdout.filter(|_| wanted.stdout));
    let (input_over, over) = (CancellationToken::new(), CancellationToken::new());
    let input = Input { dialect, stdin, resize, input_over: input_over.clone(), over: over.clone() };
    let detached = async {
        match ends_with_input {
            true => input_over.cancelled().await,
            false => std::future::pending().await,
        }
    };
    let output = async {
        let outputs = copy_outputs(&mut sink, dialect, wanted, stdout, stderr);
        let result = tokio::select! {
            sent = outputs => match sent {
                Ok(()) => keep_alive(&mut sink, end).await,
                Err(_) => Err("the client is gone".into()),
            },
            () = detached => Ok(0),
        };
        over.cancel();
        let end = End::of(result, command.as_deref());
        if report(&mut sink, dialect, &end).await.is_ok() {
            say_goodbye(&mut sink).await;
        }
    };
    let input = input.take(stream);
    tokio::pin!(input);
    tokio::select! {
        () = output => drop(timeout(FINISHING, input).await),
        // Whoever closes or vanishes ends what he started: it is dropped here.
        () = input.as_mut() => {}
        () = stop.cancelled() => {}
    }
}

/// What the client sends.
struct Input {
    dialect: Dialect,
    stdin: Option<Writer>,
    resize: Option<Resize>,
    /// Set when the client has closed its input.
    input_over: CancellationToken,
    /// Set when nobody reads the input any more.
    over: CancellationToken,
}

impl Input {
    /// Until the client is gone.
    async fn take(mut self, mut stream: impl Stream<Item = Result<Message, Error>> + Unpin) {
        // Pings are answered by the library while this reads.
        while let Some(Ok(message)) = stream.next().await {
            match self.dialect.decode(message) {
                Some(Said::Data(STDIN, data)) => self.write(&data).await,
                Some(Said::Data(RESIZE, data)) => self.resize(&data),
                Some(Said::Closed(STDIN)) => {
                    self.stdin = None;
                    self.input_over.cancel();
                }
                Some(Said::Data(..) | Said::Closed(_)) | None => {}
            }
        }
    }

    async fn write(&mut self, data: &Bytes) {
        let Some(stdin) = &mut self.stdin else {
            return;
        };
        let written = tokio::select! {
            written = stdin.write_all(data) => written.is_ok(),
            () = self.over.cancelled() => false,
        };
        if !written {
            // The program has closed its input or is gone; what it says is still wanted.
            self.stdin = None;
        }
    }

    fn resize(&self, data: &[u8]) {
        if let (Some(resize), Some((columns, rows))) = (&self.resize, size(data)) {
            resize(columns, rows);
        }
    }
}

/// `{"Width":80,"Height":24}`
pub(crate) fn size(data: &[u8]) -> Option<(u16, u16)> {
    let size: Value = serde_json::from_slice(data).ok()?;
    let number = |name: &str| size[name].as_u64().and_then(|number| u16::try_from(number).ok());
    Some((number("Width")?, number("Height")?))
}

/// Until both outputs have ended.
async fn copy_outputs<S: Sink<Message, Error = Error> + Unpin>(
    sink: &mut S,
    dialect: Dialect,
    wanted: Wanted,
    mut stdout: Option<Reader>,
    mut stderr: Option<Reader>,
) -> Result<(), Error> {
    if dialect.version == 5 {
        tokio::time::sleep(SETTLING).await;
    }
    // Tells the client that the connection stands (K: createWebSocketStreams).
    let lowest = match (wanted.stdout, wanted.stderr) {
        (true, _) => STDOUT,
        (false, true) => STDERR,
        (false, false) => ERROR,
    };
    sink.send(dialect.encode(lowest, b"")).await?;
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let (mut out, mut err) = (vec![0; PIECE], vec![0; PIECE]);
    while stdout.is_some() || stderr.is_some() {
        tokio::select! {
            length = read(&mut stdout, &mut out) => match length {
                0 => stdout = None,
                length => sink.send(dialect.encode(STDOUT, &out[..length])).await?,
            },
            length = read(&mut stderr, &mut err) => match length {
                0 => stderr = None,
                length => sink.send(dialect.encode(STDERR, &err[..length])).await?,
            },
            _ = pings.tick() => sink.send(Message::Ping(Bytes::new())).await?,
        }
    }
    Ok(())
}

/// 0 at the end. An output that cannot be read has ended.
async fn read(reader: &mut Option<Reader>, buffer: &mut [u8]) -> usize {
    match reader {
        Some(reader) => reader.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

/// Waits for the end, and for the client to vanish meanwhile.
async fn keep_alive<S: Sink<Message, Error = Error> + Unpin>(
    sink: &mut S,
    end: impl Future<Output = Result<i32, String>>,
) -> Result<i32, String> {
    let end = end.fuse();
    tokio::pin!(end);
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        tokio::select! {
            result = &mut end => return result,
            _ = pings.tick() => {
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return Err("the client is gone".into());
                }
            }
        }
    }
}

async fn report<S: Sink<Message, Error = Error> + Unpin>(
    sink: &mut S,
    dialect: Dialect,
    end: &End,
) -> Result<(), Error> {
    match (dialect.version, end) {
        (4.., _) => sink.send(dialect.encode(ERROR, end.status().to_string().as_bytes())).await,
        (_, End::Success) => Ok(()),
        (_, _) => sink.send(dialect.encode(ERROR, end.text().as_bytes())).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_as_the_kubelet_tells_them() {
        let command = ["sh".to_owned(), "-c".into(), "exit 7".into()];
        assert_eq!(End::of(Ok(0), Some(&command)).status(), json!({"metadata": {}, "status": "Success"}));
        assert_eq!(End::of(Ok(7), None), End::Success, "whoever was attached is told no code");
        let failed = End::of(Ok(7), Some(&command));
        assert_eq!(failed.status()["reason"], "NonZeroExitCode");
        assert_eq!(failed.status()["details"], json!({"causes": [{"reason": "ExitCode", "message": "7"}]}));
        let text = "command terminated with non-zero exit code: error executing command [sh -c exit 7], exit code 7";
        assert_eq!((failed.status()["message"].as_str(), failed.text().as_str()), (Some(text), text));
        let broken = End::of(Err("error executing command in container: x".into()), Some(&command)).status();
        let text = "Internal error occurred: error executing command in container: x";
        assert_eq!(
            (&broken["reason"], &broken["message"], &broken["code"]),
            (&json!("InternalError"), &json!(text), &json!(500))
        );
    }

    #[test]
    fn sizes_are_sixteen_bits() {
        for (text, expect) in [
            (r#"{"Width":80,"Height":24}"#, Some((80, 24))),
            ("{\"Width\":80,\"Height\":24}\n", Some((80, 24))),
            (r#"{"Width":70000,"Height":24}"#, None),
            (r#"{"Width":-1,"Height":24}"#, None),
            (r#"{"Width":80}"#, None),
            ("x", None),
        ] {
            assert_eq!(size(text.as_bytes()), expect, "{text}");
        }
    }
}
