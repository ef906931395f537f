//! resource.Quantity: `500m`, `128Mi`, `1E`, `0.5` (K:apimachinery/pkg/api/resource).
//!
//! A quantity is held as a whole number of billionths, the smallest step Kubernetes knows, and with the family of its
//! suffix, because `1024Mi` prints as `1Gi` and `1024` as itself.

use std::cmp::Ordering;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;
/// What Kubernetes caps larger numbers at: 2^63 - 1.
const LARGEST: i128 = i64::MAX as i128;
/// Longer numbers than this are cut off by their size or their precision long before.
const MOST_DIGITS: usize = 4096;
/// Numbers with more digits than this lose Kubernetes' exact path, and are capped.
const EXACT_DIGITS: usize = 18;

const WRONG_FORMAT: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_NUMBER: &str = "unable to parse numeric part of quantity";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// How a quantity was, and will be, written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// `500m`, `1k`.
    Decimal,
    /// `1e3`.
    Exponent,
    /// `1Ki`.
    Binary,
}

/// A quantity with its suffix family kept for canonical printing. Compares by value: `1Ki` equals `1024`.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    billionths: i128,
    family: Family,
}

impl FromStr for Quantity {
    type Err = String;

    /// Reads a quantity. The error is the API server's text.
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map_err(str::to_owned)
    }
}

impl Quantity {
    /// Nothing at all.
    pub const ZERO: Self = Self { billionths: 0, family: Family::Decimal };

    /// The canonical text: `0.5` → `500m`. No precision is lost, no digits follow a point, the suffix is as large as it can be.
    pub fn canonical(&self) -> String {
        if self.billionths == 0 {
            return "0".to_owned();
        }
        let whole = self.billionths / NANO;
        // Small and broken numbers are clearer without a binary suffix.
        let is_binary = self.family == Family::Binary && self.billionths % NANO == 0 && whole.abs() >= 1024;
        match self.family {
            Family::Binary if is_binary => canonical_binary(whole),
            Family::Exponent => canonical_exponent(self.billionths),
            Family::Binary | Family::Decimal => canonical_decimal(self.billionths),
        }
    }

    /// Rounded up to whole units (bytes, cores); saturates.
    pub fn value(&self) -> i64 {
        saturate(round_up(self.billionths, NANO))
    }

    /// Rounded up to thousandths; saturates.
    pub fn milli_value(&self) -> i64 {
        saturate(round_up(self.billionths, NANO / 1000))
    }

    /// Rounded up to whole thousandths.
    #[must_use = "the quantity itself stays as fine as it is"]
    pub fn rounded_up_to_milli(self) -> Self {
        let milli = NANO / 1000;
        Self { billionths: round_up(self.billionths, milli).saturating_mul(milli), family: self.family }
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.billionths < 0
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.billionths == 0
    }

    /// Whether it has no part smaller than one.
    pub fn is_whole(&self) -> bool {
        self.billionths % NANO == 0
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.billionths == other.billionths
    }
}
impl Eq for Quantity {}
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.billionths.cmp(&other.billionths)
    }
}
impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.canonical())
    }
}

/// The sum keeps the left side's family, or takes the right side's when the left is nothing; saturates.
impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let family = if self.is_zero() { other.family } else { self.family };
        Self { billionths: self.billionths.saturating_add(other.billionths), family }
    }
}
/// The difference keeps the left side's family; saturates.
impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { billionths: self.billionths.saturating_sub(other.billionths), family: self.family }
    }
}
impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

fn parse(text: &str) -> Result<Quantity, &'static str> {
    let (is_negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(WRONG_FORMAT);
    }
    if whole.len() + fraction.len() > MOST_DIGITS {
        return Err(WRONG_NUMBER);
    }
    let (family, scale) = parse_suffix(suffix)?;
    let magnitude = magnitude(whole, fraction, scale);
    // Whatever is less than one has no use for a binary suffix.
    let family = match family {
        Family::Binary if 0 < magnitude && magnitude < NANO => Family::Decimal,
        _ => family,
    };
    Ok(Quantity { billionths: if is_negative { -magnitude } else { magnitude }, family })
}

/// What a number is multiplied by.
#[derive(Clone, Copy)]
enum Scale {
    PowerOfTen(i32),
    PowerOfTwo(u32),
}

fn parse_suffix(suffix: &str) -> Result<(Family, Scale), &'static str> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Ok((Family::Decimal, Scale::PowerOfTen(*exponent)));
    }
    if let Some((_, exponent)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Ok((Family::Binary, Scale::PowerOfTwo(*exponent)));
    }
    if let Some(exponent) = suffix.strip_prefix(['e', 'E'])
        && let Ok(exponent) = exponent.parse::<i32>()
    {
        return Ok((Family::Exponent, Scale::PowerOfTen(exponent)));
    }
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let digits = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Err(WRONG_SUFFIX),
        false => Err(WRONG_FORMAT),
    }
}

/// The number in billionths, rounded up; capped where Kubernetes caps it.
fn magnitude(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return 0;
    }
    let point = i32::try_from(fraction.len()).expect("the number of digits is bounded");
    let (factor, exponent) = match scale {
        Scale::PowerOfTen(exponent) => (1, exponent.saturating_sub(point)),
        Scale::PowerOfTwo(bits) => (1i128 << bits, -point),
    };
    let is_exact = digits.len() <= EXACT_DIGITS && exponent <= 18 && factor == 1;
    let capped = |billionths: i128| match is_exact {
        true => billionths,
        false => billionths.min(LARGEST * NANO),
    };
    shift(digits, factor, exponent.saturating_add(9)).map_or(LARGEST * NANO, capped)
}

/// `digits` × `factor` × 10^`exponent`, rounded up; `None` when it does not fit.
fn shift(digits: &str, factor: i128, exponent: i32) -> Option<i128> {
    if exponent >= 0 {
        let power = 10i128.checked_pow(exponent.unsigned_abs())?;
        let number: i128 = digits.parse().ok()?;
        return number.checked_mul(factor)?.checked_mul(power);
    }
    // Digits far behind the point only matter by being there: they round the last kept one up.
    let places = usize::try_from(exponent.unsigned_abs()).ok()?;
    let spare = 18;
    let cut = digits.len().min(places.saturating_sub(spare));
    let (kept, dropped) = digits.split_at(digits.len() - cut);
    let lost = dropped.bytes().any(|digit| digit != b'0');
    let number: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let places = u32::try_from(places - cut).ok()?;
    let product = number.checked_mul(factor)?;
    let Some(divisor) = 10i128.checked_pow(places) else {
        return Some(1);
    };
    let quotient = product / divisor;
    let rounds_up = lost || product % divisor != 0;
    Some(quotient + i128::from(rounds_up))
}

fn canonical_decimal(billionths: i128) -> String {
    let (number, exponent) = strip_thousands(billionths, -9, 18);
    let (suffix, _) = DECIMAL
        .iter()
        .find(|(_, known)| *known == exponent)
        .expect("every multiple of three from -9 to 18 has a suffix");
    format!("{number}{suffix}")
}

fn canonical_exponent(billionths: i128) -> String {
    match strip_thousands(billionths, -9, i32::MAX) {
        (number, 0) => number.to_string(),
        (number, exponent) => format!("{number}e{exponent}"),
    }
}

fn strip_thousands(mut number: i128, mut exponent: i32, largest: i32) -> (i128, i32) {
    while number % 1000 == 0 && exponent < largest {
        number /= 1000;
        exponent += 3;
    }
    (number, exponent)
}

fn canonical_binary(mut number: i128) -> String {
    let mut suffix = "";
    for (name, _) in BINARY {
        if number % 1024 != 0 {
            break;
        }
        number /= 1024;
        suffix = name;
    }
    format!("{number}{suffix}")
}

/// Away from zero, as Kubernetes rounds.
fn round_up(number: i128, divisor: i128) -> i128 {
    number / divisor + (number % divisor).signum()
}

fn saturate(number: i128) -> i64 {
    let bounded = number.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(bounded).expect("it was clamped")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn quantities_are_printed_canonically() {
        for (text, expect) in [
            ("0", "0"),
            ("0m", "0"),
            ("-0", "0"),
            ("0Mi", "0"),
            ("1", "1"),
            ("+1", "1"),
            ("01", "1"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("1.5", "1500m"),
            ("100000", "100k"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("1024Ki", "1Mi"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Mi", "512Ki"),
            ("0.5Ki", "512"),
            ("512Ki", "512Ki"),
            ("1000Ki", "1000Ki"),
            ("0.1Ki", "102400m"),
            ("1Ei", "1Ei"),
            ("8Ei", "9223372036854775807"),
            ("1E", "1E"),
            ("999E", "999E"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("12e2", "1200"),
            ("1e-3", "1e-3"),
            ("12e-4", "1200e-6"),
            ("1e30", "9223372036854775807"),
            ("-1.5", "-1500m"),
            ("-1Ki", "-1Ki"),
            ("1n", "1n"),
            ("0.1n", "1n"),
            ("0.0000000001", "1n"),
            ("1000000n", "1m"),
            ("100000000000000000000", "9223372036854775807"),
            ("128974848", "128974848"),
            ("129e6", "129e6"),
            ("123Mi", "123Mi"),
        ] {
            assert_eq!(read(text).canonical(), expect, "for {text:?}");
            assert_eq!(read(expect).canonical(), expect, "canonical text is stable");
        }
    }

    #[test]
    fn malformed_quantities_are_refused_with_kubernetes_texts() {
        for (text, expect) in [
            ("", WRONG_FORMAT),
            ("-", WRONG_FORMAT),
            (".", WRONG_FORMAT),
            ("x", WRONG_FORMAT),
            ("1 Gi", WRONG_FORMAT),
            (" 1", WRONG_FORMAT),
            ("1Gb", WRONG_FORMAT),
            ("1é", WRONG_FORMAT),
            ("1.2.3", WRONG_FORMAT),
            ("--1", WRONG_FORMAT),
            ("1Mii", WRONG_SUFFIX),
            ("1K", WRONG_SUFFIX),
            ("1e", WRONG_SUFFIX),
            ("1m3", WRONG_SUFFIX),
        ] {
            assert_eq!(text.parse::<Quantity>().unwrap_err(), expect, "for {text:?}");
        }
    }

    #[test]
    fn enormous_and_tiny_numbers_neither_panic_nor_take_long() {
        for text in [
            "1e2147483647",
            "1e-2147483648",
            "0e2147483647",
            &"9".repeat(4000),
            &format!("0.{}1", "0".repeat(4000)),
            &format!("{}Ei", "9".repeat(30)),
            &format!("0.{}Ei", "9".repeat(60)),
        ] {
            let quantity = read(text);
            assert!(quantity.value() >= 0, "for {text}");
        }
        assert!("9".repeat(5000).parse::<Quantity>().is_err());
        assert_eq!(read("1e-2147483648").canonical(), "1e-9");
        assert_eq!(read("0e2147483647").canonical(), "0");
    }

    #[test]
    fn quantities_compare_by_value() {
        for (smaller, larger) in [("500m", "1"), ("1G", "1Gi"), ("999Mi", "1Gi"), ("-1", "0"), ("1n", "1u")] {
            assert!(read(smaller) < read(larger), "{smaller} < {larger}");
        }
        for (left, right) in [("1Ki", "1024"), ("1e3", "1k"), ("0.5", "500m"), ("1000m", "1")] {
            assert_eq!(read(left), read(right));
        }
    }

    #[test]
    fn values_are_rounded_up_and_saturate() {
        for (text, value, milli) in [
            ("0.5", 1, 500),
            ("1500m", 2, 1500),
            ("1Ki", 1024, 1_024_000),
            ("1u", 1, 1),
            ("-0.5", -1, -500),
            ("999E", i64::MAX, i64::MAX),
            ("-999E", i64::MIN, i64::MIN),
        ] {
            assert_eq!(read(text).value(), value, "value of {text}");
            assert_eq!(read(text).milli_value(), milli, "milli value of {text}");
        }
    }

    #[test]
    fn sums_keep_the_family_of_the_first_that_is_something() {
        let sum = |texts: &[&str]| texts.iter().map(|text| read(text)).sum::<Quantity>();
        assert_eq!(sum(&["512Mi", "512Mi"]).canonical(), "1Gi");
        assert_eq!(sum(&["250m", "0.75"]).canonical(), "1");
        assert_eq!(sum(&[]).canonical(), "0");
        assert_eq!((read("1Gi") - read("512Mi")).canonical(), "512Mi");
    }
}
