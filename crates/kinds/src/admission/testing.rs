//! A world for tests of plugins, and requests to ask them with.

use super::{Operation, Request, World};
use crate::kind::Kind;
use meta::clock::Entropy;
use meta::object;
use meta::user::User;
use serde_json::Value;

/// Objects by group and plural.
#[derive(Default)]
pub(crate) struct Objects(Vec<(&'static str, &'static str, Value)>);

impl Objects {
    /// One more.
    pub(crate) fn with(mut self, group: &'static str, plural: &'static str, object: Value) -> Self {
        self.0.push((group, plural, object));
        self
    }
}

impl World for Objects {
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.list(group, plural, namespace).into_iter().find(|object| object::name(object) == name)
    }
    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value> {
        let wanted = |object: &Value| namespace.is_empty() || object::namespace(object) == namespace;
        let of_kind = self.0.iter().filter(|(its_group, its_plural, _)| (*its_group, *its_plural) == (group, plural));
        of_kind.map(|(.., object)| object.clone()).filter(wanted).collect()
    }
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// Asks with a create in namespace `n`.
pub(crate) fn create<T>(kind: &'static dyn Kind, world: &Objects, ask: impl FnOnce(&Request<'_>) -> T) -> T {
    request(kind, world, Operation::Create, None, ask)
}

/// Asks with an update in namespace `n`.
pub(crate) fn update<T>(
    kind: &'static dyn Kind,
    world: &Objects,
    old: &Value,
    ask: impl FnOnce(&Request<'_>) -> T,
) -> T {
    request(kind, world, Operation::Update, Some(old), ask)
}

fn request<T>(
    kind: &'static dyn Kind,
    world: &Objects,
    operation: Operation,
    old: Option<&Value>,
    ask: impl FnOnce(&Request<'_>) -> T,
) -> T {
    let user = User::new("alice", &["system:authenticated"]);
    ask(&Request {
        user: &user,
        operation,
        kind,
        subresource: "",
        namespace: "n",
        old,
        dry_run: false,
        now: crate::testing::now(),
        entropy: &Zeros,
        world,
    })
}
