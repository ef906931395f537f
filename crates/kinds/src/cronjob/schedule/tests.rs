//! Tables of schedules that are read and schedules that are refused.

use super::*;

fn fields(text: &str) -> Fields {
    match text.parse() {
        Ok(Schedule::Fields(fields)) => fields,
        other => panic!("{text:?} gave {other:?}"),
    }
}

fn numbers(bits: u64) -> Vec<u32> {
    (0..64).filter(|number| bits >> number & 1 == 1).collect()
}

#[test]
fn minutes_are_read_as_lists_ranges_and_steps() {
    for (minute, expect) in [
        ("5", vec![5]),
        ("+5", vec![5]),
        ("1,3,1", vec![1, 3]),
        ("1-4", vec![1, 2, 3, 4]),
        ("1-9/4", vec![1, 5, 9]),
        ("50/4", vec![50, 54, 58]),
        ("*/20", vec![0, 20, 40]),
        ("?/30", vec![0, 30]),
        ("*-3/30", vec![0, 30]),
        ("1,,2,", vec![1, 2]),
        (",", vec![]),
        ("0-59/100", vec![0]),
    ] {
        let text = format!("{minute} * * * *");
        assert_eq!(numbers(fields(&text).minutes), expect, "for {text:?}");
    }
    assert_eq!(fields("* * * * *").minutes, (1 << 60) - 1);
}

#[test]
fn months_and_days_have_names_in_any_case() {
    let schedule = fields("0 0 ? jan-Mar MON-FRI");
    assert_eq!(numbers(schedule.months), [1, 2, 3]);
    assert_eq!(numbers(schedule.days_of_week), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(fields("0 0 * DEC sun,6").days_of_week), [0, 6]);
}

#[test]
fn any_day_is_any_day_only_without_a_step() {
    for (text, of_month, of_week) in [
        ("0 0 * * *", true, true),
        ("0 0 ? * 1", true, false),
        ("0 0 1 * ?", false, true),
        ("0 0 */1 * *", true, true),
        ("0 0 */2 * *", false, true),
        ("0 0 1,* * 1", true, false),
        ("0 0 1-31 * 0-6", false, false),
    ] {
        let schedule = fields(text);
        assert_eq!((schedule.is_any_day_of_month, schedule.is_any_day_of_week), (of_month, of_week), "for {text:?}");
    }
}

#[test]
fn descriptors_stand_for_schedules() {
    for (descriptor, text) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ] {
        assert_eq!(fields(descriptor), fields(text));
    }
    for (text, seconds) in
        [("@every 1m", 60), ("@every 1h30m10s", 5410), ("@every 1.9s", 1), ("@every 10ms", 1), ("@every -5s", 1)]
    {
        assert_eq!(text.parse(), Ok(Schedule::Every { seconds }), "for {text:?}");
    }
}

#[test]
fn a_zone_may_stand_before_the_fields() {
    assert_eq!(fields("TZ=Europe/Berlin 0 2 * * *").zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(fields("CRON_TZ=UTC  @daily").zone.as_deref(), Some("UTC"));
    assert_eq!(fields("0 2 * * *").zone, None);
}

#[test]
fn dates_that_never_come_are_still_schedules() {
    assert!("59 23 31 2 *".parse::<Schedule>().is_ok());
}

#[test]
fn mistakes_are_told_in_the_words_of_kubernetes() {
    for (text, expect) in [
        ("", "empty spec string"),
        ("   ", "expected exactly 5 fields, found 0: []"),
        ("x", "expected exactly 5 fields, found 1: [x]"),
        ("0 2 * *", "expected exactly 5 fields, found 4: [0 2 * *]"),
        ("0  2 * * * *", "expected exactly 5 fields, found 6: [0 2 * * * *]"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("* * * * FRI-MON", "beginning of range (5) beyond end of range (1): FRI-MON"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("L * * * *", "failed to parse int from L: strconv.Atoi: parsing \"L\": invalid syntax"),
        ("-1 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"),
        ("*/-1 * * * *", "negative number (-1) not allowed: -1"),
        (
            "99999999999999999999 * * * *",
            "failed to parse int from 99999999999999999999: strconv.Atoi: parsing \"99999999999999999999\": value out of range",
        ),
        ("@reboot", "unrecognized descriptor: @reboot"),
        ("@every", "unrecognized descriptor: @every"),
        ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
        ("TZ=Mars/X 0 2 * * *", "provided bad location Mars/X: unknown time zone Mars/X"),
    ] {
        assert_eq!(text.parse::<Schedule>(), Err(expect.to_owned()), "for {text:?}");
    }
}

#[test]
fn odd_texts_do_not_panic() {
    for text in
        ["TZ=", "TZ=UTC", "CRON_TZ=x", "é é é é é", "/ / / / /", "- - - - -", "*/18446744073709551615 * * * *", "@é"]
    {
        let _ = text.parse::<Schedule>();
    }
}
