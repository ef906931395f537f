//! The first instant after another at which a local clock shows what five fields ask for.
//!
//! Between two changes of its offset a local clock is as even as UTC. So the search goes from change to change, and between
//! them through plain calendar days: what a clock change leaves out is never seen, and what it repeats is seen twice, as with
//! robfig/cron. Unlike there the answer does not depend on where a search begins (robfig steps from midnight to midnight, and
//! where one is missing it loses the day, or a month; where a date is missing it never returns: `tests/robfig/rows.tsv`).

use super::schedule::Fields;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::iter::once;

/// Years that a search goes on for, as robfig's does.
const YEARS: i16 = 5;

/// At most so many days are looked at, and as many changes of the offset as there are in them: a search ends.
pub(super) fn next(fields: &Fields, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut from =
        Timestamp::from_second(after.as_second().checked_add(i64::from(0 <= after.subsec_nanosecond()))?).ok()?;
    let mut offset = zone.to_offset(from);
    let last_year = offset.to_datetime(from).year().checked_add(YEARS)?;
    for change in zone.following(from).map(Some).chain(once(None)) {
        let local = offset.to_datetime(from);
        let limit = change.as_ref().map_or(DateTime::MAX, |change| offset.to_datetime(change.timestamp()));
        if let Some(found) = next_local(fields, local, limit, last_year) {
            return offset.to_timestamp(found).ok();
        }
        let change = change.filter(|_| limit.year() <= last_year)?;
        (from, offset) = (change.timestamp(), change.offset());
    }
    None
}

/// The first whole minute from `from` on and before `limit` that matches, on a clock nobody changes.
pub(super) fn next_local(fields: &Fields, from: DateTime, limit: DateTime, last_year: i16) -> Option<DateTime> {
    let from = match (from.second(), from.subsec_nanosecond()) {
        (0, 0) => from,
        _ => from.with().second(0).subsec_nanosecond(0).build().ok()?.checked_add(SignedDuration::from_mins(1)).ok()?,
    };
    let (mut date, mut earliest) = (from.date(), from.time());
    while date.year() <= last_year && date <= limit.date() {
        if !has(fields.months, date.month()) {
            date = date.last_of_month();
        } else if is_day(fields, date)
            && let Some(time) = next_time(fields, earliest)
        {
            return Some(date.to_datetime(time)).filter(|found| *found < limit);
        }
        (date, earliest) = (date.tomorrow().ok()?, Time::midnight());
    }
    None
}

fn is_day(fields: &Fields, date: Date) -> bool {
    let of_month = has(fields.days_of_month, date.day());
    let of_week = has(fields.days_of_week, date.weekday().to_sunday_zero_offset());
    match fields.is_any_day_of_month || fields.is_any_day_of_week {
        true => of_month && of_week,
        false => of_month || of_week,
    }
}

fn next_time(fields: &Fields, earliest: Time) -> Option<Time> {
    let this_hour = has(fields.hours, earliest.hour()).then(|| lowest(fields.minutes, earliest.minute())).flatten();
    let (hour, minute) = match this_hour {
        Some(minute) => (earliest.hour(), minute),
        None => (lowest(fields.hours, earliest.hour() + 1)?, lowest(fields.minutes, 0)?),
    };
    Time::new(hour, minute, 0, 0).ok()
}

/// The lowest number of a set that is not below `from`.
fn lowest(set: u64, from: i8) -> Option<i8> {
    let rest = set & u64::MAX.checked_shl(u32::try_from(from).ok()?)?;
    (rest != 0).then(|| i8::try_from(rest.trailing_zeros()).ok()).flatten()
}

fn has(set: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| set >> number & 1 == 1)
}

#[cfg(test)]
mod tests;
