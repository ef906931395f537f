//! One connection to a supervisor.

use super::super::handover;
use super::super::protocol;
use serde::Serialize;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A client that lets this much pile up is cut off; it can come again and subscribe.
const MAX_UNSENT: usize = 32 << 20;

pub struct Client {
    pub stream: UnixStream,
    pub received: Vec<u8>,
    pub unsent: Vec<u8>,
    pub subscribed: bool,
    pub closed: bool,
}

impl Client {
    /// `stream` does not block.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, received: Vec::new(), unsent: Vec::new(), subscribed: false, closed: false }
    }

    /// Sends a message with descriptors, as the first on its connection.
    pub fn hand_over<T: Serialize>(&mut self, message: &T, handles: &[OwnedFd]) {
        let sent = match self.unsent.is_empty() {
            true => protocol::encode(message).and_then(|frame| handover::send(self.stream.as_fd(), &frame, handles)),
            false => Err(io::ErrorKind::WouldBlock.into()),
        };
        self.closed |= sent.is_err();
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.unsent.extend_from_slice(frame);
        self.flush();
        if MAX_UNSENT < self.unsent.len() {
            self.closed = true;
        }
    }

    pub fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    pub fn receive(&mut self) {
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => {
                    self.closed = true;
                    return;
                }
                Ok(length) => self.received.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }
}
