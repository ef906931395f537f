//! Selectors against a filter that is written out.

use crate::cases;
use meta::selector::{FieldSelector, LabelSelector};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

#[derive(Debug, Clone)]
enum Term {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    Absent(String),
    Equals(String, String),
    Differs(String, String),
    Above(String, i64),
    Below(String, i64),
}

impl Term {
    fn holds(&self, labels: &Labels) -> bool {
        let number = |key: &String| labels.get(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            // Who has no such label differs from everything.
            Self::NotIn(key, values) => !labels.get(key).is_some_and(|value| values.contains(value)),
            Self::Exists(key) => labels.contains_key(key),
            Self::Absent(key) => !labels.contains_key(key),
            Self::Equals(key, value) => labels.get(key) == Some(value),
            Self::Differs(key, value) => labels.get(key) != Some(value),
            Self::Above(key, bound) => number(key).is_some_and(|number| *bound < number),
            Self::Below(key, bound) => number(key).is_some_and(|number| number < *bound),
        }
    }

    fn text(&self, space: &str) -> String {
        let list = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(&format!(",{space}"));
        match self {
            Self::In(key, values) => format!("{key} in{space}({})", list(values)),
            Self::NotIn(key, values) => format!("{key} notin{space}({})", list(values)),
            Self::Exists(key) => key.clone(),
            Self::Absent(key) => format!("!{space}{key}"),
            Self::Equals(key, value) if space.is_empty() => format!("{key}={value}"),
            Self::Equals(key, value) => format!("{key}{space}=={space}{value}"),
            Self::Differs(key, value) => format!("{key}{space}!={space}{value}"),
            Self::Above(key, bound) => format!("{key}{space}>{space}{bound}"),
            Self::Below(key, bound) => format!("{key}{space}<{space}{bound}"),
        }
    }

    /// As metav1.LabelSelector has it, which knows no numbers.
    fn expression(&self) -> Option<Value> {
        let of = |key: &String, operator: &str| json!({"key": key, "operator": operator});
        let with = |key: &String, operator: &str, values: Vec<&String>| json!({"key": key, "operator": operator, "values": values});
        Some(match self {
            Self::In(key, values) => with(key, "In", values.iter().collect()),
            Self::NotIn(key, values) => with(key, "NotIn", values.iter().collect()),
            Self::Exists(key) => of(key, "Exists"),
            Self::Absent(key) => of(key, "DoesNotExist"),
            Self::Equals(key, value) => with(key, "In", vec![value]),
            Self::Differs(key, value) => with(key, "NotIn", vec![value]),
            Self::Above(..) | Self::Below(..) => return None,
        })
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]", Just("example.com/in".to_owned()), Just("notin".to_owned())]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[xy]", "[0-3]", Just("in".to_owned()), Just("a.b_c-d".to_owned())]
}

fn values() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(value(), 1..4)
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![
        (key(), values()).prop_map(|(key, values)| Term::In(key, values)),
        (key(), values()).prop_map(|(key, values)| Term::NotIn(key, values)),
        key().prop_map(Term::Exists),
        key().prop_map(Term::Absent),
        (key(), value()).prop_map(|(key, value)| Term::Equals(key, value)),
        (key(), value()).prop_map(|(key, value)| Term::Differs(key, value)),
        (key(), 0i64..3).prop_map(|(key, bound)| Term::Above(key, bound)),
        (key(), 0i64..3).prop_map(|(key, bound)| Term::Below(key, bound)),
    ]
}

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map(key(), value(), 0..4)
}

fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    selector.matches(|key| labels.get(key).map(String::as_str))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn texts_select_what_they_say(
        terms in prop::collection::vec(term(), 0..4),
        is_spaced in any::<bool>(),
        all in prop::collection::vec(labels(), 1..6),
    ) {
        let space = if is_spaced { " " } else { "" };
        let text: Vec<String> = terms.iter().map(|term| term.text(space)).collect();
        let text = text.join(&format!("{space},{space}"));
        let selector = LabelSelector::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(selector.is_empty(), terms.is_empty());
        for labels in &all {
            let expect = terms.iter().all(|term| term.holds(labels));
            prop_assert_eq!(matches(&selector, labels), expect, "{} of {:?}", &text, labels);
        }
    }

    #[test]
    fn objects_select_what_their_texts_select(terms in prop::collection::vec(term(), 0..4), all in prop::collection::vec(labels(), 1..6)) {
        let terms: Vec<Term> = terms.into_iter().filter(|term| term.expression().is_some()).collect();
        let expressions: Vec<Value> = terms.iter().filter_map(Term::expression).collect();
        let selector = LabelSelector::from_json(&json!({"matchExpressions": expressions})).unwrap();
        for labels in &all {
            prop_assert_eq!(matches(&selector, labels), terms.iter().all(|term| term.holds(labels)));
        }
        let labels = &all[0];
        let exact = LabelSelector::from_json(&json!({"matchLabels": labels})).unwrap();
        for other in &all {
            let is_covered = labels.iter().all(|(key, value)| other.get(key) == Some(value));
            prop_assert_eq!(matches(&exact, other), is_covered);
        }
    }

    #[test]
    fn no_selector_is_too_odd(text in "[ab!=<>(), \\\\]{0,12}|\\PC{0,12}") {
        let _ = LabelSelector::parse(&text);
        let _ = FieldSelector::parse(&text);
    }

    #[test]
    fn fields_are_selected_by_any_value(
        terms in prop::collection::vec(("[a-c]", any::<bool>(), "[xy,=\\\\!]{0,4}"), 0..4),
        fields in prop::collection::btree_map("[a-c]", "[xy,=\\\\!]{0,4}", 0..3),
    ) {
        let escaped = |value: &str| value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
        let text: Vec<String> = terms
            .iter()
            .map(|(field, is_equal, value)| format!("{field}{}{}", if *is_equal { "=" } else { "!=" }, escaped(value)))
            .collect();
        let selector = FieldSelector::parse(&text.join(",")).unwrap();
        let of = |field: &str| fields.get(field).cloned().unwrap_or_default();
        let expect = terms.iter().all(|(field, is_equal, value)| (of(field) == *value) == *is_equal);
        prop_assert_eq!(selector.matches(of), expect, "{:?}", text);
    }
}
