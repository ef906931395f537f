//! Rows of `kubectl get cronjobs`.

use crate::at::At;
use crate::cronjob::forecast;
use crate::cronjob::ticks::Ticks;
use crate::kind::{Column, Row};
use crate::table;
use jiff::Zoned;
use meta::duration;
use serde_json::Value;

pub(super) const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Schedule", "When jobs are made, as crontab writes it."),
    table::column("Timezone", "Zone that the schedule is read in; none is the machine's own."),
    table::typed("Suspend", "boolean", "Whether no more jobs are made for now."),
    table::typed("Active", "integer", "How many of its jobs are running."),
    table::column("Last Schedule", "How long ago a job was last due."),
    table::AGE,
    table::CONTAINERS,
    table::IMAGES,
    table::SELECTOR,
    table::wide("Next Schedule", "How long until a job is due next."),
];

pub(super) fn row(cronjob: &Value, local_now: &Zoned) -> Row {
    let now = local_now.timestamp();
    let root = At::root(cronjob);
    let (spec, status) = (root.field("spec"), root.field("status"));
    let suspend = match spec.field("suspend").value {
        Value::Bool(true) => "True",
        Value::Bool(false) => "False",
        _ => "<unset>",
    };
    let last_schedule = match status.field("lastScheduleTime").value {
        Value::Null => "<none>".to_owned(),
        time => table::since(time, now),
    };
    let job_spec = spec.fields(&["jobTemplate", "spec"]).value;
    let [containers, images] = table::containers_and_images(&job_spec["template"]["spec"]);
    let cells = vec![
        table::name(cronjob),
        spec.field("schedule").text().into(),
        table::text_or(spec.field("timeZone").value, "<none>").into(),
        suspend.into(),
        status.field("active").len().into(),
        last_schedule.into(),
        table::age(cronjob, now),
        containers,
        images,
        table::selector(&job_spec["selector"]),
        next_schedule(cronjob, local_now).into(),
    ];
    Row { cells, ..Row::default() }
}

/// `<none>` while it is suspended or if it is never due.
fn next_schedule(cronjob: &Value, now: &Zoned) -> String {
    let root = At::root(cronjob);
    let spec = root.field("spec");
    if spec.field("suspend").is_true() {
        return "<none>".to_owned();
    }
    let zone = spec.field("timeZone").value.as_str().filter(|zone| !zone.is_empty());
    let Ok(ticks) = Ticks::read(spec.field("schedule").text(), zone, now.time_zone()) else {
        return "<unknown>".to_owned();
    };
    let accounted = forecast::accounted_until(cronjob);
    // A clock that was ahead has used up what is due until then.
    let after = accounted.map_or(now.timestamp(), |accounted| accounted.max(now.timestamp()));
    let next = ticks.runs(accounted, after).next();
    next.map_or("<none>".to_owned(), |next| duration::human(next.duration_since(now.timestamp())))
}

#[cfg(test)]
mod tests {
    use crate::cronjob::CronJob;
    use crate::kind::Kind;
    use crate::testing::cells;
    use serde_json::json;

    #[test]
    fn the_row_shows_schedule_and_last_run() {
        let cronjob = json!({"metadata": {"name": "tick", "creationTimestamp": "2026-01-01T00:59:00Z"},
            "spec": {"schedule": "*/5 * * * *", "suspend": false,
                "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}},
            "status": {"active": [{"name": "a"}]}});
        let expect = [
            json!("tick"),
            json!("*/5 * * * *"),
            json!("<none>"),
            json!("False"),
            json!(1),
            json!("<none>"),
            json!("60s"),
            json!("c"),
            json!("i"),
            json!("<none>"),
            json!("5m"),
        ];
        assert_eq!(cells(&CronJob, &cronjob), expect);
        let mut ran = cronjob;
        ran["spec"]["suspend"] = true.into();
        ran["spec"]["timeZone"] = "Etc/UTC".into();
        ran["status"] = json!({"lastScheduleTime": "2026-01-01T00:55:00Z"});
        assert_eq!(cells(&CronJob, &ran)[2..6], [json!("Etc/UTC"), json!("True"), json!(0), json!("5m")]);
    }

    #[test]
    fn the_next_run_is_that_of_the_zone_it_means() {
        let now: jiff::Zoned = "2026-01-01T00:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let created = json!({"creationTimestamp": "2025-12-31T22:59:20Z"});
        for (spec, expect) in [
            (json!({"schedule": "0 3 * * *"}), "3h"),
            (json!({"schedule": "0 3 * * *", "timeZone": "Etc/UTC"}), "4h"),
            (json!({"schedule": "*/5 * * * *", "suspend": false}), "5m"),
            (json!({"schedule": "@every 90s"}), "50s"),
            (json!({"schedule": "0 3 * * *", "suspend": true}), "<none>"),
            (json!({"schedule": "0 0 30 2 *"}), "<none>"),
            (json!({"schedule": "0 3 * * *", "timeZone": "Nowhere/Land"}), "<unknown>"),
            (json!({"schedule": "often"}), "<unknown>"),
        ] {
            let row = CronJob.local_row(&json!({"metadata": created, "spec": spec.clone()}), &now);
            assert_eq!(row.cells.last(), Some(&json!(expect)), "{spec}");
        }
        // The clock was five hours ahead.
        let ahead = json!({"creationTimestamp": "2025-12-31T22:00:00Z",
            "annotations": {crate::cronjob::ACCOUNTED_UNTIL: "2026-01-01T04:00:00Z"}});
        for (schedule, expect) in [("0 * * * *", "6h"), ("@every 90m", "6h30m")] {
            let row = CronJob.local_row(&json!({"metadata": ahead, "spec": {"schedule": schedule}}), &now);
            assert_eq!(row.cells.last(), Some(&json!(expect)), "{schedule}");
        }
    }
}
