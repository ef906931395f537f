//! Quantities against whole numbers of billionths.

use crate::cases;
use meta::quantity::Quantity;
use proptest::prelude::*;

/// Suffixes with what they multiply by, in billionths.
const SUFFIXES: [(&str, i128); 14] = [
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("", 1_000_000_000),
    ("k", 1_000_000_000_000),
    ("M", 1_000_000_000_000_000),
    ("G", 1_000_000_000_000_000_000),
    ("Ki", 1024 * 1_000_000_000),
    ("Mi", 1024 * 1024 * 1_000_000_000),
    ("Gi", 1024 * 1024 * 1024 * 1_000_000_000),
    ("e3", 1_000_000_000_000),
    ("E2", 100_000_000_000),
    ("e-3", 1_000_000),
    ("e0", 1_000_000_000),
];

/// A text and what it means in billionths, rounded away from zero.
fn quantity() -> impl Strategy<Value = (String, i128)> {
    (any::<bool>(), 0u32..100_000, prop::option::of((0u32..1000, 1usize..4)), prop::sample::select(SUFFIXES.to_vec()))
        .prop_map(|(is_negative, whole, fraction, (suffix, unit))| {
            let sign = if is_negative { "-" } else { "" };
            let (digits, thousandths) = match fraction {
                Some((fraction, places)) => {
                    let cut = fraction % 10u32.pow(u32::try_from(places).unwrap());
                    let scale = 10i128.pow(3 - u32::try_from(places).unwrap());
                    (format!("{whole}.{cut:0places$}"), i128::from(whole) * 1000 + i128::from(cut) * scale)
                }
                None => (whole.to_string(), i128::from(whole) * 1000),
            };
            let exact = thousandths * unit;
            let rounded = exact / 1000 + i128::from(exact % 1000 != 0);
            (format!("{sign}{digits}{suffix}"), if is_negative { -rounded } else { rounded })
        })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn texts_mean_their_numbers((text, billionths) in quantity()) {
        let read: Quantity = text.parse().unwrap();
        let units = billionths / 1_000_000_000 + (billionths % 1_000_000_000).signum();
        prop_assert_eq!(i128::from(read.value()), units, "{}", text);
        prop_assert_eq!(read.is_negative(), billionths < 0);
        prop_assert_eq!(read.is_zero(), billionths == 0);
        prop_assert_eq!(read.is_whole(), billionths % 1_000_000_000 == 0);
    }

    #[test]
    fn canonical_texts_mean_the_same_and_are_stable((text, _) in quantity()) {
        let read: Quantity = text.parse().unwrap();
        let canonical = read.canonical();
        let again: Quantity = canonical.parse().unwrap();
        prop_assert_eq!(again, read, "{} as {}", &text, &canonical);
        prop_assert_eq!(again.canonical(), canonical.clone());
        prop_assert!(!canonical.contains(['.', '+']) || canonical.contains('e'), "{}", canonical);
        // As short as can be: no three zeros that a larger suffix could stand for.
        prop_assert!(!canonical.ends_with("000"), "{}", canonical);
    }

    #[test]
    fn quantities_compare_and_add_as_their_numbers((left, a) in quantity(), (right, b) in quantity()) {
        let (left, right): (Quantity, Quantity) = (left.parse().unwrap(), right.parse().unwrap());
        prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        prop_assert_eq!((left + right).cmp(&left), (a + b).cmp(&a));
        prop_assert_eq!(left + right - right, left);
        prop_assert_eq!(left + right, right + left);
    }

    #[test]
    fn no_text_is_too_odd(text in "[-+]?[0-9.]{0,12}([eEinumkKMGTP]{0,2}[-+]?[0-9]{0,10}|\\PC{0,3})") {
        if let Ok(read) = text.parse::<Quantity>() {
            let canonical = read.canonical();
            prop_assert_eq!(canonical.parse::<Quantity>().unwrap().canonical(), canonical);
            let _ = (read.value(), read.milli_value());
        }
    }
}
