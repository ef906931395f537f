//! Calls whose answers bring descriptors: exec, attach, sockets.

use super::super::audience::{Attachment, Sink};
use super::super::birth::Birthday;
use super::super::container::{Live, failed, pipe, unblocked};
use super::super::protocol::{Done, Failure, Handle, Message};
use super::super::session;
use super::Supervisor;
use crate::logs::write::Stream;
use crate::runtime::{Attach, Exec, Stdin};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::fs::File;
use std::os::fd::OwnedFd;

/// Programs at once in one pod, beside those of its containers. Each holds a few descriptors here, of which there are about a thousand.
const MAX_SESSIONS: usize = 250;

impl Supervisor {
    /// A container's output, unless somebody attached has not yet taken what it wrote before.
    pub(super) fn readable<'a>(&self, live: &'a Live, stream: Stream) -> Option<&'a File> {
        let pipe = match stream {
            Stream::Stdout => live.stdout.as_ref(),
            Stream::Stderr => live.stderr.as_ref(),
        };
        pipe.filter(|_| !self.audience.holds_up(&live.name, stream))
    }

    /// A container whose program was executed and has not ended.
    fn running(&mut self, name: &str) -> Result<&mut Live, Failure> {
        let is_going = self.orphaned || !self.removing.is_empty();
        let live = self.live.iter_mut().find(|live| live.name == name && live.birth.pipe.is_none());
        live.filter(|_| !is_going).ok_or_else(|| Failure::NotRunning(name.to_owned()))
    }

    pub(super) fn exec(&mut self, client: u64, id: u64, exec: &Exec) {
        if MAX_SESSIONS <= self.sessions.len() + self.audience.0.len() {
            let text = format!("there are {MAX_SESSIONS} sessions in this pod already");
            return self.reply(client, id, Err(Failure::Create(text)));
        }
        self.n_sessions_ever += 1;
        let number = self.n_sessions_ever;
        let launched = self.running(&exec.container).and_then(|live| session::launch(live, exec, client, id, number));
        match launched {
            Ok(session) => drop(self.sessions.insert(number, session)),
            Err(failure) => self.reply(client, id, Err(failure)),
        }
    }

    pub(super) fn attend_session_birth(&mut self, number: u64) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let (client, id) = (session.client, session.request);
        match session.birth.read() {
            Birthday::Unborn => {}
            Birthday::Executed | Birthday::ExecutedAs(_) => {
                let handles = session.take_handles();
                self.hand_over(client, id, Done::default(), handles);
            }
            // The process is exiting; it is reaped like any other.
            Birthday::Failed(failure) => self.reply(client, id, Err(failure)),
        }
    }

    pub(super) fn attend_session_exit(&mut self, number: u64) {
        // As with containers: birth comes first.
        self.attend_session_birth(number);
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        // A client that goes takes its terminal along, and that may have ended the program; what is left of it must go as well.
        if self.clients.get(&session.client).is_none_or(|client| client.closed) {
            session.kill();
        }
        let Some(exit_code) = session.reap() else {
            return;
        };
        let (client, id) = (session.client, session.request);
        self.sessions.remove(&number);
        self.send(client, &Message::Exited { id, exit_code });
    }

    pub(super) fn attach(&mut self, client: u64, id: u64, attach: &Attach) {
        match self.open_attachment(client, id, attach) {
            Ok((done, handles)) => self.hand_over(client, id, done, handles),
            Err(failure) => self.reply(client, id, Err(failure)),
        }
    }

    fn open_attachment(
        &mut self,
        client: u64,
        request: u64,
        attach: &Attach,
    ) -> Result<(Done, Vec<(Handle, OwnedFd)>), Failure> {
        let full = MAX_SESSIONS <= self.sessions.len() + self.audience.0.len();
        let live = self.running(&attach.container)?;
        if full {
            return Err(Failure::Create(format!("there are {MAX_SESSIONS} sessions in this pod already")));
        }
        let mut handles = Vec::new();
        let mut done = Done::default();
        if let Some(terminal) = &live.terminal {
            let share = || terminal.try_clone().map_err(|e| failed("share the terminal", e));
            handles.push((Handle::Terminal, share()?));
            if attach.stdin && live.stdin_kind != Stdin::Null {
                handles.push((Handle::Stdin, share()?));
                done.ends_with_input = true;
            }
        } else if attach.stdin {
            // Whoever has it last closes it: with Once that is this client.
            let shared = match live.stdin_kind {
                Stdin::Once => live.stdin.take(),
                Stdin::Open | Stdin::Null => {
                    let shared = live.stdin.as_ref().map(OwnedFd::try_clone);
                    shared.transpose().map_err(|e| failed("share the container's input", e))?
                }
            };
            done.ends_with_input = shared.is_some() && live.stdin_kind == Stdin::Open;
            handles.extend(shared.map(|stdin| (Handle::Stdin, stdin)));
        }
        let has_terminal = live.terminal.is_some();
        let mut attachment = Attachment {
            client,
            request,
            container: attach.container.clone(),
            stdout: None,
            stderr: None,
            exit_code: None,
        };
        for (wanted, handle, stream) in [
            (attach.stdout, Handle::Stdout, Stream::Stdout),
            (attach.stderr && !has_terminal, Handle::Stderr, Stream::Stderr),
        ] {
            if wanted {
                let (theirs, ours) = pipe()?;
                handles.push((handle, unblocked(theirs)?));
                *attachment.sink(stream) = Some(Sink::new(unblocked(ours)?));
            }
        }
        self.audience.0.push(attachment);
        Ok((done, handles))
    }

    /// Sockets belong to the network namespace of whoever makes them: here that is the pod's.
    pub(super) fn sockets(&mut self, client: u64, id: u64) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let new = |family| socket(family, SockType::Stream, flags, None);
        match new(AddressFamily::Inet) {
            Ok(ipv4) => {
                let mut handles = vec![(Handle::Ipv4, ipv4)];
                // A kernel may have been built without.
                handles.extend(new(AddressFamily::Inet6).ok().map(|ipv6| (Handle::Ipv6, ipv6)));
                self.hand_over(client, id, Done::default(), handles);
            }
            Err(error) => self.reply(client, id, Err(failed("make a socket", error))),
        }
    }

    fn hand_over(&mut self, client: u64, id: u64, mut done: Done, handles: Vec<(Handle, OwnedFd)>) {
        let Some(client) = self.clients.get_mut(&client) else {
            return;
        };
        let (names, handles): (Vec<_>, Vec<_>) = handles.into_iter().unzip();
        done.handles = names;
        client.hand_over(&Message::Reply { id, result: Ok(done) }, &handles);
    }

    /// Tells those attached to containers that have ended, once they have read everything.
    pub(super) fn tell_finished(&mut self) {
        for (client, id, exit_code) in self.audience.take_finished() {
            self.send(client, &Message::Exited { id, exit_code });
        }
    }

    /// Lets clients go that are gone. What they executed is killed; what they were attached to goes on.
    pub(super) fn part_with_closed(&mut self) {
        let closed: Vec<u64> = self.clients.iter().filter(|(_, client)| client.closed).map(|(id, _)| *id).collect();
        for id in closed {
            self.clients.remove(&id);
            self.audience.forget(id);
            self.sessions.values().filter(|session| session.client == id).for_each(session::Session::kill);
        }
    }
}
