//! The instants at which one CronJob is due: its schedule read in its zone.

use super::schedule::{Schedule, is_zone};
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
        walk(&self.schedule, after, &self.zone)
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

/// Whether a zone of this name is known.
pub fn is_known_zone(name: &str) -> bool {
    is_zone(name)
}

/// Years that a search goes on for.
const YEARS: i16 = 5;

fn walk(schedule: &Schedule, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let fields = match schedule {
        Schedule::Every { seconds } => return after.checked_add(SignedDuration::from_secs(*seconds)).ok(),
        Schedule::Fields(fields) => fields,
    };
    let has = |set: u64, number: i8| u32::try_from(number).is_ok_and(|number| set >> number & 1 == 1);
    let minute = after.as_second().div_euclid(60).checked_add(1)?.checked_mul(60)?;
    let mut at = Timestamp::from_second(minute).ok()?.to_zoned(zone.clone());
    let last_year = at.year().checked_add(YEARS)?;
    while at.year() <= last_year {
        let weekday = at.weekday().to_sunday_zero_offset();
        let (dom, dow) = (has(fields.days_of_month, at.day()), has(fields.days_of_week, weekday));
        let is_day = match fields.is_any_day_of_month || fields.is_any_day_of_week {
            true => dom && dow,
            false => dom || dow,
        };
        if !has(fields.months, at.month()) || !is_day {
            at = at.tomorrow().ok()?.start_of_day().ok()?;
        } else if !has(fields.hours, at.hour()) {
            at = at.checked_add(SignedDuration::from_mins(i64::from(60 - at.minute()))).ok()?;
        } else if !has(fields.minutes, at.minute()) {
            at = at.checked_add(SignedDuration::from_mins(1)).ok()?;
        } else {
            return Some(at.timestamp());
        }
    }
    None
}
