//! A call with a connection to the supervisor of its own, whose answer brings descriptors. What was executed dies with the connection.

use super::client::connect;
use super::descriptor::Descriptor;
use crate::runtime::{RuntimeError, Sockets, Streams};
use crate::supervisor::handover;
use crate::supervisor::protocol::{self, Call, Done, Handle, Message, Request};
use futures::FutureExt;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// The only call of its connection.
const ID: u64 = 1;

struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    handles: VecDeque<OwnedFd>,
}

impl Connection {
    /// The next message; `None` once the supervisor is gone, or says what this server does not understand.
    async fn message(&mut self) -> Option<Message> {
        loop {
            match protocol::decode(&mut self.received) {
                Ok(Some(message)) => return Some(message),
                Ok(None) => self.receive().await.ok()?,
                Err(_) => return None,
            }
        }
    }

    async fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let read = || handover::receive(self.stream.as_fd(), &mut buffer);
        let (length, handles) = self.stream.async_io(Interest::READABLE, read).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.received.extend_from_slice(&buffer[..length]);
        self.handles.extend(handles);
        Ok(())
    }
}

/// `None`: the supervisor is gone.
async fn call(dir: &Path, call: Call) -> Option<Result<(Connection, Done), RuntimeError>> {
    let mut stream = connect(dir).await.ok()?;
    let frame = match protocol::encode(&Request { id: ID, call }) {
        Ok(frame) => frame,
        Err(error) => return Some(Err(RuntimeError::Create(error.to_string()))),
    };
    stream.write_all(&frame).await.ok()?;
    let mut connection = Connection { stream, received: Vec::new(), handles: VecDeque::new() };
    loop {
        match connection.message().await? {
            Message::Reply { id: ID, result } => {
                return Some(result.map(|done| (connection, done)).map_err(Into::into));
            }
            Message::Reply { .. } | Message::Runs(_) | Message::Exited { .. } => {}
        }
    }
}

/// What `Exec` or `Attach` open. `None`: the supervisor is gone.
pub async fn streams(dir: &Path, wanted: Call) -> Option<Result<Streams, RuntimeError>> {
    let attached = matches!(wanted, Call::Attach(_));
    Some(match call(dir, wanted).await? {
        Ok((connection, done)) => open(connection, &done, attached)
            .map_err(|error| RuntimeError::Create(format!("failed to take the program's streams over: {error}"))),
        Err(error) => Err(error),
    })
}

fn open(mut connection: Connection, done: &Done, attached: bool) -> io::Result<Streams> {
    let mut streams = Streams {
        stdin: None,
        stdout: None,
        stderr: None,
        resize: None,
        ends_with_input: done.ends_with_input,
        exit: futures::future::pending().boxed(),
    };
    for handle in &done.handles {
        let fd = connection.handles.pop_front().ok_or(io::ErrorKind::InvalidData)?;
        match handle {
            Handle::Stdin => streams.stdin = Some(Box::new(Descriptor::new(fd, Interest::WRITABLE)?)),
            Handle::Stdout => streams.stdout = Some(Box::new(Descriptor::new(fd, Interest::READABLE)?)),
            Handle::Stderr => streams.stderr = Some(Box::new(Descriptor::new(fd, Interest::READABLE)?)),
            Handle::Terminal => {
                let terminal = Descriptor::new(fd, Interest::READABLE | Interest::WRITABLE)?;
                // The supervisor reads the terminals of containers, for their logs, and says who may write to them.
                if !attached {
                    streams.stdin = Some(Box::new(terminal.clone()));
                    streams.stdout = Some(Box::new(terminal.clone()));
                }
                streams.resize = Some(Arc::new(move |columns, rows| terminal.resize(columns, rows)));
            }
            // Answers to another call.
            Handle::Ipv4 | Handle::Ipv6 => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    streams.exit = exit(connection).boxed();
    Ok(streams)
}

async fn exit(mut connection: Connection) -> Result<i32, String> {
    loop {
        match connection.message().await {
            Some(Message::Exited { exit_code, .. }) => return Ok(exit_code),
            Some(Message::Reply { .. } | Message::Runs(_)) => {}
            None => return Err("the pod's supervisor is gone".into()),
        }
    }
}

/// Sockets of the pod's network. `None`: the supervisor is gone.
pub async fn sockets(dir: &Path) -> Option<Result<Sockets, RuntimeError>> {
    let (mut connection, done) = match call(dir, Call::Sockets).await? {
        Ok(answer) => answer,
        Err(error) => return Some(Err(error)),
    };
    let (mut ipv4, mut ipv6) = (None, None);
    for handle in done.handles {
        let fd = connection.handles.pop_front();
        match handle {
            Handle::Ipv4 => ipv4 = fd,
            Handle::Ipv6 => ipv6 = fd,
            Handle::Stdin | Handle::Stdout | Handle::Stderr | Handle::Terminal => {}
        }
    }
    Some(ipv4.map(|ipv4| Sockets { ipv4, ipv6 }).ok_or_else(|| RuntimeError::Create("no socket came".into())))
}
