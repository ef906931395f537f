//! How long a request may take: a minute, or what its `timeout` parameter says when that is less
//! (K:apiserver/pkg/endpoints/filters/request_deadline.go).

use crate::error::Failure;
use crate::query::Query;
use meta::status::Status;
use std::time::Duration;

/// K:apiserver/pkg/server/config.go RequestTimeout.
const LONGEST: Duration = Duration::from_secs(60);

/// The time for a request that does not stream; 400 when the parameter is no duration.
pub(crate) fn of(query: &Query) -> Result<Duration, Failure> {
    let text = query.text("timeout");
    if text.is_empty() {
        return Ok(LONGEST);
    }
    let nanoseconds = meta::go_duration::parse(text)
        .map_err(|error| Status::bad_request(format!("invalid timeout specified in the request URL - {error}")))?;
    Ok(match u64::try_from(nanoseconds) {
        Ok(0) | Err(_) => LONGEST,
        Ok(nanoseconds) => Duration::from_nanos(nanoseconds).min(LONGEST),
    })
}

/// 504 for a request whose time is up.
pub(crate) fn exceeded() -> Failure {
    Status::timeout("request did not complete within the allotted timeout").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_bounded() {
        for (text, expect) in [
            ("", Ok(60_000)),
            ("timeout=", Ok(60_000)),
            ("timeout=32s", Ok(32_000)),
            ("timeout=1.5s", Ok(1_500)),
            ("timeout=5m", Ok(60_000)),
            ("timeout=0s", Ok(60_000)),
            ("timeout=-1s", Ok(60_000)),
            ("timeout=x", Err("invalid timeout specified in the request URL - time: invalid duration \"x\"")),
            ("timeout=10", Err("invalid timeout specified in the request URL - time: missing unit in duration \"10\"")),
        ] {
            let found = of(&Query::parse(Some(text)));
            let found = found.as_ref().map(Duration::as_millis).map_err(|failure| failure.status().message.as_str());
            assert_eq!(found, expect, "{text}");
        }
    }
}
