//! Server-side apply (K:structured-merge-diff merge/update.go Apply and prune): the configuration is merged into the
//! object; what the applier applied before and does not any more goes, unless somebody else owns it; what others own and
//! the applier would change is a conflict.

use super::compare::{Changes, compare};
use super::managed::{Entry, Operation, Writer, strip};
use super::merge::merge;
use super::owned::{of, remove, with_named_fields};
use super::schema::FieldSchema;
use super::set::Set;
use super::step::{Path, path_text};
use serde_json::Value;
use std::fmt::Write as _;

/// What an apply makes of an object.
#[derive(Debug)]
#[must_use = "an applied object that nobody stores is lost"]
pub struct Applied {
    /// The object; `None` when it is what it was.
    pub object: Option<Value>,
    /// Who owns what now.
    pub entries: Vec<Entry>,
}

/// A field that somebody else owns.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// `"kubectl-edit" with subresource "status" using v1`.
    pub owner: String,
    /// Which field.
    pub path: Path,
}

/// Every field of a configuration that others own and that would change.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflicts(pub Vec<Conflict>);

/// Applies `config` to `object`. `ignored` are fields that this path never writes. With `force` conflicting fields change
/// hands. `changes_at` tells what changed as other versions name it; `None` when there is no such version.
///
/// Neither object may contain managedFields, and `config` must have passed [`validate`](super::validate()).
pub fn apply<S: FieldSchema>(
    object: &Value,
    config: &Value,
    ty: S,
    entries: Vec<Entry>,
    applier: &Applier<'_>,
    changes_at: &mut dyn FnMut(&Value, &str) -> Option<Changes>,
) -> Result<Applied, Conflicts> {
    let writer = &applier.writer;
    let (mine, mut others): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.is_of(writer, Operation::Apply));
    let last = mine.first();
    let mut set = of(config, ty).recursive_difference(applier.ignored);
    let mut merged = merge(object, config, ty);
    if let Some(last) = last.filter(|last| last.api_version == writer.api_version) {
        let owned = others.iter().filter(|entry| entry.api_version == writer.api_version);
        let owned = owned.fold(set.clone(), |all, entry| all.union(&entry.set()));
        merged = prune(merged, ty, &last.set(), &owned);
    }
    let changes = compare(object, &merged, ty).without(applier.ignored);
    let mut conflicts = Vec::new();
    others.retain_mut(|entry| {
        let changes = match entry.api_version == writer.api_version {
            true => changes.clone(),
            false => match changes_at(&merged, &entry.api_version) {
                Some(changes) => changes,
                None => return false,
            },
        };
        let taken = entry.set().intersection(&changes.set);
        conflicts.extend(taken.paths().into_iter().map(|path| Conflict { owner: owner(entry), path }));
        entry.lose(&changes.touched())
    });
    if !applier.force && !conflicts.is_empty() {
        return Err(Conflicts(conflicts));
    }
    strip(&mut set);
    let object = (merged != *object).then_some(merged);
    if !set.is_empty() {
        let mut entry = Entry::new(writer, Operation::Apply, &set);
        entry.time = match object {
            Some(_) => Some(writer.now.to_owned()),
            // An apply that changes nothing is not a moment worth noting.
            None => last.and_then(|last| last.time.clone()),
        };
        others.push(entry);
    }
    Ok(Applied { object, entries: others })
}

/// Who applies, and how.
#[derive(Debug, Clone, Copy)]
pub struct Applier<'a> {
    /// Who.
    pub writer: Writer<'a>,
    /// Fields that this path never writes.
    pub ignored: &'a Set,
    /// Whether conflicting fields change hands.
    pub force: bool,
}

/// Takes out what was applied last time, puts back what anybody owns now, and puts back what was not the applier's.
fn prune<S: FieldSchema>(merged: Value, ty: S, last: &Set, owned: &Set) -> Value {
    if last.is_empty() {
        return merged;
    }
    let last = with_named_fields(last, ty);
    let all = with_named_fields(&of(&merged, ty), ty);
    let pruned = with_named_fields(&of(&remove(&merged, &last, ty), ty), ty);
    let owned = with_named_fields(owned, ty);
    let pruned = remove(&merged, &all.difference(&pruned.union(&owned)), ty);
    let pruned = with_named_fields(&of(&pruned, ty), ty);
    match remove(&merged, &all.difference(&pruned).intersection(&last), ty) {
        // An object that has lost all it had is still one.
        Value::Null => Value::Object(serde_json::Map::new()),
        left => left,
    }
}

/// How conflicts name an owner (K:managedfields/internal/conflict.go printManager).
fn owner(entry: &Entry) -> String {
    let mut owner = crate::field::quote(&entry.manager);
    let mut add = |text: std::fmt::Arguments<'_>| owner.write_fmt(text).expect("writing to a String cannot fail");
    if !entry.subresource.is_empty() {
        add(format_args!(" with subresource {}", crate::field::quote(&entry.subresource)));
    }
    if entry.operation == Operation::Update {
        add(format_args!(" using {}", entry.api_version));
    }
    owner
}

impl Conflicts {
    /// Without those in a set.
    #[must_use]
    pub fn except(self, allowed: &Set) -> Self {
        Self(self.0.into_iter().filter(|conflict| !allowed.has(&conflict.path)).collect())
    }

    /// Owner and path of each, as causes name them.
    pub fn causes(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|conflict| (format!("conflict with {}", conflict.owner), path_text(&conflict.path)))
    }
}

/// `Apply failed with 1 conflict: conflict with "x" using v1: .data.a`.
impl std::fmt::Display for Conflicts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [one] = self.0.as_slice() {
            return write!(f, "Apply failed with 1 conflict: conflict with {}: {}", one.owner, path_text(&one.path));
        }
        write!(f, "Apply failed with {} conflicts: ", self.0.len())?;
        let mut owners: Vec<&str> = self.0.iter().map(|conflict| conflict.owner.as_str()).collect();
        owners.sort_unstable();
        owners.dedup();
        let mut lines = Vec::new();
        for owner in owners {
            lines.push(format!("conflicts with {owner}:"));
            let theirs = self.0.iter().filter(|conflict| conflict.owner == owner);
            lines.extend(theirs.map(|conflict| format!("- {}", path_text(&conflict.path))));
        }
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::managed::{update, write};
    use super::super::testing::{Toy, compared};
    use super::*;
    use serde_json::json;

    /// An object with its owners, to which things happen.
    #[derive(Default)]
    struct World {
        object: Value,
        entries: Vec<Entry>,
    }

    impl World {
        fn new() -> Self {
            Self { object: json!({}), entries: Vec::new() }
        }

        fn writer(who: &str) -> Writer<'_> {
            Writer { manager: who, api_version: "v1", subresource: "", now: "t" }
        }

        fn try_apply(&mut self, who: &str, config: Value, force: bool) -> Result<(), String> {
            let applier = Applier { writer: Self::writer(who), ignored: &Set::default(), force };
            let entries = self.entries.clone();
            let applied = apply(&self.object, &config, Toy::Root, entries, &applier, &mut |_, _| None);
            let applied = applied.map_err(|conflicts| conflicts.to_string())?;
            self.object = applied.object.unwrap_or_else(|| self.object.clone());
            self.entries = applied.entries;
            Ok(())
        }

        #[track_caller]
        fn apply(&mut self, who: &str, config: Value, expect: Value) {
            self.try_apply(who, config, false).unwrap();
            assert_eq!(self.object, expect);
        }

        fn edit(&mut self, who: &str, new: Value) {
            update(&mut self.entries, &compared(&self.object, &new), &Self::writer(who), &mut |_| None);
            self.object = new;
        }

        fn owned(&self, who: &str) -> Value {
            let all = write(self.entries.clone()).unwrap_or_default();
            let mine = all.as_array().into_iter().flatten().find(|entry| entry["manager"] == who);
            mine.map_or(Value::Null, |entry| entry["fieldsV1"].clone())
        }
    }

    #[test]
    fn what_is_no_longer_applied_goes() {
        let mut world = World::new();
        world.apply(
            "a",
            json!({"n": 1, "labels": {"x": "1", "y": "2"}}),
            json!({"n": 1, "labels": {"x": "1", "y": "2"}}),
        );
        world.apply("a", json!({"labels": {"y": "2"}}), json!({"labels": {"y": "2"}}));
        assert_eq!(world.owned("a"), json!({"f:labels": {"f:y": {}}}));
        world.try_apply("a", json!({}), false).unwrap();
        assert_eq!(world.object["labels"], json!(null));
        assert_eq!(world.owned("a"), json!(null));
    }

    #[test]
    fn what_others_own_stays() {
        let mut world = World::new();
        world.apply("a", json!({"n": 1, "t": "x"}), json!({"n": 1, "t": "x"}));
        world.apply("b", json!({"n": 1}), json!({"n": 1, "t": "x"}));
        world.apply("a", json!({"t": "x"}), json!({"n": 1, "t": "x"}));
        world.apply("b", json!({}), json!({"t": "x"}));
        // An updater's field is his, and an unowned one nobody's to remove.
        world.edit("c", json!({"t": "x", "labels": {"c": "1"}}));
        world.apply("a", json!({"labels": {"a": "1"}}), json!({"labels": {"c": "1", "a": "1"}}));
        world.apply("a", json!({"n": 5}), json!({"labels": {"c": "1"}, "n": 5}));
    }

    #[test]
    fn changing_what_others_own_is_a_conflict() {
        let mut world = World::new();
        world.apply("a", json!({"n": 1, "t": "x", "set": ["s"]}), json!({"n": 1, "t": "x", "set": ["s"]}));
        assert_eq!(
            world.try_apply("b", json!({"n": 2}), false).unwrap_err(),
            "Apply failed with 1 conflict: conflict with \"a\": .n"
        );
        world.edit("c", json!({"n": 1, "t": "y", "set": ["s"], "items": [{"name": "i", "n": 1}]}));
        assert_eq!(
            world.try_apply("b", json!({"t": "z", "n": 2, "items": [{"name": "i", "n": 2}]}), false).unwrap_err(),
            "Apply failed with 3 conflicts: conflicts with \"a\":\n- .n\nconflicts with \"c\" using v1:\n- .t\n- .items[name=\"i\"].n"
        );
        world.try_apply("b", json!({"n": 2}), true).unwrap();
        assert_eq!((world.owned("a"), world.owned("b")), (json!({"f:set": {r#"v:"s""#: {}}}), json!({"f:n": {}})));
        // The same value is no conflict: it is shared.
        world.try_apply("d", json!({"n": 2}), false).unwrap();
        assert_eq!((world.owned("b"), world.owned("d")), (json!({"f:n": {}}), json!({"f:n": {}})));
    }

    #[test]
    fn items_are_owned_one_by_one() {
        let mut world = World::new();
        world.apply("a", json!({"items": [{"name": "x", "n": 1}]}), json!({"items": [{"name": "x", "n": 1}]}));
        world.apply(
            "b",
            json!({"items": [{"name": "y"}, {"name": "x", "t": "b"}]}),
            json!({"items": [{"name": "y"}, {"name": "x", "n": 1, "t": "b"}]}),
        );
        // a lets go of x, which b still has: only a's part of it goes.
        world.apply(
            "a",
            json!({"items": [{"name": "z"}]}),
            json!({"items": [{"name": "y"}, {"name": "x", "t": "b"}, {"name": "z"}]}),
        );
        world.apply("b", json!({}), json!({"items": [{"name": "z"}]}));
    }

    #[test]
    fn ignored_fields_are_nobodys() {
        let ignored = super::super::wire::parse(&json!({"f:spec": {}})).unwrap();
        let applier = Applier { writer: World::writer("a"), ignored: &ignored, force: false };
        let config = json!({"n": 1, "spec": {"n": 2}});
        let applied = apply(&json!({}), &config, Toy::Root, Vec::new(), &applier, &mut |_, _| None).unwrap();
        assert_eq!(write(applied.entries).unwrap()[0]["fieldsV1"], json!({"f:n": {}}));
    }
}
