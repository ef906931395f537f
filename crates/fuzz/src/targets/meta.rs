//! Quantities, durations, selectors, patches, field sets.

use super::{OBJECT_WORDS, json_examples, texts};
use crate::{Shape, Signal, Target};
use meta::fields;
use meta::patch::PatchError;
use meta::quantity::Quantity;
use meta::selector::{FieldSelector, LabelSelector};
use serde_json::Value;

pub(crate) const TARGETS: &[Target] = &[
    Target {
        name: "quantity",
        shape: Shape::Bytes,
        seeds: || texts(&["1", "500m", "1.5Gi", "-0.1", "1e3", "12E", "100n", "9223372036854775807Ki", "1e-9", "+.5"]),
        words: &["Ki", "Mi", "Gi", "Ei", "n", "u", "m", "k", "E", "e", "-", "+", ".", "e9999999999"],
        run: quantity,
    },
    Target {
        name: "duration",
        shape: Shape::Bytes,
        seeds: || texts(&["1h30m", "1.5s", "-2ms", "0", "1µs", ".5h"]),
        words: &["ns", "us", "µs", "ms", "s", "m", "h", "-", "."],
        run: |input| with_text(input, |text| Signal::result(&meta::go_duration::parse(text), |n| n.leading_zeros())),
    },
    Target {
        name: "label_selector",
        shape: Shape::Bytes,
        seeds: || texts(&["a=b", "a!=b,c", "!d", "e in (f,g),h notin (i)", "n>4,m<5", "example.com/x==y", "a in (,)"]),
        words: &[" in ", " notin ", "(", ")", ",", "!", "=", "==", "!=", ">", "<", "example.com/"],
        run: label_selector,
    },
    Target {
        name: "field_selector",
        shape: Shape::Bytes,
        seeds: || texts(&["metadata.name=a", "status.phase!=Running,spec.nodeName==n", "a=b\\,c", "a=\\\\"]),
        words: &["metadata.name", "=", "==", "!=", ",", "\\,", "\\=", "\\\\"],
        run: |input| with_text(input, |text| Signal::result(&FieldSelector::parse(text), |found| found.terms.len())),
    },
    Target {
        name: "label_selector_object",
        shape: Shape::Json,
        seeds: selectors,
        words: OBJECT_WORDS,
        run: selector_object,
    },
    Target { name: "json_patch", shape: Shape::Json, seeds: json_patches, words: OBJECT_WORDS, run: json_patch },
    Target { name: "merge_patch", shape: Shape::Json, seeds: pairs, words: OBJECT_WORDS, run: merge_patch },
    Target { name: "strategic_patch", shape: Shape::Json, seeds: pairs, words: OBJECT_WORDS, run: strategic_patch },
    Target { name: "fields_v1", shape: Shape::Json, seeds: field_sets, words: OBJECT_WORDS, run: fields_v1 },
];

fn with_text(input: &[u8], run: impl FnOnce(&str) -> Signal) -> Signal {
    std::str::from_utf8(input).map_or(Signal::of("no text"), run)
}

fn quantity(input: &[u8]) -> Signal {
    with_text(input, |text| {
        let parsed = text.parse::<Quantity>();
        // Beyond 64 bits Go caps what it parses digit by digit, but not what it parses fast: there its own form is read as less.
        if let Ok(quantity) = &parsed
            && quantity.value().unsigned_abs() < 1 << 60
        {
            let canonical = quantity.canonical();
            let again = canonical.parse::<Quantity>();
            let again = again.unwrap_or_else(|error| panic!("{text:?} is {canonical:?}, which is not read: {error}"));
            assert_eq!(again.canonical(), canonical, "{text:?}");
            assert_eq!((again.value(), again.milli_value()), (quantity.value(), quantity.milli_value()), "{text:?}");
            assert_eq!(again.is_negative(), quantity.is_negative(), "{text:?}");
        }
        Signal::result(&parsed, |quantity| (quantity.canonical().len(), quantity.is_whole(), quantity.is_negative()))
    })
}

fn label_selector(input: &[u8]) -> Signal {
    with_text(input, |text| {
        let parsed = LabelSelector::parse(text);
        Signal::result(&parsed, |selector| {
            let matches = |value| selector.matches(|_| value);
            (selector.is_empty(), matches(None), matches(Some("")), matches(Some("5")))
        })
    })
}

fn with_json(input: &[u8], run: impl FnOnce(Value) -> Signal) -> Signal {
    serde_json::from_slice(input).map_or(Signal::of("no JSON"), run)
}

fn selectors() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"matchLabels":{"a":"b"}}"#,
        r#"{"matchExpressions":[{"key":"a","operator":"In","values":["x","y"]},{"key":"b","operator":"Exists"}]}"#,
    ])
}

fn selector_object(input: &[u8]) -> Signal {
    with_json(input, |value| {
        Signal::result(&LabelSelector::from_json(&value), |selector| {
            (selector.is_empty(), selector.matches(|_| Some("x")))
        })
    })
}

/// `[object, patch]`
fn pairs() -> Vec<Vec<u8>> {
    let mut pairs: Vec<Vec<u8>> =
        json_examples().windows(2).map(|two| [b"[", &two[0][..], b",", &two[1], b"]"].concat()).collect();
    pairs.extend(texts(&[
        r#"[{"a":{"b":1},"c":[1]},{"a":{"b":null},"c":[2],"d":{}}]"#,
        r#"[{"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"x","value":"1"}]}]}}}},{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"b","image":"i"},{"$patch":"delete","name":"a"}]}}}}]"#,
        r#"[{"metadata":{"finalizers":["a","b"]}},{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"]}}]"#,
        r#"[{"spec":{"template":{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}}},{"spec":{"template":{"spec":{"volumes":[{"name":"v","$retainKeys":["name","configMap"],"configMap":{}}]}}}}]"#,
    ]));
    pairs
}

fn json_patches() -> Vec<Vec<u8>> {
    texts(&[
        r#"[{"a":{"b":[1,2]}},[{"op":"add","path":"/a/b/-","value":3},{"op":"remove","path":"/a/b/0"}]]"#,
        r#"[{"a":1},[{"op":"test","path":"/a","value":1},{"op":"replace","path":"/a","value":{"x":[]}},{"op":"copy","from":"/a","path":"/b"}]]"#,
        r#"[{"a":{"b":{}}},[{"op":"move","from":"/a/b","path":"/c"},{"op":"add","path":"","value":[]}]]"#,
    ])
}

fn patched(input: &[u8], apply: impl FnOnce(&mut Value, &Value) -> Result<(), PatchError>) -> Signal {
    with_json(input, |pair| {
        let (before, patch) = (pair[0].clone(), &pair[1]);
        let mut object = before.clone();
        let result = apply(&mut object, patch);
        if result.is_err() {
            assert_eq!(object, before, "a patch that fails changes nothing");
        }
        Signal::result(&result, |()| (object == before, object.is_object(), object.to_string().len().ilog2()))
    })
}

fn json_patch(input: &[u8]) -> Signal {
    patched(input, meta::patch::json)
}

fn merge_patch(input: &[u8]) -> Signal {
    patched(input, |object, patch| {
        meta::patch::merge(object, patch)?;
        let once = object.clone();
        meta::patch::merge(object, patch)?;
        assert_eq!(*object, once, "a merge patch twice is a merge patch once");
        Ok(())
    })
}

fn strategic_patch(input: &[u8]) -> Signal {
    let job = kinds::schema::lookup("io.k8s.api.batch.v1.Job");
    patched(input, |object, patch| meta::patch::strategic::apply(object, patch, job))
}

fn field_sets() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{}}}}}}}"#,
        r#"{"f:metadata":{"f:finalizers":{".":{},"v:\"x\"":{}}},"f:list":{"i:5":{}}}"#,
        r#"{"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{}}}"#,
    ])
}

fn fields_v1(input: &[u8]) -> Signal {
    with_json(input, |value| {
        let parsed = fields::parse(&value);
        if let Ok(set) = &parsed {
            let printed = fields::print(set);
            let again = fields::parse(&printed).unwrap_or_else(|error| panic!("{printed} is not read: {error}"));
            assert_eq!(&again, set, "{printed}");
            assert_eq!(fields::print(&again), printed);
        }
        Signal::result(&parsed, |set| fields::print(set).to_string().len().checked_ilog2())
    })
}
