//! WATCH: what is there, if asked for, then every change, until the time is up or the reader too slow.

use super::options::{self, Start};
use super::select::Filter;
use super::{Call, list};
use crate::error::Failure;
use crate::negotiate::{Encoding, Form, Shape};
use crate::respond::Answer;
use crate::server::ApiServer;
use crate::table::{self, Include};
use crate::{respond, storage};
use bytes::Bytes;
use futures::StreamExt as _;
use kinds::Kind;
use meta::status::Status;
use prometheus_client::metrics::counter::Counter;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::{Compacted, Event, Record, Watcher};
use tokio::time::Instant;

const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// A watch that names no timeout ends after 30 to 60 minutes, so that clients spread (K: --min-request-timeout).
const DEFAULT_TIMEOUT_SECONDS: u64 = 1800;
/// Objects are sent in pieces of about so many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

pub(crate) async fn watch(call: &Call<'_>) -> Result<Answer, Failure> {
    if call.form.encoding == Encoding::Yaml {
        return Err(Status::not_acceptable(
            "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch",
        )
        .into());
    }
    let start = options::start(&call.query)?;
    let filter = Filter::of(call)?;
    let include = Include::of(&call.query)?;
    let timeout = timeout(call)?;
    let prefix = filter.prefix(call);
    let store = &call.server.store;
    // From here on mistakes are events: the client has been told 200 by then, as by an API server.
    let (initial, begin) = match start {
        Start::After(revision) => (Vec::new(), Ok(revision)),
        Start::Now => (Vec::new(), Ok(store.revision())),
        Start::Objects(revision) => match list::wait_for(call, revision).await {
            Ok(()) => {
                let range = store.range(&prefix, None, 0);
                (range.records, Ok(range.revision))
            }
            Err(failure) => (Vec::new(), Err(failure)),
        },
    };
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let initial_end = match (start, &begin) {
        (Start::Objects(_), Ok(revision)) if bookmarks => Some(*revision),
        _ => None,
    };
    let source = begin.and_then(|begin| store.watch(&prefix, begin).map_err(|compacted| too_old(&compacted).into()));
    let now = Instant::now();
    let stream = Stream {
        server: call.server.clone(),
        kind: call.kind,
        filter,
        include,
        form: call.form,
        initial: initial.into_iter(),
        initial_end,
        events: Vec::new().into_iter(),
        source: source.map_err(Some),
        bookmarks,
        next_bookmark: now + BOOKMARK_EVERY,
        deadline: now + timeout,
        columns_sent: false,
        ended: false,
        n_sent: call.server.metrics.watch_events(call.kind),
    };
    let content_type = match call.form.encoding {
        Encoding::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
        Encoding::Json | Encoding::Yaml => "application/json",
    };
    let chunks = futures::stream::unfold(stream, |mut stream| async move {
        let chunk = stream.next_chunk().await?;
        Some((Ok(Bytes::from(chunk)), stream))
    });
    Ok(Answer::stream(content_type, chunks.boxed()))
}

fn timeout(call: &Call<'_>) -> Result<Duration, Failure> {
    let asked = call.query.number("timeoutSeconds")?.unwrap_or(0);
    let seconds = match u64::try_from(asked) {
        Ok(0) | Err(_) => {
            let mut byte = [0];
            call.server.entropy.fill(&mut byte);
            DEFAULT_TIMEOUT_SECONDS + DEFAULT_TIMEOUT_SECONDS * u64::from(byte[0]) / 255
        }
        // A year is for ever, and can be added to any instant.
        Ok(seconds) => seconds.min(365 * 86_400),
    };
    Ok(Duration::from_secs(seconds))
}

/// One watch on its way.
struct Stream {
    server: Arc<ApiServer>,
    kind: &'static dyn Kind,
    filter: Filter,
    include: Include,
    form: Form,
    initial: std::vec::IntoIter<Arc<Record>>,
    /// The revision to announce once the initial objects are through.
    initial_end: Option<u64>,
    /// Read from the source, not written yet.
    events: std::vec::IntoIter<Event>,
    /// Why there is none is said once.
    source: Result<Watcher, Option<Failure>>,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    columns_sent: bool,
    ended: bool,
    n_sent: Counter,
}

/// Why a watch woke up.
enum Wake {
    Events(Result<Vec<Event>, Compacted>),
    /// With how far the watch has come.
    Bookmark(u64),
    TimeIsUp,
    Stopping,
}

impl Stream {
    /// The next bytes to send; `None` ends the response.
    async fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        while out.is_empty() {
            if self.ended {
                return None;
            }
            if let Err(failure) = self.fill(&mut out).await {
                self.ended = true;
                self.write_error(&mut out, failure.status());
            }
        }
        Some(out)
    }

    /// Does the next thing, which may send nothing.
    async fn fill(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        while let Some(record) = self.initial.next() {
            self.write_if_matching(out, "ADDED", &record, record.revision)?;
            if CHUNK_BYTES <= out.len() {
                return Ok(());
            }
        }
        if let Some(revision) = self.initial_end.take() {
            self.write_bookmark(out, revision, true)?;
        }
        while let Some(event) = self.events.next() {
            self.write_event(out, &event)?;
            if CHUNK_BYTES <= out.len() {
                return Ok(());
            }
        }
        if !out.is_empty() {
            return Ok(());
        }
        let source = match &mut self.source {
            Ok(source) => source,
            Err(failure) => {
                self.ended = failure.is_none();
                return failure.take().map_or(Ok(()), Err);
            }
        };
        let wake = tokio::select! {
            biased;
            // A steady stream of events must not put off what is due.
            () = self.server.stop.cancelled() => Wake::Stopping,
            () = tokio::time::sleep_until(self.deadline) => Wake::TimeIsUp,
            () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => Wake::Bookmark(source.revision()),
            events = source.next() => Wake::Events(events),
        };
        match wake {
            Wake::Events(Ok(events)) => self.events = events.into_iter(),
            Wake::Events(Err(compacted)) => return Err(too_old(&compacted).into()),
            Wake::Bookmark(revision) => {
                self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
                self.write_bookmark(out, revision, false)?;
            }
            Wake::TimeIsUp => {
                self.ended = true;
                if self.bookmarks {
                    let revision = source.revision();
                    self.write_bookmark(out, revision, false)?;
                }
            }
            Wake::Stopping => self.ended = true,
        }
        Ok(())
    }

    /// One event as this watch's selector sees it: entering it is ADDED, leaving it DELETED.
    fn write_event(&mut self, out: &mut Vec<u8>, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Put { record, previous } => {
                let is_in = self.matches(record)?;
                let was_in = match previous {
                    Some(previous) => self.matches(previous)?,
                    None => false,
                };
                match (was_in, is_in, previous) {
                    (true, true, _) => self.write(out, "MODIFIED", record, record.revision),
                    (false, true, _) => self.write(out, "ADDED", record, record.revision),
                    (true, false, Some(previous)) => self.write(out, "DELETED", previous, record.revision),
                    _ => Ok(()),
                }
            }
            Event::Delete { previous, revision } => self.write_if_matching(out, "DELETED", previous, *revision),
        }
    }

    fn matches(&self, record: &Record) -> Result<bool, Failure> {
        Ok(self.filter.is_empty() || self.filter.matches(&*storage::view(self.kind, record)?))
    }

    fn write_if_matching(
        &mut self,
        out: &mut Vec<u8>,
        event: &str,
        record: &Record,
        revision: u64,
    ) -> Result<(), Failure> {
        match self.matches(record)? {
            true => self.write(out, event, record, revision),
            false => Ok(()),
        }
    }

    fn write(&mut self, out: &mut Vec<u8>, event: &str, record: &Record, revision: u64) -> Result<(), Failure> {
        self.n_sent.inc();
        if self.form.shape == Shape::Object && self.form.encoding == Encoding::Json {
            let view = storage::view(self.kind, record)?;
            out.reserve(view.len() + 40);
            out.extend_from_slice(format!("{{\"type\":\"{event}\",\"object\":").as_bytes());
            view.write_object(out, revision);
            out.extend_from_slice(b"}\n");
            return Ok(());
        }
        let mut object = storage::object(self.kind, record)?;
        storage::set_revision(&mut object, revision);
        self.write_value(out, event, object)
    }

    fn write_value(&mut self, out: &mut Vec<u8>, event: &str, object: Value) -> Result<(), Failure> {
        let object = match self.form.shape {
            Shape::Object => object,
            Shape::Partial => respond::partial(self.form, &object),
            Shape::Table => {
                // Only the first event says what the columns are.
                let columns = match std::mem::replace(&mut self.columns_sent, true) {
                    false => table::columns(self.kind),
                    true => Value::Null,
                };
                let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let now = self.server.clock.local_now();
                let row = table::row(self.kind, object, self.include, self.form, &now);
                table::table(self.form, metadata, columns, vec![row])
            }
        };
        write_frame(out, self.form.encoding, event, &object)
    }

    /// A bookmark holds nothing but how far the client has seen.
    fn write_bookmark(&mut self, out: &mut Vec<u8>, revision: u64, ends_initial: bool) -> Result<(), Failure> {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if ends_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({
            "kind": self.kind.names().kind,
            "apiVersion": storage::api_version(self.kind),
            "metadata": metadata,
        });
        self.write_value(out, "BOOKMARK", object)
    }

    fn write_error(&self, out: &mut Vec<u8>, status: &Status) {
        let value = serde_json::to_value(status).unwrap_or_default();
        // An error that cannot be written ends the stream all the same.
        let _ = write_frame(out, self.form.encoding, "ERROR", &value);
    }
}

fn too_old(compacted: &Compacted) -> Status {
    Status::expired(format!("too old resource version: {} ({})", compacted.wanted, compacted.oldest))
}

fn write_frame(out: &mut Vec<u8>, encoding: Encoding, event: &str, object: &Value) -> Result<(), Failure> {
    if encoding != Encoding::Protobuf {
        let line = json!({"type": event, "object": object});
        serde_json::to_writer(&mut *out, &line).map_err(|error| Status::internal(error.to_string()))?;
        out.push(b'\n');
        return Ok(());
    }
    let object = crate::protobuf::encode(object).map_err(Status::not_acceptable)?;
    let mut raw = Vec::new();
    push_field(&mut raw, 1, &object);
    let mut frame = Vec::new();
    push_field(&mut frame, 1, event.as_bytes());
    push_field(&mut frame, 2, &raw);
    let length = u32::try_from(frame.len()).map_err(|_| Status::internal("object too large"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&frame);
    Ok(())
}

/// A length-delimited protobuf field, of meta.v1.WatchEvent{1: type, 2: RawExtension{1: raw}}.
fn push_field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag << 3 | 2);
    let mut length = bytes.len();
    while 0x80 <= length {
        out.push(u8::try_from(length & 0x7f).expect("seven bits fit") | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("less than 0x80 fits"));
    out.extend_from_slice(bytes);
}
