//! Schedules read the slow way, sharing nothing with the controller: every day that matches, every hour and minute listed, every
//! instant at which the clock on the wall reads so.

use crate::dice::Dice;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::VecDeque;

/// Numbers; `None` is `*`.
type Set = Option<Vec<i8>>;

#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    Fields { minutes: Vec<i8>, hours: Set, days: Set, months: Set, weekdays: Set, zone: Option<&'static str> },
    Every { seconds: i64 },
}

const ZONES: [Option<&str>; 6] = [
    None,
    Some("Etc/UTC"),
    Some("Europe/Berlin"),
    Some("America/New_York"),
    Some("Asia/Kolkata"),
    Some("Pacific/Auckland"),
];

impl Schedule {
    /// Anything from every few seconds to every few months.
    pub fn random(dice: &mut Dice) -> Self {
        if dice.per_mille(120) {
            return Schedule::Every { seconds: dice.pick(&[1, 7, 30, 59, 60, 61, 90, 3_600, 86_400, 1_000_000]) };
        }
        let set = |dice: &mut Dice, from: i64, to: i64, n: i64| -> Vec<i8> {
            let mut set: Vec<i8> = (0..dice.between(1, n)).map(|_| dice.between(from, to) as i8).collect();
            set.sort_unstable();
            set.dedup();
            set
        };
        let maybe = |dice: &mut Dice, per_mille: i64, from: i64, to: i64, n: i64| {
            dice.per_mille(per_mille).then(|| set(dice, from, to, n))
        };
        let minutes = if dice.per_mille(100) { (0..60).collect() } else { set(dice, 0, 59, 3) };
        // More often than not in the hours at which clocks change.
        let hours = maybe(dice, 850, 0, 23, 2).map(|hours| if dice.per_mille(300) { vec![1, 2] } else { hours });
        Schedule::Fields {
            minutes,
            hours,
            days: maybe(dice, 300, 1, 31, 3),
            months: maybe(dice, 200, 1, 12, 4),
            weekdays: maybe(dice, 300, 0, 6, 3),
            zone: dice.pick(&ZONES),
        }
    }

    /// spec.schedule
    pub fn text(&self) -> String {
        let list = |set: &Vec<i8>| set.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
        let or_star = |set: &Set| set.as_ref().map_or("*".to_owned(), list);
        match self {
            Schedule::Every { seconds } => format!("@every {seconds}s"),
            Schedule::Fields { minutes, hours, days, months, weekdays, .. } => {
                let sets = [hours, days, months, weekdays].map(or_star);
                format!("{} {}", list(minutes), sets.join(" "))
            }
        }
    }

    /// spec.timeZone
    pub fn zone(&self) -> Option<&'static str> {
        match self {
            Schedule::Every { .. } => None,
            Schedule::Fields { zone, .. } => *zone,
        }
    }

    fn is_day(&self, date: Date) -> bool {
        let Schedule::Fields { days, months, weekdays, .. } = self else { return false };
        let has = |set: &Vec<i8>, number: i8| set.contains(&number);
        if months.as_ref().is_some_and(|months| !has(months, date.month())) {
            return false;
        }
        let weekday = date.weekday().to_sunday_zero_offset();
        match (days, weekdays) {
            (None, None) => true,
            (Some(days), None) => has(days, date.day()),
            (None, Some(weekdays)) => has(weekdays, weekday),
            (Some(days), Some(weekdays)) => has(days, date.day()) || has(weekdays, weekday),
        }
    }

    /// The instants of one local day, in order.
    fn instants_of(&self, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
        let Schedule::Fields { minutes, hours, .. } = self else { return Vec::new() };
        let every_hour: Vec<i8> = (0..24).collect();
        let mut instants = Vec::new();
        for hour in hours.as_ref().unwrap_or(&every_hour) {
            for minute in minutes {
                let local = date.to_datetime(Time::constant(*hour, *minute, 0, 0));
                match zone.to_ambiguous_timestamp(local).offset() {
                    AmbiguousOffset::Unambiguous { offset } => instants.push(offset.to_timestamp(local).unwrap()),
                    AmbiguousOffset::Gap { .. } => {}
                    AmbiguousOffset::Fold { before, after } => {
                        instants.push(before.to_timestamp(local).unwrap());
                        instants.push(after.to_timestamp(local).unwrap());
                    }
                }
            }
        }
        instants.sort_unstable();
        instants
    }
}

/// Walks through a schedule's instants.
#[derive(Debug, Clone)]
pub struct Cursor {
    pub schedule: Schedule,
    zone: TimeZone,
    at: Timestamp,
    day: Date,
    ahead: VecDeque<Timestamp>,
}

impl Cursor {
    /// The instants after `after`.
    pub fn new(schedule: Schedule, after: Timestamp) -> Self {
        let zone = schedule.zone().map_or(TimeZone::UTC, |zone| TimeZoneDatabase::bundled().get(zone).unwrap());
        let day = after.to_zoned(zone.clone()).date();
        let mut cursor = Self { schedule, zone, at: after, day, ahead: VecDeque::new() };
        cursor.read_day();
        cursor
    }

    fn read_day(&mut self) {
        if self.schedule.is_day(self.day) {
            let instants = self.schedule.instants_of(self.day, &self.zone);
            self.ahead.extend(instants.into_iter().filter(|instant| self.at < *instant));
        }
    }

    /// The next instant, which stays the next one; `None` when there is none for years.
    pub fn peek(&mut self) -> Option<Timestamp> {
        if let Schedule::Every { seconds } = self.schedule {
            return Some(self.at + SignedDuration::from_secs(seconds));
        }
        let first = self.day;
        while self.ahead.is_empty() {
            if (self.day - first).get_days() > 366 * 9 {
                self.day = first;
                return None;
            }
            self.day += 1.day();
            self.read_day();
        }
        self.ahead.front().copied()
    }

    pub fn next(&mut self) -> Option<Timestamp> {
        let next = self.peek()?;
        self.ahead.pop_front();
        self.at = next;
        Some(next)
    }
}

#[test]
fn the_oracle_agrees_with_a_look_at_every_minute() {
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let schedule = Schedule::random(&mut dice);
        let Schedule::Fields { minutes, hours, .. } = &schedule else { continue };
        // Weeks in which clocks change.
        let begin: Timestamp =
            dice.pick(&["2026-03-05T00:00:00Z", "2026-10-22T00:00:00Z", "2027-03-25T00:00:00Z"]).parse().unwrap();
        let end = begin + SignedDuration::from_hours(24 * 12);
        let mut cursor = Cursor::new(schedule.clone(), begin);
        let zone = cursor.zone.clone();
        let mut at = begin + SignedDuration::from_mins(1);
        while at <= end {
            let local = at.to_zoned(zone.clone());
            let is_hour = hours.as_ref().is_none_or(|hours| hours.contains(&local.hour()));
            if minutes.contains(&local.minute()) && is_hour && schedule.is_day(local.date()) {
                assert_eq!(cursor.next(), Some(at), "seed {seed}: {schedule:?}");
            }
            at += SignedDuration::from_mins(1);
        }
        assert!(cursor.next().is_none_or(|next| end < next), "seed {seed}: {schedule:?}");
    }
}
