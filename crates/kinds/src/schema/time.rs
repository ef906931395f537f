//! metav1.Time and MicroTime: RFC 3339, printed in UTC.

use jiff::Timestamp;

const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// The canonical text of an instant, in whole seconds or in microseconds. Errors are worded as Go's `time.Parse` does.
pub fn canonical(text: &str, micro: bool) -> Result<String, String> {
    check_layout(text)?;
    let instant: Timestamp = text.parse().map_err(|_| format!("parsing time {text:?}: out of range"))?;
    Ok(if micro {
        format!("{:.6}", Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant))
    } else {
        format!("{:.0}", Timestamp::from_second(instant.as_second()).unwrap_or(instant))
    })
}

/// Checks the shape and the ranges that a calendar-blind parser can see, in Go's order and words.
fn check_layout(text: &str) -> Result<(), String> {
    let mut rest = text;
    for (element, digits, low, high, range) in [
        ("2006", 4, 0, 9999, "year"),
        ("-", 0, 0, 0, ""),
        ("01", 2, 1, 12, "month"),
        ("-", 0, 0, 0, ""),
        ("02", 2, 1, 31, "day"),
        ("T", 0, 0, 0, ""),
        ("15", 2, 0, 23, "hour"),
        (":", 0, 0, 0, ""),
        ("04", 2, 0, 59, "minute"),
        (":", 0, 0, 0, ""),
        ("05", 2, 0, 59, "second"),
    ] {
        let wanted = if digits == 0 { element.len() } else { digits };
        let part = rest
            .get(..wanted)
            .filter(|part| if digits == 0 { *part == element } else { part.bytes().all(|c| c.is_ascii_digit()) });
        let Some(part) = part else {
            return Err(cannot_parse(text, rest, element));
        };
        let value: u32 = part.parse().unwrap_or_default();
        if digits > 0 && !(low..=high).contains(&value) {
            return Err(format!("parsing time {text:?}: {range} out of range"));
        }
        rest = &rest[wanted..];
    }
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        if end == 0 {
            return Err(cannot_parse(text, rest, "Z07:00"));
        }
        rest = &fraction[end..];
    }
    check_zone(text, rest)
}

fn check_zone(text: &str, zone: &str) -> Result<(), String> {
    if let Some(extra) = zone.strip_prefix('Z') {
        return if extra.is_empty() { Ok(()) } else { Err(format!("parsing time {text:?}: extra text: {extra:?}")) };
    }
    let bytes = zone.as_bytes();
    let is_offset = bytes.len() >= 6
        && matches!(bytes[0], b'+' | b'-')
        && bytes[3] == b':'
        && [1, 2, 4, 5].iter().all(|&index| bytes[index].is_ascii_digit());
    match (is_offset, bytes.len()) {
        (true, 6) => Ok(()),
        (true, _) => Err(format!("parsing time {text:?}: extra text: {:?}", &zone[6..])),
        (false, _) => Err(cannot_parse(text, zone, "Z07:00")),
    }
}

fn cannot_parse(text: &str, rest: &str, element: &str) -> String {
    format!("parsing time {text:?} as {LAYOUT:?}: cannot parse {rest:?} as {element:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_become_utc_without_what_the_type_does_not_keep() {
        for (text, micro, expected) in [
            ("2024-01-02T03:04:05Z", false, "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05.999Z", false, "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05+02:00", false, "2024-01-02T01:04:05Z"),
            ("2024-01-02T03:04:05.123456789Z", true, "2024-01-02T03:04:05.123456Z"),
            ("2024-01-02T03:04:05Z", true, "2024-01-02T03:04:05.000000Z"),
        ] {
            assert_eq!(canonical(text, micro).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_worded_as_go_does() {
        for (text, expected) in [
            (
                "yesterday",
                r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#,
            ),
            ("", r#"parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006""#),
            ("2024-01-02", r#"parsing time "2024-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#),
            ("2024-13-02T03:04:05Z", r#"parsing time "2024-13-02T03:04:05Z": month out of range"#),
            (
                "2024-01-02T03:04:05",
                r#"parsing time "2024-01-02T03:04:05" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#,
            ),
            ("2024-01-02T03:04:05Zx", r#"parsing time "2024-01-02T03:04:05Zx": extra text: "x""#),
            ("2024-02-30T03:04:05Z", r#"parsing time "2024-02-30T03:04:05Z": out of range"#),
            (
                "2024-01-02T03:04:05é+1:00",
                "parsing time \"2024-01-02T03:04:05é+1:00\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"é+1:00\" as \"Z07:00\"",
            ),
        ] {
            assert_eq!(canonical(text, false), Err(expected.to_owned()), "{text}");
        }
    }
}
