//! Who may do what: roles, their bindings, and what follows from them. All pure: whoever keeps the stored objects hands
//! them to a `Policy` and asks it.
//!
//! ```text
//! [ Role | ClusterRole ] <- [ RoleBinding | ClusterRoleBinding ] -> users, groups, service accounts
//!            └──────────────────────┬────────────────────┘
//!                               [ policy ]  may this user do that? which rules hold for him?
//!                                   └─ [ escalation ]  nobody grants what he does not have
//! ```

mod role;

mod binding;

pub mod policy;

pub mod rule;

pub mod cover;

pub mod aggregate;
pub mod escalation;

mod bootstrap;
mod reconcile;

pub use bootstrap::objects as bootstrap_objects;

pub use binding::{ClusterRoleBinding, RoleBinding};
pub use policy::Policy;
pub use role::{ClusterRole, Role};
pub use rule::Rule;

/// The API group of the four kinds.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// What a policy is made of, by plural.
pub const PLURALS: [&str; 4] = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"];

/// The group whose members may everything, whatever the stored objects say (K:apiserver/pkg/authentication/user).
pub const MASTERS: &str = "system:masters";

/// Names of roles and bindings are only asked to fit into a path: `system:node`.
fn name_errors(name: &str) -> Vec<String> {
    meta::names::path_segment_errors(name)
}
