//! What may happen to a request on its way: it is refused, it is done and nobody hears of it, it meets a conflict, it takes its time.
//! And watches that lag, so that whoever decides by them decides by what was.

use crate::chance::Chance;
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use jiff::SignedDuration;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::Service;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// What has happened to requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Refused with 500; nothing was done.
    pub refused: u64,
    /// Done, but the answer was 504.
    pub unheard: u64,
    /// Answered as if somebody else had written in between.
    pub conflicts: u64,
    /// Not by the weather: the server found the writer's work invalid.
    pub invalid: u64,
}

/// The weather between a component and the API server. Clones share it.
#[derive(Debug, Clone)]
pub struct Weather(Arc<State>);

#[derive(Debug)]
struct State {
    /// Dice of its own: those of the world fall as they would in fair weather.
    chance: Chance,
    percent: Mutex<u64>,
    lag_millis: Mutex<u64>,
    damage: Mutex<Damage>,
}

enum Fate {
    Fair,
    Refused,
    Unheard,
    Conflict,
}

impl Weather {
    /// Fair.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(State {
            chance: Chance::new(seed ^ 0x5eed_0fc1_0005),
            percent: Mutex::new(0),
            lag_millis: Mutex::new(0),
            damage: Mutex::default(),
        }))
    }

    /// From now on so many of a hundred writes meet trouble, and watches lag by up to so many milliseconds.
    pub fn set(&self, percent: u64, lag_millis: u64) {
        *self.0.percent.lock() = percent;
        *self.0.lag_millis.lock() = lag_millis;
    }

    /// How old what controllers decide by may be: a queue of a few dozen pieces, each of which lags.
    pub fn staleness(&self) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(*self.0.lag_millis.lock()).unwrap_or(0) * 100)
    }

    /// What it has done so far.
    pub fn damage(&self) -> Damage {
        *self.0.damage.lock()
    }

    /// A service out in it.
    pub fn wrap<S>(&self, inner: S) -> Exposed<S> {
        Exposed { inner, weather: self.clone() }
    }

    fn fate(&self, is_write: bool, may_conflict: bool) -> Fate {
        let percent = *self.0.percent.lock();
        if percent == 0 || !is_write || percent <= self.0.chance.below(100) {
            return Fate::Fair;
        }
        let mut damage = self.0.damage.lock();
        match self.0.chance.below(3) {
            0 => {
                damage.refused += 1;
                Fate::Refused
            }
            1 if may_conflict => {
                damage.conflicts += 1;
                Fate::Conflict
            }
            _ => {
                damage.unheard += 1;
                Fate::Unheard
            }
        }
    }

    fn lag(&self) -> Duration {
        let most = *self.0.lag_millis.lock();
        if most == 0 { Duration::ZERO } else { Duration::from_millis(self.0.chance.below(most)) }
    }
}

/// A service out in the weather.
#[derive(Debug, Clone)]
pub struct Exposed<S> {
    inner: S,
    weather: Weather,
}

impl<S, B, RB> Service<Request<B>> for Exposed<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    RB: Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    type Response = Response<AnyBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let is_write = request.method() != Method::GET;
        let may_conflict = [Method::PUT, Method::PATCH].contains(request.method());
        let fate = self.weather.fate(is_write, may_conflict);
        match fate {
            Fate::Refused => return Box::pin(std::future::ready(Ok(status(500, "InternalError")))),
            Fate::Conflict => return Box::pin(std::future::ready(Ok(status(409, "Conflict")))),
            Fate::Fair | Fate::Unheard => {}
        }
        let answer = self.inner.call(request);
        let weather = self.weather.clone();
        Box::pin(async move {
            let answer = answer.await?;
            if answer.status() == StatusCode::UNPROCESSABLE_ENTITY {
                weather.0.damage.lock().invalid += 1;
            }
            if matches!(fate, Fate::Unheard) {
                return Ok(status(504, "Timeout"));
            }
            Ok(answer
                .map(|body| if is_watch { lagging(body, weather) } else { body.map_err(Into::into).boxed_unsync() }))
        })
    }
}

/// The body, each piece of which comes when it comes, in order.
fn lagging<B>(body: B, weather: Weather) -> AnyBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let pieces = body.into_data_stream().then(move |piece| {
        let (lag, piece) = (weather.lag(), piece.map(Frame::data).map_err(Into::<BoxError>::into));
        async move {
            if !lag.is_zero() {
                tokio::time::sleep(lag).await;
            }
            piece
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

fn status(code: u16, reason: &str) -> Response<AnyBody> {
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the weather", "reason": reason, "code": code});
    let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {}).boxed_unsync();
    let answer = Response::builder().status(code).header("content-type", "application/json").body(body);
    answer.expect("the parts are constants")
}
