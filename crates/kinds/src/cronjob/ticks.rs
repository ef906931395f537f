//! The instants at which one CronJob is due: its schedule read in its zone.

use super::schedule::{Schedule, is_zone};
use super::search;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

/// A schedule in its zone.
#[derive(Debug, Clone)]
pub struct Ticks {
    schedule: Schedule,
    zone: TimeZone,
}

/// Why a stored CronJob has no instants. The API refuses what leads here, but not what was stored before, and zones go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTicks {
    /// Nobody knows the zone of this name.
    UnknownZone(String),
    /// The parser's own words.
    Unparseable(String),
}

impl Ticks {
    /// Reads a schedule. `time_zone` is spec.timeZone; without one the schedule is in the `local` zone.
    pub fn read(schedule: &str, time_zone: Option<&str>, local: &TimeZone) -> Result<Self, NoTicks> {
        if let Some(zone) = time_zone.filter(|zone| !is_zone(zone)) {
            return Err(NoTicks::UnknownZone(zone.to_owned()));
        }
        let schedule: Schedule = effective(schedule, time_zone).parse().map_err(NoTicks::Unparseable)?;
        let zone = match &schedule {
            Schedule::Fields(fields) => fields.zone.as_deref(),
            Schedule::Every { .. } => None,
        };
        let zone = match zone {
            None | Some("Local") => local.clone(),
            Some("" | "UTC") => TimeZone::UTC,
            Some(name) => TimeZoneDatabase::bundled().get(name).map_err(|_| NoTicks::UnknownZone(name.to_owned()))?,
        };
        Ok(Self { schedule, zone })
    }

    /// The first instant after `after`; `None` when there is none within five years.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.schedule {
            // A moment after the last, without its fraction of a second.
            Schedule::Every { seconds } => Timestamp::from_second(after.as_second().checked_add(*seconds)?).ok(),
            Schedule::Fields(fields) => search::next(fields, after, &self.zone),
        }
    }

    /// The last instant after `after` that is not after `now`, found in logarithmic time.
    pub fn newest(&self, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let first = self.next_after(after).filter(|first| *first <= now)?;
        if let Schedule::Every { seconds } = self.schedule {
            let n_more = now.duration_since(first).as_secs() / seconds.max(1);
            return first.checked_add(SignedDuration::from_secs(n_more.saturating_mul(seconds))).ok();
        }
        // Before the newest instant another one is to come until `now`, from it on none is.
        let (mut before, mut beyond) = (first.as_second(), now.as_second().saturating_add(1));
        let mut newest = first;
        while before + 1 < beyond {
            let middle = before + (beyond - before) / 2;
            let next = Timestamp::from_second(middle).ok().and_then(|middle| self.next_after(middle));
            match next.filter(|next| *next <= now) {
                Some(next) => {
                    newest = newest.max(next);
                    before = next.as_second();
                }
                None => beyond = middle,
            }
        }
        Some(newest)
    }

    /// Counts the instants after `after` and before `until`, but not beyond `limit` of them; the second is the last counted.
    pub fn count(&self, after: Timestamp, until: Timestamp, limit: u64) -> (u64, Option<Timestamp>) {
        let (mut n, mut last) = (0, None);
        if let Schedule::Every { seconds } = self.schedule {
            let first = self.next_after(after).filter(|first| *first < until);
            let Some(first) = first else { return (0, None) };
            let n_more = (until.duration_since(first).as_secs() - 1).max(0) / seconds.max(1);
            let last = first.checked_add(SignedDuration::from_secs(n_more.saturating_mul(seconds)));
            return (u64::try_from(n_more).unwrap_or(0) + 1, last.ok());
        }
        let mut at = after;
        while n < limit
            && let Some(next) = self.next_after(at).filter(|next| *next < until)
        {
            (n, last, at) = (n + 1, Some(next), next);
        }
        (n, last)
    }

    /// The schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The zone that it is read in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether two instants may lie within one minute, so that the minute does not name one.
    pub fn is_under_a_minute(&self) -> bool {
        matches!(self.schedule, Schedule::Every { seconds } if seconds < 60)
    }
}

/// What robfig/cron is given: the zone stands before the schedule, unless the schedule names one itself
/// (K:pkg/controller/cronjob formatSchedule).
pub fn effective(schedule: &str, time_zone: Option<&str>) -> String {
    match time_zone {
        Some(zone) if !schedule.contains("TZ") => format!("TZ={zone} {schedule}"),
        _ => schedule.to_owned(),
    }
}
