//! What server and supervisor say to each other: frames of a little-endian u32 length and JSON.

use crate::cgroups::Cgroups;
use crate::runtime::{Attach, Container, Exec, Run, RuntimeError, Sandbox};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// Larger frames are refused; a container's environment may be a megabyte.
pub const MAX_FRAME: usize = 16 << 20;
/// The socket's name in the pod's directory.
pub const SOCKET: &str = "supervisor.sock";
/// The file in the pod's directory that a supervisor starts from and `recover` finds.
pub const BOOT: &str = "sandbox.json";
/// What a supervisor prints once it listens; anything else is why it could not.
pub const READY: &str = "ready";

/// What a supervisor is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Boot {
    pub sandbox: Sandbox,
    pub cgroups: Cgroups,
    /// The pod's network namespace, made for it; while the server that made it holds it open.
    #[serde(default)]
    pub network_namespace: Option<PathBuf>,
}

/// Server to supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    pub id: u64,
    pub call: Call,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum Call {
    /// Replies once the program was executed or could not be.
    Start(Box<Container>),
    /// Replies at once.
    Stop { container: String, grace_seconds: u64 },
    /// Sends the runs now and whenever they change, as [`Message::Runs`].
    Subscribe,
    /// Replies once the program was executed or could not be, with its handles; [`Message::Exited`] follows. The only call on its
    /// connection, with which the program is killed.
    Exec(Exec),
    /// Replies with handles; [`Message::Exited`] follows when the container has ended. The only call on its connection.
    Attach(Attach),
    /// Replies with sockets of the pod's network namespace as handles. The only call on its connection.
    Sockets,
    /// Replies when everything is gone; then the supervisor ends.
    Remove,
}

/// What a descriptor that comes with a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Handle {
    /// To write to.
    Stdin,
    /// To read from.
    Stdout,
    /// To read from.
    Stderr,
    /// A terminal's master.
    Terminal,
    /// A TCP socket.
    Ipv4,
    /// A TCP socket.
    Ipv6,
}

/// Supervisor to server.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    Reply {
        id: u64,
        result: Result<Done, Failure>,
    },
    Runs(Vec<Run>),
    /// What call `id` executed, or the container it attached to, has ended.
    Exited {
        id: u64,
        exit_code: i32,
    },
}

/// A call that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// For `Start`.
    pub started_at: Option<Timestamp>,
    /// What was asked for and could not be had, for the server's log.
    #[serde(default)]
    pub shortfalls: Vec<String>,
    /// The descriptors that come with this message, in their order.
    #[serde(default)]
    pub handles: Vec<Handle>,
    /// For `Attach`: the container's input goes on when the client's ends.
    #[serde(default)]
    pub ends_with_input: bool,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Failure {
    Create(String),
    Start {
        message: String,
        exit_code: i32,
    },
    /// The container that was named.
    NotRunning(String),
}

impl From<Failure> for RuntimeError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Create(message) => RuntimeError::Create(message),
            Failure::Start { message, exit_code } => RuntimeError::Start { message, exit_code },
            Failure::NotRunning(container) => RuntimeError::NotRunning(container),
        }
    }
}

/// One message as a frame.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if MAX_FRAME < length {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes is too large")));
    }
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// Takes the first whole message off `buffer`; `None` if there is none yet.
pub fn decode<T: for<'a> Deserialize<'a>>(buffer: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some(header) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*header) as usize;
    if MAX_FRAME < length {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let Some(body) = buffer.get(4..4 + length) else {
        return Ok(None);
    };
    let message = serde_json::from_slice(body)?;
    buffer.drain(..4 + length);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let mut wire = encode(&Call::Subscribe).unwrap();
        wire.extend(encode(&Call::Stop { container: "c".into(), grace_seconds: 3 }).unwrap());
        let (mut buffer, mut seen) = (Vec::new(), 0);
        for byte in wire {
            buffer.push(byte);
            seen += usize::from(decode::<Call>(&mut buffer).unwrap().is_some());
        }
        assert_eq!((seen, buffer.len()), (2, 0));
    }

    #[test]
    fn nonsense_is_an_error_and_not_an_allocation() {
        assert!(decode::<Call>(&mut vec![0xff; 8]).is_err());
        let mut wrong = encode(&"text").unwrap();
        assert!(decode::<Call>(&mut wrong).is_err());
    }
}
