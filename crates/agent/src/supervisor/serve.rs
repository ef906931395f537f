//! The supervisor's loop: one poll over its socket, its clients, its containers' pipes and pidfds, and the server's lifeline.

mod client;
mod streams;

use super::audience::Audience;
use super::birth::Birthday;
use super::container::{self, Live};
use super::oci::{Chore, Outside};
use super::protocol::{self, Boot, Call, Done, Failure, Message, Request};
use super::records::{self, Durability};
use super::session::Session;
use crate::cgroups::apply;
use crate::logs::write::Stream;
use crate::runtime::{Container, Run, RunState};
use client::Client;
use jiff::Timestamp;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Why the loop ended.
pub enum End {
    /// The server asked for removal and waits for the answer: send it when all is gone.
    Removed(Farewell),
    /// The server of an ephemeral pod is gone.
    Orphaned,
}

/// The clients that wait for a removal.
pub struct Farewell(Vec<(UnixStream, u64)>);

impl Farewell {
    /// Tells them that it is done.
    pub fn send(self) {
        for (mut stream, id) in self.0 {
            let result = Ok(done(None));
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
            if let Ok(frame) = protocol::encode(&Message::Reply { id, result }) {
                let _ = stream.write_all(&frame);
            }
        }
    }
}

/// All that a supervisor knows.
pub struct Supervisor {
    boot: Boot,
    dir: PathBuf,
    listener: UnixListener,
    lifeline: Option<OwnedFd>,
    clients: BTreeMap<u64, Client>,
    live: Vec<Live>,
    /// Starts that wait for their program to be executed: container → (client, request).
    waiting: BTreeMap<String, (u64, u64, Vec<String>)>,
    runs: BTreeMap<String, Run>,
    /// Further programs in the containers, by number.
    sessions: BTreeMap<u64, Session>,
    n_sessions_ever: u64,
    /// Of other runtimes: what they tidy up.
    chores: Vec<Chore>,
    outside: Option<Outside>,
    audience: Audience,
    removing: Vec<(u64, u64)>,
    orphaned: bool,
    n_clients_ever: u64,
    /// What the server should log about the pod; told with the first start.
    shortfalls: Vec<String>,
}

/// What a poll entry belongs to.
#[derive(Clone)]
enum Source {
    Listener,
    Lifeline,
    Client(u64),
    Status(String),
    Output(String, Stream),
    Exit(String),
    SessionStatus(u64),
    SessionExit(u64),
    /// A pipe of somebody who is attached.
    Sink(u64, Stream),
}

impl Supervisor {
    pub fn new(
        boot: Boot,
        listener: UnixListener,
        lifeline: Option<OwnedFd>,
        outside: Option<Outside>,
        shortfalls: Vec<String>,
    ) -> Self {
        let dir = boot.sandbox.dir.clone();
        let recorded = records::read(&dir);
        Self {
            runs: recorded.into_iter().map(|run| (run.container.clone(), run)).collect(),
            boot,
            dir,
            listener,
            lifeline,
            clients: BTreeMap::new(),
            live: Vec::new(),
            waiting: BTreeMap::new(),
            sessions: BTreeMap::new(),
            n_sessions_ever: 0,
            chores: Vec::new(),
            outside,
            audience: Audience::default(),
            removing: Vec::new(),
            orphaned: false,
            n_clients_ever: 0,
            shortfalls,
        }
    }

    /// Serves until the pod is to go and nothing of it lives.
    pub fn serve(mut self) -> io::Result<End> {
        loop {
            let going = self.orphaned || !self.removing.is_empty();
            if going && self.live.is_empty() {
                return Ok(self.end());
            }
            for source in self.wait()? {
                self.attend(source);
            }
            self.kill_overdue();
            self.tell_finished();
            self.part_with_closed();
            self.chores.retain_mut(Chore::goes_on);
        }
    }

    fn end(mut self) -> End {
        self.chores.drain(..).for_each(Chore::finish);
        if self.orphaned {
            return End::Orphaned;
        }
        let clients = &mut self.clients;
        let waiting = self.removing.iter().filter_map(|(client, id)| Some((clients.remove(client)?.stream, *id)));
        End::Removed(Farewell(waiting.collect()))
    }

    fn wait(&self) -> io::Result<Vec<Source>> {
        let mut sources = vec![Source::Listener];
        let mut fds = vec![PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        if let Some(lifeline) = &self.lifeline {
            sources.push(Source::Lifeline);
            fds.push(PollFd::new(lifeline.as_fd(), PollFlags::POLLIN));
        }
        for (id, client) in &self.clients {
            let mut wanted = PollFlags::POLLIN;
            if !client.unsent.is_empty() {
                wanted |= PollFlags::POLLOUT;
            }
            sources.push(Source::Client(*id));
            fds.push(PollFd::new(client.stream.as_fd(), wanted));
        }
        for live in &self.live {
            let name = || live.name.clone();
            let outputs = [
                (live.birth.pipe.as_ref(), Source::Status(name())),
                (self.readable(live, Stream::Stdout), Source::Output(name(), Stream::Stdout)),
                (self.readable(live, Stream::Stderr), Source::Output(name(), Stream::Stderr)),
            ];
            for (pipe, source) in outputs {
                if let Some(pipe) = pipe {
                    sources.push(source);
                    fds.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
                }
            }
            sources.push(Source::Exit(name()));
            fds.push(PollFd::new(live.pidfd.as_fd(), PollFlags::POLLIN));
        }
        for (number, session) in &self.sessions {
            if let Some(pipe) = &session.birth.pipe {
                sources.push(Source::SessionStatus(*number));
                fds.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
            }
            if let Some(pidfd) = &session.pidfd {
                sources.push(Source::SessionExit(*number));
                fds.push(PollFd::new(pidfd.as_fd(), PollFlags::POLLIN));
            }
        }
        for attachment in &self.audience.0 {
            for (stream, sink) in attachment.sinks() {
                // An end that is closed shows as an error whatever is asked for; a closed one is let go.
                let wanted = if sink.is_full() { PollFlags::POLLOUT } else { PollFlags::empty() };
                sources.push(Source::Sink(attachment.client, stream));
                fds.push(PollFd::new(sink.pipe.as_fd(), wanted));
            }
        }
        match poll(&mut fds, self.timeout()) {
            Err(nix::errno::Errno::EINTR) => return Ok(Vec::new()),
            other => other?,
        };
        let is_ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        let ready = fds.iter().zip(sources).filter(|(fd, _)| is_ready(fd));
        Ok(ready.map(|(_, source)| source).collect())
    }

    fn timeout(&self) -> PollTimeout {
        let of_containers = self.live.iter().flat_map(|live| [live.kill_at, live.birth.due]);
        let of_sessions = self.sessions.values().map(|session| session.birth.due);
        let deadlines = of_containers.chain(of_sessions).chain([self.audience.next_deadline()]);
        let Some(first) = deadlines.flatten().min() else {
            return PollTimeout::NONE;
        };
        // Up, so that the loop does not spin through the last millisecond.
        let left = first.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    fn attend(&mut self, source: Source) {
        let now = Timestamp::now();
        match source {
            Source::Listener => self.accept(),
            Source::Lifeline => self.orphan(),
            Source::Client(id) => self.attend_client(id, now),
            Source::Status(name) => self.attend_birth(&name, now),
            Source::Output(name, stream) => {
                if let Some(live) = self.live.iter_mut().find(|live| live.name == name) {
                    live.copy_output(stream, now, &mut self.audience);
                }
            }
            Source::Exit(name) => self.attend_exit(&name, now),
            Source::SessionStatus(number) => self.attend_session_birth(number),
            Source::SessionExit(number) => self.attend_session_exit(number),
            Source::Sink(client, stream) => self.audience.flush(client, stream),
        }
    }

    fn accept(&mut self) {
        let Ok((stream, _)) = self.listener.accept() else {
            return;
        };
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        self.n_clients_ever += 1;
        self.clients.insert(self.n_clients_ever, Client::new(stream));
    }

    fn orphan(&mut self) {
        self.lifeline = None;
        self.orphaned = true;
        self.live.iter().for_each(Live::kill);
    }

    fn attend_client(&mut self, id: u64, now: Timestamp) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        client.flush();
        client.receive();
        loop {
            let Some(client) = self.clients.get_mut(&id) else {
                return;
            };
            match protocol::decode::<Request>(&mut client.received) {
                Ok(Some(request)) => self.call(id, request, now),
                Ok(None) => return,
                Err(_) => {
                    client.closed = true;
                    return;
                }
            }
        }
    }

    fn call(&mut self, client: u64, request: Request, now: Timestamp) {
        let id = request.id;
        match request.call {
            Call::Start(container) => self.start(client, id, *container, now),
            Call::Exec(exec) => self.exec(client, id, &exec),
            Call::Attach(attach) => self.attach(client, id, &attach),
            Call::Sockets => self.sockets(client, id),
            Call::Stop { container, grace_seconds } => {
                self.stop(&container, grace_seconds);
                self.reply(client, id, Ok(done(None)));
            }
            Call::Subscribe => {
                if let Some(client) = self.clients.get_mut(&client) {
                    client.subscribed = true;
                }
                self.announce();
                self.reply(client, id, Ok(done(None)));
            }
            Call::Remove => {
                self.removing.push((client, id));
                self.live.iter().for_each(Live::kill);
            }
        }
    }

    fn start(&mut self, client: u64, id: u64, container: Container, now: Timestamp) {
        let refused = if !self.removing.is_empty() || self.orphaned {
            Some("the pod is being removed".to_owned())
        } else if self.live.iter().any(|live| live.name == container.name) {
            Some(format!("container {} is running already", container.name))
        } else {
            None
        };
        if let Some(why) = refused {
            return self.reply(client, id, Err(Failure::Create(why)));
        }
        if let Some(last) = self.runs.get(&container.name) {
            let old = container::scratch(&self.dir, &last.container, last.attempt);
            let _ = crate::trees::remove(&old);
        }
        // On disk before the process exists: whatever dies now, the run is known.
        let run = Run {
            container: container.name.clone(),
            attempt: container.attempt,
            state: RunState::Running { pid: 0, started_at: now },
        };
        let mut shortfalls = std::mem::take(&mut self.shortfalls);
        let launched = records::write(&self.dir, &run, Durability::Lazy)
            .map_err(|e| Failure::Create(format!("failed to record the start: {e}")))
            .and_then(|()| container::launch(&self.boot, self.outside.as_ref(), container, now, &mut shortfalls));
        match launched {
            Ok(live) => {
                self.waiting.insert(live.name.clone(), (client, id, shortfalls));
                self.live.push(live);
            }
            Err(failure) => {
                records::remove(&self.dir, &run);
                self.reply(client, id, Err(failure));
            }
        }
    }

    fn attend_birth(&mut self, name: &str, now: Timestamp) {
        let Some(live) = self.find(name) else {
            return;
        };
        match live.birth.read() {
            Birthday::Unborn => {}
            Birthday::Executed => self.begin(name, now),
            Birthday::ExecutedAs(pid) => match live.become_process(pid) {
                Ok(()) => self.begin(name, now),
                Err(error) => {
                    let text = format!("failed to find the container's process {pid}: {error}");
                    self.bury_unborn(name, Failure::Create(text));
                }
            },
            Birthday::Failed(failure) => self.bury_unborn(name, failure),
        }
    }

    /// Its program was executed.
    fn begin(&mut self, name: &str, now: Timestamp) {
        let Some(live) = self.find(name) else {
            return;
        };
        live.started_at = now;
        live.take_terminal();
        let (pid, attempt) = (live.pid, live.attempt);
        let run = Run { container: name.to_owned(), attempt, state: RunState::Running { pid, started_at: now } };
        self.runs.insert(name.to_owned(), run);
        self.announce();
        if let Some((client, id, shortfalls)) = self.waiting.remove(name) {
            let started = Done { started_at: Some(now), shortfalls, ..Done::default() };
            self.reply(client, id, Ok(started));
        }
    }

    /// Has another runtime, if it is one's, forget a container.
    fn tidy_up(&mut self, live: &Live) {
        let Some(ward) = &live.ward else {
            return;
        };
        match ward.delete() {
            Ok(chore) => self.chores.push(chore),
            Err(error) => eprintln!("failed to delete {}: {error}", ward.id),
        }
    }

    /// A start that failed is no run.
    fn bury_unborn(&mut self, name: &str, failure: Failure) {
        let Some(at) = self.live.iter().position(|live| live.name == name) else {
            return;
        };
        let live = self.live.swap_remove(at);
        live.kill();
        // It is exiting, or has just been killed: this wait is short.
        let options = rustix::process::WaitIdOptions::EXITED;
        let _ = rustix::process::waitid(rustix::process::WaitId::PidFd(live.pidfd.as_fd()), options);
        if live.ward.is_some() {
            // What its runtime has begun is not this process's child.
            live.cgroup.unified.iter().chain(&live.cgroup.v1).for_each(|dir| apply::kill_all(dir));
        }
        live.remove_cgroup();
        self.tidy_up(&live);
        let run = Run { container: live.name.clone(), attempt: live.attempt, state: RunState::Lost };
        records::remove(&self.dir, &run);
        let _ = crate::trees::remove(&container::scratch(&self.dir, name, live.attempt));
        if let Some((client, id, _)) = self.waiting.remove(name) {
            self.reply(client, id, Err(failure));
        }
    }

    fn attend_exit(&mut self, name: &str, now: Timestamp) {
        // The program may have been executed and have ended within one turn of the loop: birth comes first.
        self.attend_birth(name, now);
        let Some(at) = self.live.iter().position(|live| live.name == name) else {
            return;
        };
        // Everything the container wrote is in the pipes: its processes died before its first one could be reaped.
        let Some(state) = self.live[at].reap(now) else {
            return;
        };
        let mut live = self.live.swap_remove(at);
        live.drain_output(now, &mut self.audience);
        live.remove_cgroup();
        if let RunState::Exited { exit_code, .. } = state {
            self.audience.ended(name, exit_code);
        }
        let run = Run { container: live.name.clone(), attempt: live.attempt, state };
        let durability = match self.boot.sandbox.dies_with_server {
            true => Durability::Lazy,
            false => Durability::Synced,
        };
        // On a full disk the record is lost with this process only: what is announced now is still right.
        if let Err(error) = records::write(&self.dir, &run, durability) {
            eprintln!("failed to record the end of {name}: {error}");
        }
        self.runs.insert(run.container.clone(), run);
        self.announce();
        self.tidy_up(&live);
    }

    fn stop(&mut self, name: &str, grace_seconds: u64) {
        let Some(live) = self.find(name) else {
            return;
        };
        if grace_seconds == 0 {
            return live.kill();
        }
        let kill_at = Instant::now().checked_add(Duration::from_secs(grace_seconds));
        let is_first = live.kill_at.is_none();
        // A later stop may only shorten the grace.
        live.kill_at = match (live.kill_at, kill_at) {
            (Some(old), Some(new)) => Some(old.min(new)),
            (old, new) => old.or(new),
        };
        if is_first {
            live.ask_to_stop();
        }
    }

    fn kill_overdue(&mut self) {
        let now = Instant::now();
        for live in &mut self.live {
            let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            if is_over(live.kill_at) || is_over(live.birth.due) {
                (live.kill_at, live.birth.due) = (None, None);
                live.kill();
            }
        }
        for session in self.sessions.values_mut() {
            if session.birth.due.is_some_and(|due| due <= now) {
                session.birth.due = None;
                session.kill();
            }
        }
        self.audience.cut_off(now);
    }

    fn announce(&mut self) {
        let runs: Vec<Run> = self.runs.values().cloned().collect();
        let Ok(frame) = protocol::encode(&Message::Runs(runs)) else {
            return;
        };
        for client in self.clients.values_mut().filter(|client| client.subscribed) {
            client.send(&frame);
        }
    }

    fn reply(&mut self, client: u64, id: u64, result: Result<Done, Failure>) {
        self.send(client, &Message::Reply { id, result });
    }

    fn send(&mut self, client: u64, message: &Message) {
        let Some(client) = self.clients.get_mut(&client) else {
            return;
        };
        if let Ok(frame) = protocol::encode(message) {
            client.send(&frame);
        }
    }

    fn find(&mut self, name: &str) -> Option<&mut Live> {
        self.live.iter_mut().find(|live| live.name == name)
    }
}

fn done(started_at: Option<Timestamp>) -> Done {
    Done { started_at, ..Done::default() }
}
