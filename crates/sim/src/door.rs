//! The way to the API server, which may die in the middle of requests and watches and is back at once, on the same store: what
//! it remembered beside the store is lost, and nobody knows of a request under way whether it was done.

use crate::weather::{AnyBody, BoxError};
use apiserver::ApiServer;
use apiserver::auth::User;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tower::Service;

/// Clones lead to the same server.
#[derive(Clone)]
pub struct Door(Arc<State>);

struct State {
    start: Box<dyn Fn() -> Arc<ApiServer> + Send + Sync>,
    server: Mutex<Arc<ApiServer>>,
    n_steps_left: Mutex<u64>,
    /// How often a server has died.
    n_deaths: Mutex<u64>,
    /// Wakes whoever dealt with one that dies, in order: storms repeat.
    death: Notify,
}

impl Door {
    /// To a server that `start` makes, whenever one is needed. It lives for ever.
    pub fn new(start: impl Fn() -> Arc<ApiServer> + Send + Sync + 'static) -> Self {
        let server = Mutex::new(start());
        Self(Arc::new(State {
            start: Box::new(start),
            server,
            n_steps_left: Mutex::new(u64::MAX),
            n_deaths: Mutex::new(0),
            death: Notify::new(),
        }))
    }

    /// The server that is there now.
    pub fn server(&self) -> Arc<ApiServer> {
        self.0.server.lock().clone()
    }

    /// The server has so many steps left, each of which takes a request on; `u64::MAX` are for ever.
    pub fn set_steps_left(&self, n_steps: u64) {
        *self.0.n_steps_left.lock() = n_steps;
    }

    /// How often a server has died.
    pub fn n_deaths(&self) -> u64 {
        *self.0.n_deaths.lock()
    }

    /// What `user` sends goes through here.
    pub fn service(&self, user: User) -> Entrance {
        Entrance { door: self.clone(), user }
    }

    /// A step of some request. Whether the server dies of it; then there is another.
    fn step_kills(&self) -> bool {
        let mut left = self.0.n_steps_left.lock();
        let kills = *left == 0;
        *left = match *left {
            0 | u64::MAX => u64::MAX,
            n => n - 1,
        };
        drop(left);
        if kills {
            *self.0.server.lock() = (self.0.start)();
            *self.0.n_deaths.lock() += 1;
            self.0.death.notify_waiters();
        }
        kills
    }
}

/// Sends requests to whichever server is there.
#[derive(Clone)]
pub struct Entrance {
    door: Door,
    user: User,
}

impl<B> Service<Request<B>> for Entrance
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnyBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let door = self.door.clone();
        let death = Death { door: door.clone(), n_before: door.n_deaths() };
        let mut answer = door.server().client_service(self.user.clone()).call(request);
        let stepwise = poll_fn(move |context| {
            if !door.step_kills() {
                return answer.as_mut().poll(context).map(Some);
            }
            // Half of the servers take the step they die of, and what they would have answered is not heard.
            if door.n_deaths().is_multiple_of(2) {
                let _ = answer.as_mut().poll(context);
            }
            Poll::Ready(None)
        });
        Box::pin(async move {
            let answer = tokio::select! {
                biased;
                () = death.comes() => None,
                answer = stepwise => answer,
            };
            match answer {
                Some(Ok(answer)) => Ok(answer.map(|body| until(body, death))),
                Some(Err(never)) => match never {},
                None => Err(gone()),
            }
        })
    }
}

/// The end of the server that is there now.
struct Death {
    door: Door,
    n_before: u64,
}

impl Death {
    async fn comes(&self) {
        loop {
            // Made before looking: what happens in between wakes it.
            let next = self.door.0.death.notified();
            if self.n_before < self.door.n_deaths() {
                return;
            }
            next.await;
        }
    }
}

fn gone() -> BoxError {
    "connection reset: the API server has died".into()
}

/// The body for as long as the server lives.
fn until<B>(body: B, death: Death) -> AnyBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let pieces = body.into_data_stream().boxed();
    let pieces = stream::unfold(Some((pieces, death)), |state| async move {
        let (mut pieces, death) = state?;
        let piece = tokio::select! {
            biased;
            () = death.comes() => return Some((Err(gone()), None)),
            piece = pieces.next() => piece?,
        };
        Some((piece.map(Frame::data).map_err(Into::into), Some((pieces, death))))
    });
    StreamBody::new(pieces).boxed_unsync()
}
