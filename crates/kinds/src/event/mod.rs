//! Event: what happened to an object. Lives an hour.
//!
//! Both groups serve the same objects: `events.k8s.io` renames some fields (see `convert`), the core group's form is stored.

mod convert;
mod validation;

use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use serde_json::Value;

const TIME_TO_LIVE_SECONDS: i64 = 3600;

/// Events of the core group.
#[derive(Debug)]
pub struct CoreEvent;

/// Events of events.k8s.io.
#[derive(Debug)]
pub struct Event;

const CORE: Names = Names {
    group: "",
    version: "v1",
    kind: "Event",
    plural: "events",
    singular: "event",
    short: &["ev"],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &[],
};

const NAMES: Names = Names { group: "events.k8s.io", ..CORE };

const COLUMNS: &[Column] = &[
    table::column("Last Seen", "How long ago it was last seen."),
    table::column("Type", "Normal, or Warning."),
    table::column("Reason", "Why it happened, in one word."),
    table::column("Object", "What it is about."),
    table::wide("Subobject", "Which part of the object it is about."),
    table::wide("Source", "Who reported it."),
    table::column("Message", "What happened, for people."),
    table::wide("First Seen", "How long ago it was first seen."),
    table::wide("Count", "How often it was seen."),
    table::wide("Name", "Name of the event itself."),
];

impl Kind for CoreEvent {
    fn names(&self) -> &'static Names {
        &CORE
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.Event"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validation::validate_core(object)
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        Vec::new()
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        selectable_fields(object)
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        row(object, now)
    }
    fn time_to_live_seconds(&self) -> Option<i64> {
        Some(TIME_TO_LIVE_SECONDS)
    }
    fn last_written(&self, object: &Value) -> Option<Timestamp> {
        last_written(object)
    }
}

impl Kind for Event {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.events.v1.Event"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validation::validate_new(object)
    }
    fn validate_update(&self, object: &Value, old: &Value, _: Part) -> Vec<FieldError> {
        validation::validate_new_update(object, old)
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        let mut stored = object.clone();
        self.to_storage(&mut stored);
        selectable_fields(&stored)
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let mut stored = object.clone();
        self.to_storage(&mut stored);
        row(&stored, now)
    }
    fn time_to_live_seconds(&self) -> Option<i64> {
        Some(TIME_TO_LIVE_SECONDS)
    }
    fn last_written(&self, object: &Value) -> Option<Timestamp> {
        let mut stored = object.clone();
        self.to_storage(&mut stored);
        last_written(&stored)
    }
    fn storage(&self) -> (&'static str, &'static str) {
        (CORE.group, CORE.plural)
    }
    fn from_storage(&self, object: &mut Value) {
        convert::from_core(object);
    }
    fn to_storage(&self, object: &mut Value) {
        convert::to_core(object);
    }
}

fn selectable_fields(event: &Value) -> Vec<(&'static str, String)> {
    let root = At::root(event);
    let text = |path: &[&str]| root.fields(path).text().to_owned();
    let source = match root.fields(&["source", "component"]).text() {
        "" => text(&["reportingComponent"]),
        component => component.to_owned(),
    };
    vec![
        ("involvedObject.kind", text(&["involvedObject", "kind"])),
        ("involvedObject.namespace", text(&["involvedObject", "namespace"])),
        ("involvedObject.name", text(&["involvedObject", "name"])),
        ("involvedObject.uid", text(&["involvedObject", "uid"])),
        ("involvedObject.apiVersion", text(&["involvedObject", "apiVersion"])),
        ("involvedObject.resourceVersion", text(&["involvedObject", "resourceVersion"])),
        ("involvedObject.fieldPath", text(&["involvedObject", "fieldPath"])),
        ("reason", text(&["reason"])),
        ("reportingComponent", text(&["reportingComponent"])),
        ("source", source),
        ("type", text(&["type"])),
    ]
}

fn row(event: &Value, now: Timestamp) -> Row {
    let root = At::root(event);
    let text = |path: &[&str]| root.fields(path).text();
    let first_seen = match event["firstTimestamp"].is_null() {
        true => table::since(&event["eventTime"], now),
        false => table::since(&event["firstTimestamp"], now),
    };
    let series = &event["series"];
    let (last_seen, count) = match (series.is_null(), event["lastTimestamp"].is_null()) {
        (false, _) => (table::since(&series["lastObservedTime"], now), series["count"].as_i64().unwrap_or(0)),
        (true, false) => (table::since(&event["lastTimestamp"], now), event["count"].as_i64().unwrap_or(0)),
        (true, true) => (first_seen.clone(), event["count"].as_i64().unwrap_or(0)),
    };
    // An event by itself has no count in the newer form.
    let count = if series.is_null() { count.max(1) } else { count };
    let kind = text(&["involvedObject", "kind"]).to_lowercase();
    let target = match text(&["involvedObject", "name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let cells = vec![
        last_seen.into(),
        text(&["type"]).into(),
        text(&["reason"]).into(),
        target.into(),
        text(&["involvedObject", "fieldPath"]).into(),
        source(&root).into(),
        text(&["message"]).trim().into(),
        first_seen.into(),
        count.into(),
        table::name(event),
    ];
    Row { cells, ..Row::default() }
}

/// `component, host`, from the older or the newer fields.
fn source(event: &At<'_>) -> String {
    let either = |old: &str, new: &str| match event.fields(&["source", old]).text() {
        "" => event.field(new).text(),
        text => text,
    };
    let component = either("component", "reportingComponent");
    match either("host", "reportingInstance") {
        "" => component.to_owned(),
        host => format!("{component}, {host}"),
    }
}

/// The newest instant that the event itself tells of.
fn last_written(event: &Value) -> Option<Timestamp> {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["firstTimestamp"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .filter_map(table::instant)
    .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cells;
    use serde_json::json;

    fn event() -> Value {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "pi.1", "namespace": "n"},
            "involvedObject": {"kind": "Pod", "namespace": "n", "name": "pi", "uid": "u", "fieldPath": "spec.containers{c}"},
            "reason": "Started", "message": "Container started\n", "type": "Normal",
            "source": {"component": "kubelet", "host": "box"},
            "firstTimestamp": "2026-01-01T00:30:00Z", "lastTimestamp": "2026-01-01T00:59:00Z", "count": 7})
    }

    #[test]
    fn the_row_tells_when_why_and_what() {
        assert_eq!(
            cells(&CoreEvent, &event()),
            [
                json!("60s"),
                json!("Normal"),
                json!("Started"),
                json!("pod/pi"),
                json!("spec.containers{c}"),
                json!("kubelet, box"),
                json!("Container started"),
                json!("30m"),
                json!(7),
                json!("pi.1")
            ]
        );
    }

    #[test]
    fn newer_events_tell_the_same_with_other_fields() {
        let single = json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Job", "name": "j"},
            "eventTime": "2026-01-01T00:59:50.000000Z", "reportingComponent": "x", "reportingInstance": "y"});
        let row = cells(&CoreEvent, &single);
        assert_eq!((&row[0], &row[5], &row[7], &row[8]), (&json!("10s"), &json!("x, y"), &json!("10s"), &json!(1)));
        let mut series = single;
        series["series"] = json!({"count": 3, "lastObservedTime": "2026-01-01T00:59:55.000000Z"});
        let row = cells(&CoreEvent, &series);
        assert_eq!((&row[0], &row[8]), (&json!("5s"), &json!(3)));
    }

    #[test]
    fn both_groups_show_and_select_the_same() {
        let mut newer = event();
        Event.from_storage(&mut newer);
        assert_eq!(newer["apiVersion"], "events.k8s.io/v1");
        assert_eq!(cells(&Event, &newer), cells(&CoreEvent, &event()));
        assert_eq!(Event.selectable_fields(&newer), CoreEvent.selectable_fields(&event()));
        let fields = CoreEvent.selectable_fields(&event());
        assert!(fields.contains(&("involvedObject.uid", "u".to_owned())));
        assert!(fields.contains(&("source", "kubelet".to_owned())));
        assert!(fields.contains(&("type", "Normal".to_owned())));
    }

    #[test]
    fn an_event_lives_an_hour_from_when_it_was_last_seen() {
        assert_eq!(CoreEvent.time_to_live_seconds(), Some(3600));
        let last = CoreEvent.last_written(&event()).unwrap();
        assert_eq!(last.to_string(), "2026-01-01T00:59:00Z");
    }
}
