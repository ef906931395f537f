//! Schedules that do something else than they seem to.

use super::object::Object;
use super::{Circumstances, Finding};
use crate::at::At;
use crate::cronjob::schedule::{Fields, Schedule};
use crate::cronjob::ticks::Ticks;
use jiff::SignedDuration;

/// Clock changes are told of this far ahead: each at least once.
const AHEAD: SignedDuration = SignedDuration::from_hours(366 * 24);
const EVERY_MINUTE: u64 = (1 << 60) - 1;
/// How often a cluster's controller looks at CronJobs at the least (K:pkg/controller/cronjob).
const RESYNC_SECONDS: i64 = 10;

/// Tells of runs that never come, come too often, or are left out or done twice at a clock change.
pub(super) fn check(object: &Object<'_>, circumstances: &Circumstances, findings: &mut Vec<Finding>) {
    if !object.is("CronJob") {
        return;
    }
    let spec = At::root(&object.written).field("spec");
    deadline(object, &spec.field("startingDeadlineSeconds"), findings);
    let (schedule, zone) = (spec.field("schedule"), spec.field("timeZone").text());
    // What cannot be read is an error already.
    let Ok(ticks) = Ticks::read(schedule.text(), Some(zone).filter(|zone| !zone.is_empty()), &circumstances.local)
    else {
        return;
    };
    if ticks.next_after(circumstances.now).is_none() {
        let what = format!("{:?} is never due", schedule.text());
        let finding = object.warning(&schedule.path, what).because("no date within five years matches");
        findings.push(finding.remedy("look at day and month: February has no 30th"));
        return;
    }
    if let Schedule::Fields(fields) = ticks.schedule() {
        findings.extend(traps(object, &schedule, fields));
    }
    let Ok(horizon) = circumstances.now.checked_add(AHEAD) else { return };
    let name = ticks.zone().iana_name().unwrap_or("this machine");
    for change in ticks.clock_changes(circumstances.now, horizon) {
        let finding = object.warning(&schedule.path, change.told(name));
        findings.push(finding.remedy("choose an hour that the clock shows once every day, or timeZone: Etc/UTC"));
    }
}

fn deadline(object: &Object<'_>, deadline: &At<'_>, findings: &mut Vec<Finding>) {
    if let Some(seconds) = deadline.int().filter(|seconds| (0..RESYNC_SECONDS).contains(seconds)) {
        let what = format!("{seconds} s are too short for a cluster: runs may be skipped");
        let cause = "a run is missed when it could not start within that time, and a cluster looks every 10 s";
        findings.push(object.warning(&deadline.path, what).because(cause).remedy("write 10 or more"));
    }
}

/// Schedules that are often written and seldom meant.
fn traps(object: &Object<'_>, schedule: &At<'_>, fields: &Fields) -> Option<Finding> {
    if fields.minutes == EVERY_MINUTE && fields.hours.count_ones() == 1 {
        let hour = fields.hours.trailing_zeros();
        let what = format!("it runs every minute from {hour:02}:00 to {hour:02}:59, 60 times");
        let rest = schedule.text().split_once("* ").map_or("", |(_, rest)| rest);
        return Some(
            object.warning(&schedule.path, what).remedy(format!("for once write the minute first: \"0 {rest}\"")),
        );
    }
    if !fields.is_any_day_of_month && !fields.is_any_day_of_week {
        let finding = object
            .warning(&schedule.path, "it runs on days that match either the day of the month or the day of the week");
        let cause = "cron asks for both only where one of them is *";
        return Some(finding.because(cause).remedy("leave one of them *, and look at the date in the program"));
    }
    None
}
