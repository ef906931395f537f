//! Events as they are sent: what `Correlator` decided, as JSON.

use super::{Emission, Occurrence};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use serde_json::{Value, json};

/// The namespace that its Event lives in: what is in none has its events in `default`.
fn namespace(occurrence: &Occurrence) -> &str {
    match occurrence.subject.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    }
}

/// What is patched into the Event when it is counted. `None`: it is not.
pub fn count_patch(occurrence: &Occurrence, emission: &Emission) -> Option<Value> {
    let Emission::Count { message, count, at, .. } = emission else { return None };
    Some(match &occurrence.action {
        None => json!({"count": count, "lastTimestamp": Time(*at), "message": message}),
        Some(_) => json!({"series": {"count": count, "lastObservedTime": MicroTime(*at)}, "message": message}),
    })
}

/// The Event that is created: a new one, or one that was to be counted and is gone. `None`: nothing is.
pub fn new_event(occurrence: &Occurrence, emission: &Emission) -> Option<Value> {
    match emission {
        Emission::Drop => None,
        Emission::Create { name, message, at } => Some(event(occurrence, name, message, 1, *at, *at)),
        Emission::Count { name, message, count, first, at } => {
            Some(event(occurrence, name, message, *count, *first, *at))
        }
    }
}

fn event(occurrence: &Occurrence, name: &str, message: &str, count: i32, first: Timestamp, last: Timestamp) -> Value {
    let subject = &occurrence.subject;
    let mut involved =
        json!({"apiVersion": subject.api_version, "kind": subject.kind, "name": subject.name, "uid": subject.uid});
    for (field, value) in [
        ("namespace", &subject.namespace),
        ("resourceVersion", &subject.resource_version),
        ("fieldPath", &subject.field_path),
    ] {
        if !value.is_empty() {
            involved[field] = value.as_str().into();
        }
    }
    let mut body = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": name, "namespace": namespace(occurrence)},
        "involvedObject": involved,
        "type": occurrence.severity,
        "reason": occurrence.reason,
        "message": message,
        "reportingComponent": occurrence.component,
        "reportingInstance": occurrence.host,
    });
    match &occurrence.action {
        None => {
            let mut source = json!({"component": occurrence.component});
            if !occurrence.host.is_empty() {
                source["host"] = occurrence.host.as_str().into();
            }
            body["source"] = source;
            body["firstTimestamp"] = json!(Time(first));
            body["lastTimestamp"] = json!(Time(last));
            body["count"] = count.into();
            body["eventTime"] = Value::Null;
        }
        Some(action) => {
            body["eventTime"] = json!(MicroTime(first));
            body["action"] = action.as_str().into();
            body["source"] = json!({});
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::Subject;

    fn occurrence(action: Option<&str>) -> Occurrence {
        Occurrence {
            subject: Subject {
                api_version: "v1".into(),
                kind: "Pod".into(),
                namespace: "n".into(),
                name: "p".into(),
                uid: "u".into(),
                field_path: "spec.containers{c}".into(),
                ..Default::default()
            },
            component: "kubelet".into(),
            host: "box".into(),
            severity: "Normal".into(),
            reason: "Pulled".into(),
            message: "text".into(),
            action: action.map(str::to_owned),
        }
    }

    #[test]
    fn core_events_carry_times_count_and_source() {
        let at = Timestamp::UNIX_EPOCH;
        let create = Emission::Create { name: "p.1".into(), message: "text".into(), at };
        let expect = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "p.1", "namespace": "n"},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "namespace": "n",
                "fieldPath": "spec.containers{c}"},
            "type": "Normal", "reason": "Pulled", "message": "text",
            "reportingComponent": "kubelet", "reportingInstance": "box", "source": {"component": "kubelet", "host": "box"},
            "firstTimestamp": "1970-01-01T00:00:00Z", "lastTimestamp": "1970-01-01T00:00:00Z", "count": 1, "eventTime": null,
        });
        assert_eq!(new_event(&occurrence(None), &create), Some(expect));
        assert_eq!(count_patch(&occurrence(None), &create), None);
        assert_eq!(new_event(&occurrence(None), &Emission::Drop), None);
    }

    #[test]
    fn a_counted_event_that_is_gone_comes_back_with_its_count() {
        let (first, at) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(5).unwrap());
        let count = Emission::Count { name: "p.1".into(), message: "text".into(), count: 3, first, at };
        let event = new_event(&occurrence(None), &count).unwrap();
        assert_eq!((&event["count"], &event["lastTimestamp"]), (&json!(3), &json!("1970-01-01T00:00:05Z")));
        let patch = json!({"count": 3, "lastTimestamp": "1970-01-01T00:00:05Z", "message": "text"});
        assert_eq!(count_patch(&occurrence(None), &count), Some(patch));
        let patch = count_patch(&occurrence(Some("Binding")), &count).unwrap();
        assert_eq!(patch["series"], json!({"count": 3, "lastObservedTime": "1970-01-01T00:00:05.000000Z"}));
        let event = new_event(&occurrence(Some("Binding")), &count).unwrap();
        assert_eq!((&event["action"], event.get("count")), (&json!("Binding"), None));
    }

    #[test]
    fn what_is_in_no_namespace_has_its_events_in_default() {
        let mut occurrence = occurrence(None);
        occurrence.subject.namespace.clear();
        let create = Emission::Create { name: "p.1".into(), message: String::new(), at: Timestamp::UNIX_EPOCH };
        let event = new_event(&occurrence, &create).unwrap();
        assert_eq!(event["metadata"]["namespace"], "default");
        assert_eq!(event["involvedObject"].get("namespace"), None);
    }
}
