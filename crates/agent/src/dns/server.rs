//! The sockets: questions of pods come in, answers go out, and what others know is asked of them.

use super::answer::{self, Reply, Transport, question_end};
use super::names::Names;
use super::upstream::ResolvConf;
use crate::network::Range;
use meta::clock::Entropy;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Where names are answered.
const PORT: u16 = 53;
/// One who does not answer within this time is passed over; programs ask again after 5 s (resolv.conf(5)).
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions to others at once, of all pods and of one; more wait for a while, or are refused.
const MAX_ASKED: usize = 1_024;
const MAX_ASKED_BY_ONE: usize = 128;
/// Connections at once, of all pods and of one; more wait, or are closed.
const MAX_CONNECTIONS: usize = 128;
const MAX_CONNECTIONS_OF_ONE: usize = 8;
/// A connection on which nothing comes ends.
const IDLE: Duration = Duration::from_secs(10);
/// How long what the machine's resolv.conf said counts.
const FRESH: Duration = Duration::from_secs(5);
/// No question is longer.
const MAX_QUESTION: usize = 4_096;
/// Between two looks at whether everything is known yet.
const LOOK: Duration = Duration::from_millis(10);
/// After a socket that fails.
const PAUSE: Duration = Duration::from_millis(50);

/// Sockets on the pods' bridge.
pub struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
    range: Range,
    entropy: Arc<dyn Entropy>,
}

impl Sockets {
    /// Opens them at the gateway of the pods' range; questions to others have random numbers.
    pub async fn open(range: Range, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        let address = SocketAddr::from((range.gateway(), PORT));
        Ok(Self { udp: UdpSocket::bind(address).await?, tcp: TcpListener::bind(address).await?, range, entropy })
    }

    /// Whose questions are answered.
    pub fn range(&self) -> Range {
        self.range
    }
}

/// Answers, without end.
pub async fn serve(sockets: Sockets, names: Arc<RwLock<Names>>) {
    let Sockets { udp, tcp, range, entropy } = sockets;
    let shared = Arc::new(Shared {
        names,
        entropy,
        own: IpAddr::V4(range.gateway()),
        asked: Semaphore::new(MAX_ASKED),
        asking: Shares::new(MAX_ASKED_BY_ONE),
        connected: Shares::new(MAX_CONNECTIONS_OF_ONE),
        conf: Mutex::new(None),
    });
    // Until then questions wait in the sockets: an answer that something is not there would be believed.
    while !shared.names.read().are_complete() {
        tokio::time::sleep(LOOK).await;
    }
    tokio::join!(datagrams(Arc::new(udp), range, shared.clone()), connections(tcp, range, shared));
}

struct Shared {
    names: Arc<RwLock<Names>>,
    entropy: Arc<dyn Entropy>,
    own: IpAddr,
    asked: Semaphore,
    asking: Shares,
    connected: Shares,
    /// The machine's resolv.conf, and when it was read.
    conf: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
}

/// How much of something each client has, so that none has all.
struct Shares {
    most: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// Given back when it is dropped.
struct Share {
    of: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Shares {
    fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    fn take(&self, of: IpAddr) -> Option<Share> {
        let mut taken = self.taken.lock();
        let its = taken.entry(of).or_default();
        (*its < self.most).then(|| {
            *its += 1;
            Share { of, taken: self.taken.clone() }
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(its) = taken.get_mut(&self.of) {
            *its -= 1;
            if *its == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

/// Only pods and this machine are answered: nobody can have others flooded with answers.
fn is_welcome(from: SocketAddr, range: Range) -> bool {
    matches!(from.ip(), IpAddr::V4(from) if range.contains(from))
}

async fn datagrams(socket: Arc<UdpSocket>, range: Range, shared: Arc<Shared>) {
    let mut buffer = [0; MAX_QUESTION];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // Also when an earlier answer reached nobody.
            Err(error) => {
                tracing::debug!(%error, "a datagram was not received");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if !is_welcome(from, range) {
            continue;
        }
        let packet = &buffer[..length];
        let reply = answer::answer(&shared.names.read(), packet, Transport::Udp);
        match reply {
            Reply::Silence => {}
            Reply::Bytes(bytes) => send(&socket, &bytes, from),
            Reply::Forward | Reply::Follow { .. } => {
                let (socket, shared, packet) = (socket.clone(), shared.clone(), packet.to_vec());
                tokio::spawn(async move {
                    if let Some(bytes) = shared.elsewhere(&packet, reply, Transport::Udp, from.ip()).await {
                        send(&socket, &bytes, from);
                    }
                });
            }
        }
    }
}

/// Who cannot be reached does not keep the others waiting.
fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    if let Err(error) = socket.try_send_to(bytes, to) {
        tracing::debug!(%error, %to, "an answer was not sent");
    }
}

async fn connections(listener: TcpListener, range: Range, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) if is_welcome(from, range) => {
                let Some(share) = shared.connected.take(from.ip()) else { continue };
                let shared = shared.clone();
                tokio::spawn(async move {
                    let _held = (slot, share);
                    // Whatever is wrong with a connection is its own affair.
                    let _ = connection(stream, &shared, from.ip()).await;
                });
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(mut stream: TcpStream, shared: &Shared, from: IpAddr) -> io::Result<()> {
    loop {
        let packet = timeout(IDLE, receive(&mut stream)).await??;
        let reply = answer::answer(&shared.names.read(), &packet, Transport::Tcp);
        let bytes = match reply {
            Reply::Silence => None,
            Reply::Bytes(bytes) => Some(bytes),
            reply @ (Reply::Forward | Reply::Follow { .. }) => {
                shared.elsewhere(&packet, reply, Transport::Tcp, from).await
            }
        };
        let Some(bytes) = bytes else { return Ok(()) };
        timeout(IDLE, transmit(&mut stream, &bytes)).await??;
    }
}

/// A message on a stream has its length before it (RFC 1035 section 4.2.2).
async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut packet = vec![0; usize::from(length)];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

async fn transmit(stream: &mut TcpStream, packet: &[u8]) -> io::Result<()> {
    let length = u16::try_from(packet.len()).map_err(|_| io::Error::other("a message of more than 65535 bytes"))?;
    let message = [&length.to_be_bytes()[..], packet].concat();
    stream.write_all(&message).await
}

impl Shared {
    /// The answer to what others know.
    async fn elsewhere(&self, packet: &[u8], reply: Reply, transport: Transport, from: IpAddr) -> Option<Vec<u8>> {
        let share = self.asking.take(from);
        let slot = timeout(PATIENCE, self.asked.acquire()).await;
        let (Some(_share), Ok(Ok(_slot))) = (share, slot) else { return answer::unavailable(packet) };
        let answered = match reply {
            Reply::Silence | Reply::Bytes(_) => None,
            Reply::Forward => self.ask(packet, transport).await,
            Reply::Follow { question, aliases } => {
                let theirs = match self.ask(&question, transport).await {
                    Some(theirs) if is_truncated(&theirs) => self.ask(&question, Transport::Tcp).await,
                    theirs => theirs,
                };
                theirs.and_then(|theirs| answer::finish(packet, &aliases, &theirs, transport))
            }
        };
        answered.or_else(|| answer::unavailable(packet))
    }

    /// Asks one after the other, under a number that nobody can guess.
    async fn ask(&self, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let id: [u8; 2] = packet.get(..2)?.try_into().ok()?;
        let mut question = packet.to_vec();
        self.entropy.fill(question.get_mut(..2)?);
        for server in self.upstreams().await {
            let asked = async {
                match transport {
                    Transport::Udp => by_datagram(server, &question).await,
                    Transport::Tcp => by_stream(server, &question).await,
                }
            };
            match timeout(PATIENCE, asked).await {
                Ok(Ok(mut reply)) => {
                    reply.get_mut(..2)?.copy_from_slice(&id);
                    return Some(reply);
                }
                Ok(Err(error)) => tracing::debug!(%error, %server, "a resolver was not reached"),
                Err(_) => tracing::debug!(%server, "a resolver does not answer"),
            }
        }
        None
    }

    async fn upstreams(&self) -> Vec<SocketAddr> {
        let known = self.conf.lock().clone();
        if let Some((_, servers)) = known.filter(|(read_at, _)| read_at.elapsed() < FRESH) {
            return servers;
        }
        let own = self.own;
        let read = tokio::task::spawn_blocking(move || ResolvConf::of_machine().upstreams(own)).await;
        let servers = read.unwrap_or_default();
        *self.conf.lock() = Some((Instant::now(), servers.clone()));
        servers
    }
}

async fn by_datagram(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    // A port of its own for each question; what comes from elsewhere is not received.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if is_reply(question, &buffer[..length]) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn by_stream(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    transmit(&mut stream, question).await?;
    let reply = receive(&mut stream).await?;
    is_reply(question, &reply).then_some(reply).ok_or_else(|| io::Error::other("an answer to another question"))
}

/// Same number, same question, and an answer.
fn is_reply(question: &[u8], reply: &[u8]) -> bool {
    const HEADER: usize = 12;
    let end = question_end(question);
    let is_answer = reply.get(2).is_some_and(|flags| flags & 0x80 != 0);
    let is_same = |range: std::ops::Range<usize>| {
        let (asked, told) = (question.get(range.clone()), reply.get(range));
        matches!((asked, told), (Some(asked), Some(told)) if asked.eq_ignore_ascii_case(told))
    };
    // Servers that cannot make anything of a question need not repeat it.
    let has_question = reply.get(4..6).is_some_and(|count| count != [0, 0]);
    is_answer && is_same(0..2) && (!has_question || end.is_some_and(|end| is_same(HEADER..end)))
}

fn is_truncated(packet: &[u8]) -> bool {
    packet.get(2).is_some_and(|flags| flags & 2 != 0)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
