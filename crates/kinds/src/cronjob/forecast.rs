//! What is to come of a schedule: its runs, and the clock changes that leave out or repeat some of them.

use super::schedule::{Fields, Schedule};
use super::search::next_local;
use super::ticks::Ticks;
use super::{ACCOUNTED_UNTIL, SCHEDULED_BEFORE, edits};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The moment up to where all instants of a stored CronJob have their outcome, from which the controller counts on; `None` if
/// the CronJob is not stored.
pub fn accounted_until(cronjob: &Value) -> Option<Timestamp> {
    let metadata = &cronjob["metadata"];
    let accounted = &metadata["annotations"][ACCOUNTED_UNTIL];
    let moments = [&metadata["creationTimestamp"], accounted, &cronjob["status"]["lastScheduleTime"]];
    let moments = moments.into_iter().filter_map(|moment| moment.as_str()?.parse().ok());
    let edits = edits::read(metadata["annotations"][SCHEDULED_BEFORE].as_str());
    moments.chain(edits.iter().map(|former| former.until)).max()
}

/// What a change of a zone's clock does to a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockChange {
    /// When the clock is changed.
    pub at: Timestamp,
    /// What it shows at that moment, before.
    pub from: DateTime,
    /// And after.
    pub to: DateTime,
    /// The local times of runs that it leaves out (`from` is before `to`) or that come twice.
    pub runs: Vec<DateTime>,
}

impl ClockChange {
    /// Whether runs are left out rather than repeated.
    pub fn leaves_out(&self) -> bool {
        self.from < self.to
    }

    /// `on 2026-03-29 the clock of Europe/Berlin goes forward from 02:00 to 03:00: the run of 02:30 is left out`.
    pub fn told(&self, zone: &str) -> String {
        let (way, what) = if self.leaves_out() { ("forward", "left out") } else { ("back", "done twice") };
        let (from, to) = (clock(self.from, self.from), clock(self.to, self.from));
        let (when, runs) = (self.from.date(), self.told_runs());
        format!("on {when} the clock of {zone} goes {way} from {from} to {to}: {runs} {what}")
    }

    fn told_runs(&self) -> String {
        let text = |time: &DateTime| clock(*time, self.from);
        match self.runs.as_slice() {
            [] => String::new(),
            [only] => format!("the run of {} is", text(only)),
            [first, .., last] => format!("the {} runs from {} to {} are", self.runs.len(), text(first), text(last)),
        }
    }
}

/// `02:30`, with the date where it is another than `beside`'s.
fn clock(time: DateTime, beside: DateTime) -> String {
    let form = if time.date() == beside.date() { "%H:%M" } else { "%F %H:%M" };
    time.strftime(form).to_string()
}

/// Whether the runs before the change and those after it follow each other as ever: every hour has the same minutes, and the change
/// moves these onto themselves.
fn goes_on(fields: &Fields, change: &ClockChange) -> bool {
    let minutes = change.from.duration_until(change.to).as_mins();
    let is_hourly = fields.hours == (1 << 24) - 1;
    let moved = |minute: i64| (minute + minutes).rem_euclid(60);
    let is_set = |minute: i64| fields.minutes >> minute & 1 == 1;
    is_hourly && minutes.abs() < 24 * 60 && (0..60).all(|minute| is_set(minute) == is_set(moved(minute)))
}

impl Ticks {
    /// The instants after `after`, soonest first. Those of `@every` are so many seconds apart, the first of them counted from
    /// `accounted`; where there is no such moment, from `after`.
    pub fn runs(&self, accounted: Option<Timestamp>, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        let begin = match (self.schedule(), accounted) {
            (Schedule::Every { .. }, Some(accounted)) => self.newest(accounted, after).unwrap_or(accounted),
            _ => after,
        };
        std::iter::successors(self.next_after(begin), |at| self.next_after(*at))
    }

    /// The clock changes after `after` and before `until` that leave out runs or repeat them. A schedule for
    /// every hour does not mind most: it goes on as before.
    pub fn clock_changes(&self, after: Timestamp, until: Timestamp) -> Vec<ClockChange> {
        let Schedule::Fields(fields) = self.schedule() else { return Vec::new() };
        let changes = self.zone().following(after).map(|change| change.timestamp());
        let changes = changes.take_while(|at| *at < until).filter_map(|at| change(fields, at, self.zone()));
        changes.filter(|change| !goes_on(fields, change)).collect()
    }
}

fn change(fields: &Fields, at: Timestamp, zone: &TimeZone) -> Option<ClockChange> {
    let before = zone.to_offset(at.checked_sub(SignedDuration::from_nanos(1)).ok()?);
    let (from, to) = (before.to_datetime(at), zone.to_datetime(at));
    let (start, end) = (from.min(to), from.max(to));
    let first = next_local(fields, start, end, i16::MAX);
    let following = |run: &DateTime| {
        let after = run.checked_add(SignedDuration::from_mins(1)).ok()?;
        next_local(fields, after, end, i16::MAX)
    };
    // No more than a day has minutes, or the two that a zone once left out.
    let runs: Vec<DateTime> = std::iter::successors(first, following).collect();
    (!runs.is_empty()).then_some(ClockChange { at, from, to, runs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changes(schedule: &str, zone: &str, year: i16) -> Vec<String> {
        let ticks = Ticks::read(schedule, Some(zone), &TimeZone::UTC).unwrap();
        let instant = |year| jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let changes = ticks.clock_changes(instant(year), instant(year + 1));
        let text = |change: &ClockChange| {
            let runs: Vec<String> = change.runs.iter().map(|run| run.strftime("%H:%M").to_string()).collect();
            let what = if change.leaves_out() { "leaves out" } else { "repeats" };
            format!("{} {what} {}", change.from.strftime("%F %H:%M"), runs.join(" "))
        };
        changes.iter().map(text).collect()
    }

    #[test]
    fn clock_changes_leave_out_and_repeat_runs() {
        for (schedule, zone, year, expect) in [
            (
                "30 2 * * *",
                "Europe/Berlin",
                2026,
                vec!["2026-03-29 02:00 leaves out 02:30", "2026-10-25 03:00 repeats 02:30"],
            ),
            (
                "0 1,2,3 * * *",
                "Europe/Berlin",
                2026,
                vec!["2026-03-29 02:00 leaves out 02:00", "2026-10-25 03:00 repeats 02:00"],
            ),
            (
                "*/20 2 * * *",
                "Europe/Berlin",
                2026,
                vec!["2026-03-29 02:00 leaves out 02:00 02:20 02:40", "2026-10-25 03:00 repeats 02:00 02:20 02:40"],
            ),
            ("0 0 * * *", "Asia/Beirut", 2026, vec!["2026-03-29 00:00 leaves out 00:00"]),
            ("10 2 * * *", "Australia/Lord_Howe", 2026, vec!["2026-10-04 02:00 leaves out 02:10"]),
            ("10 * * * *", "Australia/Lord_Howe", 2026, vec!["2026-10-04 02:00 leaves out 02:10"]),
            ("40 * * * *", "Australia/Lord_Howe", 2026, vec!["2026-04-05 02:00 repeats 01:40"]),
            ("*/5 * * * *", "Australia/Lord_Howe", 2026, vec![]),
            (
                "*/20 * * * *",
                "Australia/Lord_Howe",
                2026,
                vec!["2026-04-05 02:00 repeats 01:40", "2026-10-04 02:00 leaves out 02:00 02:20"],
            ),
            ("0 */1 * * *", "Australia/Lord_Howe", 2026, vec!["2026-10-04 02:00 leaves out 02:00"]),
            ("30 2 * * 1-5", "Europe/Berlin", 2026, vec![]),
            ("0 4 * * *", "Europe/Berlin", 2026, vec![]),
            ("*/5 * * * *", "Europe/Berlin", 2026, vec![]),
            ("@every 1h", "Europe/Berlin", 2026, vec![]),
            ("30 2 * * *", "Etc/UTC", 2026, vec![]),
            ("0 12 * * *", "Pacific/Apia", 2011, vec!["2011-12-30 00:00 leaves out 12:00"]),
        ] {
            assert_eq!(changes(schedule, zone, year), expect, "{schedule} in {zone}");
        }
        let apia = &changes("15 * * * *", "Pacific/Apia", 2011)[..];
        assert!(matches!(apia, [date] if date.starts_with("2011-12-30 00:00 leaves out 00:15 01:15")), "{apia:?}");
    }

    #[test]
    fn runs_come_one_after_the_other() {
        let ticks = Ticks::read("0 0 29 2 *", None, &TimeZone::UTC).unwrap();
        let runs: Vec<String> = ticks.runs(None, Timestamp::UNIX_EPOCH).take(2).map(|run| run.to_string()).collect();
        assert_eq!(runs, ["1972-02-29T00:00:00Z", "1976-02-29T00:00:00Z"]);
        let never = Ticks::read("0 0 30 2 *", None, &TimeZone::UTC).unwrap();
        assert_eq!(never.runs(None, Timestamp::UNIX_EPOCH).next(), None);
    }

    #[test]
    fn runs_at_every_interval_are_counted_from_what_is_accounted_for() {
        let annotated = |text: &str| json!({ACCOUNTED_UNTIL: text});
        let created = "2026-01-01T00:00:30Z";
        for (cronjob, after, expect) in [
            (json!({}), "2026-01-01T10:10:00Z", "2026-01-01T11:10:00Z"),
            (json!({"metadata": {"creationTimestamp": created}}), "2026-01-01T00:10:00Z", "2026-01-01T01:00:30Z"),
            (json!({"metadata": {"creationTimestamp": created}}), "2026-01-01T10:10:00Z", "2026-01-01T11:00:30Z"),
            (json!({"metadata": {"creationTimestamp": created}}), "2026-01-01T10:00:30Z", "2026-01-01T11:00:30Z"),
            (
                json!({"metadata": {"creationTimestamp": created, "annotations": annotated("2026-01-01T08:05:00Z")},
                    "status": {"lastScheduleTime": "2026-01-01T07:05:00Z"}}),
                "2026-01-01T08:10:00Z",
                "2026-01-01T09:05:00Z",
            ),
            (
                json!({"metadata": {"creationTimestamp": created, "annotations": annotated("soon")},
                    "status": {"lastScheduleTime": "2026-01-01T07:05:00Z"}}),
                "2026-01-01T07:10:00Z",
                "2026-01-01T08:05:00Z",
            ),
            // The clock was put back.
            (json!({"metadata": {"annotations": annotated("2026-01-02T00:00:00Z")}}), created, "2026-01-02T01:00:00Z"),
        ] {
            let every = Ticks::read("@every 1h", None, &TimeZone::UTC).unwrap();
            let next = every.runs(accounted_until(&cronjob), after.parse().unwrap()).next();
            assert_eq!(next, Some(expect.parse().unwrap()), "{cronjob} after {after}");
            let daily = Ticks::read("@daily", None, &TimeZone::UTC).unwrap();
            let next = daily.runs(accounted_until(&cronjob), after.parse().unwrap()).next();
            assert_eq!(next, Some("2026-01-02T00:00:00Z".parse().unwrap()), "{cronjob} after {after}");
        }
    }
}
