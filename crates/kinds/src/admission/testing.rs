//! Requests to ask plugins with.

use super::{Operation, Request};
use crate::kind::Kind;
use crate::testing::Zeros;
use meta::user::User;
use serde_json::Value;

pub(crate) use crate::testing::Objects;

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
