//! When a CronJob is due: reads what robfig/cron v3's `ParseStandard` reads, with its error texts (reference §2.1).
//!
//! `minute hour day-of-month month day-of-week`, or `@daily` and its kin, or `@every 90s`; a `TZ=Zone ` may stand before.

/// When something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Whenever all five fields match the local clock.
    Fields(Fields),
    /// Again and again after so many seconds; at least one.
    Every {
        /// Whole seconds between two runs.
        seconds: i64,
    },
}

/// Five sets of numbers. Bit N of a set stands for N.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// 0 to 59.
    pub minutes: u64,
    /// 0 to 23.
    pub hours: u64,
    /// 1 to 31.
    pub days_of_month: u64,
    /// 1 to 12.
    pub months: u64,
    /// 0, Sunday, to 6.
    pub days_of_week: u64,
    /// Whether the day of the month was given as `*` or `?` without a step above one.
    pub is_any_day_of_month: bool,
    /// The same for the day of the week. Both kinds of day have to match when either is any, one of them otherwise.
    pub is_any_day_of_week: bool,
    /// The zone that `TZ=` or `CRON_TZ=` names.
    pub zone: Option<String>,
}

struct Bounds {
    min: u64,
    max: u64,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAYS_OF_MONTH: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const DAYS_OF_WEEK: Bounds = Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl std::str::FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("empty spec string".to_owned());
        }
        let (zone, text) = split_zone(text)?;
        if text.starts_with('@') {
            return descriptor(text, zone);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let &[minutes, hours, days_of_month, months, days_of_week] = fields.as_slice() else {
            let (n, found) = (fields.len(), fields.join(" "));
            return Err(format!("expected exactly 5 fields, found {n}: [{found}]"));
        };
        let (minutes, _) = field(minutes, &MINUTES)?;
        let (hours, _) = field(hours, &HOURS)?;
        let (days_of_month, is_any_day_of_month) = field(days_of_month, &DAYS_OF_MONTH)?;
        let (months, _) = field(months, &MONTHS)?;
        let (days_of_week, is_any_day_of_week) = field(days_of_week, &DAYS_OF_WEEK)?;
        Ok(Schedule::Fields(Fields {
            minutes,
            hours,
            days_of_month,
            months,
            days_of_week,
            is_any_day_of_month,
            is_any_day_of_week,
            zone,
        }))
    }
}

/// Takes `TZ=Zone ` off the front.
fn split_zone(text: &str) -> Result<(Option<String>, &str), String> {
    let Some(rest) = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) else {
        return Ok((None, text));
    };
    let Some((zone, rest)) = rest.split_once(' ') else {
        return Err("invalid schedule format: nothing follows the time zone".to_owned());
    };
    // Go asks this before it looks for the zone.
    if zone.starts_with(['/', '\\']) || zone.contains("..") {
        return Err(format!("provided bad location {zone}: time: invalid location name"));
    }
    if !is_zone(zone) {
        return Err(format!("provided bad location {zone}: unknown time zone {zone}"));
    }
    Ok((Some(zone.to_owned()), rest.trim()))
}

/// Whether a zone of exactly this name is known. Empty is UTC, `Local` the machine's own, as in Go.
///
/// Asked of the zones that are built in: what is valid does not depend on the machine.
pub(crate) fn is_zone(name: &str) -> bool {
    let is_built_in = || {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name);
        zone.is_ok_and(|zone| zone.iana_name() == Some(name))
    };
    matches!(name, "" | "UTC" | "Local") || is_built_in()
}

fn descriptor(text: &str, zone: Option<String>) -> Result<Schedule, String> {
    let expanded = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return every(text),
    };
    match expanded.parse()? {
        Schedule::Fields(fields) => Ok(Schedule::Fields(Fields { zone, ..fields })),
        every => Ok(every),
    }
}

fn every(text: &str) -> Result<Schedule, String> {
    let Some(duration) = text.strip_prefix("@every ") else {
        return Err(format!("unrecognized descriptor: {text}"));
    };
    let nanoseconds =
        meta::go_duration::parse(duration).map_err(|error| format!("failed to parse duration {text}: {error}"))?;
    let seconds = (nanoseconds / 1_000_000_000).max(1);
    Ok(Schedule::Every { seconds })
}

/// A list of ranges: the numbers, and whether any will do. Nothing between commas is nothing.
fn field(text: &str, bounds: &Bounds) -> Result<(u64, bool), String> {
    let mut bits = 0;
    let mut is_any = false;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (part_bits, part_is_any) = range(part, bounds)?;
        bits |= part_bits;
        is_any |= part_is_any;
    }
    Ok((bits, is_any))
}

/// `*`, `n`, `n-m`, each perhaps with `/step`. A step after one number runs to the end.
fn range(text: &str, bounds: &Bounds) -> Result<(u64, bool), String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let is_star = matches!(ends[0], "*" | "?");
    let (start, mut end) = match (is_star, ends.as_slice()) {
        (true, _) => (bounds.min, bounds.max),
        (false, [only]) => {
            let only = number_or_name(only, bounds)?;
            (only, only)
        }
        (false, [first, last]) => (number_or_name(first, bounds)?, number_or_name(last, bounds)?),
        (false, _) => {
            number_or_name(ends[0], bounds)?;
            return Err(format!("too many hyphens: {text}"));
        }
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            if ends.len() == 1 {
                end = bounds.max;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    let Bounds { min, max, .. } = *bounds;
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    let step = match usize::try_from(step) {
        Ok(0) => return Err(format!("step of range should be a positive number: {text}")),
        Ok(step) => step,
        Err(_) => usize::MAX,
    };
    let bits = (start..=end).step_by(step).fold(0, |bits, number| bits | 1 << number);
    Ok((bits, is_star && step == 1))
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let named = bounds.names.iter().position(|name| text.eq_ignore_ascii_case(name));
    match named.map(u64::try_from) {
        Some(Ok(index)) => Ok(index + bounds.min),
        _ => number(text),
    }
}

/// A number as Go's Atoi reads it: a sign may stand before.
fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = |what: &str| {
        let quoted = meta::field::quote(text);
        Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {quoted}: {what}"))
    };
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}")),
        Err(_) if is_number => wrong("value out of range"),
        Err(_) => wrong("invalid syntax"),
    }
}

#[cfg(test)]
mod tests;
