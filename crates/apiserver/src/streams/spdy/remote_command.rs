//! A program's streams over SPDY: exec and attach as kubectl up to 1.29 wants them (K:kubelet/pkg/cri/streaming/remotecommand/httpstream.go).

use super::connection::{Client, Gone, Output, Stream};
use crate::node::{Reader, Session, Wanted};
use crate::streams::PIECE;
use crate::streams::remote_command::{End, size};
use bytes::Bytes;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Versions of the protocol; the fifth is for WebSockets only.
pub(crate) const VERSIONS: &[(&str, u8)] =
    &[("v4.channel.k8s.io", 4), ("v3.channel.k8s.io", 3), ("v2.channel.k8s.io", 2), ("channel.k8s.io", 1)];

/// How long a client may take to open its streams (K: StreamCreationTimeout).
const OPENING: Duration = Duration::from_secs(30);
/// A terminal's size takes thirty bytes.
const MAX_SIZE: usize = 1024;

/// What a client has opened, by the header `streamType`.
#[derive(Default)]
struct Opened {
    error: Option<Stream>,
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    resize: Option<Stream>,
}

impl Opened {
    fn add(&mut self, stream: Stream) {
        let place = match stream.headers.get("streamtype").map(String::as_str) {
            Some("error") => &mut self.error,
            Some("stdin") => &mut self.stdin,
            Some("stdout") => &mut self.stdout,
            Some("stderr") => &mut self.stderr,
            Some("resize") => &mut self.resize,
            // Accepted and forgotten, as the kubelet does.
            _ => return,
        };
        *place = Some(stream);
    }

    fn is_complete(&self, wanted: Wanted, version: u8) -> bool {
        self.error.is_some()
            && (self.stdin.is_some() || !wanted.stdin)
            && (self.stdout.is_some() || !wanted.stdout)
            && (self.stderr.is_some() || !wanted.stderr)
            && (self.resize.is_some() || !wanted.tty || version < 3)
    }
}

/// Serves a session until it or the client ends.
pub(crate) async fn run(client: Client, version: u8, wanted: Wanted, session: Session, command: Option<Vec<String>>) {
    let gone = client.gone.clone();
    tokio::select! {
        // Whoever vanishes ends what he started: it is dropped here.
        () = gone.cancelled() => {}
        () = speak(client, version, wanted, session, command) => {}
    }
}

async fn speak(mut client: Client, version: u8, wanted: Wanted, session: Session, command: Option<Vec<String>>) {
    let mut opened = Opened::default();
    let opening = async {
        while !opened.is_complete(wanted, version) {
            match client.opened.recv().await {
                Some(stream) => opened.add(stream),
                None => return false,
            }
        }
        true
    };
    if !matches!(tokio::time::timeout(OPENING, opening).await, Ok(true)) {
        tracing::debug!("timed out waiting for client to create streams");
        return;
    }
    let Opened { error: Some(error), stdin, stdout, stderr, resize } = opened else {
        return;
    };
    let (input_over, over) = (CancellationToken::new(), CancellationToken::new());
    let detached = async {
        match session.ends_with_input {
            true => input_over.cancelled().await,
            false => std::future::pending().await,
        }
    };
    let write_input = async {
        if let Some(stream) = stdin {
            copy_input(stream.input, session.stdin, &over).await;
            input_over.cancel();
        }
        std::future::pending::<()>().await;
    };
    let resize_terminal = async {
        if let (Some(stream), Some(resize)) = (resize, &session.resize) {
            copy_sizes(stream.input, |columns, rows| resize(columns, rows)).await;
        }
        std::future::pending::<()>().await;
    };
    let run = async {
        let outputs = async {
            let (stdout, stderr) = tokio::join!(
                copy_output(session.stdout.filter(|_| wanted.stdout), stdout),
                copy_output(session.stderr, stderr)
            );
            stdout.and(stderr)
        };
        let result = tokio::select! {
            sent = outputs => match sent {
                Ok(()) => session.end.await,
                Err(gone) => Err(gone.to_string()),
            },
            () = detached => Ok(0),
        };
        over.cancel();
        report(error.output, version, &End::of(result, command.as_deref())).await;
    };
    tokio::select! {
        () = run => {}
        () = write_input => {}
        () = resize_terminal => {}
    }
}

/// Until the client has closed its input, or nobody reads it any more.
async fn copy_input(mut input: mpsc::Receiver<Bytes>, stdin: Option<crate::node::Writer>, over: &CancellationToken) {
    let Some(mut stdin) = stdin else {
        return;
    };
    while let Some(bytes) = input.recv().await {
        let written = tokio::select! {
            written = stdin.write_all(&bytes) => written.is_ok(),
            () = over.cancelled() => false,
        };
        if !written {
            return;
        }
    }
}

/// One JSON object after another.
async fn copy_sizes(mut input: mpsc::Receiver<Bytes>, resize: impl Fn(u16, u16)) {
    let mut received = Vec::new();
    while let Some(bytes) = input.recv().await {
        received.extend_from_slice(&bytes);
        while let Some(end) = received.iter().position(|byte| *byte == b'}') {
            let object: Vec<u8> = received.drain(..=end).collect();
            if let Some((columns, rows)) = size(&object) {
                resize(columns, rows);
            }
        }
        if MAX_SIZE < received.len() {
            return;
        }
    }
}

/// To its end, which the client is told.
async fn copy_output(reader: Option<Reader>, stream: Option<Stream>) -> Result<(), Gone> {
    let Some(mut stream) = stream else {
        return Ok(());
    };
    if let Some(mut reader) = reader {
        let mut piece = vec![0; PIECE];
        loop {
            // An output that cannot be read has ended.
            match reader.read(&mut piece).await.unwrap_or(0) {
                0 => break,
                length => stream.output.send(&piece[..length]).await?,
            }
        }
    }
    stream.output.end().await;
    Ok(())
}

async fn report(mut error: Output, version: u8, end: &End) {
    let text = match version {
        4.. => end.status().to_string(),
        _ => end.text(),
    };
    if !text.is_empty() {
        let _ = error.send(text.as_bytes()).await;
    }
    error.end().await;
}
