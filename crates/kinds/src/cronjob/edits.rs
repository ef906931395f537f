//! What the server itself writes when a schedule is edited: the schedule before, whose last instants may still have no outcome.
//! In the write of the edit itself, so that no crash can come between.

use super::ticks::effective;
use super::{ACCOUNTED_UNTIL, SCHEDULED_BEFORE};
use meta::object;
use serde_json::Value;

/// Keeps the accounts, which `kubectl replace` would drop, and the schedule before, unless an older one is still waiting to be
/// accounted for.
pub(super) fn remember(cronjob: &mut Value, old: &Value) {
    let annotations = &old["metadata"]["annotations"];
    if let Some(until) = annotations[ACCOUNTED_UNTIL].as_str() {
        annotate(cronjob, ACCOUNTED_UNTIL, until);
    }
    let waiting = annotations[SCHEDULED_BEFORE].as_str();
    let before = match waiting {
        Some(waiting) => waiting.to_owned(),
        None if text(cronjob) == text(old) => return,
        None => text(old),
    };
    annotate(cronjob, SCHEDULED_BEFORE, &before);
}

fn annotate(cronjob: &mut Value, key: &str, value: &str) {
    let annotations = object::metadata(cronjob).entry("annotations").or_insert(Value::Null);
    object::as_map(annotations).insert(key.to_owned(), value.into());
}

/// A new CronJob has no past, even when it was copied from one that has.
pub(super) fn forget(cronjob: &mut Value) {
    let annotations = cronjob.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(Value::Object(annotations)) = annotations {
        annotations.shift_remove(SCHEDULED_BEFORE);
        annotations.shift_remove(ACCOUNTED_UNTIL);
    }
}

fn text(cronjob: &Value) -> String {
    let spec = &cronjob["spec"];
    effective(spec["schedule"].as_str().unwrap_or_default(), spec["timeZone"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cronjob::CronJob;
    use crate::kind::{Kind, Part};
    use serde_json::json;

    fn cronjob(schedule: &str, zone: Option<&str>, annotations: Value) -> Value {
        json!({"metadata": {"name": "tick", "annotations": annotations}, "spec": {"schedule": schedule, "timeZone": zone}})
    }

    #[track_caller]
    fn check(old: &Value, new: Value, expect: Value) -> Value {
        let mut object = new;
        CronJob.prepare_update(&mut object, old, Part::Spec);
        assert_eq!(object["metadata"]["annotations"][SCHEDULED_BEFORE], expect);
        object
    }

    #[test]
    fn an_edit_keeps_the_schedule_before_until_it_is_accounted_for() {
        let old = cronjob("0 2 * * *", Some("Europe/Berlin"), json!({}));
        check(&old, cronjob("0 2 * * *", Some("Europe/Berlin"), json!({"a": "b"})), json!(null));
        let edited = check(&old, cronjob("0 3 * * *", None, json!(null)), json!("TZ=Europe/Berlin 0 2 * * *"));
        let again = check(&edited, cronjob("0 4 * * *", None, json!({})), json!("TZ=Europe/Berlin 0 2 * * *"));
        let mut settled = again.clone();
        settled["metadata"]["annotations"] = json!({});
        CronJob.prepare_update(&mut settled, &again, Part::Status);
        check(&settled, cronjob("0 5 * * *", None, json!({})), json!("0 4 * * *"));
    }

    #[test]
    fn replacing_a_cronjob_leaves_its_accounts() {
        let old = cronjob("0 2 * * *", None, json!({ACCOUNTED_UNTIL: "2026-01-01T02:00:00Z", "a": "b"}));
        let mut replaced = cronjob("0 2 * * *", None, json!(null));
        CronJob.prepare_update(&mut replaced, &old, Part::Spec);
        assert_eq!(replaced["metadata"]["annotations"], json!({ACCOUNTED_UNTIL: "2026-01-01T02:00:00Z"}));
    }

    #[test]
    fn a_copy_of_a_cronjob_has_no_past() {
        let past = json!({"a": "b", SCHEDULED_BEFORE: "* * * * *", ACCOUNTED_UNTIL: "2100-01-01T00:00:00Z"});
        let mut copy = cronjob("0 2 * * *", None, past);
        CronJob.prepare_create(&mut copy);
        assert_eq!(copy["metadata"]["annotations"], json!({"a": "b"}));
    }
}
