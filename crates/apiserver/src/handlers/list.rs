//! LIST: all that match, or a piece of them with a token for the rest.

use super::Call;
use super::options::{self, Wanted};
use super::select::Filter;
use crate::error::{Failure, too_large_revision};
use crate::negotiate::Shape;
use crate::respond::{self, Answer, Payload};
use crate::snapshot::Token;
use crate::storage::{self, View};
use http::StatusCode;
use meta::status::Status;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::{Range, Record};

/// How long a read waits for a revision that is not there yet (K: storage/cacher blockTimeout).
const FUTURE_PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of one piece of a streamed list.
const CHUNK_BYTES: usize = 64 * 1024;

/// A matching object with what was extracted of it.
type Item = (Arc<View>, Arc<Record>);

/// What is sent: items, and the list's metadata.
struct Page {
    items: Vec<Item>,
    metadata: Map<String, Value>,
}

pub(crate) async fn list(call: &Call<'_>) -> Result<Answer, Failure> {
    options::check_list(&call.query)?;
    let filter = Filter::of(call)?;
    let page = page(call, &filter).await?;
    answer(call, page)
}

fn answer(call: &Call<'_>, page: Page) -> Result<Answer, Failure> {
    if respond::is_plain(call.form, call.pretty) {
        return Ok(plain(call, page));
    }
    let now = call.server.clock.local_now();
    let objects = page.items.iter().map(|(_, record)| storage::object(call.kind, record));
    let value = match call.form.shape {
        Shape::Table => {
            let include = crate::table::Include::of(&call.query)?;
            let rows = objects
                .map(|object| Ok(crate::table::row(call.kind, object?, include, call.form, &now)))
                .collect::<Result<Vec<Value>, Failure>>()?;
            let columns = crate::table::columns(call.kind);
            crate::table::table(call.form, page.metadata.into(), columns, rows)
        }
        Shape::Partial => json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": respond::meta_version(call.form),
            "metadata": page.metadata,
            "items": objects
                .map(|object| Ok(respond::partial(call.form, &object?)))
                .collect::<Result<Vec<Value>, Failure>>()?,
        }),
        Shape::Object => json!({
            "kind": format!("{}List", call.kind.names().kind),
            "apiVersion": storage::api_version(call.kind),
            "metadata": page.metadata,
            "items": objects
                .map(|object| {
                    let mut object = object?;
                    if let Some(fields) = object.as_object_mut() {
                        fields.shift_remove("apiVersion");
                        fields.shift_remove("kind");
                    }
                    Ok(object)
                })
                .collect::<Result<Vec<Value>, Failure>>()?,
        }),
    };
    respond::value(call.form, StatusCode::OK, &value, call.pretty)
}

/// JSON straight from the kept bytes, in pieces.
fn plain(call: &Call<'_>, page: Page) -> Answer {
    let estimate = page.items.iter().map(|(view, _)| view.len()).sum::<usize>() + 256;
    let mut chunk = format!(
        "{{\"kind\":\"{}List\",\"apiVersion\":\"{}\",\"metadata\":{},\"items\":[",
        call.kind.names().kind,
        storage::api_version(call.kind),
        Value::from(page.metadata),
    )
    .into_bytes();
    let mut items = page.items.into_iter();
    let mut first = true;
    let mut done = false;
    let chunks = std::iter::from_fn(move || {
        if done {
            return None;
        }
        while chunk.len() < CHUNK_BYTES {
            let Some((view, record)) = items.next() else {
                chunk.extend_from_slice(b"]}\n");
                done = true;
                break;
            };
            if !std::mem::replace(&mut first, false) {
                chunk.push(b',');
            }
            view.write_item(&mut chunk, record.revision);
        }
        Some(std::mem::take(&mut chunk))
    });
    Answer {
        payload: Payload::Chunks(Box::new(chunks), estimate),
        ..Answer::whole(StatusCode::OK, "application/json", "")
    }
}

/// Every record of the list that is asked for, with its revision (deletecollection walks it).
pub(crate) async fn matching(call: &Call<'_>) -> Result<(Vec<Arc<Record>>, u64), Failure> {
    options::check_list(&call.query)?;
    let filter = Filter::of(call)?;
    let Source { records, revision, start, .. } = source(call, &filter).await?;
    let (items, _) = take(call, &filter, records[start..].iter(), limit(call)?)?;
    Ok((items.into_iter().map(|(_, record)| record).collect(), revision))
}

/// What a list is cut from.
struct Source {
    records: Arc<Vec<Arc<Record>>>,
    revision: u64,
    /// Records before this one were sent already.
    start: usize,
    /// What all of the records' keys begin with.
    prefix: String,
}

async fn source(call: &Call<'_>, filter: &Filter) -> Result<Source, Failure> {
    let server = call.server;
    let token = call.query.text("continue");
    if token.is_empty() {
        let prefix = match limit(call)? {
            usize::MAX => filter.prefix(call),
            // Later pieces may be asked for in other words, so all are of the same list.
            _ => storage::prefix(call.kind, &call.path.namespace),
        };
        let range = range(call, &prefix).await?;
        return Ok(Source { records: Arc::new(range.records), revision: range.revision, start: 0, prefix });
    }
    let prefix = storage::prefix(call.kind, &call.path.namespace);
    let token = Token::decode(token, &prefix)
        .map_err(|error| Status::bad_request(format!("invalid continue token: {error}")))?;
    if !matches!(call.query.text("resourceVersion"), "" | "0") {
        return Err(Status::bad_request("specifying resource version is not allowed when using continue").into());
    }
    let (records, revision) = match token.revision {
        None => {
            let range = server.store.range(&prefix, None, 0);
            (Arc::new(range.records), range.revision)
        }
        Some(revision) => match server.snapshots.find(&prefix, revision, server.clock.now()) {
            Some(records) => (records, revision),
            None => return Err(token_expired(token, &prefix)),
        },
    };
    let start = records.partition_point(|record| *record.key < *token.start);
    Ok(Source { records, revision, start, prefix })
}

/// The records, of the revision that is wanted.
async fn range(call: &Call<'_>, prefix: &str) -> Result<Range, Failure> {
    let store = &call.server.store;
    match options::wanted(&call.query)? {
        Wanted::Newest => Ok(store.range(prefix, None, 0)),
        Wanted::NotOlderThan(revision) => {
            wait_for(call, revision).await?;
            Ok(store.range(prefix, None, 0))
        }
        Wanted::Exact(revision) => {
            wait_for(call, revision).await?;
            let too_old = |_| Status::expired("The resourceVersion for the provided list is too old.");
            Ok(store.range_at(prefix, revision).map_err(too_old)?)
        }
    }
}

fn limit(call: &Call<'_>) -> Result<usize, Failure> {
    Ok(match usize::try_from(call.query.number("limit")?.unwrap_or(0)) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    })
}

async fn page(call: &Call<'_>, filter: &Filter) -> Result<Page, Failure> {
    let Source { records, revision, start, prefix } = source(call, filter).await?;
    let (items, n_seen) = take(call, filter, records[start..].iter(), limit(call)?)?;
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), revision.to_string().into());
    let n_left = records.len() - start - n_seen;
    // What is left may hold no match; then this was the last piece after all.
    if 0 < n_left && is_more(call, filter, &records[start + n_seen..])? {
        let token = Token::after(&records[start + n_seen - 1].key, Some(revision));
        call.server.snapshots.keep(&prefix, revision, records.clone(), call.server.clock.now());
        metadata.insert("continue".into(), token.encode(&prefix).into());
        if filter.is_empty() {
            metadata.insert("remainingItemCount".into(), n_left.into());
        }
    }
    Ok(Page { items, metadata })
}

/// The first `limit` matches, and how many records were looked at for them.
fn take<'r>(
    call: &Call<'_>,
    filter: &Filter,
    records: impl Iterator<Item = &'r Arc<Record>>,
    limit: usize,
) -> Result<(Vec<Item>, usize), Failure> {
    let mut items = Vec::new();
    let mut n_seen = 0;
    for record in records {
        if limit <= items.len() {
            break;
        }
        n_seen += 1;
        let view = storage::view(call.kind, record)?;
        if filter.matches(&view) {
            items.push((view, record.clone()));
        }
    }
    Ok((items, n_seen))
}

fn is_more(call: &Call<'_>, filter: &Filter, rest: &[Arc<Record>]) -> Result<bool, Failure> {
    if filter.is_empty() {
        return Ok(!rest.is_empty());
    }
    for record in rest {
        if filter.matches(&*storage::view(call.kind, record)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// 410 with a token that goes on from the same place in whatever is current.
fn token_expired(token: Token, prefix: &str) -> Failure {
    let fresh = Token { revision: None, ..token };
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    status.metadata = json!({"continue": fresh.encode(prefix)});
    status.into()
}

/// Waits a moment for a revision from the future; 504 when it does not come.
pub(super) async fn wait_for(call: &Call<'_>, wanted: u64) -> Result<(), Failure> {
    let store = &call.server.store;
    if wanted <= store.revision() {
        return Ok(());
    }
    tokio::time::timeout(FUTURE_PATIENCE, store.reached(wanted))
        .await
        .map_err(|_| too_large_revision(wanted, store.revision()))
}
