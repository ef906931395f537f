//! One connection to a supervisor: calls with their replies, and the pod's runs as they change.

use crate::runtime::{Run, RuntimeError};
use crate::supervisor::protocol::{self, Call, Done, Failure, Message, Request, SOCKET};
use nix::poll::{PollFd, PollFlags, poll};
use parking_lot::Mutex;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::ChildStdin;
use tokio::sync::{oneshot, watch};

/// A process that has closed its descriptors is gone in less, but for a kernel that hangs.
const ENDING_MS: u16 = 10_000;

/// A connected supervisor.
pub struct Client {
    pid: u32,
    pidfd: Arc<OwnedFd>,
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    replies: Arc<Replies>,
    state: watch::Receiver<State>,
    /// The version that `runs` last returned.
    seen: AtomicU64,
    next_id: AtomicU64,
    /// Held open as long as this server lives.
    _lifeline: Option<ChildStdin>,
}

type Answer = Result<Done, Failure>;

/// Calls that wait; `None` once the supervisor is gone.
struct Replies(Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>);

#[derive(Clone)]
struct State {
    version: u64,
    /// `None` before the first message and once the supervisor is gone.
    runs: Option<Vec<Run>>,
}

impl Client {
    /// Connects to the supervisor of the pod in `dir`, and has its runs when it returns.
    pub async fn connect(dir: &Path, lifeline: Option<ChildStdin>) -> io::Result<Self> {
        let stream = connect(dir).await?;
        let pid = stream.peer_cred()?.pid().unwrap_or(0);
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::NotConnected)?;
        let pidfd = Arc::new(pidfd_open(pid, PidfdFlags::empty())?);
        let (reader, writer) = stream.into_split();
        let replies = Arc::new(Replies(Mutex::new(Some(HashMap::new()))));
        let (sender, state) = watch::channel(State { version: 1, runs: None });
        tokio::spawn(read(reader, Arc::clone(&replies), sender));
        let client = Self {
            pid: pid.as_raw_nonzero().get().unsigned_abs(),
            pidfd,
            writer: tokio::sync::Mutex::new(writer),
            replies,
            state,
            seen: AtomicU64::new(0),
            next_id: AtomicU64::new(1),
            _lifeline: lifeline,
        };
        match client.call(Call::Subscribe).await {
            Some(Ok(_)) => Ok(client),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn is_alive(&self) -> bool {
        self.replies.0.lock().is_some()
    }

    /// `None`: the supervisor died before it answered.
    pub async fn call(&self, call: Call) -> Option<Result<Done, RuntimeError>> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let frame = match protocol::encode(&Request { id, call }) {
            Ok(frame) => frame,
            Err(error) => return Some(Err(RuntimeError::Create(error.to_string()))),
        };
        let (sender, receiver) = oneshot::channel();
        self.replies.0.lock().as_mut()?.insert(id, sender);
        // If this fails the reader sees the end too, and drops the sender.
        let _ = self.writer.lock().await.write_all(&frame).await;
        let answer = receiver.await.ok()?;
        Some(answer.map_err(RuntimeError::from))
    }

    /// What it last told; `None` once it is gone, and then its records on disk tell.
    pub fn runs(&self) -> Option<Vec<Run>> {
        let state = self.state.borrow();
        self.seen.store(state.version, Ordering::Relaxed);
        state.runs.clone()
    }

    /// Waits until `runs` would return something newer.
    pub async fn changed(&self) {
        let mut state = self.state.clone();
        let seen = self.seen.load(Ordering::Relaxed);
        if state.wait_for(|state| state.version != seen).await.is_err() {
            // Its last word was heard; nothing will change any more.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the process has ended, which it does at once after its last word.
    pub async fn ended(&self) {
        let mut state = self.state.clone();
        while state.changed().await.is_ok() {}
        let pidfd = Arc::clone(&self.pidfd);
        let wait = move || {
            let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, ENDING_MS)
        };
        if !matches!(tokio::task::spawn_blocking(wait).await, Ok(Ok(1))) {
            tracing::warn!(pid = self.pid, "a supervisor does not end");
        }
    }
}

/// Through a descriptor of the directory: a socket's path is limited to 107 bytes.
pub async fn connect(dir: &Path) -> io::Result<UnixStream> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = open(dir, flags, Mode::empty())?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd())).await
}

async fn read(mut reader: OwnedReadHalf, replies: Arc<Replies>, state: watch::Sender<State>) {
    let mut buffer = Vec::new();
    // Ends with the supervisor; a message that cannot be read ends the connection like its death.
    while let Ok(1..) = reader.read_buf(&mut buffer).await {
        loop {
            match protocol::decode::<Message>(&mut buffer) {
                Ok(Some(message)) => take(message, &replies, &state),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "a supervisor sends what is no message");
                    return end(&replies, &state);
                }
            }
        }
    }
    end(&replies, &state);
}

fn take(message: Message, replies: &Replies, state: &watch::Sender<State>) {
    match message {
        Message::Runs(runs) => state.send_modify(|state| {
            state.version += 1;
            state.runs = Some(runs);
        }),
        Message::Reply { id, result } => {
            let waiting = replies.0.lock().as_mut().and_then(|waiting| waiting.remove(&id));
            if let Some(waiting) = waiting {
                // The caller may have stopped waiting.
                let _ = waiting.send(result);
            }
        }
        // Sessions have connections of their own.
        Message::Exited { .. } => {}
    }
}

fn end(replies: &Replies, state: &watch::Sender<State>) {
    drop(replies.0.lock().take());
    state.send_modify(|state| {
        state.version += 1;
        state.runs = None;
    });
}
