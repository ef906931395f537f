//! Rows of `kubectl get cronjobs`.

use crate::at::At;
use crate::kind::{Column, Row};
use crate::table;
use jiff::Timestamp;
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
];

pub(super) fn row(cronjob: &Value, now: Timestamp) -> Row {
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
    ];
    Row { cells, ..Row::default() }
}

#[cfg(test)]
mod tests {
    use crate::cronjob::CronJob;
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
        ];
        assert_eq!(cells(&CronJob, &cronjob), expect);
        let mut ran = cronjob;
        ran["spec"]["suspend"] = true.into();
        ran["spec"]["timeZone"] = "Etc/UTC".into();
        ran["status"] = json!({"lastScheduleTime": "2026-01-01T00:55:00Z"});
        assert_eq!(cells(&CronJob, &ran)[2..6], [json!("Etc/UTC"), json!("True"), json!(0), json!("5m")]);
    }
}
