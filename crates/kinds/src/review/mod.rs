//! Kinds that are questions: a POST is answered with the same object and its status filled in, and nothing is stored.

mod access_review;
mod rules_review;
mod self_subject_review;
mod token_review;

pub use access_review::{LocalSubjectAccessReview, SelfSubjectAccessReview, SubjectAccessReview};
pub use rules_review::SelfSubjectRulesReview;
pub use self_subject_review::SelfSubjectReview;
pub use token_review::TokenReview;

use crate::access::{Attributes, Decision};
use crate::rbac::Policy;
use crate::service_account::claims::Identity;
use jiff::Timestamp;
use meta::status::Status;
use meta::user::User;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A kind that is a question. Decoding, defaults and `Kind::validate` come before.
pub trait Review {
    /// The object with its status.
    fn answer(&self, object: &Value, reviewer: &dyn Reviewer) -> Result<Value, Box<Status>>;
}

/// Whom reviews ask.
pub trait Reviewer {
    /// Who sent the review.
    fn user(&self) -> &User;
    /// The current instant.
    fn now(&self) -> Timestamp;
    /// May this user do that?
    fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision;
    /// Whom does this token name? It must be for one of the audiences; for the server itself when there are none.
    fn identify(&self, token: &str, audiences: &[String]) -> Result<Identity, String>;
    /// All roles and bindings.
    fn policy(&self) -> Arc<Policy>;
}

/// authentication.k8s.io/v1 UserInfo; what is empty is not there.
pub(crate) fn user_info(user: &User) -> Value {
    let mut info = Map::new();
    if !user.name.is_empty() {
        info.insert("username".into(), user.name.as_str().into());
    }
    if !user.uid.is_empty() {
        info.insert("uid".into(), user.uid.as_str().into());
    }
    if !user.groups.is_empty() {
        info.insert("groups".into(), json!(user.groups));
    }
    if !user.extra.is_empty() {
        let extra: Map<String, Value> = user.extra.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
        info.insert("extra".into(), extra.into());
    }
    info.into()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Somebody who asks a policy.
    pub struct Asker {
        pub user: User,
        pub policy: Arc<Policy>,
    }

    impl Reviewer for Asker {
        fn user(&self) -> &User {
            &self.user
        }
        fn now(&self) -> Timestamp {
            crate::testing::now()
        }
        fn authorize(&self, user: &User, attributes: &Attributes<'_>) -> Decision {
            self.policy.authorize(user, attributes)
        }
        fn identify(&self, _: &str, _: &[String]) -> Result<Identity, String> {
            Err("no token is known".into())
        }
        fn policy(&self) -> Arc<Policy> {
            self.policy.clone()
        }
    }

    /// Ann reads Jobs in `blue`, by a ClusterRole `jobs`, and everybody of `team` reads `/logs`.
    pub fn asker(user: User) -> Asker {
        let mut policy = Policy::default();
        policy.put(
            "clusterroles",
            &json!({"metadata": {"name": "jobs"}, "rules": [
            {"verbs": ["get", "list"], "apiGroups": ["batch"], "resources": ["jobs"]}]}),
        );
        policy.put(
            "clusterroles",
            &json!({"metadata": {"name": "logs"}, "rules": [
            {"verbs": ["get"], "nonResourceURLs": ["/logs"]}]}),
        );
        policy.put(
            "rolebindings",
            &json!({"metadata": {"name": "ann", "namespace": "blue"},
            "roleRef": {"kind": "ClusterRole", "name": "jobs"}, "subjects": [{"kind": "User", "name": "ann"}]}),
        );
        policy.put(
            "clusterrolebindings",
            &json!({"metadata": {"name": "team"},
            "roleRef": {"kind": "ClusterRole", "name": "logs"}, "subjects": [{"kind": "Group", "name": "team"}]}),
        );
        Asker { user, policy: Arc::new(policy) }
    }
}
