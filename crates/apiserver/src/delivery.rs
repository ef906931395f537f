//! An answer on its way to its client: counted, logged when it is through, and ended when nobody takes it.
//!
//! A request is over when its answer's last byte is handed to the connection or the client has gone, not when the
//! handler is done: until then it keeps its place among the requests in flight.

use crate::audit::{self, Outcome};
use crate::auth::User;
use crate::connections::{Source, Wait};
use crate::inflight::Entry;
use crate::metrics::{self, End, LongRunning};
use crate::request::RequestInfo;
use crate::server::ApiServer;
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// A request from its first line to the last byte of its answer. Dropped, it is over.
pub(crate) struct Delivery {
    pub server: Arc<ApiServer>,
    pub info: RequestInfo,
    pub labels: metrics::Request,
    pub user: User,
    /// Whom the user impersonates.
    pub acts_as: Option<User>,
    pub audit_id: String,
    pub user_agent: String,
    /// `None` for callers in process.
    pub source: Option<Source>,
    pub began: Instant,
    /// `None` until there is an answer.
    pub code: Option<u16>,
    pub end: End,
    pub n_bytes: u64,
    /// Given back at the end.
    pub entry: Entry,
    #[expect(dead_code, reason = "held to be counted")]
    pub long_running: Option<LongRunning>,
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let latency = self.began.elapsed();
        if let Some(code) = self.code {
            self.server.metrics.answered(&self.labels, code, self.n_bytes, latency, self.end);
        }
        let source = self.source.as_ref().map(|source| source.address.to_string()).unwrap_or_default();
        let outcome = Outcome {
            audit_id: &self.audit_id,
            user: &self.user,
            acts_as: self.acts_as.as_ref(),
            source: &source,
            user_agent: &self.user_agent,
            code: self.code,
            n_bytes: self.n_bytes,
            latency,
        };
        audit::record(&self.info, &outcome);
    }
}

impl Delivery {
    /// The response, to be handed to the connection.
    pub(crate) fn of(mut self, response: Response<Body>) -> Response<Body> {
        self.code = Some(response.status().as_u16());
        // Logs are read by people, who may pause: nothing is kept for them meanwhile but a piece of the file.
        let may_pause = self.info.subresource == "log";
        let wait = self.source.as_ref().filter(|_| !may_pause).map(Source::wait);
        response.map(|body| Body::new(Tracked { body, wait, delivery: self }))
    }
}

/// A body that tells how far it has come.
struct Tracked {
    body: Body,
    /// Runs while the client does not take what it was given.
    wait: Option<Arc<Wait>>,
    delivery: Delivery,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Some(wait) = &this.wait {
            wait.stop();
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let n_bytes = frame.data_ref().map_or(0, Bytes::len);
            this.delivery.n_bytes += u64::try_from(n_bytes).unwrap_or(0);
            if let Some(wait) = &this.wait {
                wait.start();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
