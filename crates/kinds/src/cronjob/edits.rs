//! What the server itself writes when a schedule is edited: the schedule before and the moment of the edit, until the last instants
//! before it have their outcomes. In the write of the edit itself, so that no crash can come between.

use super::ticks::{NoTicks, Ticks, effective};
use super::{ACCOUNTED_UNTIL, SCHEDULED_BEFORE};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use meta::object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Edits remembered at once: so many before the controller has looked means that it does not get to look.
const MAX_FORMER: usize = 16;

/// A schedule that was in force until it was edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// With its zone.
    pub schedule: String,
    /// The moment of the edit, in whole seconds.
    pub until: Timestamp,
    /// It was suspended when it was edited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

impl Former {
    /// Its instants, without regard to its end.
    pub fn ticks(&self, local: &TimeZone) -> Result<Ticks, NoTicks> {
        Ticks::read(&self.schedule, None, local)
    }
}

/// Those of an annotation, oldest first. What the server has not written itself are none.
pub(super) fn read(annotation: Option<&str>) -> Vec<Former> {
    annotation.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The annotation of these; `None`: there is nothing to remember.
pub fn written(former: &[Former]) -> Option<String> {
    serde_json::to_string(former).ok().filter(|_| !former.is_empty())
}

/// Keeps the accounts, which `kubectl replace` would drop, and remembers the schedule before if this changes it, after those that
/// are still waiting to be accounted for.
pub(super) fn remember(cronjob: &mut Value, old: &Value, now: Timestamp) {
    let annotations = &old["metadata"]["annotations"];
    match annotations[ACCOUNTED_UNTIL].as_str() {
        Some(until) => annotate(cronjob, ACCOUNTED_UNTIL, until),
        None => drop_annotation(cronjob, ACCOUNTED_UNTIL),
    }
    let mut former = read(annotations[SCHEDULED_BEFORE].as_str());
    if text(cronjob) != text(old) {
        let until = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let suspended = old["spec"]["suspend"] == true;
        former.push(Former { schedule: text(old), until, suspended });
    }
    if MAX_FORMER < former.len() {
        // The second oldest counts as never made.
        let second = former.remove(1);
        former[0].until = second.until;
    }
    match written(&former) {
        Some(text) => annotate(cronjob, SCHEDULED_BEFORE, &text),
        None => drop_annotation(cronjob, SCHEDULED_BEFORE),
    }
}

/// A write of the status may account for more, and be done with the oldest of former schedules; nothing else of the accounts.
pub(super) fn guard(cronjob: &mut Value, old: &Value) {
    let (before, now) = (&old["metadata"]["annotations"], &cronjob["metadata"]["annotations"]);
    let moment = |annotations: &Value| annotations[ACCOUNTED_UNTIL].as_str()?.parse::<Timestamp>().ok();
    let is_falling = moment(now) < moment(before);
    let (former, left) = (read(before[SCHEDULED_BEFORE].as_str()), read(now[SCHEDULED_BEFORE].as_str()));
    let is_other = !former.ends_with(&left) || former.len() > left.len() + 1;
    for (key, is_wrong) in [(ACCOUNTED_UNTIL, is_falling), (SCHEDULED_BEFORE, is_other)] {
        if let Some(text) = before[key].as_str().filter(|_| is_wrong) {
            annotate(cronjob, key, text);
        } else if is_wrong {
            drop_annotation(cronjob, key);
        }
    }
}

/// A new CronJob has no past, even when it was copied from one that has.
pub(super) fn forget(cronjob: &mut Value) {
    drop_annotation(cronjob, SCHEDULED_BEFORE);
    drop_annotation(cronjob, ACCOUNTED_UNTIL);
}

fn annotate(cronjob: &mut Value, key: &str, value: &str) {
    let annotations = object::metadata(cronjob).entry("annotations").or_insert(Value::Null);
    object::as_map(annotations).insert(key.to_owned(), value.into());
}

fn drop_annotation(cronjob: &mut Value, key: &str) {
    let annotations = cronjob.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(Value::Object(annotations)) = annotations {
        annotations.shift_remove(key);
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

    /// The update as the server makes it, so many milliseconds after the first of January 2026.
    fn update(mut new: Value, old: &Value, milliseconds: i64) -> Value {
        CronJob.prepare_update(&mut new, old, Part::Spec);
        CronJob.note_edit(&mut new, old, Timestamp::from_millisecond(1_767_225_600_000 + milliseconds).unwrap());
        new
    }

    fn remembered(cronjob: &Value) -> &Value {
        &cronjob["metadata"]["annotations"][SCHEDULED_BEFORE]
    }

    #[test]
    fn an_edit_keeps_the_schedule_before_and_its_own_moment_until_that_is_accounted_for() {
        let old = cronjob("0 2 * * *", Some("Europe/Berlin"), json!({}));
        let same = update(cronjob("0 2 * * *", Some("Europe/Berlin"), json!({"a": "b"})), &old, 0);
        assert_eq!(remembered(&same), &json!(null));
        let mut edited = update(cronjob("0 3 * * *", None, json!(null)), &old, 1_999);
        let first = r#"{"schedule":"TZ=Europe/Berlin 0 2 * * *","until":"2026-01-01T00:00:01Z"}"#;
        assert_eq!(remembered(&edited), &json!(format!("[{first}]")));
        edited["spec"]["suspend"] = json!(true);
        let again = update(cronjob("0 4 * * *", None, json!({})), &edited, 5_000);
        let second = r#"{"schedule":"0 3 * * *","until":"2026-01-01T00:00:05Z","suspended":true}"#;
        assert_eq!(remembered(&again), &json!(format!("[{first},{second}]")));
        assert_eq!(remembered(&update(again.clone(), &again, 9_000)), remembered(&again), "nothing was edited");
        let mut settled = again.clone();
        settled["metadata"]["annotations"] = json!({});
        let third = update(cronjob("0 5 * * *", None, json!({})), &settled, 60_000);
        assert_eq!(remembered(&third), &json!(r#"[{"schedule":"0 4 * * *","until":"2026-01-01T00:01:00Z"}]"#));
    }

    #[test]
    fn a_write_of_the_status_goes_on_with_the_accounts_and_no_more() {
        let moments = ["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z"];
        let former = |moments: &[&str]| {
            let former = moments.iter().map(|until| json!({"schedule": "* * * * *", "until": until}));
            Value::Array(former.collect()).to_string()
        };
        let annotations = |until: &str, former: String| json!({ACCOUNTED_UNTIL: until, SCHEDULED_BEFORE: former});
        let old = cronjob("0 2 * * *", None, annotations(moments[1], former(&moments)));
        let written = |annotations: Value| {
            let mut new = cronjob("0 2 * * *", None, annotations);
            CronJob.prepare_update(&mut new, &old, Part::Status);
            new["metadata"]["annotations"].take()
        };
        let on = annotations(moments[2], former(&moments[1..]));
        assert_eq!(written(on.clone()), on);
        let old_annotations = &old["metadata"]["annotations"];
        for wrong in [
            json!(null),
            json!({}),
            annotations(moments[0], former(&moments[2..])),
            annotations("soon", former(&moments[..2])),
            annotations(moments[1], "[]".into()),
            annotations(moments[1], "nonsense".into()),
        ] {
            assert_eq!(written(wrong.clone()), *old_annotations, "{wrong}");
        }
    }

    #[test]
    fn what_others_write_there_is_nothing() {
        let old = cronjob("0 2 * * *", None, json!({}));
        let written = update(cronjob("0 2 * * *", None, json!({ACCOUNTED_UNTIL: "2100-01-01T00:00:00Z"})), &old, 0);
        assert_eq!(written["metadata"]["annotations"], json!({}));
        for odd in ["* * * * *", "[]", "[{}]", "{", r#"[{"schedule":"* * * * *","until":"yesterday"}]"#] {
            assert_eq!(read(Some(odd)), [], "{odd}");
            let written = update(cronjob("0 2 * * *", None, json!({SCHEDULED_BEFORE: odd, "a": "b"})), &old, 0);
            assert_eq!(written["metadata"]["annotations"], json!({"a": "b"}), "{odd}");
        }
    }

    #[test]
    fn edits_without_number_are_remembered_within_bounds() {
        let mut cronjob_now = cronjob("0 0 1 1 *", None, json!({}));
        for n in 0..40 {
            cronjob_now = update(cronjob(&format!("{n} * * * *"), None, json!({})), &cronjob_now, n * 1_000);
        }
        let former = read(remembered(&cronjob_now).as_str());
        assert_eq!(former.len(), MAX_FORMER);
        assert_eq!((former[0].schedule.as_str(), former[0].until.as_second()), ("0 0 1 1 *", 1_767_225_624));
        assert_eq!(former[1].schedule, "24 * * * *");
    }

    #[test]
    fn replacing_a_cronjob_leaves_its_accounts() {
        let old = cronjob("0 2 * * *", None, json!({ACCOUNTED_UNTIL: "2026-01-01T02:00:00Z", "a": "b"}));
        let replaced = update(cronjob("0 2 * * *", None, json!(null)), &old, 0);
        assert_eq!(replaced["metadata"]["annotations"], json!({ACCOUNTED_UNTIL: "2026-01-01T02:00:00Z"}));
    }

    #[test]
    fn a_copy_of_a_cronjob_has_no_past() {
        let past = json!({"a": "b", SCHEDULED_BEFORE: "[]", ACCOUNTED_UNTIL: "2100-01-01T00:00:00Z"});
        let mut copy = cronjob("0 2 * * *", None, past);
        CronJob.prepare_create(&mut copy);
        assert_eq!(copy["metadata"]["annotations"], json!({"a": "b"}));
    }
}
