//! The events at a description's end. Pure.

use serde_json::Value;

use super::page::{Page, View, instant, text_or};

/// Oldest first, by when they were seen last.
pub fn describe(page: &mut Page, events: &[Value], view: &View) {
    if events.is_empty() {
        page.field("Events", "<none>");
        return;
    }
    let mut events: Vec<&Value> = events.iter().collect();
    events.sort_by_key(|event| instant(&event["lastTimestamp"]));
    page.line("Events:\n  Type\tReason\tAge\tFrom\tMessage\n  ----\t------\t----\t----\t-------");
    for event in events {
        let text = |field: &str| text_or(&event[field], "");
        let source = text_or(&event["source"]["component"], &text("reportingComponent"));
        let message = text("message");
        page.line(format!(
            "  {}\t{}\t{}\t{source}\t{}",
            text("type"),
            text("reason"),
            age(event, view),
            message.trim()
        ));
    }
}

/// `5m`, or `10s (x3 over 5m)`.
pub fn age(event: &Value, view: &View) -> String {
    let first = if event["eventTime"].is_string() { &event["eventTime"] } else { &event["firstTimestamp"] };
    let first = view.age(first);
    let series = &event["series"];
    if series.is_object() {
        let last = view.age(&series["lastObservedTime"]);
        return format!("{last} (x{} over {first})", series["count"].as_i64().unwrap_or(0));
    }
    match event["count"].as_i64() {
        Some(count) if 1 < count => format!("{} (x{count} over {first})", view.age(&event["lastTimestamp"])),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    #[test]
    fn events_that_repeat_say_how_often() {
        let view = View { now: "2026-01-01T00:10:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let at = |minute: u8| format!("2026-01-01T00:0{minute}:00Z");
        for (event, expect) in [
            (json!({ "firstTimestamp": at(5), "lastTimestamp": at(5), "count": 1 }), "5m"),
            (json!({ "firstTimestamp": at(5), "lastTimestamp": at(9), "count": 3 }), "60s (x3 over 5m)"),
            (json!({ "eventTime": at(5), "series": { "count": 4, "lastObservedTime": at(8) } }), "2m (x4 over 5m)"),
        ] {
            assert_eq!(age(&event, &view), expect);
        }
    }
}
