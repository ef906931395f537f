//! What is to come of a schedule: its runs, and the clock changes that leave out or repeat some of them.

use super::schedule::{Fields, Schedule};
use super::search::next_local;
use super::ticks::Ticks;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

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
}

impl Ticks {
    /// The instants after `after`, soonest first.
    pub fn runs(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(after), |at| self.next_after(*at))
    }

    /// The clock changes after `after` and before `until` that leave out runs or repeat them. A schedule that asks for every hour
    /// does not mind any: it goes on as before.
    pub fn clock_changes(&self, after: Timestamp, until: Timestamp) -> Vec<ClockChange> {
        let Schedule::Fields(fields) = self.schedule() else { return Vec::new() };
        let is_hourly = fields.hours == (1 << 24) - 1;
        let changes = self.zone().following(after).map(|change| change.timestamp());
        let changes = changes.take_while(|at| *at < until && !is_hourly);
        changes.filter_map(|at| change(fields, at, self.zone())).collect()
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
            ("30 2 * * 1-5", "Europe/Berlin", 2026, vec![]),
            ("0 4 * * *", "Europe/Berlin", 2026, vec![]),
            ("*/5 * * * *", "Europe/Berlin", 2026, vec![]),
            ("@every 1h", "Europe/Berlin", 2026, vec![]),
            ("30 2 * * *", "Etc/UTC", 2026, vec![]),
            ("0 12 * * *", "Pacific/Apia", 2011, vec!["2011-12-30 00:00 leaves out 12:00"]),
        ] {
            assert_eq!(changes(schedule, zone, year), expect, "{schedule} in {zone}");
        }
    }

    #[test]
    fn runs_come_one_after_the_other() {
        let ticks = Ticks::read("0 0 29 2 *", None, &TimeZone::UTC).unwrap();
        let runs: Vec<String> = ticks.runs(Timestamp::UNIX_EPOCH).take(2).map(|run| run.to_string()).collect();
        assert_eq!(runs, ["1972-02-29T00:00:00Z", "1976-02-29T00:00:00Z"]);
        let never = Ticks::read("0 0 30 2 *", None, &TimeZone::UTC).unwrap();
        assert_eq!(never.runs(Timestamp::UNIX_EPOCH).next(), None);
    }
}
