//! LIST: all that match, or a piece of them with a token for the rest.

use super::Call;
use super::select::Filter;
use crate::error::{Failure, invalid_options, too_large_revision};
use crate::negotiate::Shape;
use crate::respond::{self, Answer, Payload};
use crate::snapshot::Token;
use crate::storage::{self, View};
use http::StatusCode;
use meta::field::FieldError;
use meta::status::Status;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::Record;

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
    check_options(call)?;
    let filter = Filter::of(call)?;
    let page = page(call, &filter).await?;
    answer(call, page)
}

fn answer(call: &Call<'_>, page: Page) -> Result<Answer, Failure> {
    if respond::is_plain(call.form, call.pretty) {
        return Ok(plain(call, page));
    }
    let now = call.server.clock.now();
    let objects = page.items.iter().map(|(_, record)| storage::object(call.kind, record));
    let value = match call.form.shape {
        Shape::Table => {
            let include = crate::table::Include::of(&call.query)?;
            let rows = objects
                .map(|object| Ok(crate::table::row(call.kind, object?, include, call.form, now)))
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
    respond::value(call.encoding_form(), StatusCode::OK, &value, call.pretty)
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

/// Every record that matches, with the revision the list is of (deletecollection walks it).
pub(crate) fn matching(call: &Call<'_>) -> Result<(Vec<Arc<Record>>, u64), Failure> {
    let filter = Filter::of(call)?;
    let all = call.server.store.range(&filter.prefix(call), None, 0);
    let (items, _) = take(call, &filter, all.records.iter(), usize::MAX)?;
    Ok((items.into_iter().map(|(_, record)| record).collect(), all.revision))
}

async fn page(call: &Call<'_>, filter: &Filter) -> Result<Page, Failure> {
    let server = call.server;
    let now = server.clock.now();
    let prefix = filter.prefix(call);
    let limit = match usize::try_from(call.query.number("limit")?.unwrap_or(0)) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    };
    let (records, revision, start) = match call.query.text("continue") {
        "" => {
            wait_for_wanted(call).await?;
            let range = server.store.range(&prefix, None, 0);
            exact(call, range.revision)?;
            (Arc::new(range.records), range.revision, 0)
        }
        token => {
            let token = Token::decode(token, &prefix)
                .ok_or_else(|| Status::bad_request(format!("invalid continue token: {}", meta::field::quote(token))))?;
            let (records, revision) = match token.revision {
                0 => {
                    let range = server.store.range(&prefix, Some(&token.after), 0);
                    (Arc::new(range.records), range.revision)
                }
                revision => match server.snapshots.find(&prefix, revision, now) {
                    Some(records) => (records, revision),
                    None => return Err(token_expired(token)),
                },
            };
            let start = records.partition_point(|record| *record.key <= *token.after);
            (records, revision, start)
        }
    };
    let (items, n_seen) = take(call, filter, records[start..].iter(), limit)?;
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), revision.to_string().into());
    let n_left = records.len() - start - n_seen;
    // What is left may hold no match; then this was the last piece after all.
    if 0 < n_left && is_more(call, filter, &records[start + n_seen..])? {
        let after = records[start + n_seen - 1].key.to_string();
        server.snapshots.keep(&prefix, revision, records.clone(), now);
        metadata.insert("continue".into(), Token { revision, after }.encode().into());
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
fn token_expired(token: Token) -> Failure {
    let fresh = Token { revision: 0, ..token };
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    status.metadata = json!({"continue": fresh.encode()});
    status.into()
}

/// Rules of resourceVersionMatch and sendInitialEvents (K:apimachinery/pkg/apis/meta/internalversion/validation).
fn check_options(call: &Call<'_>) -> Result<(), Failure> {
    let query = &call.query;
    let (revision, matching) = (query.text("resourceVersion"), query.text("resourceVersionMatch"));
    let mut errors = Vec::new();
    let forbidden = |detail: &str| FieldError::forbidden("resourceVersionMatch", detail);
    match matching {
        "" => {}
        _ if !query.text("continue").is_empty() => {
            errors.push(forbidden("resourceVersionMatch is forbidden when continue is provided"))
        }
        _ if revision.is_empty() => {
            errors.push(forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        }
        "Exact" if revision == "0" => {
            errors.push(forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
        }
        "Exact" | "NotOlderThan" => {}
        other => errors.push(FieldError::not_supported("resourceVersionMatch", other, &["Exact", "NotOlderThan", ""])),
    }
    if query.get("sendInitialEvents").is_some() {
        errors.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if !errors.is_empty() {
        return Err(invalid_options("ListOptions", &errors));
    }
    if !query.text("continue").is_empty() && !matches!(revision, "" | "0") {
        return Err(Status::bad_request("specifying resource version is not allowed when using continue").into());
    }
    Ok(())
}

/// Parses a resourceVersion; 400 with Go's text.
pub(super) fn revision(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| {
        let value = meta::field::quote(text);
        Status::bad_request(format!(
            "resourceVersion: Invalid value: {value}: strconv.ParseUint: parsing {value}: invalid syntax"
        ))
        .into()
    })
}

async fn wait_for_wanted(call: &Call<'_>) -> Result<(), Failure> {
    match call.query.text("resourceVersion") {
        "" | "0" => Ok(()),
        text => wait_for(call, revision(text)?).await,
    }
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

/// `resourceVersionMatch=Exact` can be answered only while that revision is the current one: no other is kept.
fn exact(call: &Call<'_>, current: u64) -> Result<(), Failure> {
    if call.query.text("resourceVersionMatch") != "Exact" {
        return Ok(());
    }
    let wanted = revision(call.query.text("resourceVersion"))?;
    if wanted == current {
        return Ok(());
    }
    Err(Status::expired("The resourceVersion for the provided list is too old.").into())
}
