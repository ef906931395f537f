//! Schedules.

use super::*;

fn due(schedule: &str, zone: &str) -> Value {
    with(with(cronjob(), "spec/schedule", schedule.into()), "spec/timeZone", zone.into())
}

const HOUR: &str = "choose an hour that the clock shows once every day, or timeZone: Etc/UTC";

#[test]
fn schedules_that_do_something_else_than_they_seem_to() {
    for (object, expect) in [
        (due("0 0 30 2 *", "Etc/UTC"), vec!["\"0 0 30 2 *\" is never due -> look at day and month: February has no 30th".to_owned()]),
        (due("30 2 * * *", "Europe/Berlin"), vec![
            format!("on 2026-03-29 the clock of Europe/Berlin goes forward from 02:00 to 03:00: the run of 02:30 is left out -> {HOUR}"),
            format!("on 2026-10-25 the clock of Europe/Berlin goes back from 03:00 to 02:00: the run of 02:30 is done twice -> {HOUR}"),
        ]),
        (due("0 2 * * *", "America/New_York"), vec![
            format!("on 2026-03-08 the clock of America/New_York goes forward from 02:00 to 03:00: the run of 02:00 is left out -> {HOUR}"),
        ]),
        (due("* 4 * * *", "Etc/UTC"), vec![
            "it runs every minute from 04:00 to 04:59, 60 times -> for once write the minute first: \"0 4 * * *\"".to_owned(),
        ]),
        (due("0 4 13 * 5", "Etc/UTC"), vec![
            "it runs on days that match either the day of the month or the day of the week -> leave one of them *, and look at the \
             date in the program".to_owned(),
        ]),
        (due("*/15 * * * *", "Europe/Berlin"), vec![]),
        (due("0 9 * * 1-5", "Europe/Berlin"), vec![]),
        (due("0 */4 * * *", "Etc/UTC"), vec![]),
        (due("* * * * *", "Etc/UTC"), vec![]),
        (due("@every 1h", "Europe/Berlin"), vec![]),
        (due("0 0 29 2 *", "Etc/UTC"), vec![]),
    ] {
        let expect: Vec<String> = expect.iter().map(|text| format!("warning: spec.schedule: {text}")).collect();
        check(&[object], &expect.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_deadline_for_starting_leaves_time_to_start() {
    let expect = "warning: spec.startingDeadlineSeconds: 5 s are too short for a cluster: runs may be skipped -> write 10 or more";
    check(&[with(cronjob(), "spec/startingDeadlineSeconds", 5.into())], &[expect]);
    check(&[with(cronjob(), "spec/startingDeadlineSeconds", 10.into())], &[]);
}
