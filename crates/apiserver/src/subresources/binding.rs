//! POST pods/NAME/binding: a scheduler's decision. Sets `spec.nodeName` once and for all.

use crate::error::Failure;
use crate::handlers::Call;
use crate::handlers::update::{Lost, put};
use crate::respond::Answer;
use crate::{body, storage};
use axum::body::Body;
use meta::status::{GroupResource, Status};
use serde_json::Value;

/// How often it is tried again when others write meanwhile.
const ATTEMPTS: usize = 5;

pub(crate) async fn bind(call: &mut Call<'_>, body: Body) -> Result<Answer, Failure> {
    let dry_run = call.query.dry_run("CreateOptions")?;
    let text = body::read_text(&call.headers, body).await?;
    let binding: Value = serde_json::from_slice(&text).map_err(|error| Status::bad_request(error.to_string()))?;
    if call.path.name.is_empty() {
        // POST bindings, the older way: the body names the pod.
        call.path.name = meta::object::name(&binding).to_owned();
    }
    let node = node(&binding)?;
    let uid = meta::object::uid(&binding);
    for _ in 0..ATTEMPTS {
        match attempt(call, &node, uid, dry_run).await {
            Ok(()) => {
                let mut status = Status::success();
                status.code = 201;
                return Ok(call.answer_status(&status));
            }
            Err(Lost::Race) => {}
            Err(lost) => return Err(lost.into_failure(call)),
        }
    }
    Err(Lost::Race.into_failure(call))
}

/// The node a Binding names (K:pkg/apis/core/validation ValidatePodBinding).
fn node(binding: &Value) -> Result<String, Failure> {
    let target = &binding["target"];
    let kind = target["kind"].as_str().unwrap_or("");
    let name = target["name"].as_str().unwrap_or("");
    let mut errors = Vec::new();
    if !matches!(kind, "" | "Node") {
        errors.push(meta::field::FieldError::not_supported("target.kind", kind, &["Node", "<empty>"]));
    }
    if name.is_empty() {
        errors.push(meta::field::FieldError::required("target.name", ""));
    }
    match errors.is_empty() {
        true => Ok(name.to_owned()),
        false => Err(Status::invalid("", "Binding", meta::object::name(binding), &errors).into()),
    }
}

async fn attempt(call: &Call<'_>, node: &str, uid: &str, dry_run: bool) -> Result<(), Lost> {
    let record = call.record()?;
    let mut object = storage::object(call.kind, &record)?;
    check(call, &object, uid).map_err(Lost::Failed)?;
    meta::object::map(&mut object, "spec").insert("nodeName".into(), node.into());
    kinds::pod::condition::set_scheduled(&mut object, &call.server.now_text());
    if !dry_run {
        put(call, &record, &object).await?;
    }
    Ok(())
}

fn check(call: &Call<'_>, object: &Value, uid: &str) -> Result<(), Failure> {
    const WHAT: GroupResource<'_> = GroupResource { group: "", resource: "pods/binding" };
    let name = &call.path.name;
    let conflict = |detail: String| Err(Status::conflict(WHAT, name, &detail).into());
    let current = meta::object::uid(object);
    if !uid.is_empty() && uid != current {
        return conflict(format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {current}"));
    }
    if meta::object::is_being_deleted(object) {
        return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    match object["spec"]["nodeName"].as_str() {
        None | Some("") if is_gated(object) => conflict(format!("pod {name} has non-empty .spec.schedulingGates")),
        None | Some("") => Ok(()),
        Some(node) => conflict(format!("pod {name} is already assigned to node {node:?}")),
    }
}

fn is_gated(pod: &Value) -> bool {
    pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty())
}
