//! Properties of the algebra, on objects of the toy schema made at random.

use super::apply::{Applied, Applier, apply};
use super::managed::{Entry, Writer, update, write};
use super::testing::{Toy, compared};
use super::{Set, Step, covers, merge, of, overlaps, parse, print, remove, validate};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const WHO: [&str; 3] = ["a", "b", "c"];

/// An object without its empty and null parts, which mean the same as absence to whoever types it.
fn typed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(name, value)| (name.clone(), typed(value)));
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(typed).collect(),
        scalar => scalar.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

fn object(fields: Vec<(&'static str, Value)>) -> Value {
    Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(n, v)| (n.to_owned(), v)).collect())
}

fn maybe(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), value]
}

fn number() -> impl Strategy<Value = Value> {
    (0..3).prop_map(Value::from)
}

fn text() -> impl Strategy<Value = Value> {
    "[xy]".prop_map(Value::from)
}

fn labels() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[kl]", "[xy]", 1..3).prop_map(|labels| json!(labels))
}

fn item() -> impl Strategy<Value = Value> {
    (maybe(number()), maybe(text()), maybe(labels()))
        .prop_map(|(n, t, labels)| object(vec![("n", n), ("t", t), ("labels", labels)]))
}

fn items() -> impl Strategy<Value = Value> {
    let named = |(name, mut item): (String, Value)| {
        item["name"] = name.into();
        item
    };
    prop::collection::btree_map("[pqr]", item(), 1..3)
        .prop_map(move |items| items.into_iter().map(named).collect::<Value>())
}

fn set() -> impl Strategy<Value = Value> {
    prop::collection::btree_set("[stu]", 1..4).prop_map(|set| json!(set))
}

fn flat() -> impl Strategy<Value = Value> {
    let scalars = (maybe(number()), maybe(text()));
    let leaves = (maybe(prop::collection::vec("[ab]", 1..3).prop_map(Value::from)), maybe(labels()));
    (scalars, leaves, maybe(labels()), maybe(set()), maybe(items())).prop_map(
        |((n, t), (args, selector), labels, set, items)| {
            object(vec![
                ("n", n),
                ("t", t),
                ("args", args),
                ("selector", selector),
                ("labels", labels),
                ("set", set),
                ("items", items),
            ])
        },
    )
}

/// An object of the toy schema, without empty parts.
fn toy() -> impl Strategy<Value = Value> {
    (flat(), maybe(flat())).prop_map(|(mut object, spec)| {
        if !is_empty(&spec) {
            object["spec"] = spec;
        }
        object
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        "[a-c]".prop_map(|name| Step::field(&name)),
        ("[kl]", 0i64..3).prop_map(|(name, n)| Step::of_fields([(name.as_str(), super::Scalar::Int(n))].into_iter())),
        any::<bool>().prop_map(|value| Step::Value(super::Scalar::Bool(value))),
        (-9_999..9_999).prop_map(|n| Step::Value(super::Scalar::of(&(f64::from(n) / 8.0).into()))),
        "\\PC{0,4}".prop_map(|text| Step::Value(super::Scalar::Text(text.into()))),
        (0i64..3).prop_map(Step::Index),
    ]
}

fn fields() -> impl Strategy<Value = Set> {
    prop::collection::vec(prop::collection::vec(step(), 1..4), 0..8)
        .prop_map(|paths| paths.iter().map(Vec::as_slice).collect())
}

/// Objects that people write to in turn.
#[derive(Debug, Clone)]
struct World {
    object: Value,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
enum Act {
    Apply(usize, Value),
    Update(usize, Value),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..WHO.len(), toy()).prop_map(|(who, config)| Act::Apply(who, config)),
        (0..WHO.len(), toy()).prop_map(|(who, object)| Act::Update(who, object)),
    ]
}

impl World {
    fn new() -> Self {
        Self { object: json!({}), entries: Vec::new() }
    }

    fn writer(who: usize) -> Writer<'static> {
        Writer { manager: WHO[who], api_version: "v1", subresource: "", now: "2026-01-01T00:00:00Z" }
    }

    fn apply(&self, who: usize, config: &Value, force: bool) -> Option<Self> {
        let applier = Applier { writer: Self::writer(who), ignored: &Set::default(), force };
        let done = apply(&self.object, config, Toy::Root, self.entries.clone(), &applier, &mut |_, _| None);
        let Applied { object, entries } = done.ok()?;
        Some(Self { object: typed(&object.unwrap_or_else(|| self.object.clone())), entries })
    }

    fn act(&self, act: &Act) -> Self {
        match act {
            Act::Apply(who, config) => self.apply(*who, config, true).expect("force leaves no conflict"),
            Act::Update(who, new) => {
                let mut entries = self.entries.clone();
                update(&mut entries, &compared(&self.object, new), &Self::writer(*who), &mut |_| None);
                Self { object: new.clone(), entries }
            }
        }
    }

    fn owners(&self) -> Value {
        let mut timeless = self.entries.clone();
        timeless.iter_mut().for_each(|entry| entry.time = None);
        write(timeless).unwrap_or_default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn fields_survive_being_written_and_read(set in fields()) {
        let written = print(&set);
        prop_assert_eq!(&parse(&written).unwrap(), &set);
        let reread: Value = serde_json::from_str(&written.to_string()).unwrap();
        prop_assert_eq!(print(&parse(&reread).unwrap()).to_string(), written.to_string());
    }

    #[test]
    fn sets_are_sets(a in fields(), b in fields(), c in fields()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.union(&a), a.clone());
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b), a.difference(&a.difference(&b)));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert!(a.recursive_difference(&b).difference(&a.difference(&b)).is_empty());
        for path in a.paths() {
            prop_assert!(a.has(&path) && a.union(&b).has(&path));
            prop_assert_eq!(a.difference(&b).has(&path), !b.has(&path));
            let is_below = (1..=path.len()).any(|length| b.has(&path[..length]));
            prop_assert_eq!(a.recursive_difference(&b).has(&path), !is_below);
        }
        prop_assert_eq!(overlaps(&print(&a), &b), !a.intersection(&b).is_empty());
        prop_assert_eq!(covers(&print(&a), &b), b.difference(&a).is_empty());
    }

    #[test]
    fn objects_of_the_schema_are_valid_and_merge_into_themselves(a in toy(), b in toy()) {
        prop_assert!(validate(&a, Toy::Root).is_empty());
        prop_assert_eq!(merge(&a, &a, Toy::Root), a.clone());
        let merged = merge(&a, &b, Toy::Root);
        prop_assert_eq!(merge(&merged, &b, Toy::Root), merged.clone());
        // What was applied is there, and nothing that neither side had.
        let (in_a, in_b, in_merged) = (of(&a, Toy::Root), of(&b, Toy::Root), of(&merged, Toy::Root));
        prop_assert!(in_b.difference(&in_merged).is_empty());
        prop_assert!(in_merged.difference(&in_a.union(&in_b)).is_empty());
    }

    #[test]
    fn a_comparison_tells_exactly_what_differs(a in toy(), b in toy()) {
        let changes = compared(&a, &b);
        prop_assert_eq!(changes.is_empty(), of_order_free(&a) == of_order_free(&b));
        let (in_a, in_b) = (of(&a, Toy::Root), of(&b, Toy::Root));
        prop_assert!(in_b.difference(&in_a).difference(&changes.set).is_empty(), "what is new is set");
        prop_assert_eq!(in_a.difference(&in_b).difference(&changes.removed), Set::default());
        prop_assert!(changes.removed.intersection(&in_b).is_empty(), "what is there is not removed");
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_is_not(a in toy(), b in toy()) {
        let fields = of(&b, Toy::Root);
        let left = of(&typed(&remove(&a, &fields, Toy::Root)), Toy::Root);
        prop_assert!(left.intersection(&fields).is_empty());
        prop_assert!(left.difference(&of(&a, Toy::Root)).is_empty());
        prop_assert!(of(&a, Toy::Root).recursive_difference(&fields).difference(&left).paths().iter()
            .all(|path| is_emptied(&a, path)), "only parents that lost all they had go too");
    }

    #[test]
    fn applying_twice_is_applying_once(acts in prop::collection::vec(act(), 0..5), config in toy()) {
        let world = acts.iter().fold(World::new(), |world, act| world.act(act));
        let once = world.apply(0, &config, true).unwrap();
        let twice = once.apply(0, &config, false).expect("what was just applied is no conflict");
        prop_assert_eq!(&twice.object, &once.object);
        prop_assert_eq!(twice.owners(), once.owners());
        prop_assert_eq!(merge(&once.object, &config, Toy::Root), once.object);
    }

    #[test]
    fn nobody_owns_what_is_not_there(acts in prop::collection::vec(act(), 1..6)) {
        let world = acts.iter().fold(World::new(), |world, act| world.act(act));
        // Everything there is, parents among them: updates own lists and objects that they brought.
        let there = compared(&json!({}), &world.object).set.union(&of(&world.object, Toy::Root));
        let all = world.entries.iter().fold(Set::default(), |all, entry| all.union(&entry.set()));
        let not_there = all.difference(&there);
        prop_assert!(not_there.paths().iter().all(|path| is_emptied(&world.object, path)), "{}", print(&not_there));
    }

    #[test]
    fn appliers_of_different_fields_do_not_mind_the_order(before in toy(), since in toy(), a in toy(), b in toy()) {
        // b gets what a has not; what lies in atomic values is theirs as a whole.
        let b = typed(&remove(&b, &super::with_named_fields(&of(&a, Toy::Root), Toy::Root), Toy::Root));
        prop_assume!(b.is_object());
        let world = World::new().act(&Act::Apply(2, before)).act(&Act::Update(2, since));
        let ab = world.apply(0, &a, true).unwrap().apply(1, &b, true).unwrap();
        let ba = world.apply(1, &b, true).unwrap().apply(0, &a, true).unwrap();
        prop_assert_eq!(of_order_free(&ab.object), of_order_free(&ba.object));
        prop_assert_eq!(ab.owners(), ba.owners());
    }

    #[test]
    fn who_conflicts_changes_nothing_and_force_wins(first in toy(), second in toy()) {
        let world = World::new().act(&Act::Apply(0, first));
        let forced = world.apply(1, &second, true).unwrap();
        prop_assert_eq!(merge(&forced.object, &second, Toy::Root), forced.object.clone());
        if let Some(peaceful) = world.apply(1, &second, false) {
            prop_assert_eq!(peaceful.object, forced.object);
            if let (Some(theirs), Some(wanted)) = (world.object.get("n"), second.get("n")) {
                prop_assert_eq!(theirs, wanted);
            }
        }
    }

    #[test]
    fn nothing_panics_whatever_is_applied(text in r#"\{"(items|set|ports|spec|n|labels|args|free)":(\[(1|null|"x"|\{"name":1\}|\[\])\]|\{"name":(1|\[\]|null)\}|null|"x")\}"#, object in toy()) {
        let config: Value = serde_json::from_str(&text).unwrap();
        if validate(&config, Toy::Root).is_empty() {
            let world = World { object, entries: Vec::new() };
            let _ = world.apply(0, &config, true);
        }
        let _ = (compared(&config, &json!({})), of(&config, Toy::Root), merge(&json!({"items": [1]}), &config, Toy::Root));
    }
}

/// A parent of a path, or what the path names, that has nothing in it.
fn is_emptied(object: &Value, path: &[Step]) -> bool {
    let mut here = Some(object);
    for step in path {
        here = match (step, here) {
            (Step::Field(name), Some(value)) => value.get(name.as_ref()),
            (_, Some(Value::Array(items))) => items.iter().find(|item| {
                super::schema::step_of(item, Toy::Item, super::ListForm::Keyed(&["name"]), 0).as_ref() == Ok(step)
            }),
            _ => None,
        };
    }
    here.is_none_or(is_empty)
}

/// With keyed lists and sets as maps: their order is not part of who owns what.
fn of_order_free(object: &Value) -> Value {
    match object {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| match (name.as_str(), value) {
                ("items" | "set", Value::Array(items)) => {
                    let mut items: Vec<Value> = items.iter().map(of_order_free).collect();
                    items.sort_by_key(|item| item.get("name").unwrap_or(item).to_string());
                    (name.clone(), items.into())
                }
                (_, value) => (name.clone(), of_order_free(value)),
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
