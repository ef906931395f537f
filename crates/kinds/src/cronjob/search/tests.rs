//! What robfig/cron answered, row by row; and a slow oracle that looks at every minute.

use super::super::schedule::Schedule;
use super::super::ticks::{NoTicks, Ticks};
use super::*;
use proptest::prelude::*;

const ROWS: &str = include_str!("../../../tests/robfig/rows.tsv");

/// The row's answer as this crate gives it.
fn answer(schedule: &str, zone: &str, start: &str) -> String {
    let ticks = match Ticks::read(schedule, Some(zone).filter(|zone| !zone.is_empty()), &TimeZone::UTC) {
        Ok(ticks) => ticks,
        Err(NoTicks::Unparseable(error)) => return format!("error: {error}"),
        Err(NoTicks::UnknownZone(zone)) => return format!("no zone {zone}"),
    };
    let mut at: Timestamp = start.parse().unwrap();
    let mut instants = Vec::new();
    while instants.len() < 4 {
        let Some(next) = ticks.next_after(at) else {
            instants.push("never".to_owned());
            break;
        };
        at = next;
        instants.push(next.to_string());
    }
    instants.join(" ")
}

#[test]
fn every_row_of_robfigs_answers() {
    let mut wrong = Vec::new();
    let rows = ROWS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows.clone() {
        let columns: Vec<&str> = row.split('\t').collect();
        let (expect, found) = match columns.as_slice() {
            [schedule, zone, start, robfigs] => (*robfigs, answer(schedule, zone, start)),
            [schedule, zone, start, robfigs, ours] => {
                assert_ne!(robfigs, ours, "a fifth column is for what differs: {row:?}");
                (*ours, answer(schedule, zone, start))
            }
            _ => panic!("a row of {} columns: {row:?}", columns.len()),
        };
        if found != expect {
            wrong.push(format!(
                "{}\t{}\t{}\n  expected {expect}\n  found    {found}",
                columns[0], columns[1], columns[2]
            ));
        }
    }
    assert!(150 < rows.count(), "the table is there");
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// Zones with gaps and repeats of an hour and of half of one, at midnight and at others, of no clock changes, of odd offsets, and one
/// that left a date out; and years in which they have them.
const ZONES: [(&str, i16); 16] = [
    ("UTC", 2026),
    ("America/New_York", 2026),
    ("Europe/Berlin", 2026),
    ("Europe/London", 1995),
    ("Australia/Lord_Howe", 2026),
    ("America/Sao_Paulo", 2018),
    ("Asia/Beirut", 2026),
    ("Africa/Cairo", 2026),
    ("America/Havana", 2025),
    ("America/Asuncion", 2023),
    ("Africa/Casablanca", 2026),
    ("Asia/Kathmandu", 2026),
    ("America/Caracas", 2016),
    ("Asia/Pyongyang", 2015),
    ("Antarctica/Troll", 2026),
    ("Pacific/Apia", 2011),
];

/// Every minute of `n_days` after `start`, with what the local clock shows.
fn minutes(start: Timestamp, zone: &TimeZone, n_days: i64) -> Vec<(Timestamp, DateTime)> {
    let minutes = (1..=n_days * 24 * 60).map(|minute| start + SignedDuration::from_mins(minute));
    minutes.map(|at| (at, zone.to_datetime(at))).collect()
}

/// The minutes that match, found by looking at each.
fn oracle(fields: &Fields, minutes: &[(Timestamp, DateTime)]) -> Vec<Timestamp> {
    let matches = |local: &DateTime| {
        let bit = |set: u64, number: i8| set & (1u64 << number) != 0;
        let in_hour = bit(fields.minutes, local.minute()) && bit(fields.hours, local.hour());
        let of_month = bit(fields.days_of_month, local.day());
        let of_week = bit(fields.days_of_week, local.weekday().to_sunday_zero_offset());
        let any = fields.is_any_day_of_month || fields.is_any_day_of_week;
        let is_day = if any { of_month && of_week } else { of_month || of_week };
        in_hour && is_day && bit(fields.months, local.month())
    };
    minutes.iter().filter(|(_, local)| matches(local)).map(|(at, _)| *at).collect()
}

fn found(fields: &Fields, start: Timestamp, zone: &TimeZone, n_days: i64) -> Vec<Timestamp> {
    let end = start + SignedDuration::from_hours(24 * n_days);
    std::iter::successors(next(fields, start, zone), |at| next(fields, *at, zone)).take_while(|at| *at <= end).collect()
}

/// One field: any, or a few numbers, ranges and steps.
fn field_of(min: u8, max: u8) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => (min..=max).prop_map(|number| number.to_string()),
        1 => (min..=max, min..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (min..=max, 1..=max).prop_map(|(from, step)| format!("{from}/{step}")),
        1 => (1..=max).prop_map(|step| format!("*/{step}")),
    ];
    prop_oneof![2 => Just("*".to_owned()), 3 => prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(","))]
}

fn schedules() -> impl Strategy<Value = String> {
    (field_of(0, 59), field_of(0, 23), field_of(1, 31), field_of(1, 12), field_of(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

/// A few days around a change of a zone's clock, or anywhere in its year.
fn windows() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    (prop::sample::select(ZONES.to_vec()), any::<prop::sample::Index>(), 0..525_600_i64, 0..2_880_i64).prop_map(
        |((name, year), which, anywhere, before)| {
            let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap();
            let january = jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
            let year_end = january + SignedDuration::from_hours(366 * 24);
            let changes: Vec<Timestamp> =
                zone.following(january).map(|change| change.timestamp()).take_while(|at| *at < year_end).collect();
            let start = match changes.is_empty() || which.index(4) == 0 {
                true => january + SignedDuration::from_mins(anywhere),
                false => *which.get(&changes) - SignedDuration::from_mins(before),
            };
            (zone, start)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_is_what_a_look_at_every_minute_finds(text in schedules(), (zone, start) in windows()) {
        let Ok(Schedule::Fields(fields)) = text.parse() else { panic!("{text:?} is a schedule") };
        prop_assert_eq!(found(&fields, start, &zone, 4), oracle(&fields, &minutes(start, &zone, 4)), "{:?} in {:?} from {}", text, zone, start);
    }
}

/// Whole years of schedules that people write, in every zone.
#[test]
fn years_of_everyday_schedules_are_what_a_look_at_every_minute_finds() {
    for (name, year) in ZONES {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap();
        let start = jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let minutes = minutes(start, &zone, 400);
        for text in ["0 0 * * *", "30 2 * * *", "15 0 * * 0", "0 3 1 * *", "*/20 1-3 * 3,4,10,11 0,6", "0 9 * 10 *"] {
            let Ok(Schedule::Fields(fields)) = text.parse() else { panic!("{text:?} is a schedule") };
            assert_eq!(found(&fields, start, &zone, 400), oracle(&fields, &minutes), "{text:?} in {name}");
        }
    }
}

#[test]
fn a_search_that_finds_nothing_ends() {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get("Africa/Casablanca").unwrap();
    for text in ["0 0 30 2 *", ", * * * *", "* , * * *", "* * , * ,", "* * * , *", "0 0 31 2,4,6,9,11 *"] {
        let Ok(Schedule::Fields(fields)) = text.parse() else { panic!("{text:?} is a schedule") };
        for start in
            ["2026-01-01T00:00:00Z", "-009999-01-02T01:59:59Z", "9999-12-30T22:00:00Z", "1969-12-31T23:59:59.5Z"]
        {
            assert_eq!(next(&fields, start.parse().unwrap(), &zone), None, "{text:?} from {start}");
        }
    }
}
