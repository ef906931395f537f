//! GET pods/NAME/log: which container, which lines. The agent has the text.

use crate::error::Failure;
use crate::handlers::Call;
use crate::node::{LogRequest, Output};
use crate::respond::Answer;
use crate::storage;
use crate::subresources::container::container;
use jiff::{SignedDuration, Timestamp};
use meta::field::FieldError;
use meta::status::Status;
use serde_json::Value;

pub(crate) async fn log(call: &Call<'_>) -> Result<Answer, Failure> {
    let record = call.record()?;
    let pod = storage::object(call.kind, &record)?;
    let request = request(call, &pod)?;
    // Nobody runs it yet: there is nothing to read, and nothing wrong (K:pkg/registry/core/pod/strategy.go LogLocation).
    if pod["spec"]["nodeName"].as_str().unwrap_or("").is_empty() {
        return Ok(Answer::text(http::StatusCode::OK, ""));
    }
    let stream = call.server.node.logs(request).await?;
    Ok(Answer::stream("text/plain", stream))
}

fn request(call: &Call<'_>, pod: &Value) -> Result<LogRequest, Failure> {
    let query = &call.query;
    let mut errors = Vec::new();
    let mut at_least = |field: &str, minimum: i64, rule: &str| -> Result<Option<i64>, Failure> {
        let number = query.number(field)?;
        if let Some(number) = number.filter(|number| *number < minimum) {
            errors.push(FieldError::invalid(field, number, rule));
        }
        Ok(number)
    };
    let tail_lines = at_least("tailLines", 0, "must be greater than or equal to 0")?;
    let limit_bytes = at_least("limitBytes", 1, "must be greater than 0")?;
    let since_seconds = at_least("sinceSeconds", 1, "must be greater than 0")?;
    let output = match query.text("stream") {
        "" | "All" => None,
        "Stdout" => Some(Output::Stdout),
        "Stderr" => Some(Output::Stderr),
        other => {
            errors.push(FieldError::not_supported("stream", other, &["All", "Stderr", "Stdout"]));
            None
        }
    };
    if output.is_some() && tail_lines.is_some() {
        errors.push(FieldError::forbidden("", "`tailLines` and specific `stream` are mutually exclusive for now"));
    }
    let since_time = query.get("sinceTime").filter(|text| !text.is_empty());
    if since_time.is_some() && since_seconds.is_some() {
        errors.push(FieldError::forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    let since_time = since_time.and_then(|text| match text.parse::<Timestamp>() {
        Ok(time) => Some(time),
        Err(error) => {
            errors.push(FieldError::invalid("sinceTime", text, &error.to_string()));
            None
        }
    });
    if !errors.is_empty() {
        return Err(Status::invalid("", "PodLogOptions", &call.path.name, &errors).into());
    }
    let since_seconds = since_seconds
        .map(|seconds| call.server.clock.now().checked_sub(SignedDuration::from_secs(seconds)))
        .map(|since| since.unwrap_or(Timestamp::UNIX_EPOCH));
    Ok(LogRequest {
        namespace: call.path.namespace.clone(),
        pod: call.path.name.clone(),
        pod_uid: meta::object::uid(pod).to_owned(),
        container: container(pod, query.text("container"))?,
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        tail_lines: tail_lines.and_then(|n| u64::try_from(n).ok()),
        output,
        limit_bytes: limit_bytes.and_then(|n| u64::try_from(n).ok()),
        since: since_time.or(since_seconds),
    })
}
