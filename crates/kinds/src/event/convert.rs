//! The two forms of an event. The same facts, other names.

use meta::object;
use serde_json::Value;

/// (core, events.k8s.io)
const FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// From the core group's form to that of events.k8s.io.
pub(super) fn from_core(event: &mut Value) {
    rename(event, "events.k8s.io/v1", |known| FIELDS.iter().find(|(core, _)| *core == known).map(|(_, new)| *new));
}

/// From the form of events.k8s.io to the core group's.
pub(super) fn to_core(event: &mut Value) {
    rename(event, "v1", |known| FIELDS.iter().find(|(_, new)| *new == known).map(|(core, _)| *core));
}

fn rename(event: &mut Value, api_version: &str, new_name: impl Fn(&str) -> Option<&'static str>) {
    let fields = std::mem::take(object::as_map(event));
    let renamed = fields.into_iter().map(|(key, value)| match new_name(&key) {
        Some(name) => (name.to_owned(), value),
        None => (key, value),
    });
    object::as_map(event).extend(renamed);
    object::as_map(event).insert("apiVersion".to_owned(), api_version.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_and_back_is_the_same_event() {
        let core = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"name": "o"},
            "reason": "R", "message": "m", "source": {"component": "c"}, "firstTimestamp": "f", "lastTimestamp": "l",
            "count": 2, "type": "Normal", "eventTime": "t", "action": "A", "reportingComponent": "rc",
            "reportingInstance": "ri", "series": {"count": 2}, "related": {"name": "x"}});
        let mut event = core.clone();
        from_core(&mut event);
        assert_eq!(
            event,
            json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}, "regarding": {"name": "o"},
                "reason": "R", "note": "m", "deprecatedSource": {"component": "c"}, "deprecatedFirstTimestamp": "f",
                "deprecatedLastTimestamp": "l", "deprecatedCount": 2, "type": "Normal", "eventTime": "t", "action": "A",
                "reportingController": "rc", "reportingInstance": "ri", "series": {"count": 2}, "related": {"name": "x"}})
        );
        to_core(&mut event);
        assert_eq!(event, core);
    }
}
