//! What the tests of all kinds ask.

use crate::access::{Attributes, Decision};
use crate::kind::{Kind, Part};
use crate::rbac::Policy;
use jiff::Timestamp;
use meta::field::FieldError;
use meta::user::User;
use serde_json::Value;
use std::sync::Arc;

/// Entropy for what no test looks at.
pub(crate) struct Zeros;

impl meta::clock::Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// The instant that tests call now.
pub(crate) fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

/// The object as the server would hold it: defaulted.
pub(crate) fn defaulted(kind: &dyn Kind, object: &Value) -> Value {
    let mut object = object.clone();
    kind.default(&mut object);
    object
}

/// The object as it is after a create.
pub(crate) fn created(kind: &dyn Kind, object: &Value) -> Value {
    let mut object = defaulted(kind, object);
    kind.prepare_create(&mut object);
    kind.default(&mut object);
    object
}

#[track_caller]
pub(crate) fn check_errors(kind: &dyn Kind, object: &Value, expect: &[&str]) {
    let errors = kind.validate(&created(kind, object));
    assert_eq!(texts(&errors), expect);
}

#[track_caller]
pub(crate) fn check_update_errors(kind: &dyn Kind, object: &Value, old: &Value, expect: &[&str]) {
    let errors = kind.validate_update(&defaulted(kind, object), &defaulted(kind, old), Part::Spec);
    assert_eq!(texts(&errors), expect);
}

/// The cells of one row.
pub(crate) fn cells(kind: &dyn Kind, object: &Value) -> Vec<Value> {
    let row = kind.row(object, now());
    assert_eq!(row.cells.len(), kind.columns().len(), "one cell for each column");
    row.cells
}

pub(crate) fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(FieldError::to_string).collect()
}

/// Other objects, for what asks a `World`.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    /// Group, plural, object.
    objects: Vec<(String, String, Value)>,
    root_ca: Option<String>,
    allows_everything: bool,
}

impl Objects {
    /// Objects with the group and plural they are found under.
    pub(crate) fn of(objects: &[(&str, &str, Value)]) -> Self {
        let owned = objects.iter().map(|(group, plural, object)| ((*group).into(), (*plural).into(), object.clone()));
        Self { objects: owned.collect(), ..Self::default() }
    }

    /// The same on a server with a CA.
    pub(crate) fn with_root_ca(self, pem: &str) -> Self {
        Self { root_ca: Some(pem.into()), ..self }
    }

    /// The same where everybody may everything, whatever the roles among the objects say.
    pub(crate) fn with_everything_allowed(self) -> Self {
        Self { allows_everything: true, ..self }
    }

    /// One more.
    pub(crate) fn with(mut self, group: &str, plural: &str, object: Value) -> Self {
        self.objects.push((group.into(), plural.into(), object));
        self
    }

    /// Changes every object of a plural.
    pub(crate) fn change(&mut self, plural: &str, change: impl Fn(&mut Value)) {
        self.objects.iter_mut().filter(|(_, own, _)| own == plural).for_each(|(_, _, object)| change(object));
    }

    /// Removes every object of a plural.
    pub(crate) fn remove(&mut self, plural: &str) {
        self.objects.retain(|(_, own, _)| own != plural);
    }

    fn find<'a>(&'a self, group: &'a str, plural: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects
            .iter()
            .filter(move |(g, p, _)| (g.as_str(), p.as_str()) == (group, plural))
            .map(|(_, _, object)| object)
    }
}

impl crate::admission::World for Objects {
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let is_it =
            |object: &&Value| meta::object::namespace(object) == namespace && meta::object::name(object) == name;
        self.find(group, plural).find(is_it).cloned()
    }
    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value> {
        let is_in = |object: &&Value| namespace.is_empty() || meta::object::namespace(object) == namespace;
        self.find(group, plural).filter(is_in).cloned().collect()
    }
    fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision {
        match self.allows_everything {
            true => Decision::Allow(String::new()),
            false => self.policy().authorize(user, attributes),
        }
    }
    fn root_ca(&self) -> Option<&str> {
        self.root_ca.as_deref()
    }
    fn policy(&self) -> Arc<Policy> {
        let mut policy = Policy::default();
        self.objects.iter().for_each(|(_, plural, object)| policy.put(plural, object));
        Arc::new(policy)
    }
}
