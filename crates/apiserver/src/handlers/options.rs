//! metav1.ListOptions of lists, watches and deletecollection: what they may ask for together.
//! Pure (K:apimachinery/pkg/apis/meta/internalversion/{defaults,validation}).

use crate::error::{Failure, invalid_options};
use crate::query::Query;
use meta::field::FieldError;
use meta::status::Status;

/// How a list's revision relates to the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whatever is current.
    Newest,
    /// This one or a newer one.
    NotOlderThan(u64),
    /// This one.
    Exact(u64),
}

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With the objects there are, not older than this revision.
    Objects(u64),
    /// With what happens from now on.
    Now,
    /// With what happened after this revision.
    After(u64),
}

/// Checks a list's options, which a watch's differ from.
pub(super) fn check_list(query: &Query) -> Result<(), Failure> {
    let (revision, matching) = (query.text("resourceVersion"), query.text("resourceVersionMatch"));
    let mut errors = Vec::new();
    let mut forbid = |detail: &str| errors.push(FieldError::forbidden("resourceVersionMatch", detail));
    if !matching.is_empty() {
        if revision.is_empty() {
            forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if !query.text("continue").is_empty() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if !["Exact", "NotOlderThan"].contains(&matching) {
            let supported = ["Exact", "NotOlderThan", ""];
            errors.push(FieldError::not_supported("resourceVersionMatch", matching, &supported));
        }
        if (matching, revision) == ("Exact", "0") {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(FieldError::forbidden("resourceVersionMatch", detail));
        }
    }
    if query.get("sendInitialEvents").is_some() {
        errors.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    refuse(&errors)
}

/// The revision a list without a continue token is to be of.
pub(super) fn wanted(query: &Query) -> Result<Wanted, Failure> {
    let text = query.text("resourceVersion");
    if matches!(text, "" | "0") {
        return Ok(Wanted::Newest);
    }
    let revision =
        parse_revision(text).map_err(|error| Status::bad_request(format!("invalid resource version: {error}")))?;
    // Before there was resourceVersionMatch, a limit meant Exact: the pieces had to fit together.
    let is_exact = match query.text("resourceVersionMatch") {
        "" => 0 < query.number("limit")?.unwrap_or(0),
        matching => matching == "Exact",
    };
    Ok(if is_exact { Wanted::Exact(revision) } else { Wanted::NotOlderThan(revision) })
}

/// Checks a watch's options and says where it begins.
pub(super) fn start(query: &Query) -> Result<Start, Failure> {
    let matching = query.text("resourceVersionMatch");
    let asks_for_objects = query.get("sendInitialEvents").is_some();
    let mut errors = Vec::new();
    let mut forbid = |detail: &str| errors.push(FieldError::forbidden("resourceVersionMatch", detail));
    if asks_for_objects && matching != "NotOlderThan" {
        forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if !matching.is_empty() {
        if !asks_for_objects {
            forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if matching != "NotOlderThan" {
            errors.push(FieldError::not_supported("resourceVersionMatch", matching, &["NotOlderThan"]));
        }
        if !query.text("continue").is_empty() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            errors.push(FieldError::forbidden("resourceVersionMatch", detail));
        }
    }
    refuse(&errors)?;
    let text = query.text("resourceVersion");
    let revision = if text.is_empty() { 0 } else { revision(text)? };
    Ok(match (asks_for_objects, query.flag("sendInitialEvents"), revision) {
        // Without a revision a watch has always begun with the objects.
        (false, _, 0) => Start::Objects(0),
        (true, true, revision) => Start::Objects(revision),
        (true, false, 0) => Start::Now,
        (_, _, revision) => Start::After(revision),
    })
}

fn refuse(errors: &[FieldError]) -> Result<(), Failure> {
    match errors {
        [] => Ok(()),
        errors => Err(invalid_options("ListOptions", errors)),
    }
}

/// Parses a resourceVersion; 400 with Go's text.
pub(super) fn revision(text: &str) -> Result<u64, Failure> {
    parse_revision(text).map_err(|error| Status::bad_request(error).into())
}

fn parse_revision(text: &str) -> Result<u64, String> {
    // Rust's parser takes a plus sign, Go's for unsigned numbers does not.
    text.parse().ok().filter(|_| !text.starts_with('+')).ok_or_else(|| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let detail = if is_number { "value out of range" } else { "invalid syntax" };
        let value = meta::field::quote(text);
        format!("resourceVersion: Invalid value: {value}: strconv.ParseUint: parsing {value}: {detail}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T>(result: Result<T, Failure>) -> Result<T, (u16, String)> {
        result.map_err(|failure| {
            let message = &failure.status().message;
            let start = "ListOptions.meta.k8s.io \"\" is invalid: ";
            (failure.status().code, message.strip_prefix(start).unwrap_or(message).to_owned())
        })
    }

    #[test]
    fn lists() {
        let unless =
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
        let with_continue =
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided";
        let zero =
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
        let unsupported =
            "resourceVersionMatch: Unsupported value: \"X\": supported values: \"Exact\", \"NotOlderThan\", \"\"";
        let initial = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list";
        for (query, expect) in [
            ("", Ok(Wanted::Newest)),
            ("resourceVersion=0", Ok(Wanted::Newest)),
            ("resourceVersion=0&limit=5", Ok(Wanted::Newest)),
            ("resourceVersion=7", Ok(Wanted::NotOlderThan(7))),
            ("resourceVersion=7&limit=5", Ok(Wanted::Exact(7))),
            ("resourceVersion=7&limit=5&resourceVersionMatch=NotOlderThan", Ok(Wanted::NotOlderThan(7))),
            ("resourceVersion=7&resourceVersionMatch=Exact", Ok(Wanted::Exact(7))),
            ("resourceVersion=0&resourceVersionMatch=NotOlderThan", Ok(Wanted::Newest)),
            ("resourceVersionMatch=Exact", Err(unless.to_owned())),
            ("resourceVersionMatch=X&continue=y", Err(format!("[{unless}, {with_continue}, {unsupported}]"))),
            ("resourceVersion=0&resourceVersionMatch=Exact", Err(zero.to_owned())),
            ("resourceVersion=1&resourceVersionMatch=X", Err(unsupported.to_owned())),
            ("sendInitialEvents=false", Err(initial.to_owned())),
        ] {
            let query_text = query;
            let query = Query::parse(Some(query));
            let found = text(check_list(&query).and_then(|()| wanted(&query)));
            assert_eq!(found, expect.map_err(|text| (422, text)), "{query_text}");
        }
        for (value, detail) in
            [("x", "invalid syntax"), ("-1", "invalid syntax"), ("99999999999999999999", "value out of range")]
        {
            let query = Query::parse(Some(&format!("resourceVersion={value}")));
            let expect = format!(
                "invalid resource version: resourceVersion: Invalid value: \"{value}\": strconv.ParseUint: parsing \"{value}\": {detail}"
            );
            assert_eq!(text(wanted(&query)), Err((400, expect)));
        }
    }

    #[test]
    fn watches() {
        let requires =
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        let unless = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        let unsupported = "resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"";
        let with_continue =
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided";
        let both = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
        let neither = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
        for (query, expect) in [
            (String::new(), Ok(Start::Objects(0))),
            ("resourceVersion=0".into(), Ok(Start::Objects(0))),
            ("resourceVersion=7".into(), Ok(Start::After(7))),
            (both.into(), Ok(Start::Objects(0))),
            (format!("{both}&resourceVersion=7"), Ok(Start::Objects(7))),
            (neither.into(), Ok(Start::Now)),
            (format!("{neither}&resourceVersion=7"), Ok(Start::After(7))),
            ("sendInitialEvents=true".into(), Err(requires.to_owned())),
            ("sendInitialEvents=false".into(), Err(requires.to_owned())),
            ("resourceVersionMatch=NotOlderThan".into(), Err(unless.to_owned())),
            ("resourceVersionMatch=Exact".into(), Err(format!("[{unless}, {unsupported}]"))),
            ("sendInitialEvents=true&resourceVersionMatch=Exact".into(), Err(format!("[{requires}, {unsupported}]"))),
            (format!("{both}&continue=x"), Err(with_continue.to_owned())),
        ] {
            let found = text(start(&Query::parse(Some(&query))));
            assert_eq!(found, expect.map_err(|text| (422, text)), "{query}");
        }
    }
}
