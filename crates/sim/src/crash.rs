//! Lets a component die in the middle of whatever it does: after so many steps, or when told.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

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
