//! Ports of a pod over SPDY (K:kubelet/pkg/cri/streaming/portforward/httpstream.go). For each connection the client opens two streams with
//! the same `requestID`: one for its error, which comes first, one for its bytes.

use super::connection::{Client, Stream};
use crate::node::{NodeConnection, Target};
use crate::streams::PIECE;
use crate::streams::port_forward::failure;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The protocol's name where SPDY is spoken on the connection itself,
pub(crate) const NAME: &str = "portforward.k8s.io";
/// and where it is spoken inside a WebSocket.
pub(crate) const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// How long the second stream of a pair may take (K: StreamCreationTimeout).
const PAIRING: Duration = Duration::from_secs(30);
/// Halves of pairs that wait.
const MAX_WAITING: usize = 500;

/// Streams that wait for their other half.
#[derive(Default)]
struct Pair {
    error: Option<Stream>,
    data: Option<Stream>,
    /// When to give up.
    until: Option<Instant>,
}

/// Serves until the client is gone.
pub(crate) async fn run(mut client: Client, node: Arc<dyn NodeConnection>, pod: Target) {
    let mut waiting: HashMap<String, Pair> = HashMap::new();
    // Dropped with this, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = client.opened.recv() => stream,
            Some(_) = connections.join_next() => continue,
            () = client.gone.cancelled() => None,
        };
        let Some(stream) = stream else { return };
        let now = Instant::now();
        waiting.retain(|_, pair| pair.until.is_some_and(|until| now < until));
        if MAX_WAITING <= waiting.len() {
            continue;
        }
        let Some(id) = request_id(&stream) else {
            continue;
        };
        let pair = waiting.entry(id.clone()).or_default();
        pair.until = now.checked_add(PAIRING);
        match stream.headers.get("streamtype").map(String::as_str) {
            Some("error") => pair.error = Some(stream),
            Some("data") => pair.data = Some(stream),
            // Accepted and forgotten.
            _ => {}
        }
        if let Some(Pair { error: Some(error), data: Some(data), .. }) = take_if_whole(&mut waiting, &id) {
            connections.spawn(forward(node.clone(), pod.clone(), error, data));
        }
    }
}

/// Clients before Kubernetes 1.2 named the port alone; all that are left name their request.
fn request_id(stream: &Stream) -> Option<String> {
    stream.headers.get("requestid").cloned()
}

fn take_if_whole(waiting: &mut HashMap<String, Pair>, id: &str) -> Option<Pair> {
    let is_whole = waiting.get(id).is_some_and(|pair| pair.error.is_some() && pair.data.is_some());
    is_whole.then(|| waiting.remove(id)).flatten()
}

async fn forward(node: Arc<dyn NodeConnection>, pod: Target, mut error: Stream, mut data: Stream) {
    let port = data.headers.get("port").map_or("", String::as_str);
    let result = match port.parse::<u16>() {
        Ok(number) if number != 0 => {
            let pumped = pump(&*node, &pod, number, &mut data).await;
            pumped.map_err(|why| failure(&pod, number, &why))
        }
        _ => Err(format!("unable to parse {port:?} as a port")),
    };
    if let Err(text) = result {
        let _ = error.output.send(text.as_bytes()).await;
    }
    data.output.end().await;
    error.output.end().await;
}

/// Until both sides have closed, or one of them is gone.
async fn pump(node: &dyn NodeConnection, pod: &Target, port: u16, data: &mut Stream) -> Result<(), String> {
    let connection = node.connect(pod, port).await?;
    let (mut reader, mut writer) = tokio::io::split(connection);
    let (input, output) = (&mut data.input, &mut data.output);
    let to_port = async {
        while let Some(bytes) = input.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                // It has closed its side; what it says is still wanted.
                break;
            }
        }
        let _ = writer.shutdown().await;
    };
    let from_port = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = reader.read(&mut piece).await.map_err(|error| error.to_string())?;
            if length == 0 {
                output.end().await;
                return Ok(());
            }
            if output.send(&piece[..length]).await.is_err() {
                return Ok(());
            }
        }
    };
    // A port that has said its last word is done, whatever the client still says (K: containerd's portForward).
    tokio::pin!(from_port);
    tokio::select! {
        ended = &mut from_port => ended,
        () = to_port => from_port.await,
    }
}
