//! Lets a component die in the middle of whatever it does: after so many steps, or around one of its writes.

use http::{Method, Request};
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::watch;
use tower::Service;

/// A future that vanishes after being polled a number of times. As no step takes virtual time, this reaches crash points that no
/// instant would: between a write and its answer, between two writes.
pub struct Mortal<F> {
    inner: Option<Pin<Box<F>>>,
    n_steps_left: u64,
}

impl<F: Future<Output = ()>> Mortal<F> {
    /// `u64::MAX` steps are for ever.
    pub fn new(inner: F, n_steps: u64) -> Self {
        Self { inner: Some(Box::pin(inner)), n_steps_left: n_steps }
    }
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.n_steps_left == 0 {
            self.inner = None;
        }
        self.n_steps_left = self.n_steps_left.saturating_sub(1);
        match &mut self.inner {
            Some(inner) => inner.as_mut().poll(context),
            None => Poll::Ready(()),
        }
    }
}

/// On which side of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The write is never sent.
    Before,
    /// The write stands, but its answer is never heard.
    After,
}

/// Counts the writes of a component to Jobs and CronJobs, and burns down at one of them. Clones share it.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<State>);

#[derive(Debug)]
struct State {
    burns_at: Option<(u64, When)>,
    n_writes: Mutex<u64>,
    burnt: watch::Sender<bool>,
}

impl Default for Fuse {
    fn default() -> Self {
        Self::never()
    }
}

impl Fuse {
    /// One that only counts.
    pub fn never() -> Self {
        Self::new(None)
    }

    /// One that burns down at the `n`th write, counted from zero.
    pub fn at(n: u64, when: When) -> Self {
        Self::new(Some((n, when)))
    }

    fn new(burns_at: Option<(u64, When)>) -> Self {
        Self(Arc::new(State { burns_at, n_writes: Mutex::new(0), burnt: watch::Sender::new(false) }))
    }

    /// The writes so far.
    pub fn n_writes(&self) -> u64 {
        *self.0.n_writes.lock()
    }

    /// Waits until it has burnt down.
    pub async fn is_burnt(&self) {
        // The sender lives as long as self.
        let _ = self.0.burnt.subscribe().wait_for(|burnt| *burnt).await;
    }

    /// A service whose writes count.
    pub fn wrap<S>(&self, inner: S) -> Fused<S> {
        Fused { inner, fuse: self.clone() }
    }

    /// Counts a write; says on which side of it the fuse burns down.
    fn count(&self) -> Option<When> {
        let mut n_writes = self.0.n_writes.lock();
        let this = *n_writes;
        *n_writes += 1;
        self.0.burns_at.filter(|(at, _)| *at == this).map(|(_, when)| when)
    }

    async fn burn<T>(&self) -> T {
        self.0.burnt.send_replace(true);
        // Whoever waits for the answer is about to die.
        std::future::pending().await
    }
}

/// A service whose writes count.
#[derive(Debug, Clone)]
pub struct Fused<S> {
    inner: S,
    fuse: Fuse,
}

impl<S, B> Service<Request<B>> for Fused<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_write = request.method() != Method::GET && request.uri().path().starts_with("/apis/batch/");
        let when = if is_write { self.fuse.count() } else { None };
        let fuse = self.fuse.clone();
        if when == Some(When::Before) {
            return Box::pin(async move { fuse.burn().await });
        }
        let answer = self.inner.call(request);
        match when {
            Some(_) => Box::pin(async move {
                drop(answer.await);
                fuse.burn().await
            }),
            None => Box::pin(answer),
        }
    }
}
