//! POST pods/NAME/eviction: deletes a pod, and writes down in its status that it was evicted. Nothing stands in the way:
//! this version has no PodDisruptionBudgets.

use crate::body;
use crate::error::Failure;
use crate::handlers::Call;
use crate::handlers::delete::{delete_as, options_of};
use crate::respond::Answer;
use axum::body::Body;
use meta::object;
use meta::status::Status;
use serde_json::Value;

pub(crate) async fn evict(call: &mut Call<'_>, body: Body) -> Result<Answer, Failure> {
    let dry_run = call.query.dry_run("CreateOptions")?;
    let text = body::read_text(&call.headers, body).await?;
    let eviction: Value = serde_json::from_slice(&text).map_err(|error| Status::bad_request(error.to_string()))?;
    check(call, &eviction)?;
    let mut options = options_of(&eviction["deleteOptions"])?;
    options.dry_run |= dry_run;
    let now = call.server.now_text();
    delete_as(call, &options, |pod| kinds::pod::eviction::mark(pod, &now)).await?;
    let mut status = Status::success();
    status.code = 201;
    Ok(call.answer_status(&status))
}

/// It has to be an Eviction of this very pod.
fn check(call: &Call<'_>, eviction: &Value) -> Result<(), Failure> {
    let (api_version, kind) = (&eviction["apiVersion"], &eviction["kind"]);
    let is_version = api_version.is_null() || api_version == "policy/v1" || api_version == "policy/v1beta1";
    let is_kind = kind.is_null() || kind == "Eviction";
    if !is_version || !is_kind {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let message = format!(
            "the object provided is a {} of {:?}; this path takes an Eviction of \"policy/v1\"",
            text(kind),
            text(api_version)
        );
        return Err(Status::bad_request(message).into());
    }
    if object::name(eviction) != call.path.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object").into());
    }
    let namespace = object::namespace(eviction);
    if !namespace.is_empty() && namespace != call.path.namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Status::bad_request(message).into());
    }
    Ok(())
}
