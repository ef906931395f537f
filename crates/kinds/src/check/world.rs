//! The objects that the files make, and those that every server has.

use super::Finding;
use super::object::{self, Object};
use crate::{bootstrap, namespace};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where an object is.
#[derive(Debug)]
pub(super) enum Found<'w> {
    /// In the files.
    Here(&'w Value),
    /// On every server.
    BuiltIn,
    /// Not where it is looked for, but in this namespace.
    InNamespace(&'w str),
    /// Nowhere; the nearest name of one that there is.
    Nowhere(Option<&'w str>),
}

/// What there is.
#[derive(Debug)]
pub(super) struct World<'w> {
    objects: &'w [Object<'w>],
    built_in: Vec<Value>,
}

impl<'w> World<'w> {
    pub fn of(objects: &'w [Object<'w>]) -> Self {
        let once = bootstrap::ONCE.iter().map(|make| make());
        Self { objects, built_in: bootstrap::always(Some("")).into_iter().chain(once).collect() }
    }

    /// Looks for an object; the namespace is empty for kinds that live in none.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Found<'w> {
        let named = |object: &&Object<'_>| object.is(kind) && object.name() == name;
        let same = self.objects.iter().filter(named);
        if let Some(here) = same.clone().find(|object| object.namespace == namespace) {
            return Found::Here(&here.written);
        }
        if self.is_built_in(kind, namespace, name) {
            return Found::BuiltIn;
        }
        if let Some(other) = same.clone().next() {
            return Found::InNamespace(&other.namespace);
        }
        let beside = self.objects.iter().filter(|object| object.is(kind) && object.namespace == namespace);
        let distance = |object: &&Object<'_>| strsim::damerau_levenshtein(object.name(), name);
        let nearest = beside.min_by_key(distance).filter(|object| distance(object) <= name.len() / 3);
        Found::Nowhere(nearest.map(Object::name))
    }

    fn is_built_in(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let is_it = |object: &Value| object["kind"] == kind && meta::object::name(object) == name;
        let of_namespace = namespace::furniture(namespace, Some(""));
        self.built_in.iter().any(|object| is_it(object) && meta::object::namespace(object) == namespace)
            || (!namespace.is_empty() && of_namespace.iter().any(|(_, object)| is_it(object)))
    }

    /// Objects that stand in the files twice.
    pub fn repeated(&self, findings: &mut Vec<Finding>) {
        let mut seen: BTreeMap<(&str, &str, &str, &str), &Object<'_>> = BTreeMap::new();
        for object in self.objects.iter().filter(|object| !object.name().is_empty()) {
            let names = object.kind.names();
            let key = (names.group, names.plural, object.namespace.as_str(), object.name());
            let Some(first) = seen.get(&key) else {
                seen.insert(key, object);
                continue;
            };
            let line = first.manifest.lines.of("metadata.name").map_or(String::new(), |line| format!(":{line}"));
            let what = format!("metadata.name: Duplicate value: {:?}", object.name());
            let cause = format!("the same object stands in {}{line}; the last one applied holds", first.manifest.file);
            let finding = object::error(object.manifest, "metadata.name", &what);
            findings.push(finding.because(cause).remedy("give one of them another name, or leave one out"));
        }
    }
}
