//! Those who are attached to containers: each gets a pipe of its own for each output, which this process fills.
//!
//! A reader who is slow slows the container down, as on any terminal; one who takes nothing at all for [`PATIENCE`] is cut off, since a
//! Job must not wait for ever for somebody's screen. What is kept for a reader is never more than one piece of output.

use crate::logs::write::Stream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// One client's look at one container.
pub struct Attachment {
    pub client: u64,
    pub request: u64,
    pub container: String,
    pub stdout: Option<Sink>,
    pub stderr: Option<Sink>,
    /// The container's exit code, once it has ended: told when all output is gone.
    pub exit_code: Option<i32>,
}

/// The writing end of a client's pipe.
pub struct Sink {
    pub pipe: OwnedFd,
    unsent: Vec<u8>,
    /// When the reader last took something, while there is something left.
    since: Instant,
}

/// All of them.
#[derive(Default)]
pub struct Audience(pub Vec<Attachment>);

impl Sink {
    /// `pipe` does not block.
    pub fn new(pipe: OwnedFd) -> Self {
        Self { pipe, unsent: Vec::new(), since: Instant::now() }
    }

    /// Whether something waits for the reader.
    pub fn is_full(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// False: nobody reads any more.
    fn send(&mut self, output: &[u8]) -> bool {
        if self.unsent.is_empty() {
            self.since = Instant::now();
        }
        self.unsent.extend_from_slice(output);
        self.flush()
    }

    /// False: nobody reads any more.
    fn flush(&mut self) -> bool {
        while !self.unsent.is_empty() {
            match rustix::io::write(&self.pipe, &self.unsent) {
                Ok(length) => {
                    self.unsent.drain(..length);
                    self.since = Instant::now();
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    fn gives_up_at(&self) -> Option<Instant> {
        self.is_full().then(|| self.since.checked_add(PATIENCE)).flatten()
    }
}

impl Attachment {
    /// The pipe for `stream`, if it is open.
    pub fn sink(&mut self, stream: Stream) -> &mut Option<Sink> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// The pipes that are open.
    pub fn sinks(&self) -> impl Iterator<Item = (Stream, &Sink)> {
        let stdout = self.stdout.iter().map(|sink| (Stream::Stdout, sink));
        stdout.chain(self.stderr.iter().map(|sink| (Stream::Stderr, sink)))
    }

    fn close_when_empty(&mut self) {
        if self.exit_code.is_none() {
            return;
        }
        for sink in [&mut self.stdout, &mut self.stderr] {
            if sink.as_ref().is_some_and(|sink| !sink.is_full()) {
                *sink = None;
            }
        }
    }
}

impl Audience {
    /// Gives what a container wrote to those who want it.
    pub fn send(&mut self, container: &str, stream: Stream, output: &[u8]) {
        let listening = self.0.iter_mut().filter(|attachment| attachment.container == container);
        for attachment in listening.filter(|attachment| attachment.exit_code.is_none()) {
            let sink = attachment.sink(stream);
            if sink.as_mut().is_some_and(|sink| !sink.send(output)) {
                *sink = None;
            }
        }
    }

    /// Whether the container's output has to wait for a reader.
    pub fn holds_up(&self, container: &str, stream: Stream) -> bool {
        let of_container = self.0.iter().filter(|attachment| attachment.container == container);
        of_container.flat_map(Attachment::sinks).any(|(of, sink)| of == stream && sink.is_full())
    }

    /// A reader has made room; or, if none was waited for, is gone.
    pub fn flush(&mut self, client: u64, stream: Stream) {
        for attachment in self.0.iter_mut().filter(|attachment| attachment.client == client) {
            let sink = attachment.sink(stream);
            if sink.as_mut().is_some_and(|sink| !sink.is_full() || !sink.flush()) {
                *sink = None;
            }
            attachment.close_when_empty();
        }
    }

    /// The container has ended; nothing more will be sent.
    pub fn ended(&mut self, container: &str, exit_code: i32) {
        let of_container = self.0.iter_mut().filter(|attachment| attachment.container == container);
        for attachment in of_container.filter(|attachment| attachment.exit_code.is_none()) {
            attachment.exit_code = Some(exit_code);
            attachment.close_when_empty();
        }
    }

    /// Takes off those whose container has ended and whose readers have everything: (client, request, exit code).
    pub fn take_finished(&mut self) -> Vec<(u64, u64, i32)> {
        let mut finished = Vec::new();
        self.0.retain(|attachment| match attachment.exit_code {
            Some(exit_code) if attachment.sinks().next().is_none() => {
                finished.push((attachment.client, attachment.request, exit_code));
                false
            }
            _ => true,
        });
        finished
    }

    /// When the next reader will have been patient with for long enough.
    pub fn next_deadline(&self) -> Option<Instant> {
        let sinks = self.0.iter().flat_map(Attachment::sinks);
        sinks.filter_map(|(_, sink)| sink.gives_up_at()).min()
    }

    /// Cuts off readers who have taken nothing for too long.
    pub fn cut_off(&mut self, now: Instant) {
        for attachment in &mut self.0 {
            for sink in [&mut attachment.stdout, &mut attachment.stderr] {
                if sink.as_ref().and_then(Sink::gives_up_at).is_some_and(|at| at <= now) {
                    *sink = None;
                }
            }
        }
    }

    /// A client is gone.
    pub fn forget(&mut self, client: u64) {
        self.0.retain(|attachment| attachment.client != client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn attached(client: u64) -> (Attachment, std::io::PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        let pipe = OwnedFd::from(writer);
        rustix::io::ioctl_fionbio(&pipe, true).unwrap();
        let stdout = Some(Sink::new(pipe));
        (Attachment { client, request: 7, container: "c".into(), stdout, stderr: None, exit_code: None }, reader)
    }

    #[test]
    fn a_full_reader_holds_its_container_up_until_it_reads_and_loses_nothing() {
        let (attachment, mut reader) = attached(1);
        let mut audience = Audience(vec![attachment]);
        let mut n_sent = 0;
        while !audience.holds_up("c", Stream::Stdout) {
            audience.send("c", Stream::Stdout, &[b'x'; 5000]);
            n_sent += 5000;
        }
        assert!(!audience.holds_up("c", Stream::Stderr) && !audience.holds_up("other", Stream::Stdout));
        audience.ended("c", 3);
        assert_eq!(audience.take_finished(), [], "its last words are not out yet");
        let mut n_read = 0;
        let mut buffer = vec![0; 1 << 20];
        while n_read < n_sent {
            n_read += reader.read(&mut buffer).unwrap();
            audience.flush(1, Stream::Stdout);
        }
        assert_eq!(audience.take_finished(), [(1, 7, 3)]);
        assert_eq!(reader.read(&mut buffer).unwrap(), 0, "the pipe is closed");
    }

    #[test]
    fn a_reader_who_takes_nothing_is_cut_off() {
        let (attachment, _reader) = attached(1);
        let mut audience = Audience(vec![attachment]);
        assert_eq!(audience.next_deadline(), None);
        while !audience.holds_up("c", Stream::Stdout) {
            audience.send("c", Stream::Stdout, &[b'x'; 5000]);
        }
        let deadline = audience.next_deadline().unwrap();
        audience.cut_off(deadline - Duration::from_secs(1));
        assert!(audience.holds_up("c", Stream::Stdout));
        audience.cut_off(deadline);
        assert!(!audience.holds_up("c", Stream::Stdout));
    }

    #[test]
    fn a_reader_who_is_gone_holds_nobody_up() {
        let (attachment, reader) = attached(1);
        let mut audience = Audience(vec![attachment]);
        drop(reader);
        // The test's process dies of SIGPIPE unless it is ignored, which Rust's start-up does.
        audience.send("c", Stream::Stdout, b"into nothing");
        assert!(!audience.holds_up("c", Stream::Stdout));
        audience.forget(1);
        assert!(audience.0.is_empty());
    }
}
