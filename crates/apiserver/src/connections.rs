//! Who is connected: a bounded number, none of them idle for ever, none of them stuck.
//!
//! Connections cost memory and files before anybody has said who he is. So there are only so many; when one too many
//! comes, the idlest of those nobody is known on go, then the idlest of all. A connection that works is never closed
//! for another. One sweeper looks at all of them every few seconds: no timer a connection.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Bounds on connections and on the patience with them. `Default` is what the server uses.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once. Each costs a file descriptor and, idle, some 20 KB.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the end of the first request's head, and for the head of each later HTTP/1.1 request.
    pub head: Duration,
    /// Without a request in flight (K:apiserver/pkg/server/secure_serving.go IdleTimeout).
    pub idle: Duration,
    /// For a client to take a piece of an answer before its stream is ended.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(32),
            idle: Duration::from_secs(90),
            write: Duration::from_secs(60),
        }
    }
}

/// Every connection of a listener.
pub(crate) struct Connections {
    limits: Limits,
    start: Instant,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    waits: Mutex<Vec<Weak<Wait>>>,
    next_id: AtomicU64,
}

/// One connection.
pub(crate) struct Connection {
    id: u64,
    /// Milliseconds since the listener's start: when it was opened, or its last request was over.
    quiet_since: AtomicU64,
    n_in_flight: AtomicUsize,
    /// It had a request.
    is_used: AtomicBool,
    /// Somebody is known on it.
    is_known: AtomicBool,
    /// Finish what is in flight, take nothing new.
    pub end: CancellationToken,
    /// Drop it.
    pub abort: CancellationToken,
}

/// Where a request came from; travels with it as an extension.
#[derive(Clone)]
pub(crate) struct Source {
    pub address: SocketAddr,
    connections: Arc<Connections>,
    /// Ends the request's stream: on HTTP/2 that one, on HTTP/1.1 the connection.
    abort: CancellationToken,
    _busy: Arc<Busy>,
}

/// A request in flight; the connection is not idle.
struct Busy(Arc<Connection>, Arc<Connections>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.quiet_since.store(self.1.now(), Ordering::Relaxed);
        self.0.n_in_flight.fetch_sub(1, Ordering::Release);
    }
}

/// How long a client has not taken what was written for it.
pub(crate) struct Wait {
    /// Milliseconds since the listener's start, plus one; 0: it is not waited for.
    since: AtomicU64,
    connections: Arc<Connections>,
    abort: CancellationToken,
}

impl Wait {
    pub(crate) fn start(&self) {
        self.since.store(self.connections.now() + 1, Ordering::Relaxed);
    }
    pub(crate) fn stop(&self) {
        self.since.store(0, Ordering::Relaxed);
    }
}

impl Source {
    /// A watch on a body's progress.
    pub(crate) fn wait(&self) -> Arc<Wait> {
        let (connections, abort) = (self.connections.clone(), self.abort.clone());
        let wait = Arc::new(Wait { since: AtomicU64::new(0), connections, abort });
        self.connections.waits.lock().push(Arc::downgrade(&wait));
        wait
    }
}

impl Connections {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            start: Instant::now(),
            open: Mutex::default(),
            waits: Mutex::default(),
            next_id: AtomicU64::new(0),
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A new connection, if there is or can be made room for it. Close it with `closed`.
    pub(crate) fn admit(&self) -> Option<Arc<Connection>> {
        let mut open = self.open.lock();
        if self.limits.connections <= open.len() {
            // A few more than one, so that a flood does not make every newcomer look at everybody.
            evict(&mut open, 1 + self.limits.connections / 50);
        }
        if self.limits.connections <= open.len() {
            return None;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            id,
            quiet_since: AtomicU64::new(self.now()),
            n_in_flight: AtomicUsize::new(0),
            is_used: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            end: CancellationToken::new(),
            abort: CancellationToken::new(),
        });
        open.insert(id, connection.clone());
        Some(connection)
    }

    pub(crate) fn closed(&self, connection: &Connection) {
        self.open.lock().remove(&connection.id);
    }

    /// A request begins; over when the last clone is dropped.
    pub(crate) fn source(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        address: SocketAddr,
        abort: CancellationToken,
    ) -> Source {
        connection.n_in_flight.fetch_add(1, Ordering::Acquire);
        connection.is_used.store(true, Ordering::Relaxed);
        let busy = Arc::new(Busy(connection.clone(), self.clone()));
        Source { address, connections: self.clone(), abort, _busy: busy }
    }

    /// Ends idle connections and stuck streams.
    pub(crate) fn sweep(&self) {
        let now = self.now();
        let has_passed = |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) >= limit.as_millis();
        for connection in self.open.lock().values().filter(|connection| connection.is_idle()) {
            let limit = match connection.is_used.load(Ordering::Relaxed) {
                true => self.limits.idle,
                false => self.limits.handshake + self.limits.head,
            };
            if has_passed(connection.quiet_since.load(Ordering::Relaxed), limit) {
                connection.end.cancel();
            }
        }
        self.waits.lock().retain(|wait| {
            let Some(wait) = wait.upgrade() else { return false };
            match wait.since.load(Ordering::Relaxed) {
                0 => {}
                since if has_passed(since - 1, self.limits.write) => wait.abort.cancel(),
                _ => {}
            }
            true
        });
    }

    /// Connections open now.
    #[cfg(test)]
    fn n_open(&self) -> usize {
        self.open.lock().len()
    }
}

impl Connection {
    fn is_idle(&self) -> bool {
        self.n_in_flight.load(Ordering::Acquire) == 0
    }

    /// Whoever is on it has said who he is.
    pub(crate) fn set_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }
}

/// Drops the `n` idlest of those that are idle, the unknown first.
fn evict(open: &mut HashMap<u64, Arc<Connection>>, n: usize) {
    let mut idle: Vec<(bool, u64, u64)> = open
        .values()
        .filter(|connection| connection.is_idle())
        .map(|connection| {
            let is_known = connection.is_known.load(Ordering::Relaxed);
            (is_known, connection.quiet_since.load(Ordering::Relaxed), connection.id)
        })
        .collect();
    if n < idle.len() {
        idle.select_nth_unstable(n);
        idle.truncate(n);
    }
    for (_, _, id) in idle {
        if let Some(connection) = open.remove(&id) {
            connection.abort.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(n: usize) -> Arc<Connections> {
        Connections::new(Limits { connections: n, ..Limits::default() })
    }

    fn source(connections: &Arc<Connections>, connection: &Arc<Connection>) -> Source {
        connections.source(connection, ([127, 0, 0, 1], 1).into(), CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn the_idlest_unknown_connection_makes_room() {
        let connections = connections(3);
        let known = connections.admit().unwrap();
        known.set_known();
        let mut others = Vec::new();
        for _ in 0..2 {
            tokio::time::advance(Duration::from_millis(5)).await;
            others.push(connections.admit().unwrap());
        }
        let newest = connections.admit().unwrap();
        let gone = |connection: &Arc<Connection>| connection.abort.is_cancelled();
        assert!(gone(&others[0]) && !gone(&others[1]) && !gone(&known) && !gone(&newest));
        // Whoever works is never closed for another.
        let busy: Vec<Source> = [&known, &others[1], &newest].map(|c| source(&connections, c)).into();
        assert!(connections.admit().is_none());
        drop(busy);
        assert!(connections.admit().is_some());
        assert_eq!(connections.n_open(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_are_ended_and_busy_ones_are_not() {
        let connections = connections(10);
        let (silent, used, busy) =
            (connections.admit().unwrap(), connections.admit().unwrap(), connections.admit().unwrap());
        drop(source(&connections, &used));
        let _request = source(&connections, &busy);
        for (seconds, expect) in [(41, [false, false, false]), (2, [true, false, false]), (50, [true, true, false])] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            connections.sweep();
            assert_eq!([&silent, &used, &busy].map(|connection| connection.end.is_cancelled()), expect);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_nobody_takes_is_ended() {
        let connections = connections(10);
        let connection = connections.admit().unwrap();
        let abort = CancellationToken::new();
        let source = connections.source(&connection, ([127, 0, 0, 1], 1).into(), abort.clone());
        let wait = source.wait();
        let pass = async |seconds| {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            connections.sweep();
        };
        pass(100).await;
        wait.start();
        pass(59).await;
        wait.start();
        pass(59).await;
        assert!(!abort.is_cancelled(), "each piece has its own time");
        wait.stop();
        pass(100).await;
        assert!(!abort.is_cancelled(), "the server is the one to wait for");
        wait.start();
        pass(60).await;
        assert!(abort.is_cancelled());
        drop(wait);
        connections.sweep();
        assert!(connections.waits.lock().is_empty());
    }
}
