//! A SPDY connection: one task reads and hands what it reads to the streams, one writes what they send. A stream whose reader does not
//! keep up holds up the whole connection, as it does in Kubernetes.

use super::frame::{self, Decoder, Said};
use super::headers::Headers;
use crate::streams::PING_EVERY;
use bytes::Bytes;
use futures::{Sink, SinkExt as _, Stream as Pieces, StreamExt as _};
use std::collections::HashMap;
use std::future::Future;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

/// Streams at once in one connection. Each connection to a forwarded port is two.
const MAX_STREAMS: usize = 1000;
/// Pieces between two tasks, before the faster one waits.
const QUEUE: usize = 8;

/// One stream, opened by the client and accepted.
pub(crate) struct Stream {
    pub headers: Headers,
    pub input: mpsc::Receiver<Bytes>,
    pub output: Output,
}

/// The way to a stream's other end.
pub(crate) struct Output {
    id: u32,
    frames: mpsc::Sender<Vec<u8>>,
    has_ended: bool,
}

/// The connection's other end is gone; nothing more can be said.
#[derive(Debug, thiserror::Error)]
#[error("the client is gone")]
pub(crate) struct Gone;

impl Output {
    /// Sends bytes; waits while the client does not take them.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Result<(), Gone> {
        self.frames.send(frame::data(self.id, bytes, false)).await.map_err(|_| Gone)
    }

    /// Says that nothing more will come.
    pub(crate) async fn end(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            let _ = self.frames.send(frame::data(self.id, b"", true)).await;
        }
    }
}

/// What a protocol works with.
pub(crate) struct Client {
    /// Streams as they are opened; ends with the connection.
    pub opened: mpsc::Receiver<Stream>,
    /// Cancelled when the connection is gone.
    pub gone: CancellationToken,
}

/// Serves a connection with `protocol`, and waits until it has gone out and the client has closed.
pub(crate) async fn serve<R, W, E, P>(
    reader: R,
    writer: W,
    finishing: std::time::Duration,
    protocol: impl FnOnce(Client) -> P,
) where
    R: Pieces<Item = Result<Bytes, E>> + Unpin,
    W: Sink<Bytes> + Unpin,
    P: Future<Output = ()>,
{
    let (frames, outgoing) = mpsc::channel(QUEUE);
    let (streams, opened) = mpsc::channel(QUEUE);
    let gone = CancellationToken::new();
    let client = Client { opened, gone: gone.clone() };
    let farewell = frames.clone();
    let protocol = protocol(client);
    let protocol = async move {
        protocol.await;
        let _ = farewell.send(frame::go_away(0)).await;
    };
    let read = async {
        Reader { frames, streams, inputs: HashMap::new(), has_replied: false }.run(reader).await;
        gone.cancel();
    };
    let write = async {
        write(writer, outgoing).await;
        gone.cancel();
    };
    let (read, write, protocol) = (std::pin::pin!(read), std::pin::pin!(write), std::pin::pin!(protocol));
    let io = futures::future::join(read, write);
    let mut io = std::pin::pin!(io);
    tokio::select! {
        // The protocol sees that everybody is gone, and ends.
        _ = io.as_mut() => {}
        () = protocol => drop(tokio::time::timeout(finishing, io).await),
    }
}

async fn write<W: Sink<Bytes> + Unpin>(mut writer: W, mut frames: mpsc::Receiver<Vec<u8>>) {
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let frame = tokio::select! {
            frame = frames.recv() => frame,
            _ = pings.tick() => Some(frame::ping(2)),
        };
        let Some(frame) = frame else { break };
        if writer.send(frame.into()).await.is_err() {
            break;
        }
    }
    let _ = writer.close().await;
}

struct Reader {
    frames: mpsc::Sender<Vec<u8>>,
    streams: mpsc::Sender<Stream>,
    /// Of streams on which the client may still send.
    inputs: HashMap<u32, mpsc::Sender<Bytes>>,
    has_replied: bool,
}

impl Reader {
    /// Until the client is gone or cannot be understood.
    async fn run<R, E>(mut self, mut reader: R)
    where
        R: Pieces<Item = Result<Bytes, E>> + Unpin,
    {
        let mut decoder = Decoder::new();
        while let Some(Ok(piece)) = reader.next().await {
            decoder.feed(&piece);
            loop {
                match decoder.next() {
                    Ok(Some(Said::GoAway)) | Err(_) => return,
                    Ok(Some(said)) => {
                        if self.take(said).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => break,
                }
            }
        }
    }

    async fn take(&mut self, said: Said) -> Result<(), Gone> {
        match said {
            Said::Open { stream, headers, is_last } => self.open(stream, headers, is_last).await?,
            Said::Data { stream, bytes, is_last } => {
                // Whoever does not want it any more has dropped the receiver.
                if let Some(input) = self.inputs.get(&stream).filter(|_| !bytes.is_empty()) {
                    let _ = input.send(bytes).await;
                }
                if is_last {
                    self.inputs.remove(&stream);
                }
            }
            Said::Reset { stream } => drop(self.inputs.remove(&stream)),
            // An even one is the answer to ours.
            Said::Ping { id } if id % 2 == 1 => self.say(frame::ping(id)).await?,
            Said::Ping { .. } | Said::GoAway => {}
        }
        Ok(())
    }

    async fn open(&mut self, id: u32, headers: Headers, is_last: bool) -> Result<(), Gone> {
        self.inputs.retain(|_, input| !input.is_closed());
        if MAX_STREAMS <= self.inputs.len() || self.inputs.contains_key(&id) {
            return self.say(frame::refuse(id)).await;
        }
        let (sender, input) = mpsc::channel(QUEUE);
        if !is_last {
            self.inputs.insert(id, sender);
        }
        let is_first = !std::mem::replace(&mut self.has_replied, true);
        self.say(frame::accept(id, is_first)).await?;
        let output = Output { id, frames: self.frames.clone(), has_ended: false };
        self.streams.send(Stream { headers, input, output }).await.map_err(|_| Gone)
    }

    async fn say(&self, frame: Vec<u8>) -> Result<(), Gone> {
        self.frames.send(frame).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::open;
    use super::super::headers::tests::{DATA, STDIN};
    use super::super::{port_forward, remote_command};
    use super::*;
    use crate::node::{Session, Wanted};
    use futures::FutureExt as _;
    use futures::channel::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    /// A client's side: what it sends, and the frames that come back.
    struct Wire {
        sends: Option<Sender<Result<Bytes, ()>>>,
        receives: Receiver<Bytes>,
        serving: tokio::task::JoinHandle<()>,
    }

    impl Wire {
        fn new<P: Future<Output = ()> + Send + 'static>(protocol: impl FnOnce(Client) -> P + Send + 'static) -> Self {
            let (sends, reader) = channel(100);
            let (writer, receives) = channel(100);
            let serving = tokio::spawn(async move { serve(reader, writer, Duration::from_secs(5), protocol).await });
            Self { sends: Some(sends), receives, serving }
        }

        async fn send(&mut self, frame: Vec<u8>) {
            self.sends.as_mut().unwrap().send(Ok(frame.into())).await.unwrap();
        }

        async fn next(&mut self) -> Option<Bytes> {
            tokio::time::timeout(Duration::from_secs(60), self.receives.next()).await.expect("something comes")
        }

        async fn expect(&mut self, frame: Vec<u8>) {
            assert_eq!(self.next().await, Some(Bytes::from(frame)));
        }
    }

    #[tokio::test]
    async fn streams_are_accepted_fed_and_ended_and_pings_answered() {
        let mut wire = Wire::new(async |mut client| {
            let mut stream = client.opened.recv().await.unwrap();
            assert_eq!(stream.headers["streamtype"], "stdin");
            while let Some(bytes) = stream.input.recv().await {
                stream.output.send(&bytes.to_ascii_uppercase()).await.unwrap();
            }
            stream.output.end().await;
            stream.output.end().await;
        });
        wire.send(open(1, STDIN)).await;
        wire.expect(frame::accept(1, true)).await;
        wire.send(frame::ping(5)).await;
        wire.expect(frame::ping(5)).await;
        wire.send(frame::data(1, b"abc", false)).await;
        wire.expect(frame::data(1, b"ABC", false)).await;
        // On a stream that is not there, and a second of the same number.
        wire.send(frame::data(9, b"nobody", false)).await;
        wire.send(open(1, DATA)).await;
        wire.expect(frame::refuse(1)).await;
        wire.send(frame::data(1, b"d", true)).await;
        wire.expect(frame::data(1, b"D", false)).await;
        wire.expect(frame::data(1, b"", true)).await;
        wire.expect(frame::go_away(0)).await;
        drop(wire.sends.take());
        assert_eq!(wire.next().await, None, "and then it closes");
        wire.serving.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_speaks_nonsense_or_goes_ends_the_connection() {
        for last_words in
            [Some(frame::go_away(0)), Some(b"GET / HTTP/1.1\r\n\xff\xff\xff".to_vec()), Some(vec![0x80; 20]), None]
        {
            let mut wire = Wire::new(async |client| client.gone.cancelled().await);
            match last_words {
                // Bytes of a frame that never ends are no nonsense yet: the client has to go as well.
                Some(words) => {
                    wire.send(words).await;
                    drop(wire.sends.take());
                }
                None => drop(wire.sends.take()),
            }
            tokio::time::timeout(Duration::from_secs(60), wire.serving).await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_opens_no_streams_is_given_up_and_its_program_with_it() {
        let (alive, dead) = tokio::sync::oneshot::channel::<()>();
        let end = async move {
            let _alive = alive;
            std::future::pending().await
        };
        let session =
            Session { stdin: None, stdout: None, stderr: None, resize: None, ends_with_input: false, end: end.boxed() };
        let wanted = Wanted { stdin: true, ..Wanted::default() };
        let mut wire = Wire::new(move |client| remote_command::run(client, 4, wanted, session, None));
        wire.send(open(1, STDIN)).await;
        assert!(dead.await.is_err(), "it was dropped");
        wire.expect(frame::accept(1, true)).await;
        let farewell = Bytes::from(frame::go_away(0));
        while let Some(said) = wire.next().await
            && said != farewell
        {
            assert_eq!(said, frame::ping(2));
        }
    }

    #[test]
    fn the_tunnels_name_says_what_is_inside() {
        assert!(port_forward::TUNNEL.ends_with(port_forward::NAME));
    }
}
