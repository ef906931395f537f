//! POST serviceaccounts/NAME/token: `kinds` decides what the token says, the server signs it.

use crate::admission::Stored;
use crate::auth::{self, ISSUER};
use crate::error::Failure;
use crate::handlers::Call;
use crate::respond::{self, Answer};
use crate::{body, discovery, storage};
use axum::body::Body;
use http::StatusCode;
use kinds::schema::{self, Strictness};
use kinds::service_account::token_request::{self, Asking};
use meta::status::Status;
use serde_json::Value;

pub(crate) async fn issue(call: &mut Call<'_>, body: Body) -> Result<Answer, Failure> {
    let dry_run = call.query.dry_run("CreateOptions")?;
    let strictness = call.query.strictness("CreateOptions")?;
    let request = decode(call, body, strictness).await?;
    let record = call.record()?;
    let account = storage::object(call.kind, &record)?;
    let unable = |why: &str| Failure::from(Status::internal(format!("tokens cannot be signed: {why}")));
    let trust = call.server.trust.as_ref().ok_or_else(|| unable("this server has no listener that would take them"))?;
    let asking = Asking {
        request: &request,
        account: &account,
        issuer: ISSUER,
        audiences: &auth::own_audiences(),
        world: &Stored::of(call.server),
        now: call.server.clock.now(),
        id: &meta::names::uid(call.server.entropy.as_ref()),
    };
    let grant = token_request::grant(&asking)?;
    // A request that is only tried gets no token that would work.
    let token = match dry_run {
        true => String::new(),
        false => trust.tokens.sign(&grant.claims).map_err(|error| unable(&error))?,
    };
    respond::value(call.form, StatusCode::CREATED, &grant.answer(&token), call.pretty)
}

/// The body as what `token` takes, whole: kubectl's comes in protobuf.
async fn decode(call: &mut Call<'_>, body: Body, strictness: Strictness) -> Result<Value, Failure> {
    let (group, version, kind) = discovery::response_kind(call.kind, "token");
    let api_version = format!("{group}/{version}");
    let ty = schema::by_kind(&api_version, kind).ok_or_else(|| Status::internal(format!("no schema for {kind}")))?;
    let text = body::read_text(&call.headers, body).await?;
    let cannot = |error: &str| {
        let text = format!("{kind} in version {version:?} cannot be handled as a {kind}: {error}");
        Failure::from(Status::bad_request(text))
    };
    let decoded = schema::decode(&text, ty, strictness).map_err(|error| cannot(&error))?;
    if strictness == Strictness::Strict && !decoded.complaints.is_empty() {
        return Err(cannot(&format!("strict decoding error: {}", decoded.complaints.join(", "))));
    }
    let mut request = decoded.object;
    for (field, wanted) in [("kind", kind), ("apiVersion", api_version.as_str())] {
        let given = request[field].as_str().unwrap_or("");
        if !given.is_empty() && given != wanted {
            return Err(cannot(&format!("the body's {field} is {given:?}")));
        }
    }
    call.warnings.extend(decoded.complaints);
    let fields = meta::object::as_map(&mut request);
    fields.insert("kind".into(), kind.into());
    fields.insert("apiVersion".into(), api_version.into());
    Ok(request)
}
